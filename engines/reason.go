package engines

import "errors"

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
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	case errors.Is(err, ErrPermanent):
		return "refused the input"
	default:
		return "failed"
	}
}
