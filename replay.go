package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

type replayCmd struct {
	Task   string        `help:"Only this task."`
	Since  time.Duration `help:"Only what is younger, such as 1h."`
	From   uint64        `help:"Only from this stream sequence on."`
	JSON   bool          `help:"One CloudEvent in JSON per line."`
	Server string        `help:"Address of a running gateway to ask for the task's events." default:"http://127.0.0.1:55433"`
	Token  string        `help:"Token for the server." env:"-"`
}

// Run prints the recorded events. When another process has the data directory,
// that process is asked over HTTP.
func (c replayCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	b, err := broker.Open(e.ctx, slog.New(slog.NewTextHandler(e.stderr, nil)), conf.Broker)
	if errors.Is(err, broker.ErrLocked) && c.Task != "" {
		return c.ask(e)
	}
	if err != nil {
		return err
	}
	defer b.Close()
	oc := jetstream.OrderedConsumerConfig{FilterSubjects: []string{events.AllSubjects}}
	if c.Task != "" {
		if err := events.CheckToken(c.Task); err != nil {
			return fmt.Errorf("task: %w", err)
		}
		oc.FilterSubjects = []string{events.Subject("*", "*", c.Task)}
	}
	switch {
	case c.From > 0:
		oc.DeliverPolicy, oc.OptStartSeq = jetstream.DeliverByStartSequencePolicy, c.From
	case c.Since > 0:
		t := time.Now().Add(-c.Since)
		oc.DeliverPolicy, oc.OptStartTime = jetstream.DeliverByStartTimePolicy, &t
	}
	p := printer{out: e.stdout, json: c.JSON, start: map[string]time.Time{}}
	if err := status.Replay(e.ctx, b.Events, oc, p.print); err != nil {
		return err
	}
	if c.Task != "" && p.n == 0 {
		return fmt.Errorf("no events of task %s are recorded", c.Task)
	}
	return nil
}

// ask reads the task's events from a running gateway.
func (c replayCmd) ask(e *env) error {
	send := sendCmd{Token: c.Token}
	res, err := send.call(e.ctx, "GET", strings.TrimRight(c.Server, "/")+"/api/tasks/"+c.Task+"/events", "", nil)
	if err != nil {
		return fmt.Errorf("the data directory is in use, and its process does not answer: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	var list struct {
		Events []struct {
			Seq   uint64
			Event events.Event
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		return err
	}
	p := printer{out: e.stdout, json: c.JSON, start: map[string]time.Time{}}
	for _, r := range list.Events {
		if err := p.print(r.Event, r.Seq); err != nil {
			return err
		}
	}
	return nil
}

// printer writes events as lines of a timeline.
type printer struct {
	out   io.Writer
	json  bool
	start map[string]time.Time
	n     int
}

func (p *printer) print(e events.Event, seq uint64) error {
	p.n++
	if p.json {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "%s\n", b)
		return err
	}
	start, ok := p.start[e.Task]
	if !ok {
		start = e.Time
		p.start[e.Task] = start
	}
	if e.Terminal() {
		delete(p.start, e.Task)
	}
	_, err := fmt.Fprintf(p.out, "%6d  %s  +%8.3f s  %s  %-20s %s\n", seq, e.Time.Format("2006-01-02 15:04:05.000"),
		e.Time.Sub(start).Seconds(), e.Task, strings.TrimPrefix(e.Type(), "videomsg."), about(e))
	return err
}

// about is what a line says beyond its type.
func about(e events.Event) string {
	if e.Verb == events.Requested || e.Verb == events.Submitted {
		if len(e.Slip) > 0 {
			return "then " + strings.Join(e.Slip, " → ")
		}
		return ""
	}
	n, ok := e.Job.Note(e.Stage)
	if !ok {
		return ""
	}
	parts := []string{fmt.Sprintf("by %s in %.2f s", n.Engine, n.Seconds)}
	if n.Problem != nil {
		parts = []string{n.Problem.Code + ": " + n.Problem.Detail}
	}
	if n.Attempt > 1 {
		parts = append(parts, fmt.Sprintf("attempt %d", n.Attempt))
	}
	for _, f := range n.Fallback {
		parts = append(parts, "instead of "+f.Engine+" ("+f.Reason+")")
	}
	for _, name := range n.Artifacts {
		parts = append(parts, fmt.Sprintf("%s %d B", name, e.Job.Blobs[name].Size))
	}
	return strings.Join(parts, ", ")
}

type rebuildCmd struct{}

// Run folds the stream again and puts the status bucket right.
func (rebuildCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	b, err := broker.Open(e.ctx, slog.New(slog.NewTextHandler(e.stderr, nil)), conf.Broker)
	if err != nil {
		return err
	}
	defer b.Close()
	r, err := status.Rebuild(e.ctx, b.Events, status.Store{KV: b.Status})
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d events, %d tasks: %d identical, %d missing, %d different\n", r.Events, r.Tasks, r.Identical, r.Missing, r.Different)
	return nil
}
