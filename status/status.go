// Package status projects the event stream into one document per task. The
// document is a pure fold over the task's events, indifferent to their order and
// to repeats, so that the bucket can be deleted and rebuilt from the stream.
package status

import (
	"maps"
	"slices"
	"time"

	"github.com/videomsg/videomsg/events"
)

// SchemaVersion is written into every document.
const SchemaVersion = 1

// A Task is what the stream says about one task.
type Task struct {
	Schema  int             `json:"schema"`
	ID      string          `json:"id"`
	Seq     uint64          `json:"seq"`     // newest event folded in
	Request events.Request  `json:"request"` // as submitted
	Plan    []string        `json:"plan"`    // stages in order
	PlanSeq uint64          `json:"plan_seq"`
	Created time.Time       `json:"created"`
	Updated time.Time       `json:"updated"`
	Steps   map[string]Step `json:"steps,omitempty"`
	// Blobs are the inputs; what stages made is in Steps.
	Blobs    map[string]events.Blob `json:"blobs,omitempty"`
	Canceled bool                   `json:"canceled,omitempty"` // somebody wished it to stop
	Erased   *time.Time             `json:"erased,omitempty"`   // nothing else is kept then
	End      *End                   `json:"end,omitempty"`
}

// A Step is what is known of one stage of a task.
type Step struct {
	Requested time.Time              `json:"requested,omitzero"`
	Verb      events.Verb            `json:"verb"` // Requested, Ready or Failed
	Seq       uint64                 `json:"seq"`  // of the event that said Verb
	Time      time.Time              `json:"time"`
	Note      *events.Note           `json:"note,omitempty"`
	Blobs     map[string]events.Blob `json:"blobs,omitempty"` // what it made
}

// An End is how and when a task ended.
type End struct {
	Verb    events.Verb     `json:"verb"`
	Seq     uint64          `json:"seq"`
	Time    time.Time       `json:"time"`
	Problem *events.Problem `json:"problem,omitempty"`
}

// Apply folds one event into t and reports whether it said anything new. It is
// pure, idempotent, and gives the same Task for any order of the same events:
// every part of the document is decided by the sequence number of the one event
// that says most about it (the oldest for the plan, for each stage's outcome and
// for the end; a stage's outcome outranks its request).
func Apply(t Task, e events.Event, seq uint64) (Task, bool) {
	old := t
	if e.Stage == events.Task && e.Verb == events.Erased {
		// Whatever comes before or after does not count.
		t = Task{
			Schema: SchemaVersion, ID: e.Task, Seq: seq, PlanSeq: seq, Plan: []string{}, Created: e.Time, Updated: e.Time, Erased: &e.Time,
			Request: events.Request{Kind: e.Job.Request.Kind, Owner: e.Job.Request.Owner},
		}
		return t, old.Erased == nil
	}
	if t.Erased != nil {
		return t, false
	}
	if t.ID == "" {
		t = Task{Schema: SchemaVersion, ID: e.Task}
	}
	changed := t.Seq < seq
	if changed {
		t.Seq, t.Updated = seq, e.Time
	}
	if t.PlanSeq == 0 || seq < t.PlanSeq {
		t.PlanSeq, t.Request, t.Created = seq, e.Job.Request, e.Time
		t.Plan = planned(e)
		t.Blobs = inputs(e)
		changed = true
	}
	var said bool
	switch {
	case e.Terminal():
		t, said = end(t, e, seq)
	case e.Stage == events.Task:
		switch {
		case e.Verb == events.CancelAsked && !t.Canceled:
			t.Canceled, said = true, true
		case e.Verb == events.Submitted:
			t, said = reuse(t, e, seq)
		}
	default:
		t, said = step(t, e, seq)
	}
	if !said && !changed {
		return old, false
	}
	return t, true
}

// planned is the stages of a task as its oldest event tells them: those whose
// results it brings along, its own, and those ahead.
func planned(e events.Event) []string {
	p := []string{}
	for _, n := range e.Job.Notes {
		if n.Stage != e.Stage && !slices.Contains(p, n.Stage) {
			p = append(p, n.Stage)
		}
	}
	if e.Stage != events.Task {
		p = append(p, e.Stage)
	}
	return append(p, e.Slip...)
}

// reuse takes in the stages whose results a rerun has brought along: they are
// ready from the start.
func reuse(t Task, e events.Event, seq uint64) (Task, bool) {
	said := false
	for _, n := range e.Job.Notes {
		if _, known := t.Steps[n.Stage]; known {
			continue
		}
		s := Step{Verb: events.Ready, Seq: seq, Time: e.Time, Note: &n}
		for _, name := range n.Artifacts {
			if b, ok := e.Job.Blobs[name]; ok {
				if s.Blobs == nil {
					s.Blobs = map[string]events.Blob{}
				}
				s.Blobs[name] = b
			}
		}
		if !said {
			t.Steps = maps.Clone(t.Steps)
			if t.Steps == nil {
				t.Steps = map[string]Step{}
			}
		}
		t.Steps[n.Stage], said = s, true
	}
	return t, said
}

