package consumers

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/events"
)

// TestWorkersComeAndGo starts and stops workers one after the other, as a rolling
// restart does, while tasks come in: every stage of every task runs once.
func TestWorkersComeAndGo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var mu sync.Mutex
	runs := map[string]int{}
	stages := []string{"image", "voice"}
	// worker serves both stages on a connection of its own until stop is called,
	// which returns when it has ended.
	worker := func() (stop func()) {
		js, err := f.Connect("worker")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		r := &Runner{Log: slog.New(slog.DiscardHandler), JS: js, Events: f.Events, Publish: f.pub, Grace: time.Minute}
		var wg sync.WaitGroup
		for _, name := range stages {
			st := Stage{Name: name, Workers: 3, Tries: 3, Timeout: time.Minute, Run: func(ctx context.Context, w Work) (Result, error) {
				mu.Lock()
				runs[w.Task+" "+name]++
				mu.Unlock()
				time.Sleep(5 * time.Millisecond)
				return made(name), ctx.Err()
			}}
			wg.Go(func() {
				if err := r.Serve(ctx, st, f.cancels); err != nil {
					t.Error(err)
				}
			})
		}
		return func() { cancel(); wg.Wait() }
	}
	f.serve(t) // dispatches
	stop := worker()
	const n = 120
	for i := range n {
		if err := f.pub.Submit(t.Context(), fmt.Sprintf("t%03d", i), stages, "", events.Job{}); err != nil {
			t.Fatal(err)
		}
		if i%20 == 19 {
			next := worker()
			stop()
			stop = next
		}
	}
	for i := range n {
		if e := f.wait(t, events.Task, events.Ended, fmt.Sprintf("t%03d", i)); e.Verb != events.TaskCompleted {
			t.Errorf("task %d ended as %s", i, e.Verb)
		}
	}
	stop()
	for what, times := range runs {
		if times != 1 {
			t.Errorf("%s ran %d times", what, times)
		}
	}
	if len(runs) != n*len(stages) {
		t.Errorf("%d runs, want %d", len(runs), n*len(stages))
	}
}
