package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// Consumer is the durable name of the projector; all its processes share it.
const Consumer = "status"

// Serve projects the stream into s until ctx is done. Any number of processes
// may serve the same bucket: the fold does not care about order.
func Serve(ctx context.Context, log *slog.Logger, stream jetstream.Stream, s Store) error {
	cons, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:        Consumer,
		Description:    "projects events into " + s.KV.Bucket(),
		FilterSubjects: []string{events.AllSubjects},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        10 * time.Second,
		MaxAckPending:  2048,
	})
	if err != nil {
		return fmt.Errorf("consumer %s: %w", Consumer, err)
	}
	// Messages one by one: two events of a task never race in this process. The
	// heartbeat bounds a lost wake-up of the client to a second.
	it, err := cons.Messages(jetstream.PullMaxMessages(256), jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return fmt.Errorf("consumer %s: %w", Consumer, err)
	}
	stop := context.AfterFunc(ctx, it.Stop)
	defer stop()
	for {
		m, err := it.Next()
		switch {
		case errors.Is(err, jetstream.ErrMsgIteratorClosed):
			return nil
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			continue
		case err != nil:
			it.Stop()
			return fmt.Errorf("consumer %s: %w", Consumer, err)
		}
		if err := s.handle(ctx, m); err != nil && ctx.Err() == nil {
			log.Error("projection", "subject", m.Subject(), "err", err)
		}
	}
}

func (s Store) handle(ctx context.Context, m jetstream.Msg) error {
	md, err := m.Metadata()
	if err != nil {
		return err
	}
	e, err := events.Decode(m.Headers(), m.Data())
	if err != nil {
		return errors.Join(err, m.TermWithReason(err.Error()))
	}
	if e.Version > events.Version {
		return m.NakWithDelay(time.Minute) // for a newer projector
	}
	if err := s.Project(ctx, e, md.Sequence.Stream); err != nil {
		return errors.Join(err, m.NakWithDelay(time.Second))
	}
	return m.Ack()
}
