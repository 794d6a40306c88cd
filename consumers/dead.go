package consumers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// read decodes m; what is returned with an error was answered.
func (r *Runner) read(ctx context.Context, m jetstream.Msg) (events.Event, error) {
	e, err := Read(m)
	if errors.Is(err, events.ErrMalformed) {
		err = r.buryMalformed(ctx, m, err)
	}
	return e, err
}

// buryMalformed ends the task of a request that cannot be read, and makes it a
// dead letter: the stage has failed, with the reason. The message itself stays in
// the stream. Only its subject can be believed.
func (r *Runner) buryMalformed(ctx context.Context, m jetstream.Msg, cause error) error {
	seq := uint64(0)
	if md, err := m.Metadata(); err == nil {
		seq = md.Sequence.Stream
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	err := r.bury(last, m.Subject(), events.Job{}, nil, events.Problem{
		Code:   "MALFORMED_EVENT",
		Detail: "The request to this stage was damaged.",
		Cause:  clip(fmt.Sprintf("message %d: %v", seq, cause), 1000),
	})
	if err != nil {
		return errors.Join(cause, err, m.NakWithDelay(time.Second))
	}
	return errors.Join(cause, m.TermWithReason(clip(cause.Error(), 200)))
}

// bury publishes that the stage in subject has failed and ends the task, unless
// the subject is nobody's.
func (r *Runner) bury(ctx context.Context, subject string, job events.Job, slip []string, p events.Problem) error {
	part := strings.Split(subject, ".")
	if len(part) != 4 || events.CheckToken(part[1]) != nil || events.CheckToken(part[3]) != nil {
		return nil // no task has such an id
	}
	stage, task := part[1], part[3]
	job = job.Clone()
	job.Notes = append(job.Notes, events.Note{Stage: stage, Problem: &p})
	failed := events.New(task, stage, events.Failed, slip, job)
	if stage == events.Task {
		return r.Publish.Publish(ctx, failedTask(failed))
	}
	return r.Publish.Publish(ctx, failed, failedTask(failed))
}

// undertaker is the durable name of Bury's consumer.
const undertaker = "undertaker"

// Bury ends the tasks whose request was delivered as often as it may be without
// an answer, from what the broker tells about it. Almost always a worker has done
// it on the last delivery; this is for a request that kills even that one.
func (r *Runner) Bury(ctx context.Context, dead jetstream.Stream) error {
	p := r.pull(jetstream.ConsumerConfig{
		Durable:        undertaker,
		Description:    "ends tasks whose request was delivered too often",
		FilterSubjects: []string{"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>"},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        lease,
		MaxAckPending:  64,
	}, 16, func(m jetstream.Msg) error {
		if err := r.buryDelivered(ctx, m); err != nil {
			return errors.Join(err, m.NakWithDelay(time.Second))
		}
		return m.Ack()
	})
	p.Stream = dead
	return p.Run(ctx)
}

// buryDelivered handles one advisory.
func (r *Runner) buryDelivered(ctx context.Context, m jetstream.Msg) error {
	var told struct {
		Consumer   string `json:"consumer"`
		Seq        uint64 `json:"stream_seq"`
		Deliveries int    `json:"deliveries"`
	}
	if err := json.Unmarshal(m.Data(), &told); err != nil || !strings.HasPrefix(told.Consumer, ConsumerName("")) {
		return nil // no request to a stage
	}
	raw, err := r.Events.GetMsg(ctx, told.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // erased
	}
	if err != nil {
		return err
	}
	e, err := events.Decode(raw.Header, raw.Data)
	if err == nil && e.Version > events.Version {
		return nil // for a newer program
	}
	return r.bury(ctx, raw.Subject, e.Job, e.Slip, events.Problem{
		Code: "WORKER_LOST", Detail: fmt.Sprintf("The %s stage was interrupted too often.", strings.TrimPrefix(told.Consumer, ConsumerName(""))),
		Cause: fmt.Sprintf("message %d: %d deliveries ended without an answer", told.Seq, told.Deliveries), Retryable: true,
	})
}
