package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// RetryPolicy says how often a call is made that ends with ErrUnavailable. Zero
// fields mean 4 times with 100 ms to 2 s in between.
type RetryPolicy struct {
	Attempts  int
	Base, Max time.Duration
}

// Retry returns a store that repeats calls of s for which Retryable holds, with
// exponential backoff and jitter. Put and Create are repeated only when their
// reader is an io.Seeker, from where it stood; a List that has yielded and a
// reader that is open are not repeated.
func Retry(s Full, p RetryPolicy) Full {
	if p.Attempts <= 0 {
		p.Attempts = 4
	}
	if p.Base <= 0 {
		p.Base = 100 * time.Millisecond
	}
	if p.Max < p.Base {
		p.Max = max(p.Base, 2*time.Second)
	}
	return &retrying{s, p}
}

type retrying struct {
	s Full
	p RetryPolicy
}

// Unwrap is for As.
func (r *retrying) Unwrap() Full { return r.s }

// repeat calls f until it succeeds, fails for good, or the policy says stop.
func repeat[T any](ctx context.Context, p RetryPolicy, f func() (T, error)) (T, error) {
	wait := p.Base
	for attempt := 1; ; attempt++ {
		v, err := f()
		if !Retryable(err) || attempt == p.Attempts || ctx.Err() != nil {
			return v, err
		}
		t := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return v, errors.Join(err, ctx.Err())
		}
		wait = min(2*wait, p.Max)
	}
}

// repeatRead is repeat for calls that read src.
func repeatRead(ctx context.Context, p RetryPolicy, src io.Reader, f func() (Info, error)) (Info, error) {
	seeker, ok := src.(io.Seeker)
	if !ok {
		return f()
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return f() // a pipe has the method, too
	}
	first := true
	return repeat(ctx, p, func() (Info, error) {
		if !first {
			if _, err := seeker.Seek(start, io.SeekStart); err != nil {
				return Info{}, fmt.Errorf("rewind: %w", err)
			}
		}
		first = false
		return f()
	})
}

func (r *retrying) Put(ctx context.Context, key string, src io.Reader) (Info, error) {
	return repeatRead(ctx, r.p, src, func() (Info, error) { return r.s.Put(ctx, key, src) })
}

// Create takes ErrExists after an attempt of unknown outcome for what it says,
// although the object may be its own.
func (r *retrying) Create(ctx context.Context, key string, src io.Reader) (Info, error) {
	return repeatRead(ctx, r.p, src, func() (Info, error) { return r.s.Create(ctx, key, src) })
}

func (r *retrying) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return repeat(ctx, r.p, func() (io.ReadCloser, error) { return r.s.Get(ctx, key) })
}

func (r *retrying) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return repeat(ctx, r.p, func() (io.ReadCloser, error) { return r.s.GetRange(ctx, key, off, n) })
}

func (r *retrying) Stat(ctx context.Context, key string) (Info, error) {
	return repeat(ctx, r.p, func() (Info, error) { return r.s.Stat(ctx, key) })
}

func (r *retrying) Delete(ctx context.Context, key string) error {
	_, err := repeat(ctx, r.p, func() (struct{}, error) { return struct{}{}, r.s.Delete(ctx, key) })
	return err
}

func (r *retrying) List(ctx context.Context, prefix string, yield func(Info) bool) error {
	var final error
	_, err := repeat(ctx, r.p, func() (struct{}, error) {
		yielded := false
		err := r.s.List(ctx, prefix, func(i Info) bool {
			yielded = true
			return yield(i)
		})
		if yielded {
			final = err
			return struct{}{}, nil
		}
		return struct{}{}, err
	})
	return errors.Join(err, final)
}

func (r *retrying) Scavenge(ctx context.Context, age time.Duration) (Scavenged, error) {
	return repeat(ctx, r.p, func() (Scavenged, error) { return r.s.Scavenge(ctx, age) })
}
