package natsstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/videomsg/videomsg/objectstore"
)

// Put implements objectstore.Store.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	if err := check(ctx, "put", key); err != nil {
		return objectstore.Info{}, err
	}
	info, err := s.put(ctx, key, r, false)
	if err != nil {
		return objectstore.Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	return info, nil
}

// Create implements objectstore.Creator.
func (s *Store) Create(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	if err := check(ctx, "create", key); err != nil {
		return objectstore.Info{}, err
	}
	info, err := s.put(ctx, key, r, true)
	if err != nil {
		return objectstore.Info{}, fmt.Errorf("create %s: %w", key, err)
	}
	return info, nil
}

func (s *Store) put(ctx context.Context, key string, r io.Reader, onlyNew bool) (info objectstore.Info, err error) {
	select {
	case s.puts <- struct{}{}:
		defer func() { <-s.puts }()
	case <-ctx.Done():
		return objectstore.Info{}, ctx.Err()
	}
	w := &writer{s: s, id: nuid.Next(), lost: s.nc.StatusChanged(nats.RECONNECTING)}
	defer s.nc.RemoveStatusListener(w.lost)
	w.subject = s.chunkSubject(w.id)
	committed := false
	defer func() {
		if err != nil && !committed && w.sent && !errors.Is(err, nats.ErrPermissionViolation) {
			w.discard(ctx)
		}
	}()
	h := sha256.New()
	size := int64(0)
	for eof := false; !eof; {
		b := w.buffer()
		n, err := objectstore.ReadFull(ctx, r, b)
		if eof = err == io.EOF; err != nil && !eof {
			return objectstore.Info{}, err
		}
		if n == 0 {
			break
		}
		if err := w.send(ctx, b[:n]); err != nil {
			return objectstore.Info{}, err
		}
		// After the sending, so that the server works on it meanwhile.
		h.Write(b[:n])
		size += int64(n)
	}
	if err := w.flush(ctx); err != nil {
		return objectstore.Info{}, err
	}
	sum := h.Sum(nil)
	o := jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: key, Opts: &jetstream.ObjectMetaOptions{ChunkSize: chunkSize}},
		Bucket:     s.bucket, NUID: w.id, Size: uint64(size), Chunks: uint32(len(w.places)),
		Digest: jetstream.GetObjectDigestValue(h),
	}
	if list := encodePlaces(w.places); len(list) <= 64<<10 && len(w.places) <= maxPlaces && list != "" {
		o.Metadata = map[string]string{placesField: list}
	}
	// From here on the object may be visible whatever we hear, so a failure must
	// not take its chunks away; Scavenge does if it is not.
	committed = true
	_, old, err := s.swapMeta(ctx, o, onlyNew)
	if err != nil {
		committed = !errors.Is(err, objectstore.ErrExists)
		return objectstore.Info{}, err
	}
	if old.NUID != "" && !old.Deleted && old.NUID != w.id {
		// The new object stands; chunks that stay are Scavenge's.
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		_ = s.purge(cctx, s.chunkSubject(old.NUID), 0)
	}
	return objectstore.Info{Key: key, Size: size, SHA256: hex.EncodeToString(sum), ModTime: time.Now()}, nil
}

// maxDrops is how often a chunk may turn out to be stored before the ones it
// follows: once because it overtook, once because its first copy was.
const maxDrops = 3

// writer sends the chunks of one object, in order, with a window of
// acknowledgements outstanding. It keeps every chunk until it is acknowledged.
type writer struct {
	s       *Store
	id      string // names the chunks' subject
	subject string
	sent    bool     // something may be in the stream
	places  []uint64 // sequences of the acknowledged chunks
	window  []chunk  // sent and not yet taken into places, oldest first
	free    [][]byte
	// lost tells that the connection broke: acknowledgements under way do not come.
	lost chan nats.Status
}

// chunk is a message under way. Its message id makes the server drop a second
// copy of it, so that it can be sent again when its fate is unknown.
type chunk struct {
	index, attempt int
	data           []byte
	ack            jetstream.PubAckFuture
	seq            uint64
}

func (w *writer) buffer() []byte {
	if n := len(w.free); n > 0 {
		b := w.free[n-1]
		w.free = w.free[:n-1]
		return b[:chunkSize]
	}
	return make([]byte, chunkSize)
}

func (w *writer) msg(c chunk) *nats.Msg {
	return &nats.Msg{Subject: w.subject, Data: c.data, Header: nats.Header{
		jetstream.MsgIDHeader: {w.id + "-" + strconv.Itoa(c.index) + "-" + strconv.Itoa(c.attempt)},
	}}
}

