package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// A Rebuilding is what Rebuild found and did.
type Rebuilding struct {
	Events    int // read from the stream
	Tasks     int
	Identical int // documents that were right
	Missing   int // documents that had to be made
	Different int // documents that had to be replaced
	Newer     int // documents that a newer program has written, and events of one
	// UpTo is the stream sequence the comparison is about; documents that already
	// contain newer events are left to the projector.
	UpTo uint64
}

// Rebuild folds the whole stream again and puts right every document that
// differs from the result. It may run beside a projector. What a newer program has
// written is left alone, unless replaceNewer says that there will be none any more.
func Rebuild(ctx context.Context, stream jetstream.Stream, s Store, replaceNewer bool) (Rebuilding, error) {
	var r Rebuilding
	tasks, newer := map[string]Task{}, map[string]bool{}
	err := Replay(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{events.AllSubjects}}, func(e events.Event, seq uint64) error {
		if e.Version > events.Version {
			r.Newer++
			newer[e.Task] = true
			return nil
		}
		t, _ := Apply(tasks[e.Task], e, seq)
		tasks[e.Task] = t
		r.Events++
		r.UpTo = max(r.UpTo, seq)
		return nil
	})
	if err != nil {
		return r, err
	}
	r.Tasks = len(tasks)
	for id, want := range tasks {
		if newer[id] && !replaceNewer {
			continue
		}
		if err := s.mend(ctx, &r, id, want, replaceNewer); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (s Store) mend(ctx context.Context, r *Rebuilding, id string, want Task, replaceNewer bool) error {
	b, err := json.Marshal(want)
	if err != nil {
		return err
	}
	e, err := s.KV.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		r.Missing++
		if _, err := s.KV.Create(ctx, id, b); err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
			return fmt.Errorf("put status of %s: %w", id, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("get status of %s: %w", id, err)
	}
	if bytes.Equal(e.Value(), b) {
		r.Identical++
		return nil
	}
	have, err := decode(e.Value())
	switch {
	case err == nil && have.Seq > r.UpTo:
		return nil // the projector is ahead of us
	case errors.Is(err, ErrNewer) && !replaceNewer:
		r.Newer++
		return nil
	}
	r.Different++
	if _, err := s.KV.Update(ctx, id, b, e.Revision()); err != nil && !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return fmt.Errorf("put status of %s: %w", id, err)
	}
	return nil
}
