// Package shadow runs a new engine beside the one that serves, on the same inputs,
// and records how the two compare: how long they took, how often they failed, and
// what can be measured of their results. What the engine in the shadow makes is
// measured and thrown away; whatever it does, slow, fail, panic or never answer,
// the task goes on as if it were not there.
//
// A shadow may cost computing time and nothing else: engines that are paid by the
// call must not be put there.
package shadow

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/videomsg/videomsg/engines"
)

// A Record compares one answer with that of the engine in the shadow. It holds
// numbers and nothing of a person.
type Record struct {
	Time   time.Time          `json:"time"`
	Task   string             `json:"task"`
	Stage  string             `json:"stage"`
	Served Side               `json:"served"`
	Shadow Side               `json:"shadow"`
	Both   map[string]float64 `json:"both,omitempty"` // what it takes both results to measure
}

// A Side is how one of the two engines fared.
type Side struct {
	Engine   string             `json:"engine"`
	Seconds  float64            `json:"seconds"`         // until it answered
	Error    string             `json:"error,omitempty"` // why it did not, in words for people
	Measures map[string]float64 `json:"measures,omitempty"`
}

// Outcomes that a Runner's Observe is told of.
const (
	Compared = "compared"
	Failed   = "failed" // the engine in the shadow gave no result
	Busy     = "busy"   // the runner was still at an earlier input
	Lost     = "lost"   // the record could not be kept
)

// A Runner runs engines in the shadow, one at a time: what comes meanwhile is left
// out. It is safe for concurrent use.
type Runner struct {
	Log     *slog.Logger
	Percent int           // of the tasks, 0 to 100
	Limit   time.Duration // for one run
	Keep    func(context.Context, Record) error
	Observe func(stage, engine, outcome string) // nil for nobody

	mu     sync.Mutex // guards the following
	busy   bool
	closed bool
	cancel context.CancelFunc // of the run under way
	wg     sync.WaitGroup
}

