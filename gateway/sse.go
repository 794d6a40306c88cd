package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

// taskEvents is GET /api/tasks/{task}/events: the task's events as they happen
// (Server-Sent Events), or what was recorded so far as JSON.
func (g *Gateway) taskEvents(w http.ResponseWriter, r *http.Request) error {
	t, _, err := g.load(r)
	if err != nil {
		return err
	}
	after, err := lastEventID(r)
	if err != nil {
		return err
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		list := []record{}
		err := g.history(r.Context(), t.ID, after, func(rec record) error {
			list = append(list, rec)
			return nil
		})
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, timeline{TaskID: t.ID, Events: list})
	}
	if t.End != nil && after >= t.End.Seq {
		w.WriteHeader(http.StatusNoContent) // EventSource comes no more
		return nil
	}
	return g.stream(w, r, t.ID, after)
}

// A record is one event with its place in the stream.
type record struct {
	Seq   uint64       `json:"seq"`
	Event events.Event `json:"event"`
	last  bool
}

func lastEventID(r *http.Request) (uint64, error) {
	v := r.URL.Query().Get("after")
	if h := r.Header.Get("Last-Event-ID"); h != "" {
		v = h
	}
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0, badField(codeRange, "after", "must be the id of an event")
	}
	return n, nil
}

// history calls f for each recorded event of the task after the sequence number.
// What is for operators only is taken out.
func (g *Gateway) history(ctx context.Context, task string, after uint64, f func(record) error) error {
	conf := jetstream.OrderedConsumerConfig{FilterSubjects: []string{events.Subject("*", "*", task)}}
	if after > 0 {
		conf.DeliverPolicy, conf.OptStartSeq = jetstream.DeliverByStartSequencePolicy, after+1
	}
	return status.Replay(ctx, g.Stream, conf, func(e events.Event, seq uint64) error {
		return f(forClients(record{Seq: seq, Event: e, last: e.Terminal() || e.Verb == events.Erased}))
	})
}

// forClients takes out what is for operators only.
func forClients(r record) record {
	r.Event = r.Event.Public()
	return r
}

// stream writes events until the task has ended or the client has gone. What is
// recorded comes from the stream, what is new from the process's one follower of
// it. A client that does not read is dropped, and resumes where it was.
func (g *Gateway) stream(w http.ResponseWriter, r *http.Request, task string, after uint64) error {
	live, stop, err := g.Feed.tail.subscribe(r.Context(), func(t, _ string) bool { return t == task })
	if err != nil {
		return err
	}
	defer stop()
	changes, unsubscribe := g.Feed.Subscribe(task)
	defer unsubscribe()
	out, done := g.openSSE(w), false
	defer out.end()
	send := func(rec record) error {
		if rec.Seq <= after {
			return nil
		}
		after, done = rec.Seq, rec.last
		return out.send(strconv.FormatUint(rec.Seq, 10), "event", rec.Event)
	}
	// The header is out: from here on nothing can be said but by ending.
	if err := g.history(r.Context(), task, after, send); err != nil || done {
		infoOf(r.Context()).err = err
		return nil
	}
	beat := time.NewTicker(g.conf.Heartbeat)
	defer beat.Stop()
	var told events.Progress
	for !done {
		select {
		case rec, ok := <-live.events:
			if !ok {
				infoOf(r.Context()).err = errSlow
				return nil
			}
			err = send(rec)
		case <-changes:
			p := g.Feed.Progress(task)
			if p == nil || p.Stage == told.Stage && p.Done == told.Done && p.Attempt == told.Attempt {
				continue
			}
			told = *p
			public := *p
			public.Failed = nil
			err = out.send("", "progress", public)
		case <-beat.C:
			err = out.comment("keep-alive")
		case <-r.Context().Done():
			return nil
		}
		if err != nil {
			infoOf(r.Context()).err = err
			return nil
		}
	}
	return nil
}

// ownEvents is GET /api/events: Server-Sent Events of all tasks of the caller.
// Without an id to resume from it begins with what happens next.
func (g *Gateway) ownEvents(w http.ResponseWriter, r *http.Request) error {
	after, err := lastEventID(r)
	if err != nil {
		return err
	}
	me := owner(r)
	live, stop, err := g.Feed.tail.subscribe(r.Context(), func(_, o string) bool { return o == me })
	if err != nil {
		return err
	}
	defer stop()
	missed, err := g.missed(r.Context(), me, after)
	if err != nil {
		return err
	}
	out := g.openSSE(w)
	defer out.end()
	for _, rec := range missed {
		after = rec.Seq
		if err := out.send(strconv.FormatUint(rec.Seq, 10), "event", rec.Event); err != nil {
			infoOf(r.Context()).err = err
			return nil
		}
	}
	if err := out.comment("following"); err != nil {
		return nil // the client is gone
	}
	beat := time.NewTicker(g.conf.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case rec, ok := <-live.events:
			if !ok {
				infoOf(r.Context()).err = errSlow
				return nil
			}
			if rec.Seq > after {
				after = rec.Seq
				err = out.send(strconv.FormatUint(rec.Seq, 10), "event", rec.Event)
			}
		case <-beat.C:
			err = out.comment("keep-alive")
		case <-r.Context().Done():
			return nil
		}
		if err != nil {
			infoOf(r.Context()).err = err
			return nil
		}
	}
}

// maxResume bounds how many tasks are read again for a client that resumes.
const maxResume = 200

// missed is what happened to the caller's tasks after an event, in order. Tasks
// that have not changed since are not read.
func (g *Gateway) missed(ctx context.Context, me string, after uint64) ([]record, error) {
	if after == 0 {
		return nil, nil
	}
	ids, err := g.Feed.Before(ctx, me, "", maxResume)
	if err != nil {
		return nil, err
	}
	var out []record
	for _, id := range ids {
		t, _, err := g.get(ctx, id)
		if err != nil || t.Seq <= after {
			continue
		}
		if err := g.history(ctx, id, after, func(rec record) error {
			out = append(out, rec)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b record) int { return cmp.Compare(a.Seq, b.Seq) })
	return out, nil
}

func (g *Gateway) openSSE(w http.ResponseWriter) *sse {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	return &sse{w: w, rc: http.NewResponseController(w)}
}

// sse writes Server-Sent Events, each with a deadline.
type sse struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

const writeTimeout = 10 * time.Second

func (s *sse) send(id, event string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	return s.write(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, event, b))
}

// end lifts the deadline: the connection may serve other requests.
func (s *sse) end() {
	_ = s.rc.SetWriteDeadline(time.Time{}) // of a connection that is gone
}

func (s *sse) comment(c string) error { return s.write(": " + c + "\n\n") }

func (s *sse) write(msg string) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(msg)); err != nil {
		return fmt.Errorf("%w: %w", errSlow, err)
	}
	return s.rc.Flush()
}

var errSlow = errors.New("client reads too slowly")
