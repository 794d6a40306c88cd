// Package producers is everything that puts events on the stream.
package producers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// A Publisher says each event once: the stream refuses a second event on a
// subject, and the refusal counts as success. It may be used concurrently.
type Publisher struct{ JS jetstream.JetStream }

// stream is where the events are; package broker declares it.
const stream = "VM_EVENTS"

// patience is how long Publish rides out a broker that is away, as during the
// election of a new leader.
const patience = 30 * time.Second

// Publish stores evs in order and returns when the stream has them. On an error
// a prefix of evs may be stored; publishing all again is harmless.
func (p Publisher) Publish(ctx context.Context, evs ...events.Event) error {
	for _, e := range evs {
		if _, err := p.publish(ctx, e, false); err != nil {
			return err
		}
	}
	return nil
}

// First publishes e and reports whether it is what the stream has: false when
// somebody else has said it before, with another Job.
func (p Publisher) First(ctx context.Context, e events.Event) (bool, error) {
	return p.publish(ctx, e, true)
}

// perTry is how long one answer is waited for: it may be lost with the server
// that owed it.
const perTry = 3 * time.Second

// publish stores e; whether it was the first is found out only when asked for.
func (p Publisher) publish(ctx context.Context, e events.Event, ask bool) (first bool, err error) {
	header, data, err := events.Encode(e)
	if err != nil {
		return false, err
	}
	err = patiently(ctx, func(ctx context.Context) (err error) {
		// A message is not reused: an answer that comes late belongs to the old one.
		first, err = p.try(ctx, e, &nats.Msg{Subject: e.Subject(), Header: header, Data: data}, ask)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("publish %s: %w", e.ID(), err)
	}
	return first, nil
}

// patiently calls f until it succeeds, fails for good, or patience is at its end.
func patiently(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		one, done := context.WithTimeout(ctx, perTry)
		err := f(one)
		done()
		if err == nil || !Transient(err) || ctx.Err() != nil {
			return err
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

// Later has the stream say e at a time. A later call for the same stage and task
// takes the place of an earlier one. Unlike other events, what is said so may be
// said again.
func (p Publisher) Later(ctx context.Context, e events.Event, at time.Time) error {
	header, data, err := events.Encode(e)
	if err != nil {
		return err
	}
	err = patiently(ctx, func(ctx context.Context) error {
		m := &nats.Msg{Subject: events.ScheduleSubject(e.Stage, e.Task), Header: nats.Header{}, Data: data}
		maps.Copy(m.Header, header)
		// The client's own option cuts to whole seconds.
		m.Header[jetstream.ScheduleHeader] = []string{"@at " + at.UTC().Format(time.RFC3339Nano)}
		m.Header[jetstream.ScheduleTargetHeader] = []string{e.Subject()}
		_, err := p.JS.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
		return err
	})
	if err != nil {
		return fmt.Errorf("schedule %s: %w", e.ID(), err)
	}
	return nil
}

// try publishes once.
func (p Publisher) try(ctx context.Context, e events.Event, m *nats.Msg, ask bool) (first bool, err error) {
	ack, err := p.JS.PublishMsg(ctx, m,
		jetstream.WithMsgID(e.ID()), jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithRetryAttempts(0))
	if refused(err) || err == nil && ack.Duplicate && ask {
		return p.said(ctx, e, m.Data)
	}
	return err == nil, err
}

// refused reports whether the stream says that the subject has its event.
func refused(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// errUnsettled says that the stream refused an event because the same one is on
// its way, which may yet be lost with the leader that has it.
var errUnsettled = errors.New("the same event is on its way")

// said reports whether it is data that the stream has on the subject of e, which it
// refused. An error is that it has nothing: a replicated stream also refuses while
// another copy is proposed only.
func (p Publisher) said(ctx context.Context, e events.Event, data []byte) (bool, error) {
	s, err := p.JS.Stream(ctx, stream)
	if err != nil {
		return false, err
	}
	m, err := s.GetLastMsgForSubject(ctx, e.Subject())
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, errUnsettled
	}
	if err != nil {
		return false, err
	}
	return bytes.Equal(m.Data, data), nil
}

// inProcess is the answer to a message id whose first message is proposed but not
// stored yet.
const inProcess jetstream.ErrorCode = 10158

// Transient reports whether the broker may answer again by itself: no leader
// yet, reconnecting, shutting down, or an answer that was lost.
func Transient(err error) bool {
	for _, t := range []error{
		jetstream.ErrNoStreamResponse, nats.ErrNoResponders, nats.ErrTimeout, nats.ErrDisconnected,
		nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrStaleConnection, context.DeadlineExceeded,
		errUnsettled,
	} {
		if errors.Is(err, t) {
			return true
		}
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.Code == 503 || api.Code == 408 || api.Code == 429 || api.ErrorCode == inProcess)
}
