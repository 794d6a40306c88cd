package consumers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// dispatcher is the durable name of Dispatch's consumer.
const dispatcher = "task"

// Dispatch turns submissions into the first stage's request, and wishes to
// cancel into the task's end, until ctx is done. Because the submission is the
// one message that accepts a task, a gateway that dies behind it loses nothing.
func (r *Runner) Dispatch(ctx context.Context) error {
	return Pull(ctx, r.Log, r.Events, jetstream.ConsumerConfig{
		Durable:     dispatcher,
		Description: "starts and cancels tasks",
		FilterSubjects: []string{
			events.Subject(events.Task, events.Submitted, "*"),
			events.CanceledSubject("*"),
		},
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       lease,
		MaxAckPending: 1024,
	}, 64, func(m jetstream.Msg) {
		if err := r.dispatch(ctx, m); err != nil && ctx.Err() == nil {
			r.Log.ErrorContext(ctx, "dispatch", "subject", m.Subject(), "err", err)
		}
	})
}

func (r *Runner) dispatch(ctx context.Context, m jetstream.Msg) error {
	e, err := events.Decode(m.Headers(), m.Data())
	if err != nil {
		return r.buryMalformed(ctx, m, err)
	}
	if e.Version > events.Version {
		return m.NakWithDelay(time.Minute)
	}
	next := e.Next()
	if e.Verb == events.CancelAsked {
		next = events.New(e.Task, events.Task, events.TaskCanceled, nil, e.Job)
		next.Trace = e.Trace
	}
	if err := r.Publish.Publish(ctx, next); err != nil {
		return errors.Join(err, m.NakWithDelay(time.Second))
	}
	return m.Ack()
}

// Cancels knows the tasks that somebody wishes to stop, so that workers need not
// ask the broker before and while they work.
type Cancels struct {
	mu    sync.Mutex
	asked map[string]time.Time
	stop  map[string]func()
}

// NewCancels returns an empty set; Follow fills it.
func NewCancels() *Cancels {
	return &Cancels{asked: map[string]time.Time{}, stop: map[string]func(){}}
}

// cancelMemory is how far back wishes are read at the start, and how long they
// are kept: longer than any task lives.
const cancelMemory = time.Hour

// Follow reads wishes from stream until ctx is done. While the broker is away it
// tries on; a wish read twice does no harm.
func (c *Cancels) Follow(ctx context.Context, log *slog.Logger, stream jetstream.Stream) error {
	for {
		err := c.follow(ctx, stream)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, jetstream.ErrConnectionClosed) {
			return fmt.Errorf("follow cancellations: %w", err)
		}
		log.WarnContext(ctx, "follow cancellations", "err", err)
		if !pause(ctx, time.Second) {
			return nil
		}
	}
}

func (c *Cancels) follow(ctx context.Context, stream jetstream.Stream) error {
	since := time.Now().Add(-cancelMemory)
	cons, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{events.CanceledSubject("*")},
		DeliverPolicy:  jetstream.DeliverByStartTimePolicy,
		OptStartTime:   &since,
	})
	if err != nil {
		return err
	}
	it, err := cons.Messages(jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, it.Stop)()
	defer it.Stop()
	for {
		m, err := it.Next()
		switch {
		case errors.Is(err, jetstream.ErrMsgIteratorClosed) && ctx.Err() != nil:
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			continue
		case err != nil:
			return err
		}
		if e, err := events.Decode(m.Headers(), m.Data()); err == nil {
			c.add(e.Task, time.Now())
		}
	}
}

func (c *Cancels) add(task string, now time.Time) {
	c.mu.Lock()
	for t, at := range c.asked {
		if now.Sub(at) > cancelMemory {
			delete(c.asked, t)
		}
	}
	c.asked[task] = now
	stop := c.stop[task]
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

func (c *Cancels) canceled(task string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.asked[task]
	return ok
}

// watch calls stop when task is to be canceled, at once if it already is, until
// the returned function is called.
func (c *Cancels) watch(task string, stop func()) (forget func()) {
	c.mu.Lock()
	c.stop[task] = stop
	_, already := c.asked[task]
	c.mu.Unlock()
	if already {
		stop()
	}
	return func() {
		c.mu.Lock()
		delete(c.stop, task)
		c.mu.Unlock()
	}
}
