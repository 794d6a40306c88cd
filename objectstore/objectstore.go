// Package objectstore keeps the blobs that events name by key: portraits,
// texts, voices and finished videos. It is the only place where personal data
// lies, so that erasing a person means deleting keys.
//
// The backends are natsstore (JetStream object store), s3store (any
// S3-compatible server) and dirstore (a directory); all pass storetest.Run.
package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Errors that callers branch on. Backends wrap them.
var (
	// ErrNotFound says that the key holds nothing.
	ErrNotFound = errors.New("object not found")
	// ErrInvalidKey says that a key breaks the rules of CheckKey.
	ErrInvalidKey = errors.New("invalid object key")
	// ErrFull says that the store has no room left; an operator must act.
	ErrFull = errors.New("object store full")
	// ErrCorrupt says that what was read is not what was written.
	ErrCorrupt = errors.New("object corrupt")
	// ErrConfig says that retrying cannot help: wrong credentials, missing bucket,
	// read-only directory.
	ErrConfig = errors.New("object store misconfigured")
	// ErrExists says that Create found the key taken.
	ErrExists = errors.New("object exists")
	// ErrUnavailable says that the same call may succeed later: a busy or
	// restarting server, a broken connection, a timeout.
	ErrUnavailable = errors.New("object store unavailable")
)

// Retryable reports whether the call that returned err is worth repeating soon.
// A full or misconfigured store, a missing or damaged object and a cancelled
// context are not; neither is the failure of the reader that was handed to Put.
func Retryable(err error) bool { return errors.Is(err, ErrUnavailable) }

// Info describes one stored object.
type Info struct {
	Key     string
	Size    int64
	SHA256  string // lower-case hex of the content
	ModTime time.Time
}

// A Store keeps blobs by key. All methods may be called concurrently, also for
// the same key, and stream in bounded memory whatever the object's size.
//
// Put is atomic and durable: when it returns nil, every later Get sees the whole
// new content; when it fails, or the process dies in the middle, Get sees what
// was there before (or ErrNotFound). Putting a key again replaces it.
// An error of r is returned wrapped, and never retried.
// Get returns ErrNotFound for a missing key; the reader checks what it reads and
// ends with ErrCorrupt instead of io.EOF when the content was damaged. The
// caller closes it. Cancelling ctx ends the reading. A reader under way while
// its key is replaced or deleted gives the old content whole or ends with an
// error other than io.EOF; it never mixes two contents.
// Delete of a missing key is not an error.
type Store interface {
	Put(ctx context.Context, key string, r io.Reader) (Info, error)
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	Delete(ctx context.Context, key string) error
}

// Optional abilities, found by type assertion.
type (
	// RangeGetter reads n bytes from offset off (n < 0: to the end, off >= 0). An
	// offset at or past the end gives an empty reader. The digest of the whole is
	// not checked.
	RangeGetter interface {
		GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)
	}
	// Creator stores like Put, but only under a key that holds nothing, else it
	// returns ErrExists: of several concurrent calls one succeeds.
	Creator interface {
		Create(ctx context.Context, key string, r io.Reader) (Info, error)
	}
	// Stater describes an object without reading it.
	Stater interface {
		Stat(ctx context.Context, key string) (Info, error)
	}
	// Lister calls yield for each object whose key starts with prefix, in no
	// particular order, until yield returns false. SHA256 may be empty; Stat tells.
	Lister interface {
		List(ctx context.Context, prefix string, yield func(Info) bool) error
	}
	// Eraser deletes like Delete, and overwrites what it can of the content, where
	// Delete leaves the bytes until their room is used again.
	Eraser interface {
		Erase(ctx context.Context, key string) error
	}
	// URLSigner makes a link that reads the object without further credentials.
	URLSigner interface {
		SignedURL(ctx context.Context, key string, l Link) (string, error)
	}
)

// A Link says how long a signed link works and which headers its answer has. The
// store knows neither the media type of an object nor a name for it.
type Link struct {
	Life               time.Duration
	ContentType        string // empty: the store's own
	ContentDisposition string // likewise
}

// A Scavenger removes what interrupted writers left behind (temporary files,
// chunks without an object, unfinished uploads) once it is older than age. None
// of it was ever readable. It reports how much it removed.
type Scavenger interface {
	Scavenge(ctx context.Context, age time.Duration) (Scavenged, error)
}

// Full is a Store with the abilities that every backend of this module has.
type Full interface {
	Store
	Creator
	RangeGetter
	Stater
	Lister
	Scavenger
}

// As finds an ability, such as URLSigner, in s or in a store that it decorates.
func As[T any](s Store) (T, bool) {
	for {
		if t, ok := s.(T); ok {
			return t, true
		}
		u, ok := s.(interface{ Unwrap() Full })
		if !ok {
			var none T
			return none, false
		}
		s = u.Unwrap()
	}
}

// Erase deletes personal data: like an Eraser where s is one or decorates one,
// else like Delete.
func Erase(ctx context.Context, s Store, key string) error {
	if e, ok := As[Eraser](s); ok {
		return e.Erase(ctx, key)
	}
	return s.Delete(ctx, key)
}

// Scavenged counts what a Scavenger removed.
type Scavenged struct {
	Parts int
	Bytes int64
}

// A Class is the first element of a key and decides how long the object is kept.
type Class string

// The classes of objects.
const (
	Inputs        Class = "inputs"        // what a client uploaded for one task
	Intermediates Class = "intermediates" // what stages hand to later stages
	Outputs       Class = "outputs"       // what a client downloads
	Temporary     Class = "temporary"     // an hour at most
	Library       Class = "library"       // voice samples, music: until deleted
)

// Key joins a class and elements to an object key, such as
// "intermediates/01k…/voice/speech.wav".
func Key(c Class, elem ...string) string {
	return string(c) + "/" + strings.Join(elem, "/")
}

// CheckKey returns an ErrInvalidKey unless key is 1 to 512 bytes of
// A-Z a-z 0-9 . _ - / without an empty, "." or ".." element. Such a key is a
// valid file name, S3 key and NATS object name, and needs no escaping in a URL.
func CheckKey(key string) error {
	if key == "" || len(key) > 512 {
		return fmt.Errorf("key of %d bytes: %w", len(key), ErrInvalidKey)
	}
	for elem := range strings.SplitSeq(key, "/") {
		if elem == "" || elem == "." || elem == ".." {
			return fmt.Errorf("key %q: %w", key, ErrInvalidKey)
		}
		for _, r := range elem {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-') {
				return fmt.Errorf("key %q: %w", key, ErrInvalidKey)
			}
		}
	}
	return nil
}
