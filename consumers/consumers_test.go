package consumers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// fixture is a broker with a runner, for one test.
type fixture struct {
	*broker.Broker
	pub     producers.Publisher
	runner  *Runner
	cancels *Cancels
	tries   chan Try
	ctx     context.Context
	stop    func()
	wg      sync.WaitGroup
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := broker.Open(t.Context(), log, broker.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Broker: b, pub: producers.Publisher{JS: b.JS}, cancels: NewCancels(), tries: make(chan Try, 1000)}
	f.ctx, f.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	f.runner = &Runner{Log: log, JS: b.JS, Events: b.Events, Publish: f.pub, Observe: func(t Try) { f.tries <- t }}
	t.Cleanup(func() {
		f.stop()
		f.wg.Wait()
		b.Close()
	})
	return f
}

// serve runs stages and the dispatcher in the background.
func (f *fixture) serve(t *testing.T, stages ...Stage) {
	f.wg.Go(func() {
		if err := f.cancels.Follow(f.ctx, f.runner.Log, f.Events); err != nil {
			t.Error(err)
		}
	})
	f.wg.Go(func() {
		if err := f.runner.Dispatch(f.ctx); err != nil {
			t.Error(err)
		}
	})
	for _, st := range stages {
		if st.Timeout == 0 {
			st.Timeout = time.Minute
		}
		if st.Tries == 0 {
			st.Tries = 3
		}
		f.wg.Go(func() {
			if err := f.runner.Serve(f.ctx, st, f.cancels); err != nil {
				t.Error(err)
			}
		})
	}
}

// wait returns the event on a subject once it is there.
func (f *fixture) wait(t *testing.T, stage string, verb events.Verb, task string) events.Event {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		m, err := f.Events.GetLastMsgForSubject(t.Context(), events.Subject(stage, verb, task))
		if err != nil {
			continue
		}
		e, err := events.Decode(m.Header, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	t.Fatalf("no event on %s", events.Subject(stage, verb, task))
	return events.Event{}
}

// outcome waits for a try with the outcome.
func (f *fixture) outcome(t *testing.T, want string) Try {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case try := <-f.tries:
			if try.Outcome == want {
				return try
			}
		case <-timeout:
			t.Fatalf("no attempt with outcome %s", want)
		}
	}
}

// seq is where a task's end is in the stream.
func (f *fixture) seq(t *testing.T, task string) uint64 {
	t.Helper()
	m, err := f.Events.GetLastMsgForSubject(t.Context(), events.Subject(events.Task, events.Ended, task))
	if err != nil {
		t.Fatal(err)
	}
	return m.Sequence
}

func made(names ...string) Result {
	r := Result{Engine: "test", Blobs: map[string]events.Blob{}}
	for _, n := range names {
		r.Blobs[n] = events.Blob{Key: "intermediates/t/" + n, Size: 1}
	}
	return r
}

