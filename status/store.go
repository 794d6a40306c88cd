package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// ErrNotFound says that no event of the task has been projected.
var ErrNotFound = errors.New("task not found")

// ErrNewer says that a document was written by a program that knows more of tasks
// than this one. It is left as it is.
var ErrNewer = errors.New("written by a newer program")

// Store keeps the documents in a KV bucket, one key per task. It may be used by
// any number of processes at once.
type Store struct{ KV jetstream.KeyValue }

// Get returns the task and its revision.
func (s Store) Get(ctx context.Context, id string) (Task, uint64, error) {
	if err := events.CheckToken(id); err != nil {
		return Task{}, 0, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	e, err := s.KV.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Task{}, 0, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	if err != nil {
		return Task{}, 0, fmt.Errorf("get status of %s: %w", id, err)
	}
	t, err := decode(e.Value())
	if err != nil {
		return Task{}, 0, fmt.Errorf("status of %s: %w", id, err)
	}
	return t, e.Revision(), nil
}

// decode reads a document. The schema comes first: a newer one may have another
// shape altogether.
func decode(b []byte) (t Task, err error) {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return Task{}, err
	}
	if head.Schema > SchemaVersion {
		return Task{}, fmt.Errorf("schema %d: %w", head.Schema, ErrNewer)
	}
	err = json.Unmarshal(b, &t)
	return t, err
}

// Said is an event and where it stands in the stream.
type Said struct {
	Event events.Event
	Seq   uint64
}

// project folds events of one task into its document by compare-and-swap.
func (s Store) project(ctx context.Context, r *recent, task string, said []Said) error {
	d, known := r.get(task)
	for {
		if !known {
			var err error
			if d.task, d.rev, err = s.Get(ctx, task); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		changed := false
		for _, e := range said {
			var new bool
			d.task, new = Apply(d.task, e.Event, e.Seq)
			changed = changed || new
		}
		if !changed {
			return nil
		}
		b, err := json.Marshal(d.task)
		if err != nil {
			return err
		}
		if d.rev == 0 {
			d.rev, err = s.KV.Create(ctx, task, b)
		} else {
			d.rev, err = s.KV.Update(ctx, task, b, d.rev)
		}
		if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			r.contested(task) // another projector was faster
			d, known = doc{}, false
			continue
		}
		if err != nil {
			r.contested(task) // it may have been written all the same
			return fmt.Errorf("put status of %s: %w", task, err)
		}
		r.put(d)
		return nil
	}
}
