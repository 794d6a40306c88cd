package storetest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/objectstore"
)

// badKeys must be refused everywhere before anything is touched.
var badKeys = []string{
	"", "/", "/etc/passwd", "a/", "a//b", ".", "..", "a/.", "a/..", "../a", "a/../b", "a/../../b", "./a",
	`a\b`, `..\a`, "a\x00b", "a b", "a\n", "a%2e%2e/b", "ä", "画像.png", "a\u202eb", "e\u0301", "\xff\xfe",
	"a:b", "a*b", "a>b", "a?b", "a#b", "a@", "a+/b", "~", "$O", strings.Repeat("a", 513), strings.Repeat("a/", 256) + "a",
}

// goodKeys must not collide with one another.
var goodKeys = []string{
	"a", "a/b", "a/b/c", "a.b", "a-b", "a_b", "A", "...", "..a", "a..", ".hidden", "-rf", "a/...", "a.b/c",
	strings.Repeat("long", 60), strings.Repeat("d/", 150) + "deep", "a/" + strings.Repeat("z", 250),
	strings.Repeat("q", 200), strings.Repeat("q", 201), strings.Repeat("q", 200) + "/q",
}

func keyCases(nesting bool) []testCase {
	var cases []testCase
	for _, key := range badKeys {
		cases = append(cases, testCase{fmt.Sprintf("it refuses %.40q", key), func(t *testing.T, s objectstore.Store) {
			_, err := s.Put(t.Context(), key, strings.NewReader("x"))
			if !errors.Is(err, objectstore.ErrInvalidKey) {
				t.Errorf("Put = %v, want ErrInvalidKey", err)
			}
			if r, err := s.Get(t.Context(), key); !errors.Is(err, objectstore.ErrInvalidKey) {
				t.Errorf("Get = %v, %v, want ErrInvalidKey", r, err)
			}
			if err := s.Delete(t.Context(), key); !errors.Is(err, objectstore.ErrInvalidKey) {
				t.Errorf("Delete = %v, want ErrInvalidKey", err)
			}
			if st, ok := s.(objectstore.Stater); ok {
				if _, err := st.Stat(t.Context(), key); !errors.Is(err, objectstore.ErrInvalidKey) {
					t.Errorf("Stat = %v, want ErrInvalidKey", err)
				}
			}
			if rg, ok := s.(objectstore.RangeGetter); ok {
				if _, err := rg.GetRange(t.Context(), key, 0, 1); !errors.Is(err, objectstore.ErrInvalidKey) {
					t.Errorf("GetRange = %v, want ErrInvalidKey", err)
				}
			}
		}})
	}
	return append(cases,
		testCase{"it does not read from Put's reader for a bad key", func(t *testing.T, s objectstore.Store) {
			if _, err := s.Put(t.Context(), "../x", readerFunc(func([]byte) (int, error) {
				t.Error("read")
				return 0, io.EOF
			})); !errors.Is(err, objectstore.ErrInvalidKey) {
				t.Errorf("Put = %v", err)
			}
		}},
		testCase{"it keeps keys apart, also a prefix of another and upper from lower case", func(t *testing.T, s objectstore.Store) {
			prefix := unique("")
			var keys []string
			for _, k := range goodKeys {
				key := prefix + k
				isParent := slices.ContainsFunc(goodKeys, func(other string) bool { return strings.HasPrefix(other, k+"/") })
				if objectstore.CheckKey(key) == nil && (nesting || !isParent) {
					keys = append(keys, key)
				}
			}
			for _, key := range keys {
				put(t, s, key, []byte(key))
			}
			for _, key := range keys {
				wantContent(t, s, key, []byte(key))
			}
			for i, key := range keys {
				if err := s.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
				wantMissing(t, s, key)
				for _, other := range keys[i+1:] {
					wantContent(t, s, other, []byte(other))
				}
			}
		}},
		testCase{"it does not take a directory for an object", func(t *testing.T, s objectstore.Store) {
			key := unique("dir")
			put(t, s, key+"/file", []byte("x"))
			wantMissing(t, s, key)
			wantMissing(t, s, key+"/file/below")
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			wantContent(t, s, key+"/file", []byte("x"))
		}},
	)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
