package consumers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// attempt is one delivery of one request to one worker.
type attempt struct {
	*Runner
	st      Stage
	m       jetstream.Msg
	md      *jetstream.MsgMetadata
	e       events.Event
	cancels *Cancels
	here    *presence

	mu   sync.Mutex // guards prog
	prog events.Progress
}

// handle does what a delivery asks for and logs one line about it.
func (a *attempt) handle(ctx context.Context) {
	t := Try{Stage: a.st.Name}
	started := time.Now()
	if err := a.decode(ctx); err != nil {
		a.Log.ErrorContext(ctx, "stage request", "stage", a.st.Name, "subject", a.m.Subject(), "err", err)
		return
	}
	t.Task, t.Wait = a.e.Task, started.Sub(a.md.Timestamp)
	a.prog = events.Progress{Stage: a.st.Name, Started: started.UTC()}
	switch {
	case (a.md.NumDelivered > 1 || a.e.Verb == events.Retry) && a.resume(ctx, &t):
	case a.cancels.canceled(a.e.Task):
		t.Outcome, t.Err = "canceled", a.m.Ack()
	default:
		a.recall(ctx)
		a.here.busy(a)
		a.try(ctx, &t)
		a.here.done(a)
	}
	t.Run = time.Since(started)
	a.report(ctx, t)
}

// decode reads the request. What cannot be read will never be readable and is
// made a dead letter; what a newer program wrote is left to a newer worker.
func (a *attempt) decode(ctx context.Context) (err error) {
	if a.md, err = a.m.Metadata(); err != nil {
		return err
	}
	if a.e, err = events.Decode(a.m.Headers(), a.m.Data()); err != nil {
		return a.buryMalformed(ctx, a.m, err)
	}
	if a.e.Version > events.Version {
		return errors.Join(ErrNewer, a.putOff(ctx, a.e, newerAfter))
	}
	return nil
}

// newerAfter is when an event that a newer program wrote is offered again.
const newerAfter = time.Minute

// putOff has the stream ask for the stage again after d, as e says it. Meanwhile
// the request takes none of the stage's places, and none of its deliveries.
func (a *attempt) putOff(ctx context.Context, e events.Event, d time.Duration) error {
	e.Verb = events.Retry
	if err := a.Publish.Later(ctx, e, time.Now().Add(d)); err != nil {
		return errors.Join(err, a.m.NakWithDelay(lease))
	}
	return a.m.Ack()
}

// resume finishes what an earlier delivery has begun to say: if the stage's
// outcome is in the stream, only what follows from it is published again.
func (a *attempt) resume(ctx context.Context, t *Try) bool {
	for _, verb := range []events.Verb{events.Ready, events.Failed} {
		raw, err := a.Events.GetLastMsgForSubject(ctx, events.Subject(a.st.Name, verb, a.e.Task))
		if err != nil {
			continue // not said, or not readable now: then the work is done again
		}
		said, err := events.Decode(raw.Header, raw.Data)
		if err != nil {
			continue
		}
		next := said.Next()
		if verb == events.Failed {
			next = failedTask(said)
		}
		t.Outcome = "resumed"
		if err := a.Publish.Publish(ctx, next); err != nil {
			t.Err = errors.Join(err, a.m.NakWithDelay(time.Second))
			return true
		}
		t.Err = a.m.Ack()
		return true
	}
	return false
}

// recall learns how many attempts have failed, apart from those that died: the
// failed ones are in the last progress message, the others are in nobody's.
func (a *attempt) recall(ctx context.Context) {
	a.prog.Attempt = 1
	if n, ok := a.e.Job.Note(a.st.Name); ok && a.e.Verb == events.Retry {
		a.prog.Failed = n.Tries
		a.e.Job.Notes = slices.DeleteFunc(a.e.Job.Notes, func(n events.Note) bool { return n.Stage == a.st.Name })
		a.prog.Attempt = len(a.prog.Failed) + 1
	}
	if a.md.NumDelivered == 1 {
		return
	}
	s, err := a.JS.Stream(ctx, broker.StreamProgress)
	if err == nil {
		var p events.Progress
		raw, err := s.GetLastMsgForSubject(ctx, events.ProgressSubject(a.st.Name, a.e.Task))
		if err == nil && json.Unmarshal(raw.Data, &p) == nil && len(p.Failed) > len(a.prog.Failed) {
			a.prog.Failed = p.Failed
		}
	}
	a.prog.Attempt = len(a.prog.Failed) + 1
}

// ErrExhausted says that every attempt ended without an answer: its worker was
// killed, or the machine was.
var ErrExhausted = errors.New("every attempt ended without an answer")

var (
	errCanceled = errors.New("task canceled")
	errSilent   = errors.New("no sign of life")
	errTooLong  = errors.New("time limit reached")
	errDeadline = errors.New("the task's deadline has passed")
)

