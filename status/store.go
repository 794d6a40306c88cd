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

func decode(b []byte) (t Task, err error) {
	if err := json.Unmarshal(b, &t); err != nil {
		return Task{}, err
	}
	if t.Schema > SchemaVersion {
		return Task{}, fmt.Errorf("written by a newer program (schema %d)", t.Schema)
	}
	return t, nil
}

// Project folds e into the task's document by compare-and-swap.
func (s Store) Project(ctx context.Context, e events.Event, seq uint64) error {
	for {
		t, rev, err := s.Get(ctx, e.Task)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		next, changed := Apply(t, e, seq)
		if !changed {
			return nil
		}
		b, err := json.Marshal(next)
		if err != nil {
			return err
		}
		if rev == 0 {
			_, err = s.KV.Create(ctx, e.Task, b)
		} else {
			_, err = s.KV.Update(ctx, e.Task, b, rev)
		}
		if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue // another projector was faster
		}
		if err != nil {
			return fmt.Errorf("put status of %s: %w", e.Task, err)
		}
		return nil
	}
}
