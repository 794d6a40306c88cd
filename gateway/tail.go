package gateway

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// tail hands new events to whoever follows them live. It reads the stream only
// while somebody does, with one consumer for the whole process.
type tail struct {
	log    *slog.Logger
	owner  func(task string) string // "" when it is not known yet
	mu     sync.Mutex
	subs   map[*follower]struct{}
	wanted chan struct{} // signalled when the first follower comes
	live   chan struct{} // closed while the stream is being read
	idle   context.CancelFunc
}

// A follower gets the events of tasks that want accepts. The owner may be empty
// when it is not known without looking into the event. Its channel is closed
// when it does not keep up.
type follower struct {
	want   func(task, owner string) bool
	events chan record
	late   bool
}

// followerBuffer is how far a follower may fall behind, in events.
const followerBuffer = 256

func newTail(log *slog.Logger, owner func(task string) string) *tail {
	return &tail{log: log, owner: owner, subs: map[*follower]struct{}{}, wanted: make(chan struct{}, 1), live: make(chan struct{})}
}

// subscribe returns once everything published from now on will arrive.
func (t *tail) subscribe(ctx context.Context, want func(task, owner string) bool) (*follower, func(), error) {
	f := &follower{want: want, events: make(chan record, followerBuffer)}
	t.mu.Lock()
	t.subs[f] = struct{}{}
	live := t.live
	t.mu.Unlock()
	select {
	case t.wanted <- struct{}{}:
	default:
	}
	stop := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.subs, f)
		if len(t.subs) == 0 && t.idle != nil {
			t.idle()
		}
	}
	select {
	case <-live:
		return f, stop, nil
	case <-ctx.Done():
		stop()
		return nil, nil, ctx.Err()
	case <-time.After(5 * time.Second):
		stop()
		return nil, nil, newProblem(codeUnavailable, "Events cannot be followed at the moment.")
	}
}

// follow reads the stream while there are followers, until ctx is done.
func (t *tail) follow(ctx context.Context, stream jetstream.Stream) {
	for {
		select {
		case <-t.wanted:
		case <-ctx.Done():
			return
		}
		for t.busy() && ctx.Err() == nil {
			err := t.read(ctx, stream)
			t.mu.Lock()
			t.live = make(chan struct{})
			t.idle = nil
			// What was published since is missing: followers resume by sequence.
			for f := range t.subs {
				if err != nil {
					f.drop()
				}
			}
			t.mu.Unlock()
			if err != nil && ctx.Err() == nil {
				t.log.Warn("following events ended", "err", err)
				wait(ctx, time.Second)
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (t *tail) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.subs) > 0
}

// read hands on events until nobody follows or the consumer is lost.
func (t *tail) read(ctx context.Context, stream jetstream.Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cons, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{events.AllSubjects}, DeliverPolicy: jetstream.DeliverNewPolicy,
	})
	if err != nil {
		return err
	}
	it, err := cons.Messages(jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return err
	}
	defer it.Stop()
	defer context.AfterFunc(ctx, it.Stop)()
	t.mu.Lock()
	t.idle = cancel
	close(t.live)
	t.mu.Unlock()
	for {
		m, err := it.Next()
		switch {
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			continue
		case err != nil:
			return err
		}
		t.hand(m)
	}
}

func (t *tail) hand(m jetstream.Msg) {
	task := m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
	owner := t.owner(task)
	if owner != "" && !t.wantedBy(task, owner) {
		return
	}
	md, err := m.Metadata()
	if err != nil {
		return
	}
	e, err := events.Decode(m.Headers(), m.Data())
	if err != nil {
		return
	}
	if owner == "" {
		owner = e.Job.Request.Owner // the bucket is a moment behind
	}
	t.give(forClients(record{Seq: md.Sequence.Stream, Event: e, last: e.Terminal() || e.Verb == events.Erased}), task, owner)
}

func (t *tail) wantedBy(task, owner string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.subs {
		if f.want(task, owner) {
			return true
		}
	}
	return false
}

// give hands an event of task to all who want it; one who is behind is dropped.
func (t *tail) give(rec record, task, owner string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.subs {
		if f.late || !f.want(task, owner) {
			continue
		}
		select {
		case f.events <- rec:
		default:
			f.drop()
		}
	}
}

// drop ends a follower that does not keep up: it comes again and resumes.
func (f *follower) drop() {
	if !f.late {
		f.late = true
		close(f.events)
	}
}
