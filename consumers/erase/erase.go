// Package erase removes what is kept of tasks whose owner wants it gone: blobs,
// events, and copies outside. What remains is the erased event, a tombstone
// without anything personal.
package erase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// Consumer is the durable name under which erasures are finished.
const Consumer = "erase"

// An Eraser removes the data of tasks. It may be used concurrently, and for the
// same task again.
type Eraser struct {
	Log    *slog.Logger
	JS     jetstream.JetStream
	Events jetstream.Stream
	Blobs  objectstore.Store
	Stages []string // every stage there is
	// Outside removes copies that are not ours, such as a talk at D-ID; nil when
	// there are none. It must succeed for a task that has none.
	Outside []func(ctx context.Context, task string) error
}

// Task removes everything of task but its erased event. What fails is tried on
// to the end and reported together.
func (e *Eraser) Task(ctx context.Context, task string) error {
	if err := events.CheckToken(task); err != nil {
		return err
	}
	var errs []error
	for _, f := range e.Outside {
		errs = append(errs, f(ctx, task))
	}
	for _, class := range []objectstore.Class{objectstore.Inputs, objectstore.Intermediates, objectstore.Outputs, objectstore.Temporary} {
		errs = append(errs, e.below(ctx, objectstore.Key(class, task)+"/"))
	}
	subjects := []string{
		events.Subject(events.Task, events.Submitted, task),
		events.Subject(events.Task, events.Ended, task),
		events.CanceledSubject(task),
	}
	for _, s := range e.Stages {
		subjects = append(subjects, events.Subject(s, "*", task))
	}
	for _, s := range subjects {
		if err := e.Events.Purge(ctx, jetstream.WithPurgeSubject(s)); err != nil {
			errs = append(errs, fmt.Errorf("purge %s: %w", s, err))
		}
	}
	return errors.Join(errs...)
}

// below deletes every blob whose key begins with prefix.
func (e *Eraser) below(ctx context.Context, prefix string) error {
	lister, ok := e.Blobs.(objectstore.Lister)
	if !ok {
		return fmt.Errorf("erase %s: the store cannot list", prefix)
	}
	var keys []string
	if err := lister.List(ctx, prefix, func(i objectstore.Info) bool {
		keys = append(keys, i.Key)
		return true
	}); err != nil {
		return fmt.Errorf("list %s: %w", prefix, err)
	}
	var errs []error
	for _, k := range keys {
		errs = append(errs, objectstore.Erase(ctx, e.Blobs, k))
	}
	return errors.Join(errs...)
}

// passes are when each erased task is swept again: at once, and after what a
// worker that was not told in time may still have stored.
var passes = []time.Duration{time.Minute, 15 * time.Minute}

// Serve finishes erasures until ctx is done, also those whose gateway has died.
func (e *Eraser) Serve(ctx context.Context) error {
	return consumers.Pull{
		Log: e.Log, JS: e.JS, Stream: e.Events, Batch: 16,
		Consumer: jetstream.ConsumerConfig{
			Durable:        Consumer,
			Description:    "removes what is kept of erased tasks",
			FilterSubjects: []string{events.Subject(events.Task, events.Erased, "*")},
			AckPolicy:      jetstream.AckExplicitPolicy,
			AckWait:        time.Minute,
			MaxAckPending:  10_000, // waiting for a later pass holds nothing up
		},
		Handle: func(m jetstream.Msg) error { return e.handle(ctx, m) },
	}.Run(ctx)
}

func (e *Eraser) handle(ctx context.Context, m jetstream.Msg) error {
	md, err := m.Metadata()
	if err != nil {
		return err
	}
	ev, err := consumers.Read(m)
	switch {
	case errors.Is(err, events.ErrMalformed):
		return errors.Join(err, m.TermWithReason(err.Error()))
	case err != nil:
		return err
	}
	if err := e.Task(ctx, ev.Task); err != nil {
		return errors.Join(err, m.NakWithDelay(time.Minute))
	}
	if n := int(md.NumDelivered); n <= len(passes) {
		return m.NakWithDelay(passes[n-1])
	}
	return m.Ack()
}
