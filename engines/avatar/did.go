package avatar

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/videomsg/videomsg/engines"
)

// DID asks D-ID (https://docs.d-id.com, POST /talks) to animate the portrait.
// Each talk costs money: it is bought once per task, whatever happens to this
// process meanwhile.
type DID struct {
	Key         string // as D-ID shows it, or with "Basic " or "Bearer " before it; empty: not configured
	URL         string // empty: https://api.d-id.com
	Stitch      bool   // animate the face inside the whole picture, where the plan permits it
	Concurrency int    // talks at once; 0 means 2
	HTTP        *http.Client
	Ledger      Ledger
	Hints       Hints // zero: it is only looked from time to time
	Clock       Clock // zero: as D-ID asks for
}

// A Clock is how patient an engine is.
type Clock struct {
	Poll  time.Duration // between looks at a job, which get rarer
	Limit time.Duration // for a job to be done
	Retry time.Duration // before a call is made again; doubles
}

// Limits that D-ID publishes, with a margin.
const (
	didImage   = 9_500_000
	didAudio   = 5_900_000
	didSide    = 1280
	didSeconds = 300
	didName    = "d-id"
)

// A DIDEngine is a configured DID. It is safe for concurrent use.
type DIDEngine struct {
	conf    DID
	api     remote
	slots   chan struct{}
	raw     atomic.Bool // the key is accepted as it is, not encoded
	breaker *engines.Breaker
}

// New checks the configuration.
func (d DID) New() (*DIDEngine, error) {
	if d.Key == "" || d.Ledger == nil {
		return nil, errors.New("d-id needs a key and a ledger")
	}
	if strings.ContainsAny(d.Key, "\r\n") {
		return nil, errors.New("d-id key has a line break in it")
	}
	if err := d.Hints.check(); err != nil {
		return nil, err
	}
	if d.URL == "" {
		d.URL = "https://api.d-id.com"
	}
	if d.Concurrency <= 0 {
		d.Concurrency = 2
	}
	d.Clock = d.Clock.or(Clock{Poll: 2 * time.Second, Limit: 10 * time.Minute, Retry: time.Second})
	e := &DIDEngine{conf: d, slots: make(chan struct{}, d.Concurrency), breaker: engines.NewBreaker("d-id " + d.URL)}
	var err error
	if e.api, err = newRemote("d-id", d.URL, d.HTTP); err != nil {
		return nil, err
	}
	if host := e.api.base.Hostname(); e.api.base.Scheme != "https" && host != "127.0.0.1" && host != "localhost" && host != "::1" {
		return nil, fmt.Errorf("address of d-id is %q: the key and the pictures go over https only", d.URL)
	}
	e.api.auth = e.sign
	return e, nil
}

func (c Clock) or(def Clock) Clock {
	if c.Poll <= 0 {
		c.Poll = def.Poll
	}
	if c.Limit <= 0 {
		c.Limit = def.Limit
	}
	if c.Retry <= 0 {
		c.Retry = def.Retry
	}
	return c
}

// sign sets the key in the form that is accepted: D-ID's documentation, its
// client library and its demonstration disagree about encoding user:password.
func (e *DIDEngine) sign(r *http.Request) {
	k := e.conf.Key
	switch {
	case strings.HasPrefix(k, "Basic ") || strings.HasPrefix(k, "Bearer "):
	case strings.Contains(k, ":") && !e.raw.Load():
		k = "Basic " + base64.StdEncoding.EncodeToString([]byte(k))
	default:
		k = "Basic " + k
	}
	r.Header.Set("Authorization", k)
}

// Engine is the engine for a chain.
func (e *DIDEngine) Engine() engines.Engine[Job, Video] {
	return engines.Engine[Job, Video]{Name: didName, Breaker: e.breaker, Run: e.run}
}

// Ready asks D-ID for the account's credit, the cheapest call there is.
func (e *DIDEngine) Ready(ctx context.Context) error {
	err := e.call(ctx, request{method: http.MethodGet, path: "/credits", timeout: 10 * time.Second}, nil)
	if c, ok := errors.AsType[*callError](err); ok && c.status == http.StatusNotFound {
		return nil // an account without credits of its own
	}
	return explainDID(err)
}