// try runs the stage once and says how it went.
func (a *attempt) try(ctx context.Context, t *Try) {
	t.Attempt = a.prog.Attempt
	var res Result
	var err error
	ctx, own := newRun(ctx)
	switch d := a.e.Job.Request.Deadline; {
	case int(a.md.NumDelivered) > a.st.Tries+crashes:
		err = ErrExhausted
	case !d.IsZero() && time.Now().After(d):
		err = Fail("DEADLINE_EXCEEDED", "The task was not finished in time.", errDeadline)
	default:
		res, err = a.run(ctx)
	}
	t.Engine, t.Fallback = res.Engine, res.Fallback

	last, cancel := lasting(ctx)
	defer cancel()
	if err != nil {
		if derr := own.discard(last); derr != nil {
			a.Log.WarnContext(ctx, "discard", "task", a.e.Task, "stage", a.st.Name, "err", derr)
		}
	}
	switch {
	case err == nil:
		t.Outcome = "ready"
		t.Err = a.handOn(last, t, res, own)
	case errors.Is(err, errCanceled):
		t.Outcome, t.Err = "canceled", a.m.Ack() // Dispatch has ended the task
	case ctx.Err() != nil:
		t.Outcome, t.Err = "interrupted", errors.Join(err, a.m.Nak())
	case errors.Is(err, ErrPermanent), errors.Is(err, ErrExhausted), a.prog.Attempt >= a.st.Tries:
		t.Outcome = "failed"
		t.Err = errors.Join(err, a.giveUp(last, err))
	default:
		var also error
		t.Outcome, also = a.again(last, err)
		t.Err = errors.Join(err, also)
	}
}

// errTooLate says that a retry would come after the task's deadline.
var errTooLate = errors.New("the next attempt would be too late")

// again puts the next attempt off. A short delay is the broker's; during a long
// one the request waits in the stream, so that it holds none of the stage's places.
func (a *attempt) again(ctx context.Context, cause error) (outcome string, err error) {
	delay, told := retryAfter(cause)
	if !told {
		delay = backoff(a.prog.Attempt)
	}
	at := time.Now().Add(delay)
	if d := a.e.Job.Request.Deadline; !d.IsZero() && at.After(d) {
		return "failed", a.giveUp(ctx, fmt.Errorf("%w: %w", errTooLate, cause))
	}
	a.prog.Failed = append(a.prog.Failed, clip(cause.Error(), 300))
	a.prog.Waiting = at.UTC()
	a.sayProgress()
	if delay <= lease {
		return "retry", a.m.NakWithDelay(delay)
	}
	job := a.e.Job.Clone()
	job.Notes = append(job.Notes, a.note())
	return "retry", a.putOff(ctx, a.after(a.e, events.Retry, job), delay)
}

// run runs the stage under its lease: while it runs, the broker is told every
// few seconds that the request is being worked on; when it is silent for too
// long, over its limit, or its task is canceled, its context ends.
func (a *attempt) run(ctx context.Context) (res Result, err error) {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	defer a.cancels.watch(a.e.Task, func() { cut(errCanceled) })()
	if a.st.Limit > 0 {
		defer time.AfterFunc(a.st.Limit, func() { cut(errTooLong) }).Stop()
	}
	if d := a.e.Job.Request.Deadline; !d.IsZero() {
		defer time.AfterFunc(time.Until(d), func() { cut(errDeadline) }).Stop()
	}
	silence := time.AfterFunc(a.st.Timeout, func() { cut(errSilent) })
	defer silence.Stop()
	alive := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { a.beat(alive) })
	defer wg.Wait()
	defer close(alive)

	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
			err = fmt.Errorf("%w: %w", cause, err)
			if errors.Is(cause, errDeadline) {
				err = Fail("DEADLINE_EXCEEDED", "The task was not finished in time.", err)
			}
		}
		if p := recover(); p != nil {
			res, err = Result{}, fmt.Errorf("stage %s panicked: %v", a.st.Name, p)
		}
	}()
	w := Work{
		Task: a.e.Task, Job: a.e.Job.Clone(), Attempt: a.prog.Attempt, Trace: a.e.Trace,
		Progress: func(done float64) {
			silence.Reset(a.st.Timeout)
			a.mu.Lock()
			a.prog.Done = min(max(done, a.prog.Done), 1)
			a.mu.Unlock()
		},
	}
	content := ""
	if a.st.Content != nil && !a.e.Job.Request.Fresh {
		content = a.st.Content(w.Job)
	}
	return a.Cache.run(ctx, a.st.Name, w.Task, content, func(ctx context.Context) (Result, error) {
		return a.st.Run(ctx, w)
	})
}

// beat renews the lease and says how far the stage is, twice a second at most;
// a stage that is done sooner says nothing.
func (a *attempt) beat(done <-chan struct{}) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	renewed := time.Now()
	said := -1.0
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			if now.Sub(renewed) >= heartbeat {
				renewed = now
				_ = a.m.InProgress() // the next one follows well inside the lease
			}
			a.mu.Lock()
			d := a.prog.Done
			a.mu.Unlock()
			if d != said {
				said = d
				a.sayProgress()
			}
		}
	}
}

const progressEvery = 400 * time.Millisecond

func (a *attempt) sayProgress() {
	a.mu.Lock()
	b, err := json.Marshal(a.prog)
	a.mu.Unlock()
	if err == nil {
		_ = a.JS.Conn().Publish(events.ProgressSubject(a.st.Name, a.e.Task), b) // the next one corrects a lost one
	}
}