// inputs are the blobs of the oldest event: nothing was made before it.
func inputs(e events.Event) map[string]events.Blob {
	b := maps.Clone(e.Job.Blobs)
	for _, n := range e.Job.Notes {
		for _, name := range n.Artifacts {
			delete(b, name)
		}
	}
	return b
}

func end(t Task, e events.Event, seq uint64) (Task, bool) {
	if t.End != nil && t.End.Seq <= seq {
		return t, false
	}
	t.End = &End{Verb: e.Verb, Seq: seq, Time: e.Time}
	if n := len(e.Job.Notes); n > 0 {
		t.End.Problem = e.Job.Notes[n-1].Problem
	}
	return t, true
}

func step(t Task, e events.Event, seq uint64) (Task, bool) {
	s, known := t.Steps[e.Stage]
	outcome := e.Verb == events.Ready || e.Verb == events.Failed
	decided := s.Verb == events.Ready || s.Verb == events.Failed
	switch {
	case !outcome && (s.Requested.IsZero() || e.Time.Before(s.Requested)):
		s.Requested = e.Time
		if !decided {
			s.Verb, s.Seq, s.Time = e.Verb, seq, e.Time
		}
	case outcome && (!decided || seq < s.Seq):
		s.Verb, s.Seq, s.Time = e.Verb, seq, e.Time
		s.Note, s.Blobs = nil, nil
		if n, ok := e.Job.Note(e.Stage); ok {
			s.Note = &n
			for _, name := range n.Artifacts {
				if b, ok := e.Job.Blobs[name]; ok {
					if s.Blobs == nil {
						s.Blobs = map[string]events.Blob{}
					}
					s.Blobs[name] = b
				}
			}
		}
	case known:
		return t, false
	}
	t.Steps = maps.Clone(t.Steps)
	if t.Steps == nil {
		t.Steps = map[string]Step{}
	}
	t.Steps[e.Stage] = s
	return t, true
}

// The states of a task, in the words clients know.
const (
	Queued     = "queued"
	Processing = "processing"
	ImageReady = "image_ready"
	VoiceReady = "voice_ready"
	AudioReady = "audio_ready"
	Completed  = "completed"
	Failed     = "failed"
	Canceled   = "canceled"
)

// milestones are the stages whose end has a word of its own.
var milestones = []struct{ stage, state string }{
	{"bgm", AudioReady}, {"voice", VoiceReady}, {"image", ImageReady},
}

// State derives the state of the whole.
func (t Task) State() string {
	if t.Erased != nil {
		return Canceled
	}
	if t.Terminal() {
		switch t.End.Verb {
		case events.TaskCompleted:
			return Completed
		case events.TaskCanceled:
			return Canceled
		default:
			return Failed
		}
	}
	for _, m := range milestones {
		if t.Steps[m.stage].Verb == events.Ready {
			return m.state
		}
	}
	for _, s := range t.Steps {
		if s.Verb == events.Ready {
			return Processing
		}
	}
	return Queued
}

// Terminal reports whether nothing more will happen. Projectors may fold the end
// of a task before the stages that led to it: a completed task is complete when
// what its stages made can be found.
func (t Task) Terminal() bool {
	if t.Erased != nil {
		return true
	}
	if t.End == nil {
		return false
	}
	return t.End.Verb != events.TaskCompleted || !slices.ContainsFunc(t.Plan, func(stage string) bool {
		v := t.Steps[stage].Verb
		return v != events.Ready && v != events.Failed
	})
}

// Current is the stage that is waiting or running now; empty when none is.
func (t Task) Current() string {
	if t.Terminal() {
		return ""
	}
	for _, s := range t.Plan {
		if t.Steps[s].Verb == events.Requested {
			return s
		}
	}
	return ""
}

// weight says how much of a whole video a stage is, in percent.
var weight = map[string]float64{"image": 20, "voice": 25, "prosody": 10, "bgm": 10, "video": 35}

// Percent is how much of the plan is done, 0..100; done is the running stage's
// own progress, 0..1.
func (t Task) Percent(done float64) float64 {
	if t.State() == Completed {
		return 100
	}
	var sum, all float64
	current := t.Current()
	for _, s := range t.Plan {
		w := weight[s]
		if w == 0 {
			w = 10
		}
		all += w
		switch {
		case t.Steps[s].Verb == events.Ready:
			sum += w
		case s == current:
			sum += w * min(max(done, 0), 0.99)
		}
	}
	if all == 0 {
		return 0
	}
	return 100 * sum / all
}

// Blob finds a blob of the task by name: what a stage made, or an input.
func (t Task) Blob(name string) (events.Blob, bool) {
	for _, s := range t.Steps {
		if b, ok := s.Blobs[name]; ok {
			return b, true
		}
	}
	b, ok := t.Blobs[name]
	return b, ok
}