// call is json with the quirks of the key and a few tries. What may have bought
// something is not tried again here.
func (e *DIDEngine) call(ctx context.Context, q request, out any) error {
	for try := 0; ; try++ {
		err := e.api.json(ctx, q, out)
		c, ok := errors.AsType[*callError](err)
		switch {
		case !ok || ctx.Err() != nil:
			return err
		case c.status == http.StatusUnauthorized && e.otherKey():
			continue
		case try >= 3 || !c.patience():
			return err
		case q.path == "/talks" && q.method == http.MethodPost && c.sent && c.status != http.StatusTooManyRequests:
			return err
		}
		if err := pause(ctx, max(c.wait, e.conf.Clock.Retry<<try)); err != nil {
			return err
		}
	}
}

// otherKey switches to the other form of the key, once.
func (e *DIDEngine) otherKey() bool {
	k := e.conf.Key
	return strings.Contains(k, ":") && !strings.HasPrefix(k, "Basic ") && !strings.HasPrefix(k, "Bearer ") && e.raw.CompareAndSwap(false, true)
}

func (e *DIDEngine) run(ctx context.Context, j Job) (Video, error) {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return Video{}, context.Cause(ctx)
	}
	v, err := e.talk(ctx, j)
	return v, explainDID(err)
}

// talk finds the task's talk or buys it, waits for it and finishes the video.
func (e *DIDEngine) talk(ctx context.Context, j Job) (Video, error) {
	if s := j.Voice.Duration().Seconds(); s > didSeconds {
		return Video{}, engines.WithReason(fmt.Errorf("%.0f s of speech: %w", s, engines.ErrPermanent), "the speech is longer than five minutes")
	}
	key := ledgerKey(didName, j.Task)
	id, known, err := e.conf.Ledger.Find(ctx, key)
	if err != nil {
		return Video{}, fmt.Errorf("look up talk of %s: %w", j.Task, err)
	}
	switch {
	case id != "":
	case known:
		id, err = e.lost(ctx, j.Task)
	default:
		id, err = e.buy(ctx, j)
	}
	if err != nil {
		return Video{}, err
	}
	j.progress(0.1)
	path := filepath.Join(j.Dir, "d-id.mp4")
	if err := e.await(ctx, j, id, path); err != nil {
		return Video{}, err
	}
	return compose(ctx, j, path)
}

// buy uploads picture and voice and orders the talk. The intent is on record
// before the order leaves, the id before anything else is done with it.
func (e *DIDEngine) buy(ctx context.Context, j Job) (string, error) {
	order, err := e.order(ctx, j)
	if err != nil {
		return "", err
	}
	key := ledgerKey(didName, j.Task)
	id, first, err := e.conf.Ledger.Begin(ctx, key)
	switch {
	case err != nil:
		return "", fmt.Errorf("note order of talk for %s: %w", j.Task, err)
	case id != "":
		return id, nil
	case !first: // another worker was quicker, and may be at it still
		return e.lost(ctx, j.Task)
	}
	id, err = e.post(ctx, order)
	if err != nil {
		c, _ := errors.AsType[*callError](err)
		if c != nil && (!c.sent || c.status == http.StatusTooManyRequests || errors.Is(err, engines.ErrPermanent)) {
			// Refused, or never sent: nothing was bought.
			return "", errors.Join(err, e.conf.Ledger.Forget(context.WithoutCancel(ctx), key))
		}
		if ctx.Err() != nil {
			return "", err
		}
		return e.lost(ctx, j.Task)
	}
	// The id is kept even when we are told to stop just now.
	if err := e.conf.Ledger.Started(context.WithoutCancel(ctx), key, id); err != nil {
		return "", fmt.Errorf("note talk of %s: %w", j.Task, err)
	}
	return id, nil
}

