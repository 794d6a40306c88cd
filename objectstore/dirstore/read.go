package dirstore

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/videomsg/videomsg/objectstore"
)

// Get implements objectstore.Store. Each block is compared with its checksum
// before a byte of it is handed on.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.GetRange(ctx, key, 0, -1)
}

// GetRange implements objectstore.RangeGetter; the blocks it touches are checked.
func (s *Store) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if err := check(ctx, "get", key); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, fmt.Errorf("get %s: offset %d is negative", key, off)
	}
	f, t, err := s.open(key)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	off = min(off, t.size)
	end := t.size
	if n >= 0 && n < end-off {
		end = off + n
	}
	return &reader{ctx: ctx, key: key, f: f, t: t, off: off, end: end}, nil
}

// open opens the file of key and reads its whole trailer. Errors are classified.
func (s *Store) open(key string) (*os.File, trailer, error) {
	f, err := s.root.Open(fileName(key))
	if err != nil {
		return nil, trailer{}, s.classify(err)
	}
	t, sum, err := readFooter(f)
	if err == nil {
		err = t.readSums(f, sum)
	}
	if err != nil {
		_ = f.Close() // the first error says more
		return nil, trailer{}, classify(err)
	}
	return f, t, nil
}

// reader reads off..end of an open file block by block. The file keeps its
// content when the key is replaced or deleted meanwhile.
type reader struct {
	ctx      context.Context // of Get: ends the reading
	key      string
	f        *os.File
	t        trailer
	off, end int64
	block    []byte // checked bytes not yet handed out
	buf      []byte
	err      error
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.block) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.block)
	r.block = r.block[n:]
	return n, nil
}

// WriteTo implements io.WriterTo and saves a copy of every byte.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		if len(r.block) == 0 {
			if err := r.fill(); err == io.EOF {
				return total, nil
			} else if err != nil {
				return total, err
			}
		}
		n, err := w.Write(r.block)
		total += int64(n)
		r.block = r.block[n:]
		if err != nil {
			return total, err
		}
	}
}

// fill reads the next block, checks it, and cuts it to off..end.
func (r *reader) fill() error {
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	if r.err == nil && r.off >= r.end {
		r.err = io.EOF
	}
	if r.err != nil {
		return r.err
	}
	i := r.off / r.t.block
	start := i * r.t.block
	size := min(r.t.block, r.t.size-start)
	if r.buf == nil {
		r.buf = make([]byte, size)
	}
	b := r.buf[:size]
	if _, err := r.f.ReadAt(b, start); err != nil {
		r.err = fmt.Errorf("get %s at %d: %w", r.key, start, classify(err))
		return r.err
	}
	if crc32.Checksum(b, castagnoli) != r.t.sum(i) {
		r.err = fmt.Errorf("get %s at %d: checksum of the block: %w", r.key, start, objectstore.ErrCorrupt)
		return r.err
	}
	r.block = b[r.off-start : min(size, r.end-start)]
	r.off = min(start+size, r.end)
	return nil
}

func (r *reader) Close() error {
	r.block, r.err = nil, os.ErrClosed
	return r.f.Close()
}
