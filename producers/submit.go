package producers

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/videomsg/videomsg/events"
)

// NewTask returns a new task id: a ULID in lower case, which sorts by time and
// has no dots.
func NewTask() string {
	return strings.ToLower(ulid.MustNew(ulid.Timestamp(time.Now()), rand.Reader).String())
}

// Submit accepts a task with the stages of slip ahead of it. When it returns nil
// the task is durable and will end: the first stage's request follows from the
// submission itself (see consumers.Dispatch), so that nothing between the two
// can be lost.
func (p Publisher) Submit(ctx context.Context, task string, slip []string, trace string, job events.Job) error {
	e := events.New(task, events.Task, events.Submitted, slip, job)
	e.Trace = trace
	return p.Publish(ctx, e)
}

// Cancel wishes task to stop. It is granted unless the task has ended already.
func (p Publisher) Cancel(ctx context.Context, task string, job events.Job) error {
	return p.Publish(ctx, events.New(task, events.Task, events.CancelAsked, nil, job))
}