// Close interrupts what runs and waits for it. Nothing is run afterwards.
func (r *Runner) Close() {
	r.mu.Lock()
	r.closed = true
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

type taskKey struct{}

// WithTask says for which task engines are called: only such calls have a shadow.
func WithTask(ctx context.Context, task string) context.Context {
	return context.WithValue(ctx, taskKey{}, task)
}

// chosen is the task of ctx, and whether it is among the Percent that are compared.
// All stages of a task are, or none.
func (r *Runner) chosen(ctx context.Context) (task string, ok bool) {
	task, ok = ctx.Value(taskKey{}).(string)
	h := fnv.New32a()
	_, _ = h.Write([]byte(task)) // cannot fail
	return task, ok && int(h.Sum32()%100) < r.Percent
}

// claim takes the one place there is. The context outlives the attempt that asks;
// Close and Limit end it.
func (r *Runner) claim(ctx context.Context) (context.Context, func(), bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy || r.closed {
		return nil, nil, false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Limit)
	r.busy, r.cancel = true, cancel
	r.wg.Add(1)
	return ctx, func() {
		defer r.wg.Done()
		r.mu.Lock()
		defer r.mu.Unlock()
		cancel()
		r.busy, r.cancel = false, nil
	}, true
}

func (r *Runner) observe(stage, engine, outcome string) {
	if r.Observe != nil {
		r.Observe(stage, engine, outcome)
	}
}

// A Pair is what runs in the shadow of a stage and how the results are compared.
type Pair[In, Out any] struct {
	Stage  string
	Engine engines.Engine[In, Out]
	// Hold gives the shadow an input of its own, which the attempt neither changes
	// nor removes, until done is called; nil when inputs are never changed.
	Hold func(task string, in In) (own In, done func(), err error)
	// Measure gives figures of one result; the attempt waits for it. Nil for none.
	Measure func(Out) map[string]float64
	// Compare gives figures that need both results; nil for none.
	Compare func(served, shadow Out) map[string]float64
}

// Beside returns chain with p in its shadow: after each call of another engine p's
// own runs on the same input. Nil p or r change nothing.
func (p *Pair[In, Out]) Beside(r *Runner, chain engines.Chain[In, Out]) engines.Chain[In, Out] {
	if p == nil || r == nil {
		return chain
	}
	chain = slices.Clone(chain)
	for i, e := range chain {
		chain[i].Run = func(ctx context.Context, in In) (Out, error) {
			started := time.Now()
			out, err := e.Run(ctx, in)
			p.Saw(ctx, r, in, engines.Served[Out]{Out: out, Engine: e.Name}, time.Since(started), err)
			return out, err
		}
	}
	return chain
}

// Saw runs the shadow for one call that has been answered, by an engine or an
// error, and returns at once. Calls that say nothing about the engine are passed
// over: those that were interrupted, and inputs that nobody could serve.
func (p *Pair[In, Out]) Saw(ctx context.Context, r *Runner, in In, served engines.Served[Out], took time.Duration, err error) {
	if p == nil || r == nil || served.Engine == p.Engine.Name || ctx.Err() != nil || errors.Is(err, engines.ErrInput) || errors.Is(err, engines.ErrUnavailable) {
		return
	}
	task, ok := r.chosen(ctx)
	if !ok {
		return
	}
	own, release, ok := r.claim(ctx)
	if !ok {
		r.observe(p.Stage, p.Engine.Name, Busy)
		return
	}
	rec := Record{Time: time.Now().UTC(), Task: task, Stage: p.Stage, Served: Side{Engine: served.Engine, Seconds: took.Seconds()}}
	done := func() {}
	if p.Hold != nil {
		held, unhold, herr := p.Hold(task, in)
		if herr != nil {
			r.Log.WarnContext(ctx, "shadow", "task", task, "stage", p.Stage, "engine", p.Engine.Name, "err", herr)
			release()
			return
		}
		in, done = held, unhold
	}
	p.side(&rec.Served, served.Out, err)
	go func() {
		defer release()
		defer done()
		p.run(own, r, rec, in, served.Out, err == nil)
	}()
}

// side completes what is said of one engine.
func (p *Pair[In, Out]) side(s *Side, out Out, err error) {
	switch {
	case err != nil:
		s.Error = engines.Reason(err)
	case p.Measure != nil:
		s.Measures = p.Measure(out)
	}
}

func (p *Pair[In, Out]) run(ctx context.Context, r *Runner, rec Record, in In, served Out, both bool) {
	started := time.Now()
	out, err := p.call(ctx, in)
	if errors.Is(ctx.Err(), context.Canceled) {
		return // we are stopping; that says nothing about the engine
	}
	rec.Shadow = Side{Engine: p.Engine.Name, Seconds: time.Since(started).Seconds()}
	p.side(&rec.Shadow, out, err)
	outcome := Compared
	if err != nil {
		outcome = Failed
		r.Log.InfoContext(ctx, "shadow", "task", rec.Task, "stage", p.Stage, "engine", p.Engine.Name, "err", err)
	} else if both && p.Compare != nil {
		rec.Both = p.Compare(served, out)
	}
	if err := r.Keep(ctx, rec); err != nil {
		outcome = Lost
		r.Log.WarnContext(ctx, "shadow", "task", rec.Task, "stage", p.Stage, "engine", p.Engine.Name, "err", err)
	}
	r.observe(p.Stage, p.Engine.Name, outcome)
}

// call runs the engine under its breaker; a panic is a failure of it.
func (p *Pair[In, Out]) call(ctx context.Context, in In) (out Out, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("engine %s panicked: %v", p.Engine.Name, v)
		}
	}()
	err = p.Engine.Breaker.Do(ctx, func() error {
		out, err = p.Engine.Run(ctx, in)
		return err
	})
	return out, err
}
