// Package maintain is what an operator does to an object store as a whole:
// see how much it holds, remove what is over its time or belongs to no task,
// check every byte, and move to another backend.
//
// All functions stream over the listing; none needs the store to stand still.
package maintain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/videomsg/videomsg/objectstore"
)

// Amount counts objects.
type Amount struct {
	Objects int
	Bytes   int64
}

func (a *Amount) add(i objectstore.Info) {
	a.Objects++
	a.Bytes += i.Size
}

// UsageReport is the answer of Usage. Keys outside the classes count under "".
type UsageReport struct {
	Total   Amount
	Classes map[objectstore.Class]Amount
	Oldest  map[objectstore.Class]time.Time
}

// Usage counts the objects of each class.
func Usage(ctx context.Context, s objectstore.Lister) (UsageReport, error) {
	r := UsageReport{Classes: map[objectstore.Class]Amount{}, Oldest: map[objectstore.Class]time.Time{}}
	err := s.List(ctx, "", func(i objectstore.Info) bool {
		c := objectstore.ClassOf(i.Key)
		a := r.Classes[c]
		a.add(i)
		r.Classes[c] = a
		r.Total.add(i)
		if t, ok := r.Oldest[c]; !ok || i.ModTime.Before(t) {
			r.Oldest[c] = i.ModTime
		}
		return true
	})
	if err != nil {
		return r, fmt.Errorf("usage: %w", err)
	}
	return r, nil
}

// Task is what Sweep must know of a task.
type Task struct {
	ID string
	// Blobs are the keys that the task says it has.
	Blobs []string
}

// SweepOptions says what Sweep does.
type SweepOptions struct {
	Retention objectstore.Retention
	// Known reports whether a task exists. Nil skips the search for orphans.
	Known func(ctx context.Context, task string) (bool, error)
	// Tasks calls yield for every task until it returns false. Nil skips the
	// search for tasks without their blobs.
	Tasks func(ctx context.Context, yield func(Task) bool) error
	// Grace protects young orphans and parts: a blob is stored before its task is
	// announced. 0 means one hour.
	Grace time.Duration
	// DryRun only reports.
	DryRun bool
	// DeleteOrphans deletes blobs without a task; otherwise they are reported.
	DeleteOrphans bool
	// Now is the time by which objects expire; zero means the time of the call.
	Now time.Time
}

// SweepReport is the answer of Sweep.
type SweepReport struct {
	Expired Amount // deleted, or to be deleted in a dry run
	Orphans Amount // blobs without a task
	Parts   objectstore.Scavenged
	// OrphanKeys and Missing name the first 1,000.
	OrphanKeys []string
	// Missing are blobs that a task names, whose time is not over, and that are
	// not there.
	Missing []MissingBlob
	// MissingCount counts all of them.
	MissingCount int
}

// MissingBlob is a key that a task names and that holds nothing.
type MissingBlob struct{ Task, Key string }

const maxNamed = 1000

