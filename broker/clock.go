package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ErrClock says that this machine's clock is not the broker's, or has gone back.
// Deadlines, tokens, retries and the age of what is kept all compare times that
// different machines have written.
var ErrClock = errors.New("clocks differ")

// What is said about clocks that differ by more, and what ends the start.
const (
	skewTold   = 2 * time.Second
	skewFailed = time.Minute
)

// checkClock compares our clock with that of the server which leads the stream, and
// with the newest event.
func (b *Broker) checkClock(ctx context.Context, log *slog.Logger) error {
	before := time.Now()
	info, err := b.Events.Info(ctx)
	if err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	ahead := skew(before, time.Now(), info.TimeStamp)
	if info.State.Msgs > 0 {
		ahead = max(ahead, time.Until(info.State.LastTime))
	}
	switch {
	case ahead.Abs() > skewFailed:
		return fmt.Errorf("%w: the broker's is %s ahead of this machine's (negative: behind); set both by NTP", ErrClock, ahead.Round(time.Second))
	case ahead.Abs() > skewTold:
		log.WarnContext(ctx, "clocks differ", "ahead", ahead.Round(time.Millisecond))
	}
	return nil
}

// skew is by how much a clock that showed at, at some moment from before to after,
// is surely ahead of ours; negative for behind.
func skew(before, after, at time.Time) time.Duration {
	switch {
	case at.After(after):
		return at.Sub(after)
	case at.Before(before):
		return at.Sub(before)
	default:
		return 0
	}
}