// order is the body of POST /talks.
func (e *DIDEngine) order(ctx context.Context, j Job) (map[string]any, error) {
	sound, name, kind, err := j.sound(ctx, didAudio)
	if err != nil {
		return nil, err
	}
	img, err := j.picture(didSide, didImage)
	if err != nil {
		return nil, err
	}
	source, err := e.upload(ctx, "/images", part{"image", "portrait.jpg", "image/jpeg", img})
	if err != nil {
		return nil, err
	}
	j.progress(0.03)
	audio, err := e.upload(ctx, "/audios", part{"audio", name, kind, sound})
	if err != nil {
		return nil, err
	}
	j.progress(0.06)
	config := map[string]any{"stitch": e.conf.Stitch, "result_format": "mp4"}
	if x := expression(j.Emotion, j.Intensity); x != nil {
		config["driver_expressions"] = x
	}
	order := map[string]any{
		"source_url": source,
		"script":     map[string]any{"type": "audio", "audio_url": audio},
		"config":     config,
		"name":       j.Task,
		"user_data":  j.Task,
	}
	if a := e.conf.Hints.address(e.hintToken(j.Task)); a != "" {
		order["webhook"] = a
	}
	return order, nil
}

func (e *DIDEngine) upload(ctx context.Context, path string, p part) (string, error) {
	body, kind, err := multipartBody(p)
	if err != nil {
		return "", err
	}
	var answer struct {
		URL string `json:"url"`
	}
	q := request{method: http.MethodPost, path: path, body: body, contentType: kind, timeout: 2 * time.Minute}
	if err := e.call(ctx, q, &answer); err != nil {
		return "", err
	}
	if answer.URL == "" {
		return "", fmt.Errorf("POST %s of d-id: the answer has no url", path)
	}
	return answer.URL, nil
}

// post orders the talk; when the plan has no stitching it does without.
func (e *DIDEngine) post(ctx context.Context, order map[string]any) (string, error) {
	for {
		body, err := json.Marshal(order)
		if err != nil {
			return "", err
		}
		var t talk
		err = e.call(ctx, request{method: http.MethodPost, path: "/talks", body: body, contentType: "application/json", timeout: time.Minute}, &t)
		c, ok := errors.AsType[*callError](err)
		config, _ := order["config"].(map[string]any)
		if ok && c.status == http.StatusForbidden && config["stitch"] == true && strings.Contains(c.told, "stitch") {
			config["stitch"] = false
			continue
		}
		if err == nil && t.ID == "" {
			return "", &callError{call: "POST /talks of d-id", status: 200, sent: true, told: "the answer has no id"}
		}
		return t.ID, err
	}
}

// A talk is a video D-ID makes.
type talk struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Result   string `json:"result_url"`
	Name     string `json:"name"`
	UserData string `json:"user_data"`
	Error    struct {
		Kind        string `json:"kind"`
		Description string `json:"description"`
	} `json:"error"`
}

// lost looks for a talk that was ordered by somebody who did not live to see the
// answer. Without one nothing is ordered again: it may only not be listed yet.
func (e *DIDEngine) lost(ctx context.Context, task string) (string, error) {
	for try := range 3 {
		if try > 0 {
			if err := pause(ctx, e.conf.Clock.Poll<<try); err != nil {
				return "", err
			}
		}
		id, err := e.search(ctx, task)
		if err != nil {
			return "", err
		}
		if id != "" {
			return id, e.conf.Ledger.Started(context.WithoutCancel(ctx), ledgerKey(didName, task), id)
		}
		// The worker that ordered may have heard meanwhile.
		if id, _, err := e.conf.Ledger.Find(ctx, ledgerKey(didName, task)); err != nil || id != "" {
			return id, err
		}
	}
	return "", engines.WithReason(fmt.Errorf("talk of %s was ordered and is not listed: %w", task, engines.ErrPermanent),
		"a video may have been ordered already and cannot be found; it is not ordered twice")
}

// search goes through the newest talks.
func (e *DIDEngine) search(ctx context.Context, task string) (string, error) {
	token := ""
	for range 10 {
		var page struct {
			Talks []talk `json:"talks"`
			Token string `json:"token"`
		}
		q := url.Values{"limit": {"100"}}
		if token != "" {
			q.Set("token", token)
		}
		if err := e.call(ctx, request{method: http.MethodGet, path: "/talks", query: q, timeout: 30 * time.Second}, &page); err != nil {
			return "", err
		}
		for _, t := range page.Talks {
			if t.ID != "" && (t.UserData == task || t.Name == task) {
				return t.ID, nil
			}
		}
		if token = page.Token; token == "" {
			break
		}
	}
	return "", nil
}

