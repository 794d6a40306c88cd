package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// shelfLife is how long the tracks of one user stay in memory.
const shelfLife = time.Hour

// maxShelves is how many users' tracks stay in memory.
const maxShelves = 1000

// shelves remembers what each user has in the library. The bucket's revision
// says whether anybody, here or at another gateway, has written to it since, so
// that what is remembered is never out of date. It is safe for concurrent use.
type shelves struct {
	kv   jetstream.KeyValue
	mu   sync.Mutex
	kept map[string]shelf // by owner
}

type shelf struct {
	tracks   []Track // newest first; not to be changed
	revision uint64  // of the bucket, before tracks were read
	read     time.Time
}

func newShelves(kv jetstream.KeyValue) *shelves {
	return &shelves{kv: kv, kept: map[string]shelf{}}
}

// of lists the music of owner, newest first. The caller must not change it.
func (s *shelves) of(ctx context.Context, owner string) ([]Track, error) {
	revision, err := s.revision(ctx)
	if err != nil {
		return nil, newProblem(codeUnavailable, "").because(err)
	}
	s.mu.Lock()
	have, ok := s.kept[owner]
	s.mu.Unlock()
	if ok && have.revision == revision && time.Since(have.read) < shelfLife {
		return have.tracks, nil
	}
	now := shelf{revision: revision, read: time.Now()}
	err = eachKey(ctx, s.kv, libraryKey(owner, "*"), func(_ string, doc []byte) error {
		var t Track
		if err := json.Unmarshal(doc, &t); err != nil {
			return fmt.Errorf("read track: %w", err)
		}
		now.tracks = append(now.tracks, t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(now.tracks, func(a, b Track) int { return strings.Compare(b.ID, a.ID) })
	s.keep(owner, now)
	return now.tracks, nil
}

func (s *shelves) keep(owner string, now shelf) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for old := range s.kept { // any one: all can be read again
		if len(s.kept) < maxShelves {
			break
		}
		delete(s.kept, old)
	}
	s.kept[owner] = now
}

// revision is that of the newest write to the bucket.
func (s *shelves) revision(ctx context.Context) (uint64, error) {
	st, err := s.kv.Status(ctx)
	if err != nil {
		return 0, err
	}
	bucket, ok := st.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return 0, fmt.Errorf("bucket %s has no stream", st.Bucket())
	}
	return bucket.StreamInfo().State.LastSeq, nil
}
