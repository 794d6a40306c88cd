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

// Replay calls f for each event the stream holds now, from where conf begins, in
// order and each once, and returns when the last one has been handled. Messages
// that are no events are passed over. It rides out the loss of its consumer, as
// when a leader changes.
func Replay(ctx context.Context, stream jetstream.Stream, conf jetstream.OrderedConsumerConfig, f func(e events.Event, seq uint64) error) error {
	const patience = 20 // tries without progress
	r := reader{stream: stream, conf: conf, f: f}
	for fruitless := 0; ; fruitless++ {
		before := r.last
		err := r.present(ctx)
		if err == nil || r.failed != nil {
			return r.failed
		}
		if r.last > before {
			fruitless = 0
		}
		if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.Code < 500 && r.last == before {
			return fmt.Errorf("replay: %w", err) // it will not be granted later either
		}
		if fruitless >= patience || errors.Is(err, jetstream.ErrConnectionClosed) {
			return fmt.Errorf("replay: %w", err)
		}
		if !pause(ctx, 500*time.Millisecond) {
			return fmt.Errorf("replay: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// Follow is Replay that goes on with what is published from now on, until ctx is
// done, f returns an error, or the connection is closed for good. While the broker
// is away it tries on.
func Follow(ctx context.Context, log *slog.Logger, stream jetstream.Stream, conf jetstream.OrderedConsumerConfig, f func(e events.Event, seq uint64) error) error {
	r := reader{stream: stream, conf: conf, f: f}
	for {
		err := r.endless(ctx)
		if ctx.Err() != nil || r.failed != nil {
			return r.failed
		}
		if errors.Is(err, jetstream.ErrConnectionClosed) {
			return fmt.Errorf("follow: %w", err)
		}
		log.WarnContext(ctx, "follow", "subjects", conf.FilterSubjects, "seq", r.last, "err", err)
		if !pause(ctx, time.Second) {
			return nil
		}
	}
}

// reader is how far a Replay or Follow has come.
type reader struct {
	stream jetstream.Stream
	conf   jetstream.OrderedConsumerConfig
	f      func(e events.Event, seq uint64) error
	last   uint64 // handled
	failed error  // of f
}

// consumer continues behind what was handled.
func (r *reader) consumer(ctx context.Context) (jetstream.Consumer, error) {
	if r.last > 0 {
		r.conf.DeliverPolicy, r.conf.OptStartSeq, r.conf.OptStartTime = jetstream.DeliverByStartSequencePolicy, r.last+1, nil
	}
	return r.stream.OrderedConsumer(ctx, r.conf)
}

// handle gives m to f; it reports how many messages there are behind it.
func (r *reader) handle(m jetstream.Msg) (left uint64, err error) {
	md, err := m.Metadata()
	if err != nil {
		return 0, err
	}
	if e, err := events.Decode(m.Headers(), m.Data()); err == nil {
		if r.failed = r.f(e, md.Sequence.Stream); r.failed != nil {
			return 0, r.failed
		}
	}
	r.last = md.Sequence.Stream
	return md.NumPending, nil
}

// present is one life of a Replay's consumer.
func (r *reader) present(ctx context.Context) error {
	cons, err := r.consumer(ctx)
	if err != nil {
		return err
	}
	info, err := cons.Info(ctx)
	if err != nil {
		return err
	}
	for left := info.NumPending; left > 0; {
		batch, err := cons.Fetch(int(min(left, 500)), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return err
		}
		n := left
		for m := range batch.Messages() {
			behind, err := r.handle(m)
			if err != nil {
				return err
			}
			left = min(left-1, behind)
		}
		if err := batch.Error(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if left == n {
			return errors.New("the stream stopped answering")
		}
	}
	return nil
}

// endless is one life of a Follow's consumer.
func (r *reader) endless(ctx context.Context) error {
	cons, err := r.consumer(ctx)
	if err != nil {
		return err
	}
	it, err := cons.Messages(jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, it.Stop)()
	defer it.Stop()
	for {
		m, err := it.Next()
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := r.handle(m); err != nil {
			return err
		}
	}
}

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