// await polls the talk and downloads its video to path. A link that has expired
// is asked for again.
func (e *DIDEngine) await(ctx context.Context, j Job, id, path string) error {
	hints, stop := e.conf.Hints.listen(e.hintToken(j.Task))
	defer stop()
	c := e.conf.Clock
	deadline := time.Now().Add(c.Limit)
	downloads := 0
	for n := 0; ; n++ {
		var t talk
		if err := e.call(ctx, request{method: http.MethodGet, path: "/talks/" + url.PathEscape(id), timeout: 30 * time.Second}, &t); err != nil {
			return err
		}
		switch t.Status {
		case "done":
			err := e.api.fetch(ctx, t.Result, path)
			if err == nil {
				return nil
			}
			if downloads++; downloads >= 3 || ctx.Err() != nil {
				return engines.WithReason(fmt.Errorf("download talk %s: %w", id, err), "its video could not be downloaded")
			}
		case "error", "rejected":
			return &callError{call: "talk " + id + " of d-id", kind: short(t.Error.Kind), told: short(t.Status + " " + t.Error.Description), err: engines.ErrPermanent}
		}
		// Every look is a sign of life; what is left shrinks and never ends.
		j.progress(0.1 + 0.6*(1-math.Exp(-float64(n)/20)))
		if time.Now().After(deadline) {
			return engines.WithReason(fmt.Errorf("talk %s is %q after %s: %w", id, short(t.Status), c.Limit, errLate), "it did not finish in time")
		}
		wait := c.Poll
		if n >= 10 {
			wait = c.Poll * 5 / 2
		}
		if err := idle(ctx, wait, c.Retry, hints); err != nil {
			return err
		}
	}
}

var errLate = errors.New("not done in time")

// Erase deletes the talk of task at D-ID, if there is one.
func (e *DIDEngine) Erase(ctx context.Context, task string) error {
	key := ledgerKey(didName, task)
	id, known, err := e.conf.Ledger.Find(ctx, key)
	if err != nil || !known {
		return err
	}
	if id == "" {
		if id, err = e.search(ctx, task); err != nil {
			return err
		}
	}
	if id != "" {
		err := e.call(ctx, request{method: http.MethodDelete, path: "/talks/" + url.PathEscape(id), timeout: 30 * time.Second}, nil)
		if c, ok := errors.AsType[*callError](err); ok && c.status == http.StatusNotFound {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("delete talk: %w", err)
		}
	}
	return e.conf.Ledger.Forget(ctx, key)
}

// explainDID puts D-ID's refusals in the user's words.
func explainDID(err error) error {
	c, ok := errors.AsType[*callError](err)
	var r interface{ Reason() string }
	if !ok || errors.As(err, &r) {
		return err
	}
	kinds := []struct{ kind, reason string }{
		{"CelebrityRecognizedError", "it refused the picture: a well-known person was recognised"},
		{"ImageModerationError", "it refused the picture"},
		{"TextModerationError", "it refused the text"},
		{"AudioModerationError", "it refused what is said"},
		{"FaceError", "it found no usable face"},
		{"InvalidImageResolutionError", "the picture has a resolution it does not take"},
		{"InvalidFileSizeError", "a file is too large for it"},
		{"InvalidAudioDurationError", "the speech is too long for it"},
	}
	for _, k := range kinds {
		if c.kind == k.kind {
			return engines.WithReason(err, k.reason)
		}
	}
	switch c.status {
	case http.StatusUnauthorized:
		return engines.WithReason(err, "it does not accept the key")
	case http.StatusPaymentRequired:
		return engines.WithReason(err, "its credits are used up")
	case http.StatusForbidden:
		return engines.WithReason(err, "the account may not do this")
	case http.StatusTooManyRequests:
		return engines.WithReason(err, "it is too busy")
	case http.StatusUnavailableForLegalReasons:
		return engines.WithReason(err, "it refused the content")
	case 0:
		if c.err != nil && !errors.Is(err, engines.ErrPermanent) {
			return engines.WithReason(err, "it cannot be reached")
		}
	}
	return err
}
