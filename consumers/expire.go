package consumers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

// late is how long after its deadline a task may still end by itself: whoever
// works on it stops at the deadline and has to say so.
const late = 15 * time.Second

// Expire ends the tasks that nobody ends: those which are at a stage that no
// worker serves, or which wait behind a paused one, when their deadline is over.
// Tasks are given at most longest. It reads submissions and keeps those that are
// not over in memory; any number of processes may do the same.
func (r *Runner) Expire(ctx context.Context, longest time.Duration) error {
	waiting := map[string]time.Time{} // deadline by task
	arrived := make(chan events.Event, 64)
	followed := make(chan error, 1)
	go func() { followed <- r.beginnings(ctx, longest, arrived) }()
	look := time.NewTicker(late / 3)
	defer look.Stop()
	for {
		select {
		case err := <-followed:
			return err
		case e := <-arrived:
			d := e.Job.Request.Deadline
			switch {
			case e.Terminal():
				delete(waiting, e.Task)
			case e.Verb == events.Submitted && !d.IsZero():
				waiting[e.Task] = d
			}
		case now := <-look.C:
			for task, d := range waiting {
				if now.Before(d.Add(late)) {
					continue
				}
				if err := r.expire(ctx, task); err != nil {
					r.Log.WarnContext(ctx, "expire", "task", task, "err", err)
					continue // with the next look
				}
				delete(waiting, task)
			}
		}
	}
}

// beginnings hands on the beginnings and ends of tasks, since longest ago and
// from now on, until ctx is done.
func (r *Runner) beginnings(ctx context.Context, longest time.Duration, to chan<- events.Event) error {
	since := time.Now().Add(-longest - 2*late)
	return status.Follow(ctx, r.Log, r.Events, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{events.Subject(events.Task, "*", "*")}, // one filter: a permission can name it
		DeliverPolicy:  jetstream.DeliverByStartTimePolicy, OptStartTime: &since,
	}, func(e events.Event, _ uint64) error {
		select {
		case to <- e:
		case <-ctx.Done():
		}
		return nil
	})
}

// expire ends task unless it has ended.
func (r *Runner) expire(ctx context.Context, task string) error {
	ctx, cancel := context.WithTimeout(ctx, lastWord)
	defer cancel()
	_, err := r.Events.GetLastMsgForSubject(ctx, events.Subject(events.Task, events.Ended, task))
	if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return err
	}
	raw, err := r.Events.GetLastMsgForSubject(ctx, events.Subject("*", "*", task))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // erased
	}
	if err != nil {
		return err
	}
	e, err := events.Decode(raw.Header, raw.Data)
	if err == nil && e.Verb == events.Erased {
		return nil
	}
	stage := cmp.Or(strings.Split(raw.Subject+"..", ".")[1], events.Task)
	return r.bury(ctx, events.Subject(stage, events.Requested, task), e.Job, e.Slip, events.Problem{
		Code: "DEADLINE_EXCEEDED", Detail: "The task was not finished in time.",
		Cause: fmt.Sprintf("nothing has happened since %s: no worker serves the %s stage, or it is paused", raw.Subject, stage), Retryable: true,
	})
}
