package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// limiter counts requests in a sliding window of a minute. The counts are shared
// by all gateway processes through a KV bucket; while that does not answer, each
// process enforces the same limits by itself.
type limiter struct {
	kv    jetstream.KeyValue // nil: this process only
	rules map[string]int     // requests a minute
	now   func() time.Time

	mu    sync.Mutex
	local map[string][]int64
	apart time.Time // until then the bucket is not asked
}

const window = time.Minute

func newLimiter(kv jetstream.KeyValue, c Config) *limiter {
	return &limiter{
		kv: kv, now: time.Now, local: map[string][]int64{},
		rules: map[string]int{"generate": c.GeneratePerMin, "write": c.WritesPerMin, "preview": c.WritesPerMin},
	}
}

// ruleOf names the limit a route counts against; empty for none.
func ruleOf(rt route) string {
	switch {
	case rt.method == http.MethodPost && rt.path == "/api/video/generate":
		return "generate"
	case strings.HasPrefix(rt.doc.id, "previewVoice"), rt.doc.id == "previewProfile":
		return "preview" // a voice speaks
	case rt.method == http.MethodGet || rt.method == http.MethodHead:
		return ""
	}
	return "write"
}

// limit counts the request against its user and its client address, whichever
// has less left, and says so in the headers.
func (g *Gateway) limit(w http.ResponseWriter, r *http.Request, rt route) error {
	rule := ruleOf(rt)
	if rule == "" {
		return nil
	}
	keys := []string{rule + ".a." + digest(network(g.client(r)))}
	if id := who(r.Context()); id.owner != "" {
		keys = append(keys, rule+".u."+digest(id.owner))
	}
	n := g.limits.rules[rule]
	left, wait := n, time.Duration(0)
	for _, k := range keys {
		l, d := g.limits.take(r.Context(), k, n)
		if l < left {
			left = l
		}
		wait = max(wait, d)
	}
	h := w.Header()
	h.Set("RateLimit-Policy", fmt.Sprintf(`"%s";q=%d;w=%d`, rule, n, int(window.Seconds())))
	if left < 0 {
		sec := strconv.Itoa(int(math.Ceil(wait.Seconds())))
		h.Set("RateLimit", fmt.Sprintf(`"%s";r=0;t=%s`, rule, sec))
		h.Set("Retry-After", sec)
		return newProblem(codeRateLimited, "Try again in "+sec+" s.")
	}
	h.Set("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, rule, left, int(window.Seconds())))
	return nil
}

// patience of the limiter with the bucket, and how long it goes without it after
// that: a limit must not take longer than what it protects.
const (
	limitTimeout = 250 * time.Millisecond
	limitApart   = 2 * time.Second
)

// take counts one request under key and returns how many are left in the window:
// −1 when there was none, with the time until there is.
func (l *limiter) take(ctx context.Context, key string, n int) (left int, wait time.Duration) {
	if l.shared() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limitTimeout)
		defer cancel()
		left, wait, err := l.takeShared(ctx, key, n)
		if err == nil {
			return left, wait
		}
		l.mu.Lock()
		l.apart = l.now().Add(limitApart)
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.local) > 100_000 {
		for k, v := range l.local {
			if now.UnixMilli()-v[len(v)-1] > window.Milliseconds() {
				delete(l.local, k)
			}
		}
	}
	taken, left, wait := slide(l.local[key], now, n)
	l.local[key] = taken
	return left, wait
}

func (l *limiter) shared() bool {
	if l.kv == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.now().Before(l.apart)
}

// takeShared is take by compare-and-swap.
func (l *limiter) takeShared(ctx context.Context, key string, n int) (left int, wait time.Duration, err error) {
	for {
		var taken []int64
		e, err := l.kv.Get(ctx, key)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
		case err != nil:
			return 0, 0, err
		default:
			if err := json.Unmarshal(e.Value(), &taken); err != nil {
				return 0, 0, err
			}
		}
		taken, left, wait := slide(taken, l.now(), n)
		if left < 0 {
			return left, wait, nil
		}
		b, err := json.Marshal(taken)
		if err != nil {
			return 0, 0, err
		}
		if e == nil {
			_, err = l.kv.Create(ctx, key, b)
		} else {
			_, err = l.kv.Update(ctx, key, b, e.Revision())
		}
		if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue // another process was faster; ctx bounds how often
		}
		return left, wait, err
	}
}

// slide drops what is older than the window from taken, adds now when fewer than
// n remain, and returns how many more may come.
func slide(taken []int64, now time.Time, n int) (_ []int64, left int, wait time.Duration) {
	start := now.Add(-window).UnixMilli()
	i := 0
	for i < len(taken) && taken[i] <= start {
		i++
	}
	taken = taken[i:]
	if len(taken) >= n {
		if n == 0 {
			return taken, -1, window
		}
		return taken, -1, time.Duration(taken[len(taken)-n]-start) * time.Millisecond
	}
	taken = append(slices.Clip(taken), now.UnixMilli())
	return taken, n - len(taken), 0
}
