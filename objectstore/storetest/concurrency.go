package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/videomsg/videomsg/objectstore"
)

// numbered returns content of which every part tells which one it is.
func numbered(i, n int) []byte {
	return bytes.Repeat(binary.BigEndian.AppendUint32(nil, uint32(i)), n/4)
}

func concurrencyCases() []testCase {
	return []testCase{
		{"it keeps one whole content of 8 concurrent writers of a key", func(t *testing.T, s objectstore.Store) {
			key := unique("writers")
			var g errgroup.Group
			for i := range 8 {
				g.Go(func() error {
					_, err := s.Put(t.Context(), key, bytes.NewReader(numbered(i, 700_000)))
					return err
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			got, err := get(t.Context(), s, key)
			if err != nil {
				t.Fatal(err)
			}
			if err := oneOf(got, 8, 700_000); err != nil {
				t.Error(err)
			}
		}},
		{"it never shows a mixture to readers while a key is replaced", func(t *testing.T, s objectstore.Store) {
			key := unique("mixture")
			put(t, s, key, numbered(0, 600_000))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var readers sync.WaitGroup
			for range 3 {
				readers.Go(func() {
					for ctx.Err() == nil {
						r, err := s.Get(ctx, key)
						if err != nil {
							if ctx.Err() == nil {
								t.Errorf("Get = %v: the key was never empty", err)
							}
							return
						}
						got, err := io.ReadAll(r)
						_ = r.Close()
						if err != nil {
							continue // cut off by a replacement, which is allowed
						}
						if err := oneOf(got, 20, 600_000); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for i := range 20 {
				put(t, s, key, numbered(i, 600_000))
			}
			cancel()
			readers.Wait()
			wantContent(t, s, key, numbered(19, 600_000))
		}},
		{"it goes on reading when a key is replaced by the same content", func(t *testing.T, s objectstore.Store) {
			key, want := unique("same"), Bytes(9<<20, 14)
			put(t, s, key, want)
			r, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			head := make([]byte, 4<<20+10)
			if _, err := io.ReadFull(r, head); err != nil {
				t.Fatal(err)
			}
			put(t, s, key, want)
			tail, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(append(head, tail...), want) {
				t.Errorf("read %d bytes, %v", len(head)+len(tail), err)
			}
		}},
		{"it puts, gets and deletes one key from many sides", func(t *testing.T, s objectstore.Store) {
			key := unique("sides")
			var g errgroup.Group
			for i := range 6 {
				g.Go(func() error {
					for range 8 {
						if _, err := s.Put(t.Context(), key, bytes.NewReader(numbered(i, 40_000))); err != nil {
							return err
						}
						got, err := get(t.Context(), s, key)
						if err == nil {
							err = oneOf(got, 6, 40_000)
						} else if errors.Is(err, objectstore.ErrNotFound) || !errors.Is(err, objectstore.ErrCorrupt) {
							err = nil // deleted or replaced meanwhile
						}
						if err != nil {
							return err
						}
						if err := s.Delete(t.Context(), key); err != nil {
							return err
						}
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			wantMissing(t, s, key)
		}},
		{"it makes and removes neighbours in one directory at once", func(t *testing.T, s objectstore.Store) {
			dir := unique("neighbours")
			var g errgroup.Group
			for i := range 8 {
				g.Go(func() error {
					key := fmt.Sprintf("%s/x/%d", dir, i)
					for range 10 {
						if err := putPatiently(t.Context(), s, key, []byte(key)); err != nil {
							return err
						}
						if got, err := get(t.Context(), s, key); err != nil || string(got) != key {
							return fmt.Errorf("get %s = %q: %w", key, got, err)
						}
						if err := s.Delete(t.Context(), key); err != nil {
							return err
						}
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
		}},
		{"it serves readers of different speed at once", func(t *testing.T, s objectstore.Store) {
			key, want := unique("speeds"), Bytes(6<<20, 15)
			put(t, s, key, want)
			var g errgroup.Group
			for i := range 12 {
				g.Go(func() error {
					r, err := s.Get(t.Context(), key)
					if err != nil {
						return err
					}
					defer func() { _ = r.Close() }()
					var got bytes.Buffer
					if i%4 == 0 { // a slow one
						if _, err := io.CopyN(&got, r, 100_000); err != nil {
							return err
						}
						time.Sleep(300 * time.Millisecond)
					}
					if _, err := io.Copy(&got, r); err != nil {
						return err
					}
					if !bytes.Equal(got.Bytes(), want) {
						return fmt.Errorf("reader %d got %d other bytes", i, got.Len())
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
		}},
	}
}

// oneOf checks that got is one of numbered(0..n, size).
func oneOf(got []byte, n, size int) error {
	if len(got) != size/4*4 {
		return fmt.Errorf("got %d bytes, want %d", len(got), size)
	}
	i := int(binary.BigEndian.Uint32(got))
	if i >= n || !bytes.Equal(got, numbered(i, size)) {
		return fmt.Errorf("got a mixture that begins with %d", i)
	}
	return nil
}

// putPatiently repeats what the store says may be repeated.
func putPatiently(ctx context.Context, s objectstore.Store, key string, b []byte) error {
	for try := 0; ; try++ {
		_, err := s.Put(ctx, key, bytes.NewReader(b))
		if !objectstore.Retryable(err) || try == 5 {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
