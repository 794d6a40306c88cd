package consumers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

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
	since := time.Now().Add(-cancelMemory)
	return status.Follow(ctx, log, stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{events.CanceledSubject("*")},
		DeliverPolicy:  jetstream.DeliverByStartTimePolicy,
		OptStartTime:   &since,
	}, func(e events.Event, _ uint64) error {
		c.add(e.Task, time.Now())
		return nil
	})
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
