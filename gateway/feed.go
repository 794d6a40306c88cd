package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

// Feed follows the status bucket and the progress of running stages once for the
// whole process: it knows whose tasks there are, keeps the newest documents, and
// wakes whoever waits for a task. A client costs a channel, not a consumer: the
// broker allows a thousand of those.
type Feed struct {
	log *slog.Logger
	mu  sync.Mutex
	// subs are woken, never written to: a slow reader misses nothing, it looks
	// later.
	subs     map[string]map[chan struct{}]struct{}
	progress map[string]heard

	tasks   map[string]row
	byOwner map[string][]string // ids in ascending order, which is by time
	docs    hot
	// current says that what is known here is what the bucket says: false from the
	// loss of the connection until the bucket has been read again.
	current bool
	ready   chan struct{} // closed once the bucket has been read for the first time

	tail    *tail
	workers workers
}

// A row is what is known of every task.
type row struct{ owner, subject string }

type heard struct {
	p  events.Progress
	at time.Time
}

// NewFeed returns a feed without subscribers; Follow fills it.
func NewFeed(log *slog.Logger) *Feed {
	f := &Feed{
		log: log, subs: map[string]map[chan struct{}]struct{}{}, progress: map[string]heard{},
		tasks: map[string]row{}, byOwner: map[string][]string{}, docs: newHot(hotBytes), ready: make(chan struct{}),
	}
	f.tail = newTail(log, f.Owner)
	return f
}

// Follow listens until ctx is done.
func (f *Feed) Follow(ctx context.Context, nc *nats.Conn, kv jetstream.KeyValue, stream jetstream.Stream) error {
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
	who, err := nc.Subscribe(events.WorkerSubject("*", "*"), func(m *nats.Msg) { f.workers.hear(m, time.Now()) })
	if err != nil {
		return fmt.Errorf("follow workers: %w", err)
	}
	defer who.Unsubscribe() //nolint:errcheck // the connection ends it as well
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { f.tail.follow(ctx, stream) })
	for {
		if err := f.watch(ctx, nc, kv); err != nil && ctx.Err() == nil {
			f.log.Warn("status watch ended, watching again", "err", err)
		}
		f.setCurrent(false)
		t := time.NewTimer(time.Second)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
}

var errReconnect = errors.New("connection was lost")

// watch reads the whole bucket and then its changes, until the connection is
// lost: what was missed meanwhile is only known by reading it again.
func (f *Feed) watch(ctx context.Context, nc *nats.Conn, kv jetstream.KeyValue) error {
	lost := nc.StatusChanged(nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	defer nc.RemoveStatusListener(lost)
	w, err := kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("follow status: %w", err)
	}
	defer w.Stop() //nolint:errcheck // its context ends it as well
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errors.New("watcher closed")
			case e == nil: // that was all there is
				f.setCurrent(true)
				f.wakeAll()
			default:
				f.see(e)
			}
		case <-lost:
			return errReconnect
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *Feed) setCurrent(v bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = v
	if v {
		select {
		case <-f.ready:
		default:
			close(f.ready)
		}
	}
}

// see takes in one document.
func (f *Feed) see(e jetstream.KeyValueEntry) {
	id := e.Key()
	f.mu.Lock()
	switch {
	case e.Operation() != jetstream.KeyValuePut:
		f.forget(id)
	default:
		if _, ok := f.tasks[id]; !ok {
			var doc struct {
				Request struct{ Owner, Subject string } `json:"request"`
			}
			if json.Unmarshal(e.Value(), &doc) == nil {
				f.tasks[id] = row{doc.Request.Owner, doc.Request.Subject}
				ids := f.byOwner[doc.Request.Owner]
				i, _ := slices.BinarySearch(ids, id)
				f.byOwner[doc.Request.Owner] = slices.Insert(ids, i, id)
			}
		}
		f.docs.put(id, e.Revision(), e.Value())
	}
	f.mu.Unlock()
	f.wake(id)
}

// forget drops a task that the bucket does not hold any more.
func (f *Feed) forget(id string) {
	r, ok := f.tasks[id]
	if !ok {
		return
	}
	delete(f.tasks, id)
	f.docs.drop(id)
	ids := f.byOwner[r.owner]
	if i, ok := slices.BinarySearch(ids, id); ok {
		ids = slices.Delete(ids, i, i+1)
	}
	if len(ids) == 0 {
		delete(f.byOwner, r.owner)
		return
	}
	f.byOwner[r.owner] = ids
}

// Owner is whose task it is; "" when that is not known here.
func (f *Feed) Owner(task string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tasks[task].owner
}

// Before lists up to n tasks of owner that are older than id, newest first; an
// empty id means now. It waits until the bucket has been read once.
func (f *Feed) Before(ctx context.Context, owner, id string, n int) ([]string, error) {
	select {
	case <-f.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(5 * time.Second):
		return nil, newProblem(codeUnavailable, "The list of tasks is still being read.")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := f.byOwner[owner]
	end := len(ids)
	if id != "" {
		end, _ = slices.BinarySearch(ids, id)
	}
	out := slices.Clone(ids[max(end-n, 0):end])
	slices.Reverse(out)
	return out, nil
}

// OfSubject lists the tasks of owner that belong to a subject.
func (f *Feed) OfSubject(owner, subject string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, id := range f.byOwner[owner] {
		if f.tasks[id].subject == subject {
			out = append(out, id)
		}
	}
	return out
}

// cached is a document as it is in the bucket now; nil when it is not at hand.
func (f *Feed) cached(id string) *doc {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.current {
		return nil
	}
	return f.docs.get(id)
}

// task decodes a cached document once.
func (d *doc) task() (status.Task, error) {
	d.once.Do(func() { d.err = json.Unmarshal(d.raw, &d.t) })
	return d.t, d.err
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
	p := h.p
	return &p
}
