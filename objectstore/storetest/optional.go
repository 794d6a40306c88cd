package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/videomsg/videomsg/objectstore"
)

func rangeCases() []testCase {
	const size = 4<<20 + 777
	want := Bytes(size, 16)
	ranges := []struct{ off, n int64 }{
		{0, -1},
		{0, 0},
		{0, 1},
		{0, size},
		{1, -1},
		{size - 1, -1},
		{size - 1, 1},
		{size, -1},
		{size, 5},
		{size + 100, 5},
		{100, 50},
		{256<<10 - 1, 2},
		{256 << 10, 256 << 10},
		{128<<10 - 3, 300_000},
		{1_000_000, 3_000_000},
		{size - 10, 1 << 40},
		{5, 1<<63 - 1},
	}
	return []testCase{
		{"it reads ranges", func(t *testing.T, s objectstore.Store) {
			rg, ok := s.(objectstore.RangeGetter)
			if !ok {
				t.Skip("no ranges")
			}
			key := unique("range")
			put(t, s, key, want)
			for _, c := range ranges {
				lo := min(c.off, size)
				hi := int64(size)
				if c.n >= 0 && c.n < hi-lo {
					hi = lo + c.n
				}
				r, err := rg.GetRange(t.Context(), key, c.off, c.n)
				if err != nil {
					t.Errorf("GetRange(%d, %d) = %v", c.off, c.n, err)
					continue
				}
				got, err := io.ReadAll(r)
				if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want[lo:hi]) {
					t.Errorf("GetRange(%d, %d) = %d bytes, %v; want %d", c.off, c.n, len(got), err, hi-lo)
				}
			}
		}},
		{"it refuses a negative offset and a missing key", func(t *testing.T, s objectstore.Store) {
			rg, ok := s.(objectstore.RangeGetter)
			if !ok {
				t.Skip("no ranges")
			}
			key := unique("norange")
			if _, err := rg.GetRange(t.Context(), key, 0, 1); !errors.Is(err, objectstore.ErrNotFound) {
				t.Errorf("GetRange(missing) = %v", err)
			}
			put(t, s, key, []byte("abc"))
			if _, err := rg.GetRange(t.Context(), key, -1, 1); err == nil {
				t.Error("GetRange(-1) succeeded")
			}
		}},
		{"it reads ranges of an empty object", func(t *testing.T, s objectstore.Store) {
			rg, ok := s.(objectstore.RangeGetter)
			if !ok {
				t.Skip("no ranges")
			}
			key := unique("emptyrange")
			put(t, s, key, nil)
			for _, off := range []int64{0, 1} {
				r, err := rg.GetRange(t.Context(), key, off, 10)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(r); err != nil || len(got) != 0 {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
				_ = r.Close()
			}
		}},
	}
}

