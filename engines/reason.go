package engines

import (
	"context"
	"errors"
	"net"

	"github.com/sony/gobreaker/v2"
)

// WithReason gives err words for the user: why the engine did not serve, without
// anything about this machine or the service's answer.
func WithReason(err error, reason string) error { return &reasoned{err, reason} }

type reasoned struct {
	error
	reason string
}

// Unwrap gives the error itself.
func (r *reasoned) Unwrap() error { return r.error }

// Reason is what a user reads.
func (r *reasoned) Reason() string { return r.reason }

// Reason is what a user reads about an engine that did not serve because of err.
func Reason(err error) string {
	var r interface{ Reason() string }
	switch {
	case errors.As(err, &r):
		return r.Reason()
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		return "paused after repeated failures"
	case errors.Is(err, context.DeadlineExceeded):
		return "did not answer in time"
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	case isNetwork(err):
		return "could not be reached"
	case errors.Is(err, ErrPermanent):
		return "refused the input"
	default:
		return "failed"
	}
}

// isNetwork reports whether no answer came at all.
func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}
