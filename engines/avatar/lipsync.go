package avatar

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/videomsg/videomsg/engines"
)

// Lipsync asks a server that speaks the contract MuseTalk, LivePortrait and
// EchoMimic servers share: POST /generate-video, then a status to look at.
type Lipsync struct {
	URL    string
	HTTP   *http.Client
	Ledger Ledger
	Clock  Clock // zero: every 3 s for 15 minutes
}

const (
	lipsyncName    = "lipsync"
	lipsyncImage   = 10_000_000
	lipsyncAudio   = 50_000_000
	lipsyncSeconds = 300
)

// A LipsyncEngine is a configured Lipsync. It is safe for concurrent use.
type LipsyncEngine struct {
	conf    Lipsync
	api     remote
	breaker *engines.Breaker
}

// New checks the configuration.
func (l Lipsync) New() (*LipsyncEngine, error) {
	if l.Ledger == nil {
		return nil, errors.New("lipsync needs a ledger")
	}
	l.Clock = l.Clock.or(Clock{Poll: 3 * time.Second, Limit: 15 * time.Minute, Retry: time.Second})
	api, err := newRemote(lipsyncName, l.URL, l.HTTP)
	if err != nil {
		return nil, err
	}
	return &LipsyncEngine{conf: l, api: api, breaker: engines.NewBreaker(lipsyncName + " " + l.URL)}, nil
}

// Engine is the engine for a chain.
func (e *LipsyncEngine) Engine() engines.Engine[Job, Video] {
	return engines.Engine[Job, Video]{Name: lipsyncName, Breaker: e.breaker, Run: e.run}
}

// Ready returns nil when the server can take a job.
func (e *LipsyncEngine) Ready(ctx context.Context) error {
	var h struct {
		Status string `json:"status"`
	}
	if err := e.api.json(ctx, request{method: http.MethodGet, path: "/health", timeout: 5 * time.Second}, &h); err != nil {
		return err
	}
	if h.Status != "healthy" {
		return fmt.Errorf("lipsync is %q: %w", short(h.Status), engines.ErrUnavailable)
	}
	return nil
}

// errGone is a job the server does not know: it keeps them in memory.
var errGone = errors.New("the server does not know the job")

func (e *LipsyncEngine) run(ctx context.Context, j Job) (Video, error) {
	if s := j.Voice.Duration().Seconds(); s > lipsyncSeconds {
		return Video{}, engines.WithReason(fmt.Errorf("%.0f s of speech: %w", s, engines.ErrPermanent), "the speech is longer than five minutes")
	}
	key := ledgerKey(lipsyncName, j.Task)
	path := filepath.Join(j.Dir, "lipsync.mp4")
	id, _, err := e.conf.Ledger.Find(ctx, key)
	if err != nil {
		return Video{}, fmt.Errorf("look up job of %s: %w", j.Task, err)
	}
	// A job costs nothing but time, so one that is lost is asked for again.
	for submitted := 0; ; {
		if id == "" {
			if submitted++; submitted > 2 {
				return Video{}, engines.WithReason(errGone, "it lost the job twice")
			}
			if id, err = e.submit(ctx, j, key); err != nil {
				return Video{}, explainLipsync(err)
			}
		}
		err := e.await(ctx, j, id, path)
		if errors.Is(err, errGone) {
			id = ""
			continue
		}
		if err != nil {
			return Video{}, explainLipsync(err)
		}
		break
	}
	v, err := compose(ctx, j, path)
	if err != nil {
		return v, err
	}
	e.discard(ctx, id)
	return v, e.conf.Ledger.Forget(context.WithoutCancel(ctx), key)
}

func (e *LipsyncEngine) submit(ctx context.Context, j Job, key string) (string, error) {
	sound, name, kind, err := j.sound(ctx, lipsyncAudio)
	if err != nil {
		return "", err
	}
	img, err := j.picture(2048, lipsyncImage)
	if err != nil {
		return "", err
	}
	body, ctype, err := multipartBody(
		part{"source_image", "portrait.jpg", "image/jpeg", img}, part{"audio_data", name, kind, sound},
	)
	if err != nil {
		return "", err
	}
	if _, _, err := e.conf.Ledger.Begin(ctx, key); err != nil {
		return "", fmt.Errorf("note job of %s: %w", j.Task, err)
	}
	var a struct {
		ID string `json:"id"`
	}
	err = e.api.json(ctx, request{method: http.MethodPost, path: "/generate-video", body: body, contentType: ctype, timeout: 2 * time.Minute}, &a)
	if err == nil && (a.ID == "" || strings.ContainsAny(a.ID, "/?#%\\") || a.ID == "." || a.ID == "..") {
		err = &callError{call: "POST /generate-video of lipsync", status: http.StatusOK, told: "the answer has no usable id"}
	}
	if err != nil {
		return "", err
	}
	return a.ID, e.conf.Ledger.Started(context.WithoutCancel(ctx), key, a.ID)
}