// handOn publishes the fact, then the request that follows from it. When another
// run of the same work was faster, its result counts and ours is removed.
func (a *attempt) handOn(ctx context.Context, t *Try, res Result, own *run) error {
	job := a.e.Job.Clone()
	n := a.note()
	n.Engine, n.Skipped, n.Cache, n.Credit, n.Remarks, n.Native = res.Engine, res.Skipped, res.Cache, res.Credit, res.Remarks, res.Native
	n.Fallback = fallbacks(res.Fallback)
	for name, b := range res.Blobs {
		if job.Blobs == nil {
			job.Blobs = map[string]events.Blob{}
		}
		job.Blobs[name] = b
		n.Artifacts = append(n.Artifacts, name)
	}
	slices.Sort(n.Artifacts)
	job.Notes = append(job.Notes, n)
	ready := a.after(a.e, events.Ready, job)
	var first bool
	err := a.insist(ctx, func(ctx context.Context) (err error) {
		if first, err = a.Publish.First(ctx, ready); err != nil || !first {
			return err
		}
		return a.Publish.Publish(ctx, ready.Next())
	})
	switch {
	case err != nil:
		return errors.Join(err, a.m.NakWithDelay(time.Second)) // resume says the rest
	case first:
		return a.m.Ack()
	case !a.resume(ctx, t):
		return a.m.NakWithDelay(time.Second)
	}
	return errors.Join(t.Err, own.discard(ctx))
}

// lasting is the context of what must be said even when ctx ends, which says that
// we are to stop: for a while after that.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWord, cancel) })
	return last, func() { stop(); cancel() }
}

// insist calls f, which publishes, and keeps at it with the request in hand while
// the broker cannot store: the work is done, and giving it back would count as a
// delivery that ended without an answer.
func (a *attempt) insist(ctx context.Context, f func(context.Context) error) error {
	once, done := context.WithTimeout(ctx, heartbeat)
	err := f(once)
	done()
	if !producers.Transient(err) {
		return err
	}
	alive := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { a.beat(alive) })
	defer wg.Wait()
	defer close(alive)
	for producers.Transient(err) && ctx.Err() == nil {
		a.Log.WarnContext(ctx, "the broker does not store", "task", a.e.Task, "stage", a.st.Name, "err", err)
		err = f(ctx)
	}
	return err
}

// giveUp publishes why the stage failed and ends the task.
func (a *attempt) giveUp(ctx context.Context, cause error) error {
	job := a.e.Job.Clone()
	n := a.note()
	p := problem(a.st.Name, cause)
	n.Problem = &p
	n.Fallback = fallbacks(engines.Skips(cause))
	job.Notes = append(job.Notes, n)
	failed := a.after(a.e, events.Failed, job)
	if err := a.insist(ctx, func(ctx context.Context) error { return a.Publish.Publish(ctx, failed, failedTask(failed)) }); err != nil {
		return errors.Join(err, a.m.NakWithDelay(time.Second))
	}
	return a.m.TermWithReason(clip(cause.Error(), 200))
}

// fallbacks says for the user which engines did not serve.
func fallbacks(skips []engines.Skip) []events.Fallback {
	var out []events.Fallback
	for _, s := range skips {
		out = append(out, events.Fallback{Engine: s.Engine, Reason: engines.Reason(s.Err)})
	}
	return out
}

func (a *attempt) note() events.Note {
	return events.Note{
		Stage: a.st.Name, Attempt: a.prog.Attempt, Tries: a.prog.Failed,
		Started: a.prog.Started, Seconds: float64(time.Since(a.prog.Started).Milliseconds()) / 1000,
	}
}

func (a *attempt) after(e events.Event, verb events.Verb, job events.Job) events.Event {
	n := events.New(e.Task, a.st.Name, verb, e.Slip, job)
	n.Trace = e.Trace
	return n
}

// failedTask is the end of the task whose stage has failed.
func failedTask(failed events.Event) events.Event {
	e := events.New(failed.Task, events.Task, events.TaskFailed, nil, failed.Job)
	e.Trace = failed.Trace
	return e
}

// backoff is the delay before attempt n+1: exponential from one second, ± 25 %.
func backoff(n int) time.Duration {
	d := min(time.Second<<min(n-1, 6), time.Minute)
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2)) //nolint:gosec // jitter
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// report logs the attempt and tells the observer.
func (a *attempt) report(ctx context.Context, t Try) {
	level := slog.LevelInfo
	if t.Err != nil {
		level = slog.LevelWarn
	}
	if t.Outcome == "failed" {
		level = slog.LevelError
	}
	attrs := []any{
		"task", t.Task, "stage", t.Stage, "outcome", t.Outcome, "attempt", t.Attempt,
		"engine", t.Engine, "seq", a.md.Sequence.Stream, "wait", t.Wait, "dur", t.Run,
	}
	if t.Err != nil {
		attrs = append(attrs, "err", t.Err)
	}
	a.Log.Log(ctx, level, "stage", attrs...)
	if a.Observe != nil {
		a.Observe(t)
	}
}
