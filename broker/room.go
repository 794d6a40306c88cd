package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Room is how many bytes of events can be stored before the stream drops one
// that a consumer among readers has not worked off, and how many it holds in all.
// A full stream of old events has room: those may go. Total is 0 for a stream
// without a limit.
func (b *Broker) Room(ctx context.Context, readers []string) (free, total int64, err error) {
	info, err := b.Events.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("event stream: %w", err)
	}
	total = info.Config.MaxBytes
	if total <= 0 {
		return 0, 0, nil
	}
	used := int64(info.State.Bytes) //nolint:gosec // at most total
	free = total - used
	if free > total/2 || info.State.Msgs == 0 {
		return free, total, nil // what follows costs a request per reader
	}
	oldest := info.State.LastSeq + 1 // that is still needed
	for _, name := range readers {
		c, err := b.Events.Consumer(ctx, name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue
		}
		if err != nil {
			return 0, 0, fmt.Errorf("consumer %s: %w", name, err)
		}
		if i := c.CachedInfo(); i.NumPending > 0 || i.NumAckPending > 0 {
			oldest = min(oldest, max(i.AckFloor.Stream+1, info.State.FirstSeq))
		}
	}
	span := float64(info.State.LastSeq - info.State.FirstSeq + 1)
	return free + int64(float64(used)*float64(oldest-info.State.FirstSeq)/span), total, nil
}
