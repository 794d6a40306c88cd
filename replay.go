package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

type replayCmd struct {
	Task   string        `help:"Only this task."`
	Since  time.Duration `help:"Only what is younger, such as 1h."`
	From   uint64        `help:"Only from this stream sequence on."`
	Stage  string        `help:"Only this stage; 'task' for the events of the whole."`
	JSON   bool          `help:"One CloudEvent in JSON per line."`
	Follow bool          `help:"Go on with what happens from now on, until interrupted."`
	At     time.Time     `help:"Instead of the events, the task's status as it was at this time (RFC 3339)."`
	Into   string        `help:"Publish the task's requests again under this subject prefix, for a worker under development." placeholder:"PREFIX"`
}

// Run prints the recorded events.
func (c replayCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	filter, err := c.filter()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(e.stderr, nil))
	conf.Broker.Join = true
	b, err := broker.Open(e.ctx, log, conf.Broker)
	if err != nil {
		return err
	}
	defer b.Close()
	oc := jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}}
	switch {
	case c.From > 0:
		oc.DeliverPolicy, oc.OptStartSeq = jetstream.DeliverByStartSequencePolicy, c.From
	case c.Since > 0:
		t := time.Now().Add(-c.Since)
		oc.DeliverPolicy, oc.OptStartTime = jetstream.DeliverByStartTimePolicy, &t
	}
	out := c.reader(e, b)
	if c.Follow {
		return status.Follow(e.ctx, log, b.Events, oc, out.event)
	}
	if err := status.Replay(e.ctx, b.Events, oc, out.event); err != nil {
		return err
	}
	return out.finish()
}

// filter is the subject that the options ask for.
func (c replayCmd) filter() (string, error) {
	stage, task := "*", "*"
	if c.Task != "" {
		if err := events.CheckToken(c.Task); err != nil {
			return "", fmt.Errorf("task: %w", err)
		}
		task = c.Task
	}
	if c.Stage != "" {
		if err := events.CheckToken(c.Stage); err != nil {
			return "", fmt.Errorf("stage: %w", err)
		}
		stage = c.Stage
	}
	if task == "*" && (!c.At.IsZero() || c.Into != "") {
		return "", errors.New("--at and --into are about one task: give --task")
	}
	if !c.At.IsZero() && c.Follow {
		return "", errors.New("--at is about the past: leave --follow out")
	}
	if c.Into != "" && (strings.HasPrefix(c.Into, "vm") || strings.ContainsAny(c.Into, " *>") || strings.HasPrefix(c.Into, "$")) {
		return "", fmt.Errorf("prefix %q: must be plain tokens, and not the service's own", c.Into)
	}
	return events.Subject(stage, "*", task), nil
}

// A reader does something with recorded events.
type reader struct {
	event  func(e events.Event, seq uint64) error
	finish func() error
}

func (c replayCmd) reader(e *env, b *broker.Broker) reader {
	n := 0
	count := func(f func(events.Event, uint64) error) func(events.Event, uint64) error {
		return func(ev events.Event, seq uint64) error { n++; return f(ev, seq) }
	}
	finish := func() error {
		if c.Task != "" && n == 0 {
			return fmt.Errorf("no events of task %s are recorded", c.Task)
		}
		return nil
	}
	switch {
	case !c.At.IsZero():
		var t status.Task
		return reader{
			count(func(ev events.Event, seq uint64) error {
				if !ev.Time.After(c.At) {
					t, _ = status.Apply(t, ev, seq)
				}
				return nil
			}),
			func() error {
				enc := json.NewEncoder(e.stdout)
				enc.SetIndent("", "  ")
				return errors.Join(finish(), enc.Encode(map[string]any{"status": t.State(), "percent": t.Percent(0), "document": t}))
			},
		}
	case c.Into != "":
		return reader{count(func(ev events.Event, _ uint64) error { return c.republish(e, b, ev) }), func() error {
			return errors.Join(finish(), b.Conn.FlushTimeout(5*time.Second))
		}}
	default:
		p := printer{out: e.stdout, json: c.JSON, start: map[string]time.Time{}}
		return reader{count(p.print), finish}
	}
}

// republish puts a request on the same subject below another prefix, where no
// worker of the service listens.
func (c replayCmd) republish(e *env, b *broker.Broker, ev events.Event) error {
	if ev.Verb != events.Requested {
		return nil
	}
	header, data, err := events.Encode(ev)
	if err != nil {
		return err
	}
	subject := c.Into + strings.TrimPrefix(ev.Subject(), "vm")
	fmt.Fprintln(e.stdout, subject)
	return b.Conn.PublishMsg(&nats.Msg{Subject: subject, Header: header, Data: data})
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

type rebuildCmd struct {
	ReplaceNewer bool `help:"Replace documents of a newer program as well, after a rollback that stays."`
}

// Run folds the stream again and puts the status bucket right.
func (c rebuildCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	conf.Broker.Join = true
	b, err := broker.Open(e.ctx, slog.New(slog.NewTextHandler(e.stderr, nil)), conf.Broker)
	if err != nil {
		return err
	}
	defer b.Close()
	r, err := status.Rebuild(e.ctx, b.Events, status.Store{KV: b.Status}, c.ReplaceNewer)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d events, %d tasks: %d identical, %d missing, %d different, %d newer\n", r.Events, r.Tasks, r.Identical, r.Missing, r.Different, r.Newer)
	return nil
}
