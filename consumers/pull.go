package consumers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/producers"
)

// Pull calls handle with each message of a durable consumer, one at a time, until
// ctx is done. At most batch messages are held at once: what is slow takes 1, so
// that none ages in a buffer.
//
// It makes the consumer when it begins, and anew when it is lost, as after a
// restart of the broker on another disk. It returns an error only when the
// consumer cannot be made at first, or when the connection is closed for good.
func Pull(ctx context.Context, log *slog.Logger, stream jetstream.Stream, conf jetstream.ConsumerConfig, batch int, handle func(jetstream.Msg)) error {
	const longest = 5 * time.Second
	wait := 100 * time.Millisecond
	for made := false; ; {
		began := time.Now()
		err := pull(ctx, stream, conf, batch, &made, handle)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !made || errors.Is(err, jetstream.ErrConnectionClosed) {
			return fmt.Errorf("consumer %s: %w", conf.Durable, err)
		}
		log.WarnContext(ctx, "consumer", "consumer", conf.Durable, "err", err)
		if time.Since(began) > longest {
			wait = 100 * time.Millisecond
		}
		if !pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, longest)
	}
}

// pull is one life of the consumer; made is set once it exists.
func pull(ctx context.Context, stream jetstream.Stream, conf jetstream.ConsumerConfig, batch int, made *bool, handle func(jetstream.Msg)) error {
	cons, err := declare(ctx, stream, conf)
	if err != nil {
		return err
	}
	*made = true
	// The heartbeat bounds a lost wake-up of the client library, and the time until
	// a new leader is asked, to two seconds.
	it, err := cons.Messages(jetstream.PullMaxMessages(batch), jetstream.PullExpiry(30*time.Second), jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return err
	}
	// What the broker has sent already is still handled.
	defer context.AfterFunc(ctx, it.Drain)()
	defer it.Stop()
	for {
		m, err := it.Next()
		switch {
		case errors.Is(err, jetstream.ErrConnectionClosed):
			return err
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat), errors.Is(err, jetstream.ErrConsumerLeadershipChanged):
			continue
		case err != nil:
			return err
		}
		handle(m)
	}
}

// declare makes or updates the consumer, and asks again while the broker has no
// leader to answer.
func declare(ctx context.Context, stream jetstream.Stream, conf jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		one, done := context.WithTimeout(ctx, 5*time.Second)
		cons, err := stream.CreateOrUpdateConsumer(one, conf)
		done()
		if err == nil {
			return cons, nil
		}
		if !producers.Transient(err) || !pause(ctx, 250*time.Millisecond) {
			return nil, err
		}
	}
}

// patience is how long a broker without a leader is waited for.
const patience = 60 * time.Second

// pause waits for d; it reports false when ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
