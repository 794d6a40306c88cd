package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/videomsg/videomsg/objectstore"
)

// sizes are those around which backends change their ways: chunks of 128 and
// 256 KiB, windows of 4 MiB.
var sizes = []int{
	0, 1, 2, 4095, 4096, 65537,
	128<<10 - 1, 128 << 10, 128<<10 + 1,
	256<<10 - 1, 256 << 10, 256<<10 + 1,
	1<<20 - 1, 1 << 20, 3<<20 + 7,
	4<<20 - 1, 4 << 20, 4<<20 + 1, 9 << 20,
}

func contentCases() []testCase {
	var cases []testCase
	for _, n := range sizes {
		cases = append(cases, testCase{fmt.Sprintf("it gives back %d bytes", n), func(t *testing.T, s objectstore.Store) {
			key, want := unique("size"), Bytes(n, uint64(n))
			before := time.Now().Add(-time.Minute)
			info := put(t, s, key, want)
			if info.Key != key || info.Size != int64(n) || info.SHA256 != digest(want) {
				t.Errorf("Put = %+v, want key %s, size %d, digest %s", info, key, n, digest(want))
			}
			if info.ModTime.Before(before) || info.ModTime.After(time.Now().Add(time.Minute)) {
				t.Errorf("Put says %v, which is not now", info.ModTime)
			}
			wantContent(t, s, key, want)
		}})
	}
	return append(cases,
		testCase{"it takes a reader that gives one byte at a time", func(t *testing.T, s objectstore.Store) {
			key, want := unique("onebyte"), Bytes(70_000, 1)
			if _, err := s.Put(t.Context(), key, iotest.OneByteReader(bytes.NewReader(want))); err != nil {
				t.Fatal(err)
			}
			wantContent(t, s, key, want)
		}},
		testCase{"it takes a reader that gives data together with EOF", func(t *testing.T, s objectstore.Store) {
			key, want := unique("dataerr"), Bytes(300_000, 2)
			if _, err := s.Put(t.Context(), key, iotest.DataErrReader(bytes.NewReader(want))); err != nil {
				t.Fatal(err)
			}
			wantContent(t, s, key, want)
		}},
		testCase{"it reads the same by small and by halved reads", func(t *testing.T, s objectstore.Store) {
			key, want := unique("reads"), Bytes(600_000, 3)
			put(t, s, key, want)
			for _, wrap := range []func(io.Reader) io.Reader{iotest.HalfReader, func(r io.Reader) io.Reader { return struct{ io.Reader }{r} }} {
				r, err := s.Get(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(wrap(r))
				if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
			}
		}},
		testCase{"it stays at EOF", func(t *testing.T, s objectstore.Store) {
			key := unique("eof")
			put(t, s, key, []byte("abc"))
			r, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if n, err := r.Read(make([]byte, 8)); n != 0 || err != io.EOF {
					t.Errorf("Read after the end = %d, %v", n, err)
				}
			}
			if err := r.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
		}},
		testCase{"it replaces by longer and by shorter content", func(t *testing.T, s objectstore.Store) {
			key := unique("replace")
			for i, n := range []int{10, 700_000, 3, 0, 300_000} {
				want := Bytes(n, uint64(i))
				put(t, s, key, want)
				wantContent(t, s, key, want)
			}
		}},
		testCase{"it forgets what is deleted, also twice", func(t *testing.T, s objectstore.Store) {
			key := unique("delete")
			put(t, s, key, Bytes(300_000, 4))
			for range 2 {
				if err := s.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
				wantMissing(t, s, key)
			}
		}},
		testCase{"it stores again under a deleted key", func(t *testing.T, s objectstore.Store) {
			key, want := unique("again"), Bytes(500_000, 5)
			put(t, s, key, Bytes(900_000, 6))
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			put(t, s, key, want)
			wantContent(t, s, key, want)
		}},
		testCase{"it answers ErrNotFound for a missing key", func(t *testing.T, s objectstore.Store) {
			key := unique("missing")
			wantMissing(t, s, key)
			if err := s.Delete(t.Context(), key); err != nil {
				t.Errorf("Delete(missing) = %v", err)
			}
		}},
	)
}
