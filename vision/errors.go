package vision

import (
	"errors"
	"fmt"
)

// Errors that reading a picture wraps; a caller branches on them to choose what
// to tell the sender.
var (
	// ErrFileTooLarge: more bytes than Limits.Bytes.
	ErrFileTooLarge = errors.New("file too large")
	// ErrUnsupported: not JPEG, PNG or WebP, or a flavour of them that cannot be
	// read; the error is an *UnsupportedError naming the kind.
	ErrUnsupported = errors.New("unsupported picture format")
	// ErrTooLarge: a side or the number of pixels is beyond the limits.
	ErrTooLarge = errors.New("picture too large")
	// ErrTooSmall: a side is shorter than Limits.MinSide.
	ErrTooSmall = errors.New("picture too small")
	// ErrUnreadable: damaged, truncated or contradictory data.
	ErrUnreadable = errors.New("picture unreadable")
	// ErrTruncated: the data ends too early. It always comes with ErrUnreadable.
	// CheckHeader on the first part of an upload returns it when that part is too
	// short to hold the header, which says nothing against the file.
	ErrTruncated = fmt.Errorf("data ends early: %w", ErrUnreadable)
)

// An UnsupportedError names what a file is when it is not a picture we read.
type UnsupportedError struct {
	// Kind is the recognised format ("HEIC", "GIF", "SVG", …) or "unknown".
	Kind string
	// Hint is one plain sentence telling the sender what to do.
	Hint string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s is not supported: %s", e.Kind, e.Hint)
}

// Unwrap makes errors.Is(err, ErrUnsupported) true.
func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnreadable, fmt.Sprintf(format, args...))
}
