package consumers

import (
	"errors"
	"fmt"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/events"
)

// ErrPermanent marks an error that another attempt cannot cure.
var ErrPermanent = errors.New("permanent failure")

// A Failure is a permanent error with words for the user.
type Failure struct {
	Code, Detail string
	Err          error // for the operator
}

// Fail returns an error that ends the task at once: code and detail are shown to
// the user, err to the operator.
func Fail(code, detail string, err error) error {
	return &Failure{Code: code, Detail: detail, Err: err}
}

// Error implements error.
func (f *Failure) Error() string { return fmt.Sprintf("%s: %v", f.Code, f.Err) }

// Unwrap makes a Failure an ErrPermanent and whatever Err is.
func (f *Failure) Unwrap() []error { return []error{ErrPermanent, f.Err} }

// delayed is an error that may be gone after a time.
type delayed struct {
	after time.Duration
	err   error
}

// RetryAfter returns err with the word of whoever gave it that another attempt is
// no use before d has passed, as HTTP services say with Retry-After. While it
// waits, the task takes no worker and none of the stage's places.
func RetryAfter(d time.Duration, err error) error { return &delayed{d, err} }

// Error implements error.
func (d *delayed) Error() string { return fmt.Sprintf("not before %s: %v", d.after, d.err) }

// Unwrap gives the cause.
func (d *delayed) Unwrap() error { return d.err }

// RetryAfter is how long to wait.
func (d *delayed) RetryAfter() time.Duration { return d.after }

// retryAfter is the delay that err asks for: one made by RetryAfter, or of an
// engine whose error has the same method.
func retryAfter(err error) (time.Duration, bool) {
	var d interface{ RetryAfter() time.Duration }
	if !errors.As(err, &d) || d.RetryAfter() <= 0 {
		return 0, false
	}
	return min(d.RetryAfter(), 24*time.Hour), true
}

// problem is what the task's status says about err.
func problem(stage string, err error) events.Problem {
	p := events.Problem{
		Code:      "STAGE_FAILED",
		Detail:    fmt.Sprintf("The %s stage failed.", stage),
		Cause:     clip(err.Error(), 1000),
		Retryable: true,
	}
	var f *Failure
	switch {
	case errors.As(err, &f):
		p.Code, p.Detail, p.Retryable = f.Code, f.Detail, false
	case errors.Is(err, errTooLate):
		p.Code, p.Detail = "DEADLINE_EXCEEDED", fmt.Sprintf("The %s stage is not available before the task must be finished.", stage)
	case errors.Is(err, engines.ErrInput):
		p.Code, p.Retryable = "INPUT_NOT_USABLE", false
		p.Detail = fmt.Sprintf("The %s stage cannot use what was given.", stage)
	case errors.Is(err, engines.ErrUnavailable):
		p.Code = "UNAVAILABLE"
		p.Detail = fmt.Sprintf("No engine of the %s stage is available.", stage)
		if m, ok := errors.AsType[*engines.MissingError](err); ok {
			p.Detail += " " + m.Reason() + "."
		}
	case errors.Is(err, errTooLong), errors.Is(err, errSilent):
		p.Code = "TIMEOUT"
		p.Detail = fmt.Sprintf("The %s stage took too long.", stage)
	case errors.Is(err, ErrExhausted):
		p.Code = "WORKER_LOST"
		p.Detail = fmt.Sprintf("The %s stage was interrupted too often.", stage)
	}
	return p
}
