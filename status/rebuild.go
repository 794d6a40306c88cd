package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// A Rebuilding is what Rebuild found and did.
type Rebuilding struct {
	Events    int // read from the stream
	Tasks     int
	Identical int // documents that were right
	Missing   int // documents that had to be made
	Different int // documents that had to be replaced
	// UpTo is the stream sequence the comparison is about; documents that already
	// contain newer events are left to the projector.
	UpTo uint64
}

// Rebuild folds the whole stream again and puts right every document that
// differs from the result. It may run beside a projector.
func Rebuild(ctx context.Context, stream jetstream.Stream, s Store) (Rebuilding, error) {
	var r Rebuilding
	tasks := map[string]Task{}
	err := Replay(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{events.AllSubjects}}, func(e events.Event, seq uint64) error {
		t, _ := Apply(tasks[e.Task], e, seq)
		tasks[e.Task] = t
		r.Events++
		r.UpTo = max(r.UpTo, seq)
		return nil
	})
	if err != nil {
		return r, err
	}
	r.Tasks = len(tasks)
	for id, want := range tasks {
		if err := s.mend(ctx, &r, id, want); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (s Store) mend(ctx context.Context, r *Rebuilding, id string, want Task) error {
	b, err := json.Marshal(want)
	if err != nil {
		return err
	}
	e, err := s.KV.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		r.Missing++
		if _, err := s.KV.Create(ctx, id, b); err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
			return fmt.Errorf("put status of %s: %w", id, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("get status of %s: %w", id, err)
	}
	if bytes.Equal(e.Value(), b) {
		r.Identical++
		return nil
	}
	if have, err := decode(e.Value()); err == nil && have.Seq > r.UpTo {
		return nil // the projector is ahead of us
	}
	r.Different++
	if _, err := s.KV.Update(ctx, id, b, e.Revision()); err != nil && !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return fmt.Errorf("put status of %s: %w", id, err)
	}
	return nil
}

// Replay calls f for each event the stream holds now, in order and each once, and
// returns when the last one has been handled. Messages that are no events are
// passed over. It rides out the loss of its consumer, as when a leader changes.
func Replay(ctx context.Context, stream jetstream.Stream, conf jetstream.OrderedConsumerConfig, f func(e events.Event, seq uint64) error) error {
	const patience = 20 // tries without progress
	r := replay{f: f}
	for fruitless := 0; ; fruitless++ {
		before := r.last
		if r.last > 0 {
			conf.DeliverPolicy, conf.OptStartSeq, conf.OptStartTime = jetstream.DeliverByStartSequencePolicy, r.last+1, nil
		}
		err := r.run(ctx, stream, conf)
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
		t := time.NewTimer(500 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("replay: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// replay is how far a Replay has come.
type replay struct {
	f      func(e events.Event, seq uint64) error
	last   uint64 // handled
	failed error  // of f
}

// run is one life of the consumer.
func (r *replay) run(ctx context.Context, stream jetstream.Stream, conf jetstream.OrderedConsumerConfig) error {
	cons, err := stream.OrderedConsumer(ctx, conf)
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
			md, err := m.Metadata()
			if err != nil {
				return err
			}
			left = min(left-1, md.NumPending)
			r.last = md.Sequence.Stream
			e, err := events.Decode(m.Headers(), m.Data())
			if err != nil {
				continue
			}
			if r.failed = r.f(e, md.Sequence.Stream); r.failed != nil {
				return nil
			}
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
