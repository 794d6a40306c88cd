package gateway

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/oklog/ulid/v2"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/videomsg/videomsg/broker"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

// view is a task as clients see it.
type view struct {
	TaskID     string      `json:"task_id"`
	Kind       string      `json:"kind"`
	Status     string      `json:"status"`
	Percent    float64     `json:"percent"`
	CreatedAt  time.Time   `json:"created_at"`
	UpdatedAt  time.Time   `json:"updated_at"`
	FinishedAt *time.Time  `json:"finished_at,omitempty"`
	Parent     string      `json:"parent,omitempty"`
	Stages     []stageView `json:"stages"`
	Credits    []string    `json:"credits,omitempty"`
	VideoURL   string      `json:"video_url,omitempty"`
	Error      *errorView  `json:"error,omitempty"`
	Subject    string      `json:"subject,omitempty"`
	UserData   string      `json:"user_data,omitempty"`
	Revision   uint64      `json:"revision"`
}

type stageView struct {
	Name         string            `json:"name"`
	State        string            `json:"state"` // pending, running, ready, skipped, failed
	Engine       string            `json:"engine,omitempty"`
	Attempt      int               `json:"attempt,omitempty"`
	Percent      *float64          `json:"percent,omitempty"`
	Fallback     bool              `json:"fallback"`
	FallbackFrom []events.Fallback `json:"fallback_from,omitempty"`
	Cache        string            `json:"cache,omitempty"`
	Remarks      []string          `json:"remarks,omitempty"`
	StartedAt    *time.Time        `json:"started_at,omitempty"`
	FinishedAt   *time.Time        `json:"finished_at,omitempty"`
	RetryAt      *time.Time        `json:"retry_at,omitempty"`
	Seconds      float64           `json:"seconds,omitempty"`
	Artifacts    []artifactView    `json:"artifacts,omitempty"`
}

