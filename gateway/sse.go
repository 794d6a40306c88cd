package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
		return writeJSON(w, http.StatusOK, map[string]any{"task_id": t.ID, "events": list})
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
		for i := range e.Job.Notes {
			n := &e.Job.Notes[i]
			n.Tries = nil
			if n.Problem != nil {
				p := *n.Problem
				p.Cause = ""
				n.Problem = &p
			}
		}
		return f(record{Seq: seq, Event: e, last: e.Terminal()})
	})
}

// stream writes events until the task has ended or the client has gone. A client
// that does not read is dropped.
func (g *Gateway) stream(w http.ResponseWriter, r *http.Request, task string, after uint64) error {
	changes, stop := g.Feed.Subscribe(task)
	defer stop()
	out := &sse{w: w, rc: http.NewResponseController(w)}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	beat := time.NewTicker(g.conf.Heartbeat)
	defer beat.Stop()
	var told events.Progress
	for first := true; ; first = false {
		done := false
		t, _, err := g.Tasks.Get(r.Context(), task)
		if first || err == nil && t.Seq > after { // else only progress has changed
			err = g.history(r.Context(), task, after, func(rec record) error {
				after, done = rec.Seq, rec.last
				return out.send(strconv.FormatUint(rec.Seq, 10), "event", rec.Event)
			})
		}
		if p := g.Feed.Progress(task); err == nil && p != nil && !done && (p.Stage != told.Stage || p.Done != told.Done || p.Attempt != told.Attempt) {
			told = *p
			public := *p
			public.Failed = nil
			err = out.send("", "progress", public)
		}
		if err != nil || done {
			infoOf(r.Context()).err = err
			return nil // the header is out: nothing more can be said
		}
		select {
		case <-changes:
		case <-beat.C:
			if err := out.comment("keep-alive"); err != nil {
				return nil //nolint:nilerr // the client is gone
			}
		case <-r.Context().Done():
			return nil
		}
	}
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
