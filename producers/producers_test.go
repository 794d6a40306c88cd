package producers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
)

func open(t *testing.T) *broker.Broker {
	t.Helper()
	b, err := broker.Open(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)), broker.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// unsure is a connection whose answers fail in one of two ways: the message was
// not stored, or it was stored and nobody heard of it.
type unsure struct {
	jetstream.JetStream
	left   atomic.Int32 // failures to come
	stored bool
	err    error
}

func (u *unsure) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if u.left.Add(-1) < 0 {
		return u.JetStream.PublishMsg(ctx, m, opts...)
	}
	if u.stored {
		if _, err := u.JetStream.PublishMsg(ctx, m, opts...); err != nil {
			return nil, err
		}
	}
	return nil, u.err
}

func TestPublishSaysOnceWhateverIsLost(t *testing.T) {
	b := open(t)
	refused := &jetstream.APIError{Code: 400, ErrorCode: jetstream.JSErrCodeStreamWrongLastSequence, Description: "wrong last sequence: 0"}
	for i, c := range []struct {
		name string
		u    *unsure
		fail bool
	}{
		{"no answer, not stored", &unsure{err: nats.ErrTimeout}, false},
		{"no answer, stored", &unsure{err: nats.ErrTimeout, stored: true}, false},
		{"no leader", &unsure{err: jetstream.ErrNoStreamResponse}, false},
		{"disconnected after storing", &unsure{err: nats.ErrDisconnected, stored: true}, false},
		{"refused for one that is never stored", &unsure{err: fmt.Errorf("nats: %w", refused)}, false},
		{"the same id in process", &unsure{err: &jetstream.APIError{Code: 409, ErrorCode: 10158}}, false},
		{"not permitted", &unsure{err: nats.ErrPermissionViolation}, true},
		{"too large", &unsure{err: nats.ErrMaxPayload}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := c.u
			u.JetStream = b.JS
			u.left.Store(2)
			e := events.New(fmt.Sprintf("t%d", i), "image", events.Requested, nil, events.Job{})
			err := Publisher{JS: u}.Publish(t.Context(), e)
			if c.fail {
				if !errors.Is(err, c.u.err) {
					t.Errorf("error %v, want %v at once", err, c.u.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			info, err := b.Events.Info(t.Context(), jetstream.WithSubjectFilter(e.Subject()))
			if err != nil || info.State.Subjects[e.Subject()] != 1 {
				t.Errorf("stored %d times, %v", info.State.Subjects[e.Subject()], err)
			}
		})
	}
}

func TestTaskEndsOnceWhenCompletionAndCancelRace(t *testing.T) {
	b := open(t)
	p := Publisher{JS: b.JS}
	for i := range 20 {
		task := fmt.Sprintf("t%d", i)
		errs := make(chan error, 3)
		for _, verb := range []events.Verb{events.TaskCompleted, events.TaskCanceled, events.TaskFailed} {
			go func() {
				errs <- p.Publish(context.WithoutCancel(t.Context()), events.New(task, events.Task, verb, nil, events.Job{}))
			}()
		}
		for range 3 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	}
	info, err := b.Events.Info(t.Context())
	if err != nil || info.State.Msgs != 20 {
		t.Errorf("%d ends of 20 tasks, %v", info.State.Msgs, err)
	}
}

func TestLaterSaysItThenAndOnlyTheNewest(t *testing.T) {
	b := open(t)
	p := Publisher{JS: b.JS}
	begin := time.Now()
	for _, d := range []time.Duration{400 * time.Millisecond, 900 * time.Millisecond} {
		if err := p.Later(t.Context(), events.New("t", "video", events.Retry, []string{"x"}, events.Job{Request: events.Request{Owner: "u"}}), begin.Add(d)); err != nil {
			t.Fatal(err)
		}
	}
	subject := events.Subject("video", events.Retry, "t")
	for {
		m, err := b.Events.GetLastMsgForSubject(t.Context(), subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) && time.Since(begin) < 20*time.Second {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		e, err := events.Decode(m.Header, m.Data)
		if err != nil || e.Verb != events.Retry || e.Job.Request.Owner != "u" || len(e.Slip) != 1 {
			t.Errorf("%+v, %v", e, err)
		}
		break
	}
	if d := time.Since(begin); d < 850*time.Millisecond {
		t.Errorf("said after %v", d)
	}
	info, err := b.Events.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil || info.State.Msgs != 1 {
		t.Errorf("%v in the stream, %v", info.State.Subjects, err)
	}
}

func TestTaskIDsAreTokensInOrderOfTime(t *testing.T) {
	last := ""
	for range 5 {
		id := NewTask()
		if err := events.CheckToken(id); err != nil {
			t.Error(err)
		}
		if id[:10] < last {
			t.Errorf("%s after %s", id, last)
		}
		last = id[:10]
		time.Sleep(2 * time.Millisecond)
	}
}
