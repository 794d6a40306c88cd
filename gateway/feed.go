package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// Feed follows the status bucket and the progress of running stages once for the
// whole process, and wakes whoever waits for a task. A client costs a channel,
// not a consumer: the broker allows a thousand of those.
type Feed struct {
	log *slog.Logger
	mu  sync.Mutex
	// subs are woken, never written to: a slow reader misses nothing, it looks
	// later.
	subs     map[string]map[chan struct{}]struct{}
	progress map[string]heard
}

type heard struct {
	p  events.Progress
	at time.Time
}

// NewFeed returns a feed without subscribers; Follow fills it.
func NewFeed(log *slog.Logger) *Feed {
	return &Feed{log: log, subs: map[string]map[chan struct{}]struct{}{}, progress: map[string]heard{}}
}

// Follow listens until ctx is done.
func (f *Feed) Follow(ctx context.Context, nc *nats.Conn, kv jetstream.KeyValue) error {
	sub, err := nc.Subscribe(events.ProgressSubject("*", "*"), func(m *nats.Msg) {
		_, task, ok := strings.Cut(strings.TrimPrefix(m.Subject, "vmp."), ".")
		var p events.Progress
		if !ok || json.Unmarshal(m.Data, &p) != nil {
			return
		}
		f.setProgress(task, p, time.Now())
		f.wake(task)
	})
	if err != nil {
		return fmt.Errorf("follow progress: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection ends it as well
	for {
		w, err := kv.WatchAll(ctx, jetstream.UpdatesOnly())
		if err != nil {
			return fmt.Errorf("follow status: %w", err)
		}
		for e := range w.Updates() {
			if e != nil {
				f.wake(e.Key())
			}
		}
		_ = w.Stop()
		if ctx.Err() != nil {
			return nil
		}
		f.log.Warn("status watch ended, watching again")
		f.wakeAll() // something may have been missed
		t := time.NewTimer(time.Second)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
}

// Subscribe gives a channel that is signalled after each change of task, until
// stop is called. Several changes may give one signal.
func (f *Feed) Subscribe(task string) (changes <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.subs[task] == nil {
		f.subs[task] = map[chan struct{}]struct{}{}
	}
	f.subs[task][ch] = struct{}{}
	return ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subs[task], ch)
		if len(f.subs[task]) == 0 {
			delete(f.subs, task)
		}
	}
}

func (f *Feed) wake(task string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch := range f.subs[task] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

func (f *Feed) wakeAll() {
	f.mu.Lock()
	tasks := make([]string, 0, len(f.subs))
	for t := range f.subs {
		tasks = append(tasks, t)
	}
	f.mu.Unlock()
	for _, t := range tasks {
		f.wake(t)
	}
}

// progressMemory is how long a stage that says nothing more is remembered.
const progressMemory = 5 * time.Minute

func (f *Feed) setProgress(task string, p events.Progress, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.progress) > 10_000 {
		for t, h := range f.progress {
			if now.Sub(h.at) > progressMemory {
				delete(f.progress, t)
			}
		}
	}
	f.progress[task] = heard{p, now}
}

// Progress is what the running stage of task said last, nil when nothing was
// heard of it lately.
func (f *Feed) Progress(task string) *events.Progress {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, ok := f.progress[task]
	if !ok || time.Since(h.at) > progressMemory {
		return nil
	}
	return &h.p
}

var errSlow = errors.New("client reads too slowly")