func optionalCases(nesting bool) []testCase {
	return []testCase{
		{"it creates a key once", func(t *testing.T, s objectstore.Store) {
			c, ok := s.(objectstore.Creator)
			if !ok {
				t.Skip("no Create")
			}
			key := unique("create")
			const n = 6
			var g errgroup.Group
			var won, lost atomic.Int32
			for i := range n {
				g.Go(func() error {
					_, err := c.Create(t.Context(), key, bytes.NewReader(numbered(i, 300_000)))
					switch {
					case err == nil:
						won.Add(1)
					case errors.Is(err, objectstore.ErrExists) && !objectstore.Retryable(err):
						lost.Add(1)
					default:
						return err
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			if won.Load() != 1 || lost.Load() != n-1 {
				t.Errorf("%d succeeded, %d found the key taken", won.Load(), lost.Load())
			}
			got, err := get(t.Context(), s, key)
			if err != nil {
				t.Fatal(err)
			}
			if err := oneOf(got, n, 300_000); err != nil {
				t.Error(err)
			}
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Create(t.Context(), key, bytes.NewReader([]byte("x"))); err != nil {
				t.Errorf("Create after Delete = %v", err)
			}
		}},
		{"it describes an object like Put did", func(t *testing.T, s objectstore.Store) {
			st, ok := s.(objectstore.Stater)
			if !ok {
				t.Skip("no Stat")
			}
			key := unique("stat")
			if _, err := st.Stat(t.Context(), key); !errors.Is(err, objectstore.ErrNotFound) {
				t.Errorf("Stat(missing) = %v", err)
			}
			want := put(t, s, key, Bytes(300_000, 17))
			got, err := st.Stat(t.Context(), key)
			if err != nil || got.Key != want.Key || got.Size != want.Size || got.SHA256 != want.SHA256 {
				t.Errorf("Stat = %+v, %v; want %+v", got, err, want)
			}
			if d := got.ModTime.Sub(want.ModTime); d.Abs() > time.Minute {
				t.Errorf("ModTime differs by %v", d)
			}
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if _, err := st.Stat(t.Context(), key); !errors.Is(err, objectstore.ErrNotFound) {
				t.Errorf("Stat(deleted) = %v", err)
			}
		}},
		{"it lists what has the prefix and nothing else", func(t *testing.T, s objectstore.Store) {
			l, ok := s.(objectstore.Lister)
			if !ok {
				t.Skip("no List")
			}
			dir := unique("list")
			var want []string
			for i := range 30 {
				want = append(want, fmt.Sprintf("%s/a%d/x", dir, i))
			}
			if nesting {
				want = append(want, dir+"/a1")
			}
			for _, key := range want {
				put(t, s, key, []byte(key))
			}
			put(t, s, dir+"-other", []byte("x"))
			put(t, s, dir+"/gone", []byte("x"))
			if err := s.Delete(t.Context(), dir+"/gone"); err != nil {
				t.Fatal(err)
			}
			slices.Sort(want)
			check := func(prefix string, want []string) {
				t.Helper()
				var got []string
				err := l.List(t.Context(), prefix, func(i objectstore.Info) bool {
					if i.Size != int64(len(i.Key)) {
						t.Errorf("%s: size %d", i.Key, i.Size)
					}
					got = append(got, i.Key)
					return true
				})
				slices.Sort(got)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("List(%s) = %q, %v; want %q", prefix, got, err, want)
				}
			}
			check(dir+"/", want)
			check(dir+"/a2", slices.DeleteFunc(slices.Clone(want), func(k string) bool { return len(k) <= len(dir)+2 || k[len(dir)+2] != '2' }))
			check(dir+"/none", nil)
			n := 0
			if err := l.List(t.Context(), dir+"/", func(objectstore.Info) bool { n++; return n < 3 }); err != nil || n != 3 {
				t.Errorf("List stopped after %d, %v; want 3", n, err)
			}
		}},
		{"it scavenges nothing that is readable or young", func(t *testing.T, s objectstore.Store) {
			sc, ok := s.(objectstore.Scavenger)
			if !ok {
				t.Skip("no Scavenge")
			}
			key, want := unique("scavenge"), Bytes(600_000, 18)
			put(t, s, key, want)
			half := make(chan struct{})
			done := make(chan error)
			go func() {
				src, n := Stream(3<<20, 19), 0
				_, err := s.Put(t.Context(), key+".young", readerFunc(func(b []byte) (int, error) {
					if n > 2<<20 {
						half <- struct{}{}
						<-half
						n = -1 << 40
					}
					k, err := src.Read(b)
					n += k
					return k, err
				}))
				done <- err
			}()
			<-half
			got, err := sc.Scavenge(t.Context(), time.Hour)
			half <- struct{}{}
			if err != nil || got.Parts != 0 {
				t.Errorf("Scavenge = %+v, %v; want nothing", got, err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if _, err := sc.Scavenge(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			wantContent(t, s, key, want)
			wantContent(t, s, key+".young", Bytes(3<<20, 19))
		}},
	}
}
