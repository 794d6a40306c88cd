package objectstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Retention says how long objects of a class are kept after they were stored; 0
// or no entry means for ever.
type Retention map[Class]time.Duration

// DefaultRetention returns the periods that hold unless configured otherwise.
func DefaultRetention() Retention {
	return Retention{
		Inputs:        7 * 24 * time.Hour,
		Intermediates: 3 * 24 * time.Hour,
		Outputs:       30 * 24 * time.Hour,
		Temporary:     time.Hour,
	}
}

// Validate refuses negative periods and classes that do not exist.
func (r Retention) Validate() error {
	var errs []error
	for c, d := range r {
		if !slices.Contains(Classes(), c) {
			errs = append(errs, fmt.Errorf("retention of %q: no such class: %w", c, ErrConfig))
		}
		if d < 0 {
			errs = append(errs, fmt.Errorf("retention of %s is %v: %w", c, d, ErrConfig))
		}
	}
	return errors.Join(errs...)
}

// Expired reports whether the time of an object is over.
func (r Retention) Expired(i Info, now time.Time) bool {
	d := r[ClassOf(i.Key)]
	return d > 0 && now.Sub(i.ModTime) >= d
}

// Classes lists all classes.
func Classes() []Class { return []Class{Inputs, Intermediates, Outputs, Temporary, Library} }

// ClassOf returns the class of a key, or "" when its first element is none.
func ClassOf(key string) Class {
	first, _, ok := strings.Cut(key, "/")
	if c := Class(first); ok && slices.Contains(Classes(), c) {
		return c
	}
	return ""
}

// TaskOf returns the task that a key belongs to: the second element of the
// classes that belong to tasks, else "".
func TaskOf(key string) string {
	switch ClassOf(key) {
	case Inputs, Intermediates, Outputs:
		elems := strings.SplitN(key, "/", 3)
		if len(elems) == 3 {
			return elems[1]
		}
	}
	return ""
}
