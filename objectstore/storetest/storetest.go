// Package storetest is the conformance suite of objectstore.Store: a backend
// that passes Run keeps the promises that the rest of the program relies on. It
// also has stores that fail on purpose, for the tests of their users.
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/videomsg/videomsg/objectstore"
)

// Run checks the store that open returns against the contract of
// objectstore.Store and of the optional interfaces it has. Each case opens a
// store of its own, which may share its contents with the others: the suite uses
// a different key everywhere. open registers its own clean-up.
func Run(t *testing.T, open func(t *testing.T) objectstore.Store, exceptions ...Exception) {
	nesting := !slices.Contains(exceptions, NoNesting)
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"content", contentCases()},
		{"keys", keyCases(nesting)},
		{"faults", faultCases()},
		{"concurrency", concurrencyCases()},
		{"range", rangeCases()},
		{"optional", optionalCases(nesting)},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
			}
		})
	}
}

// An Exception is a part of the contract that a server, not our code, cannot keep.
type Exception int

// NoNesting: of the keys "a" and "a/b" only one can exist, as on S3 servers that
// keep objects in a file system.
const NoNesting Exception = 1

type testCase struct {
	name string
	run  func(t *testing.T, s objectstore.Store)
}

// unique returns a key that no other case uses.
func unique(name string) string {
	return fmt.Sprintf("temporary/storetest/%016x/%s", rand.Uint64(), name)
}

// Bytes returns n pseudo-random bytes that seed determines.
func Bytes(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = io.ReadFull(Stream(int64(n), seed), b) // its own length: cannot fail
	return b
}

// Stream returns a reader of n pseudo-random bytes that seed determines.
func Stream(n int64, seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return io.LimitReader(rand.NewChaCha8(key), n)
}

func put(t *testing.T, s objectstore.Store, key string, b []byte) objectstore.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, bytes.NewReader(b))
	if err != nil {
		t.Fatalf("Put(%s) of %d bytes: %v", key, len(b), err)
	}
	return info
}

func get(ctx context.Context, s objectstore.Store, key string) ([]byte, error) {
	r, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func wantContent(t *testing.T, s objectstore.Store, key string, want []byte) {
	t.Helper()
	got, err := get(t.Context(), s, key)
	if err != nil {
		t.Fatalf("Get(%s): %v", key, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("Get(%s) = %d bytes, want other %d bytes", key, len(got), len(want))
	}
}

func wantMissing(t *testing.T, s objectstore.Store, key string) {
	t.Helper()
	if b, err := get(t.Context(), s, key); !errors.Is(err, objectstore.ErrNotFound) {
		t.Fatalf("Get(%s) = %d bytes, %v; want ErrNotFound", key, len(b), err)
	}
}

func digest(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