func (f *fixture) count(t *testing.T) uint64 {
	t.Helper()
	info, err := f.Events.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

func TestTasksGoTheirWay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var runs atomic.Int32
	step := func(name string) Stage {
		return Stage{Name: name, Workers: 4, Run: func(_ context.Context, w Work) (Result, error) {
			runs.Add(1)
			r := made(name)
			r.Fallback = []engines.Skip{{Engine: "better", Err: engines.ErrUnavailable}}
			return r, nil
		}}
	}
	f.serve(t, step("image"), step("voice"), step("video"))
	const n = 50
	for i := range n {
		for range 2 { // a client that asks twice
			if err := f.pub.Submit(t.Context(), fmt.Sprintf("t%02d", i), []string{"image", "voice", "video"}, "", events.Job{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range n {
		e := f.wait(t, events.Task, events.Ended, fmt.Sprintf("t%02d", i))
		if e.Verb != events.TaskCompleted || len(e.Job.Blobs) != 3 || len(e.Job.Notes) != 3 {
			t.Fatalf("task %d ended as %+v", i, e)
		}
		if got := e.Job.Notes[0].Fallback; len(got) != 1 || got[0].Reason != "unavailable" {
			t.Fatalf("fallback is %v", got)
		}
	}
	if got := runs.Load(); got != 3*n {
		t.Errorf("%d runs, want %d", got, 3*n)
	}
	if got := f.count(t); got != 8*n {
		t.Errorf("%d events, want %d", got, 8*n)
	}
}

// forgetful stores the first facts and fails then.
type forgetful struct {
	Publisher
	left atomic.Int32
}

func (p *forgetful) First(ctx context.Context, e events.Event) (bool, error) {
	first, err := p.Publisher.First(ctx, e)
	if p.left.Add(-1) >= 0 {
		err = errors.Join(err, errors.New("connection lost"))
	}
	return first, err
}

func TestHalfPublishedResultIsNotWorkedTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := &forgetful{Publisher: f.pub}
	p.left.Store(1)
	f.runner.Publish = p
	var runs atomic.Int32
	f.serve(t, Stage{Name: "image", Run: func(context.Context, Work) (Result, error) {
		runs.Add(1)
		return made("image"), nil
	}})
	if err := f.pub.Submit(t.Context(), "t", []string{"image", "voice"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	next := f.wait(t, "voice", events.Requested, "t")
	f.outcome(t, "resumed")
	if runs.Load() != 1 || len(next.Job.Blobs) != 1 {
		t.Errorf("%d runs, blobs %v", runs.Load(), next.Job.Blobs)
	}
}

func TestTransientErrorsAreTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.serve(t, Stage{Name: "image", Run: func(_ context.Context, w Work) (Result, error) {
		if w.Attempt < 2 {
			return Result{}, errors.New("connection refused")
		}
		return made("image"), nil
	}})
	if err := f.pub.Submit(t.Context(), "t", []string{"image"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	e := f.wait(t, events.Task, events.Ended, "t")
	if n, _ := e.Job.Note("image"); e.Verb != events.TaskCompleted || n.Attempt != 2 || len(n.Tries) != 1 || n.Tries[0] != "connection refused" {
		t.Errorf("%s after %+v", e.Verb, n)
	}
}

func TestFailuresEndTheTaskWithTheirReason(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.serve(t, Stage{Name: "image", Tries: 2, Workers: 4, Run: func(_ context.Context, w Work) (Result, error) {
		switch w.Task {
		case "permanent":
			return Result{}, Fail("IMAGE_UNREADABLE", "The picture is damaged.", errors.New("bad huffman code"))
		case "panic":
			panic("index out of range")
		default:
			return Result{}, fmt.Errorf("dial: %w", engines.ErrUnavailable)
		}
	}})
	for task, want := range map[string]struct {
		code    string
		attempt int
	}{"permanent": {"IMAGE_UNREADABLE", 1}, "panic": {"STAGE_FAILED", 2}, "exhausted": {"UNAVAILABLE", 2}} {
		if err := f.pub.Submit(t.Context(), task, []string{"image", "voice"}, "", events.Job{}); err != nil {
			t.Fatal(err)
		}
		e := f.wait(t, events.Task, events.Ended, task)
		n, _ := e.Job.Note("image")
		if e.Verb != events.TaskFailed || n.Problem == nil || n.Problem.Code != want.code || n.Attempt != want.attempt {
			t.Errorf("%s: %s after %+v", task, e.Verb, n)
		}
	}
}

func TestCancelStopsRunningAndQueuedWork(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	running := make(chan struct{})
	f.serve(t, Stage{Name: "image", Workers: 1, Run: func(ctx context.Context, w Work) (Result, error) {
		if w.Task != "running" {
			t.Errorf("%s ran", w.Task)
			return Result{}, nil
		}
		close(running)
		<-ctx.Done()
		return Result{}, ctx.Err()
	}})
	for _, task := range []string{"running", "queued"} {
		if err := f.pub.Submit(t.Context(), task, []string{"image"}, "", events.Job{}); err != nil {
			t.Fatal(err)
		}
		if task == "running" {
			<-running
		}
	}
	for _, task := range []string{"queued", "running"} {
		if err := f.pub.Cancel(t.Context(), task, events.Job{}); err != nil {
			t.Fatal(err)
		}
		if e := f.wait(t, events.Task, events.Ended, task); e.Verb != events.TaskCanceled {
			t.Errorf("%s ended as %s", task, e.Verb)
		}
	}
	f.outcome(t, "canceled")
	f.outcome(t, "canceled")
}

func TestSilentAndOverdueWorkIsCutOff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	block := func(ctx context.Context, _ Work) (Result, error) {
		<-ctx.Done()
		return Result{}, ctx.Err()
	}
	f.serve(t,
		Stage{Name: "silent", Tries: 1, Timeout: 50 * time.Millisecond, Run: block},
		Stage{Name: "long", Tries: 1, Limit: 50 * time.Millisecond, Run: block},
		Stage{Name: "late", Tries: 1, Run: block},
		Stage{Name: "chatty", Tries: 1, Timeout: 3 * time.Second, Run: func(ctx context.Context, w Work) (Result, error) {
			for i := range 40 { // longer than Timeout in all, never silent
				w.Progress(float64(i) / 40)
				time.Sleep(100 * time.Millisecond)
			}
			return made("chatty"), ctx.Err()
		}},
	)
	job := func(d time.Duration) events.Job {
		return events.Job{Request: events.Request{Deadline: time.Now().Add(d)}}
	}
	for stage, want := range map[string]struct {
		deadline time.Duration
		code     string
	}{"silent": {time.Hour, "TIMEOUT"}, "long": {time.Hour, "TIMEOUT"}, "late": {100 * time.Millisecond, "DEADLINE_EXCEEDED"}, "chatty": {time.Hour, ""}} {
		if err := f.pub.Submit(t.Context(), "t-"+stage, []string{stage}, "", job(want.deadline)); err != nil {
			t.Fatal(err)
		}
		e := f.wait(t, events.Task, events.Ended, "t-"+stage)
		n, _ := e.Job.Note(stage)
		got := ""
		if n.Problem != nil {
			got = n.Problem.Code
		}
		if got != want.code {
			t.Errorf("%s: code %q, want %q (%+v)", stage, got, want.code, n)
		}
	}
}

func TestLongWorkKeepsItsLease(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var runs atomic.Int32
	f.serve(t, Stage{Name: "image", Workers: 2, Run: func(context.Context, Work) (Result, error) {
		runs.Add(1)
		time.Sleep(lease + 3*time.Second)
		return made("image"), nil
	}})
	if err := f.pub.Submit(t.Context(), "t", []string{"image"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	f.wait(t, events.Task, events.Ended, "t")
	if runs.Load() != 1 {
		t.Errorf("%d runs", runs.Load())
	}
}

func TestStopHandsWorkBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	started := make(chan struct{}, 2)
	var runs atomic.Int32
	st := Stage{Name: "image", Run: func(ctx context.Context, _ Work) (Result, error) {
		started <- struct{}{}
		if runs.Add(1) == 1 {
			<-ctx.Done()
			return Result{}, ctx.Err()
		}
		return made("image"), nil
	}}
	f.serve(t, st)
	if err := f.pub.Submit(t.Context(), "t", []string{"image"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	<-started
	// The broker tells whoever listens that work was handed back.
	back, err := f.Conn.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED.VM_EVENTS." + ConsumerName("image"))
	if err != nil {
		t.Fatal(err)
	}
	f.stop()
	f.wg.Wait()
	f.outcome(t, "interrupted")
	if _, err := back.NextMsg(time.Minute); err != nil {
		t.Errorf("a stop must hand the work back: %v", err)
	}
	f.ctx, f.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	f.serve(t, st)
	e := f.wait(t, events.Task, events.Ended, "t")
	if n, _ := e.Job.Note("image"); n.Attempt != 1 {
		t.Errorf("attempt %d: a stop must count as no failure", n.Attempt)
	}
}

func TestBulkWorkIsOvertakenAndGoesOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var mu sync.Mutex
	var order []string
	running, most := 0, 0
	f.serve(t, Stage{Name: "image", Workers: 1, Run: func(_ context.Context, w Work) (Result, error) {
		mu.Lock()
		order = append(order, w.Task)
		if w.Job.Request.Priority == events.Bulk {
			running++
			most = max(most, running)
		}
		mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		mu.Lock()
		if w.Job.Request.Priority == events.Bulk {
			running--
		}
		mu.Unlock()
		return made("image"), nil
	}})
	f.wg.Go(func() {
		if err := f.runner.Admit(f.ctx, 2); err != nil {
			t.Error(err)
		}
	})
	for i := range 8 {
		job := events.Job{Request: events.Request{Priority: events.Bulk}}
		if err := f.pub.Submit(t.Context(), fmt.Sprintf("bulk%d", i), []string{"image"}, "", job); err != nil {
			t.Fatal(err)
		}
	}
	f.wait(t, "image", events.Requested, "bulk0")
	if err := f.pub.Submit(t.Context(), "person", []string{"image"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		f.wait(t, events.Task, events.Ended, fmt.Sprintf("bulk%d", i))
	}
	mu.Lock()
	defer mu.Unlock()
	for i, task := range order {
		if task == "person" && i > 3 {
			t.Errorf("the person waited behind %d of 8 bulk tasks: %v", i, order)
		}
	}
	if len(order) != 9 {
		t.Errorf("ran %v", order)
	}
}

func TestLongDelaysHoldNoPlace(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const asked = lease + 500*time.Millisecond
	begin := time.Now()
	f.serve(t, Stage{Name: "video", Tries: 3, Workers: 2, Pending: 1, Run: func(_ context.Context, w Work) (Result, error) {
		if w.Task == "limited" && time.Since(begin) < asked {
			return Result{}, RetryAfter(asked, errors.New("429 from the avatar service"))
		}
		if w.Task == "hopeless" {
			return Result{}, RetryAfter(time.Hour, errors.New("429 from the avatar service"))
		}
		return made("video"), nil
	}})
	job := events.Job{Request: events.Request{Deadline: time.Now().Add(time.Minute)}}
	for _, task := range []string{"limited", "hopeless", "next"} {
		if err := f.pub.Submit(t.Context(), task, []string{"video"}, "", job); err != nil {
			t.Fatal(err)
		}
	}
	f.wait(t, events.Task, events.Ended, "next")
	if n, _ := f.wait(t, events.Task, events.Ended, "hopeless").Job.Note("video"); n.Problem == nil || n.Problem.Code != "DEADLINE_EXCEEDED" {
		t.Errorf("%+v: a delay beyond the deadline must end the task at once", n)
	}
	e := f.wait(t, events.Task, events.Ended, "limited")
	n, _ := e.Job.Note("video")
	if e.Verb != events.TaskCompleted || len(e.Job.Notes) != 1 || n.Attempt != 2 || len(n.Tries) != 1 {
		t.Errorf("%s with notes %+v", e.Verb, e.Job.Notes)
	}
	if d := time.Since(begin); d < asked {
		t.Errorf("it was tried again after %v, not %v", d, asked)
	}
	if f.seq(t, "next") > f.seq(t, "limited") {
		t.Error("the next task waited for the only place of the stage")
	}
}
