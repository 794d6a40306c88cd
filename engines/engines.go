// Package engines runs the programs and services that do the heavy work, in
// order of preference. An engine is a name and a function; a chain is a slice
// of engines; what comes back says who served and why the others did not, so
// that a degraded result is data and never a silent log line.
package engines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Errors an engine wraps to say what a chain and a stage shall make of it.
var (
	// ErrUnavailable: the engine cannot serve now (not configured, not installed,
	// down, breaker open). The chain tries the next one.
	ErrUnavailable = errors.New("engine unavailable")
	// ErrInput: the input itself is at fault, and no engine could serve it. The
	// chain stops and the task fails.
	ErrInput = errors.New("input not usable")
	// ErrPermanent: this engine refuses this input (moderation, no credit); the
	// chain tries the next one at once, without a retry.
	ErrPermanent = errors.New("engine refused")
)

// An Engine turns In into Out. Run must respect ctx, bound what it reads, and
// be safe for concurrent use.
type Engine[In, Out any] struct {
	Name    string
	Run     func(ctx context.Context, in In) (Out, error)
	Breaker *Breaker // nil: always tried
}

// A Skip says why an engine of a chain did not serve.
type Skip struct {
	Engine string
	Err    error
}

// notServed is a skip as an error.
type notServed struct{ skip Skip }

func (n *notServed) Error() string { return n.skip.Engine + ": " + n.skip.Err.Error() }
func (n *notServed) Unwrap() error { return n.skip.Err }

// Skips finds in the error of a chain, however wrapped and joined, which engines
// did not serve and why, in the order tried.
func Skips(err error) []Skip {
	switch e := err.(type) { //nolint:errorlint // it looks at each layer itself
	case *notServed:
		return []Skip{e.skip}
	case interface{ Unwrap() error }:
		return Skips(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []Skip
		for _, err := range e.Unwrap() {
			all = append(all, Skips(err)...)
		}
		return all
	}
	return nil
}

// Served is a chain's answer.
type Served[Out any] struct {
	Out     Out
	Engine  string // who served
	Skipped []Skip // who did not, in the order tried
}

// A Chain is engines in order of preference.
type Chain[In, Out any] []Engine[In, Out]

// Run returns the first answer. It fails with the joined errors when no engine
// served, and at once when ctx ends or an engine reports ErrInput.
func (c Chain[In, Out]) Run(ctx context.Context, in In) (Served[Out], error) {
	var s Served[Out]
	var errs []error
	for _, e := range c {
		out, err := call(ctx, e, in)
		if err == nil {
			s.Out, s.Engine = out, e.Name
			return s, nil
		}
		err = &notServed{Skip{Engine: e.Name, Err: err}}
		if ctx.Err() != nil || errors.Is(err, ErrInput) {
			return s, err
		}
		s.Skipped = append(s.Skipped, Skip{Engine: e.Name, Err: err})
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return s, fmt.Errorf("no engine configured: %w", ErrUnavailable)
	}
	return s, errors.Join(errs...)
}

// Only returns the part of the chain that a caller who requires name accepts;
// an empty name requires nothing.
func (c Chain[In, Out]) Only(name string) Chain[In, Out] {
	if name == "" {
		return c
	}
	var out Chain[In, Out]
	for _, e := range c {
		if strings.EqualFold(e.Name, name) {
			out = append(out, e)
		}
	}
	return out
}

// Names lists the engines in order.
func (c Chain[In, Out]) Names() []string {
	return slices.Collect(func(yield func(string) bool) {
		for _, e := range c {
			if !yield(e.Name) {
				return
			}
		}
	})
}

func call[In, Out any](ctx context.Context, e Engine[In, Out], in In) (out Out, err error) {
	// A child of the attempt's span, where that one goes; nowhere without one.
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/videomsg/videomsg/engines").Start(ctx, "engine "+e.Name)
	defer span.End()
	err = e.Breaker.Do(ctx, func() error {
		var err error
		out, err = e.Run(ctx, in)
		return err
	})
	if err != nil {
		span.SetStatus(codes.Error, "not served")
		span.RecordError(err)
	}
	return out, err
}
