// Package producers is everything that puts events on the stream.
package producers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// A Publisher says each event once: the stream refuses a second event on a
// subject, and the refusal counts as success. It may be used concurrently.
type Publisher struct{ JS jetstream.JetStream }

// patience is how long Publish rides out a broker that is away, as during the
// election of a new leader.
const patience = 30 * time.Second

// Publish stores evs in order and returns when the stream has them. On an error
// a prefix of evs may be stored; publishing all again is harmless.
func (p Publisher) Publish(ctx context.Context, evs ...events.Event) error {
	for _, e := range evs {
		if err := p.publish(ctx, e); err != nil {
			return fmt.Errorf("publish %s: %w", e.ID(), err)
		}
	}
	return nil
}

func (p Publisher) publish(ctx context.Context, e events.Event) error {
	header, data, err := events.Encode(e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		// A message is not reused: an answer that comes late belongs to the old one.
		m := &nats.Msg{Subject: e.Subject(), Header: header, Data: data}
		_, err := p.JS.PublishMsg(ctx, m,
			jetstream.WithMsgID(e.ID()), jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithRetryAttempts(0))
		switch {
		case err == nil:
			return nil
		case said(err):
			return nil
		case !transient(err) || ctx.Err() != nil:
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

// said reports whether the stream refused because the subject has its event.
func said(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// transient reports whether the broker may answer again by itself: no leader
// yet, reconnecting, or an answer that was lost.
func transient(err error) bool {
	for _, t := range []error{
		jetstream.ErrNoStreamResponse, nats.ErrNoResponders, nats.ErrTimeout, nats.ErrDisconnected,
		nats.ErrConnectionReconnecting, context.DeadlineExceeded,
	} {
		if errors.Is(err, t) {
			return true
		}
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.Code == 503
}
