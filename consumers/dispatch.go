package consumers

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// dispatcher is the durable name of Dispatch's consumer.
const dispatcher = "task"

// Dispatch turns submissions into the first stage's request, and wishes to
// cancel into the task's end, until ctx is done. Because the submission is the
// one message that accepts a task, a gateway that dies behind it loses nothing.
func (r *Runner) Dispatch(ctx context.Context) error {
	return r.pull(jetstream.ConsumerConfig{
		Durable:     dispatcher,
		Description: "starts and cancels tasks",
		FilterSubjects: []string{
			events.Subject(events.Task, events.Submitted, "*"),
			events.CanceledSubject("*"),
		},
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       lease,
		MaxAckPending: 1024,
	}, 64, func(m jetstream.Msg) error { return r.dispatch(ctx, m) }).Run(ctx)
}

func (r *Runner) dispatch(ctx context.Context, m jetstream.Msg) error {
	e, err := r.read(ctx, m)
	if err != nil {
		return err
	}
	next := e.Next()
	if e.Verb == events.CancelAsked {
		next = events.New(e.Task, events.Task, events.TaskCanceled, nil, e.Job)
		next.Trace = e.Trace
	}
	if err := r.Publish.Publish(ctx, next); err != nil {
		return errors.Join(err, m.NakWithDelay(time.Second))
	}
	return m.Ack()
}