type artifactView struct {
	Name        string `json:"name"`
	URL         string `json:"url"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
}

type errorView struct {
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	Stage     string `json:"stage,omitempty"`
	Retryable bool   `json:"retryable"`
}

// render is the task as its owner sees it, with what is only echoed.
func (g *Gateway) render(r *http.Request, t status.Task, rev uint64, p *events.Progress) (view, error) {
	v := inWords(t, rev, p).translated(japanese(r))
	d, err := g.details(r.Context(), t)
	v.Subject, v.UserData = d.Subject, d.UserData
	return v, err
}

// inWords is the document and the running stage's progress in the client's words.
func inWords(t status.Task, rev uint64, p *events.Progress) view {
	v := view{
		TaskID: t.ID, Kind: t.Request.Kind, Status: t.State(), CreatedAt: t.Created, UpdatedAt: t.Updated,
		Parent: t.Request.Parent, Revision: rev, Stages: []stageView{},
	}
	current := t.Current()
	var done float64
	if p != nil && p.Stage == current {
		done = p.Done
		if v.Status == status.Queued {
			v.Status = status.Processing
		}
	} else {
		p = nil
	}
	v.Percent = float64(int(t.Percent(done)*10)) / 10
	for _, name := range t.Plan {
		s := t.Steps[name]
		sv := stageView{Name: name, State: "pending"}
		if n := s.Note; n != nil {
			sv.Engine, sv.Attempt, sv.Cache, sv.Remarks, sv.Seconds = n.Engine, n.Attempt, n.Cache, n.Remarks, n.Seconds
			sv.FallbackFrom, sv.Fallback = n.Fallback, len(n.Fallback) > 0
			sv.StartedAt, sv.FinishedAt = &n.Started, &s.Time
			if n.Credit != "" && !slices.Contains(v.Credits, n.Credit) {
				v.Credits = append(v.Credits, n.Credit)
			}
		}
		switch {
		case s.Verb == events.Ready && s.Note != nil && s.Note.Skipped:
			sv.State = "skipped"
		case s.Verb == events.Ready:
			sv.State = "ready"
		case s.Verb == events.Failed:
			sv.State = "failed"
		case name == current && p != nil:
			sv.State, sv.Attempt, sv.StartedAt = "running", p.Attempt, &p.Started
			pct := float64(int(p.Done*1000)) / 10
			sv.Percent = &pct
			if !p.Waiting.IsZero() {
				sv.State, sv.RetryAt = "pending", &p.Waiting
			}
		}
		for name, b := range s.Blobs {
			sv.Artifacts = append(sv.Artifacts, artifactView{
				Name: name, URL: downloadURL(t.ID, name), ContentType: b.Type, Size: b.Size, SHA256: b.SHA256,
			})
		}
		slices.SortFunc(sv.Artifacts, func(a, b artifactView) int { return strings.Compare(a.Name, b.Name) })
		v.Stages = append(v.Stages, sv)
		if n := s.Note; n != nil && n.Problem != nil {
			v.Error = &errorView{Code: n.Problem.Code, Detail: n.Problem.Detail, Stage: name, Retryable: n.Problem.Retryable}
		}
	}
	if t.End != nil {
		v.FinishedAt = &t.End.Time
		if v.Error == nil && v.Status == status.Failed {
			v.Error = &errorView{Code: codeInternal, Detail: "The task failed."}
			if p := t.End.Problem; p != nil {
				v.Error = &errorView{Code: p.Code, Detail: p.Detail, Retryable: p.Retryable}
			}
		}
		if v.Status != status.Failed {
			v.Error = nil
		}
	}
	if _, ok := t.Blob(events.BlobVideo); ok && v.Status == status.Completed {
		v.VideoURL = downloadURL(t.ID, "")
	}
	return v
}

// load reads a task that the caller owns.
func (g *Gateway) load(r *http.Request) (status.Task, uint64, error) {
	me := owner(r)
	return g.find(r, func(t status.Task) bool { return t.Request.Owner == me })
}

// find reads the task of the path if the caller may see it.
func (g *Gateway) find(r *http.Request, may func(status.Task) bool) (status.Task, uint64, error) {
	id := chi.URLParam(r, "task")
	infoOf(r.Context()).task = clipName(id)
	if events.CheckToken(id) != nil {
		return status.Task{}, 0, newProblem(codeNotFound, "There is no such task.")
	}
	t, rev, err := g.get(r.Context(), id)
	if errors.Is(err, status.ErrNotFound) && expired(id, time.Now()) {
		return status.Task{}, 0, newProblem(codeGone, "The task is no longer kept.").because(err)
	}
	if errors.Is(err, status.ErrNotFound) || err == nil && !may(t) {
		return status.Task{}, 0, newProblem(codeNotFound, "There is no such task.").because(err)
	}
	if err == nil && t.Erased != nil {
		return status.Task{}, 0, newProblem(codeGone, "The task was erased.")
	}
	return t, rev, err
}

// expired reports whether a task of this id would be too old to be kept.
func expired(id string, now time.Time) bool {
	u, err := ulid.ParseStrict(strings.ToUpper(id))
	return err == nil && now.Sub(ulid.Time(u.Time())) > broker.Retention
}

// get reads a task from the copy in memory, from the bucket, or, right after its
// acceptance, when the projector may not have it yet, from the stream itself.
func (g *Gateway) get(ctx context.Context, id string) (status.Task, uint64, error) {
	if d := g.Feed.cached(id); d != nil {
		t, err := d.task()
		return t, d.rev, err
	}
	t, rev, err := g.Tasks.Get(ctx, id)
	if errors.Is(err, status.ErrNotFound) {
		t, err = g.submitted(ctx, id)
	}
	return t, rev, err
}

// submitted folds the one event that every task begins with.
func (g *Gateway) submitted(ctx context.Context, id string) (status.Task, error) {
	m, err := g.Stream.GetLastMsgForSubject(ctx, events.Subject(events.Task, events.Submitted, id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		m, err = g.Stream.GetLastMsgForSubject(ctx, events.Subject(events.Task, events.SubmittedBulk, id))
	}
	if err != nil {
		return status.Task{}, status.ErrNotFound
	}
	e, err := events.Decode(m.Header, m.Data)
	if err != nil {
		return status.Task{}, err
	}
	t, _ := status.Apply(status.Task{}, e, m.Sequence)
	return t, nil
}

// maxWait is the longest long poll.
const maxWait = 60 * time.Second

// status is GET /api/video/status/{task}. With ?wait=N it answers when the
// document changes or N seconds have passed; If-None-Match gives 304.
func (g *Gateway) status(w http.ResponseWriter, r *http.Request) error {
	wait, err := waitParam(r)
	if err != nil {
		return err
	}
	if wait == 0 {
		if done, err := g.quickStatus(w, r); done || err != nil {
			return err
		}
	}
	changes, stop := g.Feed.Subscribe(chi.URLParam(r, "task"))
	defer stop()
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	seen := r.Header.Get("If-None-Match")
	for {
		t, rev, err := g.load(r)
		if err != nil {
			return err
		}
		p := g.Feed.Progress(t.ID)
		tag := etag(t, rev, p, japanese(r))
		if fresh := seen != tag; wait == 0 || t.Terminal() || fresh && seen != "" {
			return g.answerStatus(w, r, t, rev, p, tag, seen)
		}
		if seen == "" {
			seen = tag // the first look is what a change is measured against
		}
		select {
		case <-changes:
		case <-timeout.C:
			return g.answerStatus(w, r, t, rev, p, tag, r.Header.Get("If-None-Match"))
		case <-r.Context().Done():
			return nil
		}
	}
}

// quickStatus answers from the document in memory as it was rendered for the
// client before it, when nothing has changed since.
func (g *Gateway) quickStatus(w http.ResponseWriter, r *http.Request) (done bool, err error) {
	id := chi.URLParam(r, "task")
	d := g.Feed.cached(id)
	if d == nil || g.Feed.Progress(id) != nil {
		return false, nil
	}
	t, err := d.task()
	if err != nil || t.Request.Owner != owner(r) || t.Erased != nil {
		return false, err
	}
	infoOf(r.Context()).task = id
	a, err := d.answer(japanese(r), func() (view, error) { return g.render(r, t, d.rev, nil) })
	if err != nil {
		return false, err
	}
	h := w.Header()
	maps.Copy(h, a.header)
	if r.Header.Get("If-None-Match") == a.tag {
		delete(h, "Content-Type")
		delete(h, "Content-Length")
		w.WriteHeader(http.StatusNotModified)
		return true, nil
	}
	_, _ = w.Write(a.body) // the client is gone
	return true, nil
}

func (g *Gateway) answerStatus(w http.ResponseWriter, r *http.Request, t status.Task, rev uint64, p *events.Progress, tag, seen string) error {
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Language")
	if !t.Terminal() {
		h.Set("Retry-After", "1")
	}
	if seen == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	v, err := g.render(r, t, rev, p)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, v)
}

func etag(t status.Task, rev uint64, p *events.Progress, ja bool) string {
	s := `"` + strconv.FormatUint(rev, 10)
	if p != nil && p.Stage == t.Current() {
		s += "-" + p.Stage + "-" + strconv.Itoa(p.Attempt) + "-" + strconv.Itoa(int(p.Done*1000))
	}
	if ja {
		s += "-ja"
	}
	return s + `"`
}

func waitParam(r *http.Request) (time.Duration, error) {
	if r.URL.RawQuery == "" {
		return 0, nil
	}
	v := r.URL.Query().Get("wait")
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || !(n >= 0 && n <= maxWait.Seconds()) {
		return 0, badField(codeRange, "wait", "must be a number of seconds from 0 to 60")
	}
	return time.Duration(n * float64(time.Second)), nil
}
