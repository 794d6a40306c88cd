package natsstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/videomsg/videomsg/objectstore"
)

// Get implements objectstore.Store.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.open(ctx, key, 0, -1)
}

// GetRange implements objectstore.RangeGetter. It reads only the chunks it needs
// of an object that Put wrote, and from the first chunk on of one that another
// client wrote.
func (s *Store) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return s.open(ctx, key, off, n)
}

func (s *Store) open(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if err := check(ctx, "get", key); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, fmt.Errorf("get %s: offset %d is negative", key, off)
	}
	m, err := s.lookup(ctx, key)
	if err == nil {
		_, err = m.sum()
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	r := &reader{s: s, ctx: ctx, key: key, meta: m}
	size := int64(m.Size)
	r.pos = min(off, size)
	r.end = size
	if n >= 0 && n < size-r.pos {
		r.end = r.pos + n
	}
	if r.pos == 0 && r.end == size {
		r.sum = sha256.New()
	}
	r.seek()
	return r, nil
}

// reader reads pos..end of an object, a window of chunks at a time.
type reader struct {
	s        *Store
	ctx      context.Context // of Get: ends the reading
	key      string
	meta     meta
	pos, end int64

	chunk   int    // index of the next chunk to receive
	seq     uint64 // where to look for it
	at      int64  // offset of that chunk's first byte
	queue   [][]byte
	current []byte // bytes from pos on
	sum     hash.Hash
	err     error
}

// seek places the reader before the chunk that holds pos.
func (r *reader) seek() {
	r.chunk, r.seq, r.at, r.queue, r.current = 0, 1, 0, nil, nil
	if len(r.meta.places) == 0 {
		return
	}
	if size := r.chunkSize(); size > 0 {
		r.chunk = min(int(r.pos/size), len(r.meta.places)-1)
		r.at = int64(r.chunk) * size
	}
	r.seq = r.meta.places[r.chunk]
}

// chunkSize is 0 when the meta does not tell.
func (r *reader) chunkSize() int64 {
	if r.meta.Opts == nil {
		return 0
	}
	return int64(r.meta.Opts.ChunkSize)
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.current) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.current)
	r.advance(n)
	return n, nil
}

// WriteTo implements io.WriterTo and saves a copy of every byte.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		if len(r.current) == 0 {
			if err := r.fill(); err == io.EOF {
				return total, nil
			} else if err != nil {
				return total, err
			}
		}
		n, err := w.Write(r.current)
		total += int64(n)
		r.advance(n)
		if err != nil {
			return total, err
		}
	}
}

func (r *reader) advance(n int) {
	r.current = r.current[n:]
	r.pos += int64(n)
}

func (r *reader) Close() error {
	r.queue, r.current, r.err = nil, nil, os.ErrClosed
	return nil
}

// fill makes current the bytes at pos. The last bytes are handed on only when
// the digest of the whole agrees.
func (r *reader) fill() error {
	for r.err == nil && len(r.current) == 0 {
		if r.err = r.ctx.Err(); r.err != nil {
			break
		}
		if r.pos >= r.end {
			if r.err = r.finish(); r.err == nil {
				r.err = io.EOF
			}
			break
		}
		if len(r.queue) == 0 {
			if r.err = r.receive(); r.err != nil {
				break
			}
		}
		r.err = r.shift()
	}
	if r.err != nil && r.err != io.EOF && !errors.Is(r.err, os.ErrClosed) {
		return fmt.Errorf("get %s at %d: %w", r.key, r.pos, r.err)
	}
	return r.err
}

// shift makes the first chunk of the queue the current one, cut to pos..end.
func (r *reader) shift() error {
	b := r.queue[0]
	r.queue[0] = nil // the window may go chunk by chunk
	r.queue = r.queue[1:]
	start := r.at
	r.at += int64(len(b))
	if r.at > int64(r.meta.Size) {
		return fmt.Errorf("more than %d bytes: %w", r.meta.Size, objectstore.ErrCorrupt)
	}
	if r.sum != nil {
		r.sum.Write(b)
		if r.at == int64(r.meta.Size) {
			if err := r.finish(); err != nil {
				return err
			}
		}
	}
	if r.at > r.pos { // else another client's object: not there yet
		r.current = b[r.pos-start : min(int64(len(b)), r.end-start)]
	}
	return nil
}

