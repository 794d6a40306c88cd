package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
	"github.com/videomsg/videomsg/status"
)

// A DeadLetter is a stage that has given up on a task, for operators. It is the
// stage's failed event in the stream, so that none can be lost.
type DeadLetter struct {
	Seq       uint64     `json:"seq"`
	TaskID    string     `json:"task_id"`
	Stage     string     `json:"stage"`
	Time      time.Time  `json:"time"`
	Code      string     `json:"code"`
	Detail    string     `json:"detail"`
	Cause     string     `json:"cause,omitempty"`
	Attempts  int        `json:"attempts"`
	Tries     []string   `json:"tries,omitempty"` // what went wrong in each
	Retryable bool       `json:"retryable"`
	State     string     `json:"state"` // open, redriven or discarded
	By        string     `json:"by,omitempty"`
	At        *time.Time `json:"at,omitempty"`
	NewTask   string     `json:"new_task,omitempty"` // of a redrive
	// Event is the whole event; in the answer about a single dead letter only.
	Event *events.Event `json:"event,omitempty"`
}

type deadLetters struct {
	Items []DeadLetter `json:"items"`
	Next  string       `json:"next,omitempty"`
}

// handled is what an operator did about a dead letter.
type handled struct {
	State   string    `json:"state"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	NewTask string    `json:"new_task,omitempty"`
}

func deadKey(seq uint64) string { return "dead." + strconv.FormatUint(seq, 10) }

// deadLetter makes one of a failed event and of what was done about it.
func deadLetter(e events.Event, seq uint64, h *handled) DeadLetter {
	d := DeadLetter{Seq: seq, TaskID: e.Task, Stage: e.Stage, Time: e.Time, State: "open"}
	if n, ok := e.Job.Note(e.Stage); ok {
		d.Attempts, d.Tries = n.Attempt, n.Tries
		if p := n.Problem; p != nil {
			d.Code, d.Detail, d.Cause, d.Retryable = p.Code, p.Detail, p.Cause, p.Retryable
		}
	}
	if h != nil {
		d.State, d.By, d.At, d.NewTask = h.State, h.By, &h.At, h.NewTask
	}
	return d
}

// listDead is GET /api/admin/dead-letters?limit=&cursor=&state=: newest first,
// those that are open unless another state is asked for.
func (g *Gateway) listDead(w http.ResponseWriter, r *http.Request) error {
	limit, before, state, err := deadQuery(r)
	if err != nil {
		return err
	}
	done := map[string]handled{}
	if err := eachKey(r.Context(), g.Library, "dead.*", func(key string, v []byte) error {
		var h handled
		err := json.Unmarshal(v, &h)
		done[key] = h
		return err
	}); err != nil {
		return err
	}
	out := deadLetters{Items: []DeadLetter{}}
	// The stream is read forwards: the newest that fit are what is left at the end.
	more := false
	err = status.Replay(r.Context(), g.Stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{events.Subject("*", events.Failed, "*")}}, func(e events.Event, seq uint64) error {
		if before > 0 && seq >= before {
			return nil
		}
		var h *handled
		if v, ok := done[deadKey(seq)]; ok {
			h = &v
		}
		if d := deadLetter(e, seq, h); state == "all" || d.State == state {
			out.Items = append(out.Items, d)
			if len(out.Items) > limit {
				out.Items, more = out.Items[1:], true
			}
		}
		return nil
	})
	if err != nil {
		return newProblem(codeUnavailable, "").because(err)
	}
	slices.Reverse(out.Items)
	if more {
		out.Next = cursor(strconv.FormatUint(out.Items[len(out.Items)-1].Seq, 10))
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, out)
}

func deadQuery(r *http.Request) (limit int, before uint64, state string, err error) {
	v := r.URL.Query()
	limit, state = 50, "open"
	if s := v.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > 200 {
			return 0, 0, "", badField(codeRange, "limit", "must be a number from 1 to 200")
		}
	}
	if s := v.Get("cursor"); s != "" {
		id, err := readCursor(s)
		if err == nil {
			before, err = strconv.ParseUint(id, 10, 63)
		}
		if err != nil {
			return 0, 0, "", badField(codeRange, "cursor", "is not from an earlier answer").because(err)
		}
	}
	if s := v.Get("state"); s != "" {
		if state = s; !slices.Contains([]string{"open", "redriven", "discarded", "all"}, s) {
			return 0, 0, "", badField(codeRange, "state", "must be open, redriven, discarded or all")
		}
	}
	return limit, before, state, nil
}

// dead reads the dead letter that the path names.
func (g *Gateway) dead(r *http.Request) (events.Event, DeadLetter, error) {
	none := newProblem(codeNotFound, "There is no such dead letter.")
	seq, err := seqParam(r, "seq")
	if err != nil {
		return events.Event{}, DeadLetter{}, err
	}
	m, err := g.Stream.GetMsg(r.Context(), seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return events.Event{}, DeadLetter{}, none
	}
	if err != nil {
		return events.Event{}, DeadLetter{}, newProblem(codeUnavailable, "").because(err)
	}
	e, err := events.Decode(m.Header, m.Data)
	if err != nil || e.Verb != events.Failed || e.Stage == events.Task {
		return events.Event{}, DeadLetter{}, none.because(err)
	}
	var h *handled
	kv, err := g.Library.Get(r.Context(), deadKey(seq))
	if err == nil {
		h = &handled{}
		err = json.Unmarshal(kv.Value(), h)
	} else if errors.Is(err, jetstream.ErrKeyNotFound) {
		err = nil
	}
	return e, deadLetter(e, seq, h), err
}

// showDead is GET /api/admin/dead-letters/{seq}.
func (g *Gateway) showDead(w http.ResponseWriter, r *http.Request) error {
	e, d, err := g.dead(r)
	if err != nil {
		return err
	}
	d.Event = &e
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, d)
}

// redriveDead is POST /api/admin/dead-letters/{seq}/redrive: a new task of the
// same owner that begins where the old one has failed.
func (g *Gateway) redriveDead(w http.ResponseWriter, r *http.Request) error {
	e, d, err := g.dead(r)
	if err != nil {
		return err
	}
	parent, _, err := g.get(r.Context(), e.Task)
	if errors.Is(err, status.ErrNotFound) || err == nil && parent.Erased != nil {
		return newProblem(codeGone, "The task is no longer kept.").because(err)
	}
	if err != nil {
		return err
	}
	at := slices.Index(parent.Plan, e.Stage)
	if at < 0 {
		return newProblem(codeConflict, "The task does not visit this stage.")
	}
	job, err := takeOver(parent, at)
	if err != nil {
		return err
	}
	job.Request.Deadline = time.Now().UTC().Add(g.conf.TaskTimeout).Truncate(time.Millisecond)
	d, err = g.handle(r.Context(), d, handled{State: "redriven", NewTask: producers.NewTask()})
	if err != nil {
		return err
	}
	if err := g.Submit.Submit(r.Context(), d.NewTask, parent.Plan[at:], r.Header.Get("Traceparent"), job); err != nil {
		return newProblem(codeUnavailable, "The task could not be accepted.").because(err)
	}
	return writeJSON(w, http.StatusAccepted, d)
}

// discardDead is DELETE /api/admin/dead-letters/{seq}.
func (g *Gateway) discardDead(w http.ResponseWriter, r *http.Request) error {
	_, d, err := g.dead(r)
	if err != nil {
		return err
	}
	if d.State == "discarded" {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if _, err := g.handle(r.Context(), d, handled{State: "discarded"}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// handle notes what was done about d; of two operators one comes too late.
func (g *Gateway) handle(ctx context.Context, d DeadLetter, h handled) (DeadLetter, error) {
	if d.State != "open" {
		return d, newProblem(codeConflict, "The dead letter is "+d.State+" already.")
	}
	h.By, h.At = who(ctx).user, time.Now().UTC()
	b, err := json.Marshal(h)
	if err != nil {
		return d, err
	}
	_, err = g.Library.Create(ctx, deadKey(d.Seq), b)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return d, newProblem(codeConflict, "Somebody else was faster.")
	}
	if err != nil {
		return d, newProblem(codeUnavailable, "").because(err)
	}
	g.Log.InfoContext(ctx, "dead letter", "seq", d.Seq, "task", d.TaskID, "stage", d.Stage, "state", h.State, "by", h.By)
	d.State, d.By, d.At, d.NewTask = h.State, h.By, &h.At, h.NewTask
	return d, nil
}
