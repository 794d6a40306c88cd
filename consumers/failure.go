package consumers

import (
	"errors"
	"fmt"

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
