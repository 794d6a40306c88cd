package consumers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// admitter is the durable name of Admit's consumer.
const admitter = "task-bulk"

// Admit lets bulk tasks into the pipeline, n at a time over all processes, until
// ctx is done. A task holds its place until it has ended, so that other work
// finds at most n bulk tasks before it in any stage, while bulk work always has n
// in the making.
func (r *Runner) Admit(ctx context.Context, n int) error {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	return r.pull(jetstream.ConsumerConfig{
		Durable:        admitter,
		Description:    "lets bulk tasks into the pipeline",
		FilterSubjects: []string{events.Subject(events.Task, events.SubmittedBulk, "*")},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        lease,
		MaxAckPending:  n,
	}, 1, func(m jetstream.Msg) error {
		tasks.Go(func() { // as many as MaxAckPending lets out
			if err := r.admit(ctx, m); err != nil && ctx.Err() == nil {
				r.Log.ErrorContext(ctx, "admit", "subject", m.Subject(), "err", err)
			}
		})
		return nil
	}).Run(ctx)
}

// admit starts one task and keeps its place until it has ended. A process that
// dies meanwhile does no harm: another one starts the task once more, which the
// stream refuses, and waits on.
func (r *Runner) admit(ctx context.Context, m jetstream.Msg) error {
	e, err := r.read(ctx, m)
	if err != nil {
		return err
	}
	if err := r.Publish.Publish(ctx, e.Next()); err != nil {
		return errors.Join(err, m.NakWithDelay(time.Second))
	}
	look := time.NewTicker(placeCheck)
	defer look.Stop()
	for {
		_, err := r.Events.GetLastMsgForSubject(ctx, events.Subject(events.Task, events.Ended, e.Task))
		switch {
		case err == nil:
			return m.Ack()
		case ctx.Err() != nil:
			return m.Nak()
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			r.Log.WarnContext(ctx, "admit", "task", e.Task, "err", err)
		}
		if err := m.InProgress(); err != nil {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
		}
	}
}

// placeCheck is how often it is looked whether an admitted task has ended.
const placeCheck = 500 * time.Millisecond
