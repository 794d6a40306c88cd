package engines

import "fmt"

// A MissingError is an ErrUnavailable whose cause is something that is not
// installed on this machine.
type MissingError struct {
	What string // such as "ffmpeg"
	Mend string // what to do about it, such as "install the package ffmpeg"
}

// Error implements error.
func (e *MissingError) Error() string { return fmt.Sprintf("%s is not installed: %s", e.What, e.Mend) }

// Unwrap makes it an ErrUnavailable.
func (e *MissingError) Unwrap() error { return ErrUnavailable }

// Reason is what a user reads: nothing of it depends on the machine.
func (e *MissingError) Reason() string { return e.Error() }
