package engines

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sony/gobreaker/v2"
)

// A Breaker spares an engine that keeps failing: after 5 failures in a row it
// refuses for 30 s, then lets one probe through. One breaker serves one base
// URL, whatever the number of engines behind it. Our own cancellations and
// refusals of a single input do not count.
type Breaker struct {
	cb *gobreaker.TwoStepCircuitBreaker[any]
}

// NewBreaker returns a closed breaker; name appears in health reports.
func NewBreaker(name string) *Breaker { return newBreaker(name, 5, 30*time.Second) }

func newBreaker(name string, threshold uint32, open time.Duration) *Breaker {
	return &Breaker{gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		Name:        name,
		MaxRequests: 1,
		Timeout:     open,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= threshold },
		IsExcluded:  func(err error) bool { return errors.Is(err, errExcluded) },
	})}
}

// errExcluded marks outcomes that say nothing about the engine's health.
var errExcluded = errors.New("not the engine's fault")

// Do calls f unless the breaker is open, in which case it returns an
// ErrUnavailable at once. Do on a nil Breaker calls f.
func (b *Breaker) Do(ctx context.Context, f func() error) error {
	if b == nil {
		return f()
	}
	done, err := b.cb.Allow()
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrUnavailable)
	}
	err = f()
	switch {
	case err == nil:
		done(nil)
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(err, ErrInput), errors.Is(err, ErrPermanent):
		done(errExcluded)
	default:
		done(err)
	}
	return err
}

// State is "closed", "half-open" or "open"; "none" for a nil Breaker.
func (b *Breaker) State() string {
	if b == nil {
		return "none"
	}
	return b.cb.State().String()
}