// send takes over data.
func (w *writer) send(ctx context.Context, data []byte) error {
	c := chunk{index: len(w.places) + len(w.window), data: data}
	w.sent = true
	// An error leaves c.ack nil, which counts as unacknowledged.
	c.ack, _ = w.s.js.PublishMsgAsync(w.msg(c), jetstream.WithRetryAttempts(0))
	w.window = append(w.window, c)
	if c.ack == nil {
		return w.flush(ctx)
	}
	if len(w.window) < putWindow {
		return nil
	}
	return w.retire(ctx, 1)
}

// flush waits until everything sent is acknowledged.
func (w *writer) flush(ctx context.Context) error { return w.retire(ctx, len(w.window)) }

// retire takes the n oldest chunks out of the window.
func (w *writer) retire(ctx context.Context, n int) error {
	for range n {
		if len(w.window) == 0 {
			return nil // recovered
		}
		c := &w.window[0]
		if err := w.wait(ctx, c); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !objectstore.Retryable(err) {
				return err
			}
			return w.recover(ctx)
		}
		if !w.take(c) {
			return w.recover(ctx)
		}
		w.free = append(w.free, c.data)
		w.window = w.window[1:]
	}
	return nil
}

// wait returns when the fate of c is known: c.seq is set, or an error is
// returned that leaves it open whether the stream has the chunk.
func (w *writer) wait(ctx context.Context, c *chunk) error {
	if c.seq != 0 {
		return nil
	}
	if c.ack == nil {
		return objectstore.ErrUnavailable
	}
	select {
	case ack := <-c.ack.Ok():
		c.seq = ack.Sequence
		return nil
	case err := <-c.ack.Err():
		c.ack = nil
		return w.s.denied(classify(err), w.subject)
	case <-w.lost:
		w.forget()
		if c.seq != 0 {
			return nil
		}
		return fmt.Errorf("connection broke: %w", objectstore.ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// forget takes the acknowledgements that have come and gives up the others.
func (w *writer) forget() {
	for i := range w.window {
		c := &w.window[i]
		if c.seq != 0 || c.ack == nil {
			continue
		}
		select {
		case ack := <-c.ack.Ok():
			c.seq = ack.Sequence
		default:
		}
		c.ack = nil
	}
}

// take notes the place of c if it follows the chunks before it.
func (w *writer) take(c *chunk) bool {
	if n := len(w.places); n > 0 && c.seq <= w.places[n-1] {
		return false
	}
	w.places = append(w.places, c.seq)
	return true
}

// recover brings the chunks of the window into the stream in order after one of
// them was not acknowledged, one after the other. A chunk that overtook it is
// deleted and sent again under a new message id; one of unknown fate keeps its
// id, so that the server stores it once.
func (w *writer) recover(ctx context.Context) error {
	for i := range w.window {
		if err := w.wait(ctx, &w.window[i]); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil && !objectstore.Retryable(err) {
			return err
		}
	}
	wait := newBackoff()
	for i := range w.window {
		c := &w.window[i]
		if c.seq != 0 { // behind a hole
			if err := w.drop(ctx, c); err != nil {
				return err
			}
		}
		for {
			err := w.resend(ctx, c)
			if err == nil && w.take(c) {
				break
			}
			if err == nil && c.attempt >= maxDrops {
				return fmt.Errorf("bucket was emptied or made anew meanwhile: %w", objectstore.ErrUnavailable)
			}
			if err == nil { // stored at first, after later chunks
				err = w.drop(ctx, c)
			}
			if err != nil && !objectstore.Retryable(err) {
				return err
			}
			if werr := wait.sleep(ctx); werr != nil {
				return errors.Join(werr, err)
			}
		}
		wait = newBackoff()
		w.free = append(w.free, c.data)
	}
	w.window = nil
	return nil
}

// drop deletes the stored message of c and gives it a new identity.
func (w *writer) drop(ctx context.Context, c *chunk) error {
	for wait := newBackoff(); ; {
		err := w.s.deleteMsg(ctx, c.seq, false)
		if err == nil {
			c.seq = 0
			c.attempt++
			return nil
		}
		if !objectstore.Retryable(err) {
			return err
		}
		if werr := wait.sleep(ctx); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

func (w *writer) resend(ctx context.Context, c *chunk) error {
	var err error
	if c.ack, err = w.s.js.PublishMsgAsync(w.msg(*c), jetstream.WithRetryAttempts(0)); err != nil {
		c.ack = nil
		return classify(err)
	}
	return w.wait(ctx, c)
}

// discard purges what was sent, under a context of its own because that of Put
// may be over. It first waits for what is under way. What stays is Scavenge's.
func (w *writer) discard(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	for i := range w.window {
		if err := w.wait(ctx, &w.window[i]); errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	_ = w.s.purge(ctx, w.subject, 0)
}