// finish compares the digest.
func (r *reader) finish() error {
	if r.sum == nil {
		return nil
	}
	want, err := r.meta.sum()
	if err == nil && !bytes.Equal(r.sum.Sum(nil), want) {
		err = fmt.Errorf("digest: %w", objectstore.ErrCorrupt)
	}
	return err
}

// receive fetches the next window of chunks. When they are gone it looks whether
// the object was replaced: by the same content, or before the first byte, it
// goes on with the new one.
func (r *reader) receive() error {
	for wait := newBackoff(); ; {
		err := r.fetch()
		if err == nil {
			return nil
		}
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		if errors.Is(err, errGone) {
			if err = r.renew(); err == nil {
				continue
			}
		}
		if !objectstore.Retryable(err) {
			return err
		}
		if werr := wait.sleep(r.ctx); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

var (
	errGone     = errors.New("chunk is gone")
	errReplaced = errors.New("object was replaced while it was read")
)

func (r *reader) fetch() error {
	select {
	case r.s.gets <- struct{}{}:
		defer func() { <-r.s.gets }()
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	n := int(r.meta.Chunks) - r.chunk
	if n <= 0 {
		return fmt.Errorf("%d chunks hold %d of %d bytes: %w", r.meta.Chunks, r.at, r.meta.Size, objectstore.ErrCorrupt)
	}
	size := r.chunkSize()
	if size <= 0 {
		size = chunkSize
	}
	n = min(n, int(max(1, getWindow/size)), int((r.end-r.at+size-1)/size))
	msgs, err := r.s.batch(r.ctx, r.s.chunkSubject(r.meta.NUID), r.seq, max(n, 1))
	for _, m := range msgs {
		if p := r.meta.places; p != nil && m.seq != p[r.chunk] {
			return errGone
		}
		r.queue = append(r.queue, m.data)
		r.chunk++
		r.seq = m.seq + 1
	}
	if err == nil && len(msgs) == 0 {
		return errGone
	}
	if len(msgs) > 0 {
		return nil // what came is good; the rest is asked for again
	}
	return err
}

// renew decides what a missing chunk means.
func (r *reader) renew() error {
	m, err := r.s.lookup(r.ctx, r.key)
	switch {
	case errors.Is(err, objectstore.ErrNotFound):
		return fmt.Errorf("object was deleted while it was read: %w", err)
	case err != nil:
		return err
	case m.NUID == r.meta.NUID && r.s.direct:
		return fmt.Errorf("chunk %d: %w", r.chunk, objectstore.ErrCorrupt)
	case m.NUID == r.meta.NUID:
		// A follower may not have it yet.
		return fmt.Errorf("chunk %d is missing: %w", r.chunk, objectstore.ErrUnavailable)
	case m.Digest == r.meta.Digest && m.Size == r.meta.Size:
	case r.sum != nil && r.pos == 0:
		if _, err := m.sum(); err != nil {
			return err
		}
		r.end = int64(m.Size)
	default:
		return errReplaced
	}
	return r.switchTo(m)
}

// switchTo goes on at pos with m, whose bytes before pos are those already
// handed on.
func (r *reader) switchTo(m meta) error {
	r.meta = m
	hashed := r.at // chunks are only fetched when the queue is empty
	r.seek()
	if r.sum == nil {
		return nil
	}
	if hashed == 0 {
		r.sum.Reset()
		return nil
	}
	// The digest has seen the bytes before pos; a chunk boundary lies there when
	// both objects have chunks of one size.
	if r.at != hashed {
		return errReplaced
	}
	return nil
}
