package consumers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// A Pull takes messages from a durable consumer, in any number of processes at
// once. It is how everything here reads from a stream.
type Pull struct {
	Log      *slog.Logger
	JS       jetstream.JetStream // of Stream
	Stream   jetstream.Stream
	Consumer jetstream.ConsumerConfig
	Slots    int // messages handled at the same time; 0 means 1
	Batch    int // messages held by each slot: what is slow takes 1, so that none ages in a buffer
	// Handle answers the message (Ack, Nak, …), also when it returns an error, which
	// is logged.
	Handle func(jetstream.Msg) error
}

// Run takes messages until ctx is done and what was taken is handled. It makes the
// consumer when it begins, and anew when it is lost, as after a restart of the
// broker on another disk. It returns an error only when the consumer cannot be
// made at first, or when the connection is closed for good.
func (p Pull) Run(ctx context.Context) error {
	slots := max(p.Slots, 1)
	errs := make([]error, slots)
	var wg sync.WaitGroup
	for i := range slots {
		wg.Go(func() {
			if err := p.slot(ctx); err != nil {
				errs[i] = fmt.Errorf("consumer %s: %w", p.Consumer.Durable, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// slot takes one message after the other.
func (p Pull) slot(ctx context.Context) error {
	const shortest, longest = 100 * time.Millisecond, 5 * time.Second
	wait := shortest
	for made := false; ; {
		began := time.Now()
		err := p.read(ctx, &made)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			continue
		}
		if !made || errors.Is(err, jetstream.ErrConnectionClosed) {
			return err
		}
		p.Log.WarnContext(ctx, "consumer", "consumer", p.Consumer.Durable, "err", err)
		if time.Since(began) > longest {
			wait = shortest
		}
		if !pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, longest)
	}
}

// read reads from the consumer until something may have changed: the connection,
// the leader, or whether it exists; made is set once it did.
//
// The client library itself would ask again then, but the server may still know
// its earlier request: two of them give a busy slot messages that others could
// have, and heartbeats that nobody reads. A new iterator has a new address, which
// ends all that went to the old one.
func (p Pull) read(ctx context.Context, made *bool) error {
	conn := p.JS.Conn()
	connects := conn.Stats().Reconnects
	cons, err := p.declare(ctx)
	if err != nil {
		return err
	}
	*made = true
	// The heartbeat bounds a lost wake-up of the client library, and the time until
	// a new leader is asked, to two seconds.
	it, err := cons.Messages(jetstream.PullMaxMessages(p.Batch), jetstream.PullExpiry(30*time.Second), jetstream.PullHeartbeat(time.Second))
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
		case errors.Is(err, jetstream.ErrMsgIteratorClosed), errors.Is(err, jetstream.ErrNoHeartbeat), errors.Is(err, jetstream.ErrConsumerLeadershipChanged):
			return nil
		case err != nil:
			return err
		}
		if conn.Stats().Reconnects != connects {
			it.Drain()
		}
		if err := p.Handle(m); err != nil && ctx.Err() == nil {
			p.Log.ErrorContext(ctx, "message", "consumer", p.Consumer.Durable, "subject", m.Subject(), "err", err)
		}
	}
}

// declare makes or updates the consumer, and asks again while the broker has no
// leader to answer.
func (p Pull) declare(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		one, done := context.WithTimeout(ctx, 5*time.Second)
		cons, err := p.Stream.CreateOrUpdateConsumer(one, p.Consumer)
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

// ErrNewer says that a newer program wrote an event.
var ErrNewer = fmt.Errorf("event version is newer than %d, the one of this program", events.Version)

// Read decodes the event in m. One that a newer program wrote goes back for a
// newer worker, with ErrNewer; one that is events.ErrMalformed is not answered.
func Read(m jetstream.Msg) (events.Event, error) {
	e, err := events.Decode(m.Headers(), m.Data())
	if err == nil && e.Version > events.Version {
		return e, errors.Join(ErrNewer, m.NakWithDelay(time.Minute))
	}
	return e, err
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
