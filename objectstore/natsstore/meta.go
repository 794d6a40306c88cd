package natsstore

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/objectstore"
)

// placesField is the entry of an object's metadata that tells the stream
// sequences of its chunks; see encodePlaces.
const placesField = "chunk-sequences"

// meta is a meta message as read from the stream.
type meta struct {
	jetstream.ObjectInfo
	seq    uint64
	places []uint64 // sequence of each chunk; nil when another client wrote it
}

func (s *Store) metaSubject(key string) string {
	return "$O." + s.bucket + ".M." + base64.URLEncoding.EncodeToString([]byte(key))
}

// lookup returns the meta of a live object.
func (s *Store) lookup(ctx context.Context, key string) (meta, error) {
	m, err := s.meta(ctx, key)
	if err != nil {
		return meta{}, err
	}
	if m.Deleted {
		return meta{}, objectstore.ErrNotFound
	}
	if m.Opts != nil && m.Opts.Link != nil {
		return meta{}, fmt.Errorf("links are not followed: %w", objectstore.ErrNotFound)
	}
	return m, nil
}

// meta returns the newest meta message of key, also that of a deletion. With
// replicas it asks the leader, because a follower's answer may be older than a
// Put that has returned.
func (s *Store) meta(ctx context.Context, key string) (meta, error) {
	subject := s.metaSubject(key)
	if s.direct {
		msg, err := s.directLast(ctx, subject)
		if err != nil {
			return meta{}, err
		}
		return decodeMeta(msg)
	}
	var out struct {
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := s.call(ctx, "STREAM.MSG.GET."+s.stream(), map[string]any{"last_by_subj": subject}, &out); err != nil {
		return meta{}, err
	}
	return decodeMeta(stored{seq: out.Message.Seq, time: out.Message.Time, data: out.Message.Data, subject: subject})
}

func decodeMeta(msg stored) (meta, error) {
	m := meta{seq: msg.seq}
	if err := json.Unmarshal(msg.data, &m.ObjectInfo); err != nil {
		return meta{}, fmt.Errorf("meta at %d: %w: %w", msg.seq, objectstore.ErrCorrupt, err)
	}
	m.ModTime = msg.time
	if list := m.Metadata[placesField]; list != "" && m.Chunks > 0 { // the stock client keeps it in a deletion of no chunks
		places, err := decodePlaces(list, int(m.Chunks))
		if err != nil {
			return meta{}, fmt.Errorf("meta at %d: %w: %w", msg.seq, objectstore.ErrCorrupt, err)
		}
		m.places = places
	}
	return m, nil
}

// sum returns the SHA-256 that the meta tells.
func (m meta) sum() ([]byte, error) {
	b, err := jetstream.DecodeObjectDigest(m.Digest)
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("digest %q of %s: %w", m.Digest, m.Name, objectstore.ErrCorrupt)
	}
	return b, nil
}

func (m meta) info() (objectstore.Info, error) {
	sum, err := m.sum()
	if err != nil {
		return objectstore.Info{}, err
	}
	return objectstore.Info{Key: m.Name, Size: int64(m.Size), SHA256: hex.EncodeToString(sum), ModTime: m.ModTime}, nil
}

// deleted is the tombstone of m: it still tells where the chunks are, so that
// whoever finds it can end what another, killed meanwhile, began.
func deleted(m meta) jetstream.ObjectInfo {
	o := m.ObjectInfo
	o.Deleted, o.Size, o.Digest, o.Metadata = true, 0, "", nil
	if list := m.Metadata[placesField]; list != "" {
		o.Metadata = map[string]string{placesField: list}
	}
	return o
}

// swapMeta publishes m as the newest meta of its name and returns the one that
// it replaced (zero when there was none), so that exactly one of several writers
// cleans up after each. An acknowledgement that gets lost is looked up: the swap
// may have happened. With onlyNew it returns an objectstore.ErrExists instead of
// replacing a live object.
func (s *Store) swapMeta(ctx context.Context, o jetstream.ObjectInfo, onlyNew bool) (uint64, meta, error) {
	o.ModTime = time.Time{}
	data, err := json.Marshal(o)
	if err != nil {
		return 0, meta{}, err
	}
	var old meta
	for wait := newBackoff(); ; {
		cur, err := s.meta(ctx, o.Name)
		switch {
		case errors.Is(err, objectstore.ErrNotFound):
			old = meta{}
		case err == nil && cur.NUID == o.NUID && cur.Deleted == o.Deleted:
			return cur.seq, old, nil // our own, published although we saw an error
		case err == nil && onlyNew && !cur.Deleted:
			return 0, meta{}, objectstore.ErrExists
		case err == nil:
			old = cur
		}
		var seq uint64
		if err == nil || errors.Is(err, objectstore.ErrNotFound) {
			seq, err = s.publishMeta(ctx, o.Name, data, old.seq)
			if err == nil {
				return seq, old, nil
			}
		}
		if !isConflict(err) && !objectstore.Retryable(err) {
			return 0, meta{}, err
		}
		if werr := wait.sleep(ctx); werr != nil {
			return 0, meta{}, errors.Join(werr, err)
		}
	}
}

func (s *Store) publishMeta(ctx context.Context, name string, data []byte, after uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	msg := nats.NewMsg(s.metaSubject(name))
	msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	msg.Data = data
	ack, err := s.js.PublishMsg(ctx, msg,
		jetstream.WithExpectLastSequencePerSubject(after), jetstream.WithRetryAttempts(0))
	if err != nil {
		return 0, s.denied(classify(err), msg.Subject)
	}
	return ack.Sequence, nil
}

// encodePlaces writes sequences, which rise, as differences with repeats:
// "812,1*3,2" is 812, 813, 814, 815, 817.
func encodePlaces(places []uint64) string {
	var b strings.Builder
	last := uint64(0)
	for i := 0; i < len(places); {
		d := places[i] - last
		n := 0
		for i < len(places) && places[i]-last == d {
			last = places[i]
			i++
			n++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(d, 10))
		if n > 1 {
			b.WriteString("*" + strconv.Itoa(n))
		}
	}
	return b.String()
}

// maxPlaces bounds the memory that a damaged or hostile meta message can ask
// for; it is an object of 256 GiB.
const maxPlaces = 1 << 20

// decodePlaces reverses encodePlaces for n chunks.
func decodePlaces(list string, n int) ([]uint64, error) {
	if n < 0 || n > maxPlaces {
		return nil, fmt.Errorf("chunk sequences: %d chunks", n)
	}
	var places []uint64
	last := uint64(0)
	for run := range strings.SplitSeq(list, ",") {
		diff, times, repeated := strings.Cut(run, "*")
		d, err := strconv.ParseUint(diff, 10, 64)
		k := 1
		if err == nil && repeated {
			k, err = strconv.Atoi(times)
		}
		if err != nil || k < 1 || k > n-len(places) || d == 0 {
			return nil, fmt.Errorf("chunk sequences: run %.40q", run)
		}
		for range k {
			if last+d < last {
				return nil, fmt.Errorf("chunk sequences: run %.40q overflows", run)
			}
			last += d
			places = append(places, last)
		}
	}
	if len(places) != n {
		return nil, fmt.Errorf("chunk sequences: %d of %d", len(places), n)
	}
	return places, nil
}
