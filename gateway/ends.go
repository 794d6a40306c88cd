package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/videomsg/videomsg/objectstore"
)

// limited reads at most left bytes, remembers whether there were more, and keeps
// errors of the client's side apart from those of the store.
type limited struct {
	r    io.Reader
	left int64
	over bool
	err  error
	head []byte // the first blockSize bytes
	tail ring   // the last blockSize bytes
}

// ring keeps the last bytes written to it.
type ring struct {
	buf []byte
	n   int64 // written in all
}

func (r *ring) write(p []byte) {
	if r.buf == nil {
		r.buf = make([]byte, endSize)
	}
	if len(p) > endSize {
		r.n += int64(len(p) - endSize)
		p = p[len(p)-endSize:]
	}
	at := int(r.n % endSize)
	n := copy(r.buf[at:], p)
	copy(r.buf, p[n:])
	r.n += int64(len(p))
}

// bytes are the last ones in order.
func (r *ring) bytes() []byte {
	if r.n < endSize {
		return r.buf[:r.n]
	}
	at := r.n % endSize
	return append(slices.Clone(r.buf[at:]), r.buf[:at]...)
}

var errTooLarge = errors.New("file too large")

// Read implements io.Reader. It fills p: a part of a form comes in small pieces.
func (l *limited) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = l.r.Read(p[n:])
		n += m
	}
	if int64(n) > l.left {
		l.over = true
		return 0, errTooLarge
	}
	l.left -= int64(n)
	if room := endSize - len(l.head); room > 0 {
		l.head = append(l.head, p[:min(n, room)]...)
	}
	l.tail.write(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}

// rangeReader reads parts of a stored object, a block at a time.
type rangeReader struct {
	ctx   context.Context //nolint:containedctx // io.ReaderAt has no other way
	store objectstore.Store
	key   string
	size  int64
	head  []byte // what is known of the beginning
	tail  []byte // and of the end
	off   int64  // of block
	block []byte
	err   error // of the store, if any
}

const (
	blockSize = 128 << 10
	endSize   = 64 << 10
)

// ReadAt implements io.ReaderAt. It is not safe for concurrent use.
func (r *rangeReader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= r.size {
			return n, io.EOF
		}
		if at < int64(len(r.head)) {
			n += copy(p[n:], r.head[at:])
			continue
		}
		if from := r.size - int64(len(r.tail)); at >= from {
			n += copy(p[n:], r.tail[at-from:])
			continue
		}
		if at < r.off || at >= r.off+int64(len(r.block)) {
			if err := r.load(at); err != nil {
				r.err = err
				return n, err
			}
		}
		n += copy(p[n:], r.block[at-r.off:])
	}
	return n, nil
}

func (r *rangeReader) load(at int64) error {
	n := min(blockSize, r.size-at)
	rc, err := openRange(r.ctx, r.store, r.key, at, n)
	if err != nil {
		return err
	}
	defer rc.Close() //nolint:errcheck // read only
	b := make([]byte, n)
	if _, err := io.ReadFull(rc, b); err != nil {
		return fmt.Errorf("read %s at %d: %w", r.key, at, err)
	}
	r.off, r.block = at, b
	return nil
}

// openRange reads n bytes from off (n < 0: the rest), by the store's own ability
// or by passing over what comes before.
func openRange(ctx context.Context, s objectstore.Store, key string, off, n int64) (io.ReadCloser, error) {
	if rg, ok := s.(objectstore.RangeGetter); ok {
		return rg.GetRange(ctx, key, off, n)
	}
	rc, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, rc, off); err != nil {
		_ = rc.Close()
		return nil, fmt.Errorf("skip to %d of %s: %w", off, key, err)
	}
	if n < 0 {
		return rc, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(rc, n), rc}, nil
}