// A lipsyncJob is what the server says of a job.
type lipsyncJob struct {
	Status   string  `json:"status"`
	Result   string  `json:"result_url"`
	Progress float64 `json:"progress"`
	Error    any     `json:"error"`
}

// look asks for the job in the two ways there are: MuseTalk calls it a talk, the
// others a job.
func (e *LipsyncEngine) look(ctx context.Context, id string) (s lipsyncJob, err error) {
	for _, p := range []string{"/talk-status/", "/job-status/"} {
		err = e.api.json(ctx, request{method: http.MethodGet, path: p + url.PathEscape(id), timeout: 30 * time.Second}, &s)
		if c, ok := errors.AsType[*callError](err); !ok || c.status != http.StatusNotFound {
			return s, err
		}
	}
	return s, fmt.Errorf("%s: %w", err, errGone)
}

func (e *LipsyncEngine) await(ctx context.Context, j Job, id, path string) error {
	deadline := time.Now().Add(e.conf.Clock.Limit)
	failures := 0
	for {
		s, err := e.look(ctx, id)
		switch {
		case errors.Is(err, errGone):
			return err
		case err != nil:
			if c, ok := errors.AsType[*callError](err); !ok || !c.patience() || failures >= 4 || ctx.Err() != nil {
				return err
			}
			failures++
		case s.Status == "done":
			result := s.Result
			if result == "" {
				result = "/storage/videos/" + url.PathEscape(id) + ".mp4"
			}
			if err = e.api.fetch(ctx, result, path); err == nil {
				return nil
			}
			if failures++; failures >= 4 || ctx.Err() != nil {
				return engines.WithReason(fmt.Errorf("download job %s: %w", id, err), "its video could not be downloaded")
			}
		case s.Status == "error":
			return engines.WithReason(&callError{call: "job " + id + " of lipsync", told: short(fmt.Sprint(s.Error)), err: engines.ErrPermanent}, "it could not animate this portrait")
		default:
			failures = 0
		}
		share := s.Progress
		if !(share >= 0 && share <= 1) {
			share = 0
		}
		j.progress(0.05 + 0.65*math.Min(share, 1))
		if time.Now().After(deadline) {
			return engines.WithReason(fmt.Errorf("job %s is %q after %s: %w", id, short(s.Status), e.conf.Clock.Limit, errLate), "it did not finish in time")
		}
		if err := pause(ctx, e.conf.Clock.Poll); err != nil {
			return err
		}
	}
}

// discard removes the job's files from the server; what cannot be removed now
// goes when the server restarts.
func (e *LipsyncEngine) discard(ctx context.Context, id string) {
	for _, p := range []string{"/talk/", "/job/"} {
		if e.api.json(ctx, request{method: http.MethodDelete, path: p + url.PathEscape(id), timeout: 10 * time.Second}, nil) == nil {
			return
		}
	}
}

// Erase removes the job of task from the server, if there is one.
func (e *LipsyncEngine) Erase(ctx context.Context, task string) error {
	key := ledgerKey(lipsyncName, task)
	id, known, err := e.conf.Ledger.Find(ctx, key)
	if err != nil || !known {
		return err
	}
	if id != "" {
		e.discard(ctx, id)
	}
	return e.conf.Ledger.Forget(ctx, key)
}

func explainLipsync(err error) error {
	c, ok := errors.AsType[*callError](err)
	var r interface{ Reason() string }
	if !ok || errors.As(err, &r) {
		return err
	}
	switch {
	case c.status == http.StatusServiceUnavailable:
		return engines.WithReason(fmt.Errorf("%w: %w", engines.ErrUnavailable, err), "its queue is full")
	case c.status == http.StatusRequestEntityTooLarge:
		return engines.WithReason(err, "a file is too large for it")
	case c.status == http.StatusBadRequest:
		return engines.WithReason(err, "it cannot use the picture or the speech")
	case c.status == 0 && !errors.Is(err, engines.ErrPermanent):
		return engines.WithReason(err, "it cannot be reached")
	}
	return err
}
