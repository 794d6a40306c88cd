package avatar

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Hints let a service say that a job is done, so that it is looked at before the
// next look is due. A hint is a wish and no fact: D-ID's calls carry no
// signature (https://docs.d-id.com, POST /talks, webhook), so that whoever knows
// an address may send one. All it can do is bring the next look forward.
type Hints struct {
	// URL is where the service reaches the gateway, over https; empty: no hints.
	URL string
	// Listen tells of hints for token until stop is called. A hint that nobody has
	// taken yet swallows those after it.
	Listen func(token string) (hints <-chan struct{}, stop func())
}

// HintPath is the gateway's path for hints; the token follows it.
const HintPath = "/api/d-id/hints/"

func (h Hints) check() error {
	if h.URL == "" {
		return nil
	}
	u, err := url.Parse(h.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("address for webhooks is %q: want https and a host that the service can reach", h.URL)
	}
	if h.Listen == nil {
		return fmt.Errorf("nobody listens for webhooks at %s", h.URL)
	}
	return nil
}

// address is where hints about token go; empty without hints.
func (h Hints) address(token string) string {
	if h.URL == "" {
		return ""
	}
	return strings.TrimRight(h.URL, "/") + HintPath + token
}

// listen is Listen, or nothing to hear.
func (h Hints) listen(token string) (<-chan struct{}, func()) {
	if h.URL == "" {
		return nil, func() {}
	}
	return h.Listen(token)
}

// hintToken names the talk of task. Nobody guesses it without the key, and every
// worker that takes the task up finds the same.
func (e *DIDEngine) hintToken(task string) string {
	m := hmac.New(sha256.New, []byte(e.conf.Key))
	m.Write([]byte("webhook\x00" + task))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// idle waits for d, or for a hint, but at least for least: forged hints must not
// turn into a flood of calls.
func idle(ctx context.Context, d, least time.Duration, hints <-chan struct{}) error {
	least = min(d, least)
	if err := pause(ctx, least); err != nil {
		return err
	}
	t := time.NewTimer(d - least)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
	case <-hints:
	}
	return nil
}

// expression is D-ID's driver expression for an emotion, for the whole talk; nil
// for a neutral face.
func expression(emotion string, intensity float64) map[string]any {
	name := map[string]string{
		"happy": "happy", "excited": "happy", "celebration": "happy", "encouraging": "happy", "grateful": "happy",
		"sad": "serious", "angry": "serious",
	}[emotion]
	if name == "" {
		return nil
	}
	return map[string]any{"expressions": []map[string]any{{"start_frame": 0, "expression": name, "intensity": 0.8 * max(0, min(intensity, 1))}}}
}
