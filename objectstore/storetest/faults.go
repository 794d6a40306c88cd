package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/videomsg/videomsg/objectstore"
)

var errBoom = errors.New("the source broke")

func faultCases() []testCase {
	failAfter := func(n int64) io.Reader {
		return io.MultiReader(Stream(n, 7), iotest.ErrReader(errBoom))
	}
	return []testCase{
		{"it leaves nothing when the reader fails at once", func(t *testing.T, s objectstore.Store) {
			key := unique("atonce")
			if _, err := s.Put(t.Context(), key, failAfter(0)); !errors.Is(err, errBoom) || objectstore.Retryable(err) {
				t.Errorf("Put = %v, want the reader's error, not to be retried", err)
			}
			wantMissing(t, s, key)
		}},
		{"it leaves nothing when the reader fails in the middle", func(t *testing.T, s objectstore.Store) {
			for _, n := range []int64{1, 200_000, 256 << 10, 5 << 20} {
				key := unique("middle")
				if _, err := s.Put(t.Context(), key, failAfter(n)); !errors.Is(err, errBoom) {
					t.Errorf("Put failing after %d = %v", n, err)
				}
				wantMissing(t, s, key)
			}
		}},
		{"it takes ErrUnexpectedEOF for a failure", func(t *testing.T, s objectstore.Store) {
			key := unique("cut")
			_, err := s.Put(t.Context(), key, io.MultiReader(Stream(300_000, 8), iotest.ErrReader(io.ErrUnexpectedEOF)))
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("Put = %v", err)
			}
			wantMissing(t, s, key)
		}},
		{"it keeps the old content when replacing fails", func(t *testing.T, s objectstore.Store) {
			key, want := unique("keep"), Bytes(400_000, 9)
			put(t, s, key, want)
			if _, err := s.Put(t.Context(), key, failAfter(500_000)); !errors.Is(err, errBoom) {
				t.Errorf("Put = %v", err)
			}
			wantContent(t, s, key, want)
		}},
		{"it gives up on a reader that never progresses", func(t *testing.T, s objectstore.Store) {
			key := unique("stuck")
			if _, err := s.Put(t.Context(), key, readerFunc(func([]byte) (int, error) { return 0, nil })); !errors.Is(err, io.ErrNoProgress) {
				t.Errorf("Put = %v", err)
			}
			wantMissing(t, s, key)
		}},
		{"it refuses a reader that lies about its count", func(t *testing.T, s objectstore.Store) {
			key := unique("liar")
			if _, err := s.Put(t.Context(), key, readerFunc(func(b []byte) (int, error) { return len(b) + 1, nil })); err == nil {
				t.Error("Put succeeded")
			}
			wantMissing(t, s, key)
		}},
		{"it does nothing under a cancelled context", func(t *testing.T, s objectstore.Store) {
			key := unique("cancelled")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Put(ctx, key, bytes.NewReader([]byte("x"))); !errors.Is(err, context.Canceled) {
				t.Errorf("Put = %v", err)
			}
			wantMissing(t, s, key)
			put(t, s, key, []byte("x"))
			if _, err := get(ctx, s, key); !errors.Is(err, context.Canceled) {
				t.Errorf("Get = %v", err)
			}
			if err := s.Delete(ctx, key); !errors.Is(err, context.Canceled) {
				t.Errorf("Delete = %v", err)
			}
			wantContent(t, s, key, []byte("x"))
		}},
		{"it leaves nothing when the context ends in the middle of Put", func(t *testing.T, s objectstore.Store) {
			key := unique("cancelput")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			src, read := Stream(8<<20, 10), 0
			_, err := s.Put(ctx, key, readerFunc(func(b []byte) (int, error) {
				n, err := src.Read(b)
				if read += n; read > 2<<20 {
					cancel()
				}
				return n, err
			}))
			if !errors.Is(err, context.Canceled) || objectstore.Retryable(err) {
				t.Errorf("Put = %v", err)
			}
			wantMissing(t, s, key)
		}},
		{"it ends the reading when the context ends", func(t *testing.T, s objectstore.Store) {
			key := unique("cancelget")
			put(t, s, key, Bytes(12<<20, 11))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := s.Get(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			cancel()
			if n, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
				t.Errorf("read %d more, %v; want context.Canceled", n, err)
			}
			_ = r.Close()
		}},
		{"it can be closed in the middle", func(t *testing.T, s objectstore.Store) {
			key, want := unique("close"), Bytes(6<<20, 12)
			put(t, s, key, want)
			for range 20 {
				r, err := s.Get(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(r, make([]byte, 300_000)); err != nil {
					t.Fatal(err)
				}
				if err := r.Close(); err != nil {
					t.Errorf("Close = %v", err)
				}
				if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
					t.Errorf("Read after Close = %d, %v", n, err)
				}
			}
			wantContent(t, s, key, want)
		}},
		{"it survives a writer of its readers that fails", func(t *testing.T, s objectstore.Store) {
			key := unique("sink")
			put(t, s, key, Bytes(2<<20, 13))
			r, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			if _, err := io.Copy(writerFunc(func([]byte) (int, error) { return 0, errBoom }), r); !errors.Is(err, errBoom) {
				t.Errorf("Copy = %v", err)
			}
		}},
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
