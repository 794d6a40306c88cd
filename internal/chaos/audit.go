package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/status"
)

// A tally is what the tasks of one variant came to.
type tally struct {
	accepted, completed, failed, lost, endedTwice, boughtTwice, repeated int
	// wrong is what else must not be: events said twice, blobs that are not the
	// ones their events name, documents that are not the fold of the stream.
	wrong int
}

func (t tally) String() string {
	return fmt.Sprintf("accepted=%d completed=%d failed=%d lost=%d ended_twice=%d bought_twice=%d repeated=%d",
		t.accepted, t.completed, t.failed, t.lost, t.endedTwice, t.boughtTwice, t.repeated)
}

func (t tally) good() bool {
	return t.accepted > 0 && t.lost == 0 && t.endedTwice == 0 && t.boughtTwice == 0 && t.wrong == 0
}

func (t tally) plus(o tally) tally {
	t.accepted += o.accepted
	t.completed += o.completed
	t.failed += o.failed
	t.lost += o.lost
	t.endedTwice += o.endedTwice
	t.boughtTwice += o.boughtTwice
	t.repeated += o.repeated
	t.wrong += o.wrong
	return t
}

// audit waits until every accepted task has ended, or patience does, and then
// counts in the stream, the blob store, the status bucket and the shop.
func (s *stand) audit(ctx context.Context, b *broker.Broker, patience time.Duration) (t tally, err error) {
	for deadline := time.Now().Add(patience); ; {
		accepted, err := lines(s.accepted)
		if err != nil {
			return t, err
		}
		n, err := ended(ctx, b)
		if err != nil {
			fmt.Fprintln(s.out, "ask the stream:", err)
		}
		slices.Sort(accepted)
		t.accepted = len(slices.Compact(accepted))
		if t.accepted >= s.tasks && n >= s.tasks {
			break
		}
		if err := s.broken(); err != nil {
			return t, err
		}
		if time.Now().After(deadline) {
			fmt.Fprintf(s.out, "patience is at its end: %d of %d tasks accepted, %d ended\n", t.accepted, s.tasks, n)
			break
		}
		if !wait(ctx, 200*time.Millisecond) {
			return t, ctx.Err()
		}
	}
	if err := s.count(ctx, b, &t); err != nil {
		return t, err
	}
	runs, err := lines(s.runs)
	if err != nil {
		return t, err
	}
	distinct := map[string]bool{}
	for _, r := range runs {
		distinct[r] = true
	}
	t.repeated, t.boughtTwice = len(runs)-len(distinct), s.shop.twice()
	if d := s.lastEnd.Sub(s.lastKill).Seconds(); d > 0 {
		fmt.Fprintf(s.out, "the last task ended %.1f s after the last kill\n", d)
	}
	fmt.Fprintf(s.out, "%s wrong=%d orders=%d orders_asked_again=%d\n", t, t.wrong, len(s.shop.bought), s.shop.asked)
	return t, nil
}

// broken reports a process that ended by itself with an error.
func (s *stand) broken() error {
	for _, list := range [][]*process{s.workers, s.projectors, s.nodes, {s.submitter}} {
		for _, p := range list {
			if err := p.err(); err != nil {
				return fmt.Errorf("%w\n%s", err, p.tail())
			}
		}
	}
	return nil
}

// count reads the whole history.
func (s *stand) count(ctx context.Context, b *broker.Broker, t *tally) error {
	store, err := natsstore.New(ctx, b.BlobJS, broker.BucketBlobs)
	if err != nil {
		return err
	}
	ends, said := map[string]int{}, map[string]int{}
	complain := func(format string, args ...any) {
		t.wrong++
		fmt.Fprintf(s.out, "WRONG: "+format+"\n", args...)
	}
	err = status.Replay(ctx, b.Events, jetstream.OrderedConsumerConfig{FilterSubjects: []string{events.AllSubjects}}, func(e events.Event, seq uint64) error {
		if said[e.Subject()]++; said[e.Subject()] > 1 && !e.Terminal() {
			complain("%s was said twice, again at %d", e.Subject(), seq)
		}
		if !e.Terminal() {
			return nil
		}
		ends[e.Task]++
		if e.Time.After(s.lastEnd) {
			s.lastEnd = e.Time
		}
		if ends[e.Task] > 1 {
			return nil
		}
		switch n := len(e.Job.Notes); {
		case e.Verb == events.TaskCompleted:
			t.completed++
			for name, blob := range e.Job.Blobs {
				if err := same(ctx, store, blob); err != nil {
					complain("blob %s of %s: %v", name, e.Task, err)
				}
			}
		case e.Verb == events.TaskFailed && n > 0 && e.Job.Notes[n-1].Problem != nil:
			t.failed++
			if c := e.Job.Notes[n-1].Problem.Code; c == "WRONG_INPUT" {
				complain("%s failed: %s", e.Task, e.Job.Notes[n-1].Problem.Cause)
			}
		default:
			complain("%s ended as %s without a reason", e.Task, e.Verb)
		}
		return nil
	})
	if err != nil {
		return err
	}
	accepted, err := lines(s.accepted)
	if err != nil {
		return err
	}
	for _, task := range accepted {
		if ends[task] == 0 {
			t.lost++
			fmt.Fprintf(s.out, "LOST: %s\n", task)
		}
	}
	for task, n := range ends {
		if n > 1 {
			t.endedTwice++
			fmt.Fprintf(s.out, "ENDED TWICE: %s\n", task)
		}
	}
	return s.documents(ctx, b, complain)
}

// documents waits until the projectors are through and compares every document
// with the fold of the stream.
func (s *stand) documents(ctx context.Context, b *broker.Broker, complain func(string, ...any)) error {
	cons, err := b.Events.Consumer(ctx, status.Consumer)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		info, err := cons.Info(ctx)
		if err != nil {
			return err
		}
		if info.NumPending == 0 && info.NumAckPending == 0 {
			break
		}
		if !wait(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
	r, err := status.Rebuild(ctx, b.Events, status.Store{KV: b.Status}, false)
	if err != nil {
		return err
	}
	if r.Missing > 0 || r.Different > 0 {
		complain("of %d documents, %d are missing and %d differ from the fold of the stream", r.Tasks, r.Missing, r.Different)
	}
	return nil
}

// same reports whether the store has what the event names.
func same(ctx context.Context, store *natsstore.Store, blob events.Blob) (err error) {
	rc, err := store.Get(ctx, blob.Key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, rc); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != blob.SHA256 {
		return fmt.Errorf("%s has digest %s, its event says %s", blob.Key, got, blob.SHA256)
	}
	return nil
}
