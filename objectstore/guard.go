package objectstore

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// A Space says how much room a store has left and in all, in bytes.
type Space struct{ Free, Total int64 }

// A Guard refuses new work before a store runs full. Stages that are under way
// may use what is kept back, so that accepted tasks can finish. Its methods may
// be called concurrently.
type Guard struct {
	measure func(context.Context) (Space, error)
	reserve int64
	percent int64
	every   time.Duration

	mu   sync.Mutex
	at   time.Time
	last Space
	err  error
}

// NewGuard makes a guard that calls measure at most once in every. Room is short
// below reserve bytes or below percent of the total, whichever is more.
func NewGuard(measure func(context.Context) (Space, error), reserve, percent int64, every time.Duration) *Guard {
	return &Guard{measure: measure, reserve: reserve, percent: percent, every: every}
}

// Check returns an ErrFull when room is short for size more bytes; the gateway
// answers a new task with 503 then. A measurement that fails is an
// ErrUnavailable.
func (g *Guard) Check(ctx context.Context, size int64) error {
	sp, err := g.Space(ctx)
	if err != nil {
		return fmt.Errorf("measure space: %w: %w", ErrUnavailable, err)
	}
	keep := max(g.reserve, sp.Total/100*g.percent)
	if size < 0 || sp.Free-size < keep {
		return fmt.Errorf("%d MiB free of %d MiB, %d MiB are kept back: %w", sp.Free>>20, sp.Total>>20, keep>>20, ErrFull)
	}
	return nil
}

// Space returns the last measurement, for a metric.
func (g *Guard) Space(ctx context.Context) (Space, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.at.IsZero() || time.Since(g.at) >= g.every {
		g.last, g.err = g.measure(ctx)
		g.at = time.Now()
	}
	return g.last, g.err
}

// Guarded returns a store whose Put and Create ask g first.
func Guarded(s Full, g *Guard) Full { return &guarded{s, g} }

type guarded struct {
	Full
	g *Guard
}

// Unwrap is for As.
func (s *guarded) Unwrap() Full { return s.Full }

func (s *guarded) Put(ctx context.Context, key string, r io.Reader) (Info, error) {
	if err := s.g.Check(ctx, 0); err != nil {
		return Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	return s.Full.Put(ctx, key, r)
}

func (s *guarded) Create(ctx context.Context, key string, r io.Reader) (Info, error) {
	if err := s.g.Check(ctx, 0); err != nil {
		return Info{}, fmt.Errorf("create %s: %w", key, err)
	}
	return s.Full.Create(ctx, key, r)
}
