package natsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/objectstore"
)

// stored is a message of the stream.
type stored struct {
	seq     uint64
	time    time.Time
	subject string
	data    []byte
}

func decodeStored(msg *nats.Msg) (stored, error) {
	seq, err := strconv.ParseUint(msg.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return stored{}, fmt.Errorf("direct get: sequence: %w", err)
	}
	t, err := time.Parse(time.RFC3339Nano, msg.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return stored{}, fmt.Errorf("direct get: time: %w", err)
	}
	return stored{seq, t, msg.Header.Get(jetstream.SubjectHeader), msg.Data}, nil
}

// directLast returns the last message on subject.
func (s *Store) directLast(ctx context.Context, subject string) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	msg, err := s.nc.RequestWithContext(ctx, s.api+"DIRECT.GET."+s.stream()+"."+subject, nil)
	if err != nil {
		return stored{}, classify(err)
	}
	switch status := msg.Header.Get("Status"); status {
	case "":
		return decodeStored(msg)
	case "404":
		return stored{}, objectstore.ErrNotFound
	default:
		return stored{}, fmt.Errorf("direct get: status %s %s: %w", status, msg.Header.Get("Description"), objectstore.ErrUnavailable)
	}
}

// batch returns up to n messages on subject from sequence seq on, by one request
// (NATS ADR-31). None is not an error.
func (s *Store) batch(ctx context.Context, subject string, seq uint64, n int) ([]stored, error) {
	f, err := s.startBatch(subject, seq, n)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	var out []stored
	for {
		m, ok, err := f.next(ctx)
		if err != nil || !ok {
			return out, err
		}
		out = append(out, m)
	}
}

// fetch is a batch under way.
type fetch struct {
	nc   *nats.Conn
	sub  *nats.Subscription
	msgs chan *nats.Msg
	// lost tells that the connection broke: what is under way does not come.
	lost chan nats.Status
}

func (s *Store) startBatch(subject string, seq uint64, n int) (*fetch, error) {
	req, err := json.Marshal(map[string]any{
		"next_by_subj": subject, "seq": seq, "batch": n, "max_bytes": 1 << 30,
	})
	if err != nil {
		return nil, err
	}
	// Room for the whole batch and its end: the client must never drop from it.
	f := &fetch{nc: s.nc, msgs: make(chan *nats.Msg, n+2), lost: s.nc.StatusChanged(nats.RECONNECTING, nats.CLOSED)}
	inbox := s.nc.NewInbox()
	if f.sub, err = s.nc.ChanSubscribe(inbox, f.msgs); err == nil {
		err = s.nc.PublishRequest(s.api+"DIRECT.GET."+s.stream(), inbox, req)
	}
	if err != nil {
		f.stop()
		return nil, classify(err)
	}
	return f, nil
}

// next returns the next message of the batch; false means that there is none.
func (f *fetch) next(ctx context.Context) (stored, bool, error) {
	msg, err := f.wait(ctx)
	if err != nil {
		return stored{}, false, err
	}
	switch status := msg.Header.Get("Status"); status {
	case "":
		m, err := decodeStored(msg)
		return m, err == nil, err
	case "204", "404": // end of batch, nothing found
		return stored{}, false, nil
	case "503":
		return stored{}, false, classify(nats.ErrNoResponders)
	default:
		return stored{}, false, fmt.Errorf("direct get: status %s %s: %w", status, msg.Header.Get("Description"), objectstore.ErrUnavailable)
	}
}

// wait returns the next message, one that is there already before anything else.
func (f *fetch) wait(ctx context.Context) (*nats.Msg, error) {
	select {
	case msg := <-f.msgs:
		return msg, nil
	default:
	}
	late := time.NewTimer(callTimeout)
	defer late.Stop()
	select {
	case msg := <-f.msgs:
		return msg, nil
	case <-f.lost:
		return nil, fmt.Errorf("connection broke: %w", objectstore.ErrUnavailable)
	case <-late.C:
		return nil, classify(nats.ErrTimeout)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stop ends the subscription. An error can only say that it is gone already.
func (f *fetch) stop() {
	f.nc.RemoveStatusListener(f.lost)
	if f.sub != nil {
		_ = f.sub.Unsubscribe()
	}
}

// backoff waits longer each time, 20 ms to 1 s with jitter, for patience in all.
type backoff struct {
	end  time.Time
	next time.Duration
}

var errPatience = errors.New("gave up repeating")

func newBackoff() *backoff {
	return &backoff{time.Now().Add(patience), 20 * time.Millisecond}
}

func (b *backoff) sleep(ctx context.Context) error {
	d := b.next/2 + rand.N(b.next)
	if time.Now().Add(d).After(b.end) {
		return errPatience
	}
	b.next = min(2*b.next, time.Second)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