// Sweep deletes expired objects and the remains of interrupted writers, and
// reports (or deletes) orphans. A run that is cut off can simply be repeated.
func Sweep(ctx context.Context, s objectstore.Full, o SweepOptions) (SweepReport, error) {
	if err := o.Retention.Validate(); err != nil {
		return SweepReport{}, fmt.Errorf("sweep: %w", err)
	}
	if o.Grace <= 0 {
		o.Grace = time.Hour
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	w := sweeper{s: s, o: o, known: map[string]bool{}}
	err := w.objects(ctx)
	if err == nil && o.Tasks != nil {
		err = w.tasks(ctx)
	}
	if err == nil && !o.DryRun {
		w.r.Parts, err = s.Scavenge(ctx, o.Grace)
	}
	if err != nil {
		return w.r, fmt.Errorf("sweep: %w", err)
	}
	return w.r, nil
}

type sweeper struct {
	s     objectstore.Full
	o     SweepOptions
	r     SweepReport
	known map[string]bool // answers of Known; a task has several blobs
}

func (w *sweeper) objects(ctx context.Context) error {
	var failed error
	err := w.s.List(ctx, "", func(i objectstore.Info) bool {
		failed = w.object(ctx, i)
		return failed == nil
	})
	return errors.Join(err, failed)
}

func (w *sweeper) object(ctx context.Context, i objectstore.Info) error {
	expired := w.o.Retention.Expired(i, w.o.Now)
	orphan, err := w.orphan(ctx, i)
	if err != nil {
		return err
	}
	switch {
	case expired:
		w.r.Expired.add(i)
	case orphan:
		w.r.Orphans.add(i)
		if len(w.r.OrphanKeys) < maxNamed {
			w.r.OrphanKeys = append(w.r.OrphanKeys, i.Key)
		}
	}
	if w.o.DryRun || !expired && !(orphan && w.o.DeleteOrphans) {
		return nil
	}
	return w.s.Delete(ctx, i.Key)
}

func (w *sweeper) orphan(ctx context.Context, i objectstore.Info) (bool, error) {
	task := objectstore.TaskOf(i.Key)
	if w.o.Known == nil || task == "" || w.o.Now.Sub(i.ModTime) < w.o.Grace {
		return false, nil
	}
	known, ok := w.known[task]
	if !ok {
		var err error
		if known, err = w.o.Known(ctx, task); err != nil {
			return false, fmt.Errorf("task %s: %w", task, err)
		}
		if len(w.known) >= 100_000 {
			clear(w.known) // bounded memory; it only saves questions
		}
		w.known[task] = known
	}
	return !known, nil
}

func (w *sweeper) tasks(ctx context.Context) error {
	var failed error
	err := w.o.Tasks(ctx, func(t Task) bool {
		for _, key := range t.Blobs {
			_, err := w.s.Stat(ctx, key)
			if errors.Is(err, objectstore.ErrNotFound) {
				w.r.MissingCount++
				if len(w.r.Missing) < maxNamed {
					w.r.Missing = append(w.r.Missing, MissingBlob{t.ID, key})
				}
			} else if err != nil {
				failed = err
				return false
			}
		}
		return true
	})
	return errors.Join(err, failed)
}

// Damage is an object that cannot be read as it was written.
type Damage struct {
	Key string
	Err error
}

// VerifyReport is the answer of Verify.
type VerifyReport struct {
	Good    Amount
	Damaged []Damage
}

// Verify reads every object below prefix and compares its digest and length with
// what the store recorded. An object that disappears meanwhile is skipped.
// progress may be nil; it is called after each object.
func Verify(ctx context.Context, s objectstore.Full, prefix string, progress func(Amount)) (VerifyReport, error) {
	var r VerifyReport
	var failed error
	err := s.List(ctx, prefix, func(i objectstore.Info) bool {
		info, err := verify(ctx, s, i.Key)
		switch {
		case err == nil:
			r.Good.add(info)
		case errors.Is(err, objectstore.ErrNotFound):
		case errors.Is(err, objectstore.ErrCorrupt):
			r.Damaged = append(r.Damaged, Damage{i.Key, err})
		default:
			failed = err
			return false
		}
		if progress != nil {
			progress(r.Good)
		}
		return true
	})
	if err := errors.Join(err, failed); err != nil {
		return r, fmt.Errorf("verify: %w", err)
	}
	return r, nil
}

func verify(ctx context.Context, s objectstore.Full, key string) (objectstore.Info, error) {
	// Twice: the object may be replaced between Stat and Get.
	for try := 0; ; try++ {
		want, err := s.Stat(ctx, key)
		if err != nil {
			return want, err
		}
		r, err := s.Get(ctx, key)
		if err != nil {
			return want, err
		}
		d := newDigester(r)
		_, err = io.Copy(io.Discard, d)
		if err = errors.Join(err, r.Close()); err != nil {
			return want, err
		}
		if err = d.compare(want); err == nil || try == 1 {
			return want, err
		}
	}
}
