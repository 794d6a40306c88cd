package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// stalls remembers how far consumers had come when they were looked at.
type stalls struct {
	mu   sync.Mutex
	seen map[string]mark
}

// mark is how far a consumer had come, and since when.
type mark struct {
	delivered, acked uint64
	since            time.Time
}

// idle is how long requests that no worker has taken may wait.
const idle = time.Minute

// Stalled returns an error that names the consumers which have work and do not get
// on with it, so that nobody learns it from users: longest says for each by its
// name how long one piece of work may take. A paused consumer is not stalled. It
// compares with what it saw before, so it must be called every now and then.
func (b *Broker) Stalled(ctx context.Context, longest map[string]time.Duration) error {
	var errs []error
	for name, limit := range longest {
		c, err := b.Events.Consumer(ctx, name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue // nobody has served it yet
		}
		if err != nil {
			return fmt.Errorf("consumer %s: %w", name, err)
		}
		errs = append(errs, b.stalls.look(name, limit, c.CachedInfo(), time.Now()))
	}
	return errors.Join(errs...)
}

func (s *stalls) look(name string, limit time.Duration, i *jetstream.ConsumerInfo, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]mark{}
	}
	was, ok := s.seen[name]
	backlog := i.NumPending + uint64(max(i.NumAckPending, 0))
	if !ok || backlog == 0 || i.Paused || was.delivered != i.Delivered.Consumer || was.acked != i.AckFloor.Consumer {
		s.seen[name] = mark{i.Delivered.Consumer, i.AckFloor.Consumer, now}
		return nil
	}
	if i.NumAckPending == 0 {
		limit = 0 // nobody is at work
	}
	if d := now.Sub(was.since); d > limit+idle {
		return fmt.Errorf("consumer %s: %d messages wait, and for %s nothing was done", name, backlog, d.Round(time.Second))
	}
	return nil
}
