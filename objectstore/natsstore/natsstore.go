// Package natsstore keeps objects in a JetStream object-store bucket. It speaks
// the bucket's wire format itself (NATS ADR-20: stream OBJ_<bucket>, chunks on
// $O.<bucket>.C.<nuid>, one rolled-up meta message per name), so `nats object
// get` and `put` work on the same bucket, but not through the stock client:
//
//   - Put cuts full chunks of 256 KiB whatever the reader returns, keeps its own
//     copy of each until its acknowledgement, and sends the same bytes again in
//     order after a lost one; the stock client re-sends a buffer it has already
//     overwritten.
//   - The meta message is written last and with a compare-and-swap, so the winner
//     of two writers of a key knows whose chunks to purge.
//   - What a failed Put sent is purged under a context of its own.
//   - Get asks for a window of chunks at a time by batched direct gets: no
//     consumer, no deadline over the whole read, no slow-consumer disconnects,
//     and the place of each chunk is in the meta, so a range needs no scan.
package natsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/objectstore"
)

const (
	chunkSize = 256 << 10
	// putWindow is how many chunks of one Put wait for their acknowledgement, and
	// maxPuts how many Puts send at once: together they bound the memory of the
	// process and of an embedded server at 4 x 16 x 256 KiB.
	putWindow = 16
	maxPuts   = 4
	// getWindow is how many bytes of one reader are under way, and maxFetches how
	// many readers have a window under way: far below the 64 MiB at which a server
	// drops a slow connection.
	getWindow  = 4 << 20
	maxFetches = 6
	// callTimeout bounds one request to the server.
	callTimeout = 5 * time.Second
	// patience is how long a Put repeats what a restarting server or a leader
	// election refuses; elections take seconds.
	patience = 30 * time.Second
)

// Store implements objectstore.Store in one bucket.
type Store struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	bucket string
	api    string // prefix of the JetStream API, with its dot
	direct bool   // one replica: a direct get is as fresh as the leader
	puts   chan struct{}
	gets   chan struct{}
}

// New uses a bucket that exists, such as one made by
// jetstream.JetStream.CreateOrUpdateObjectStore. It returns an
// objectstore.ErrConfig for a missing bucket and for one with a TTL, which would
// drop the chunks of an object before its meta.
//
// The connection of js should be one for objects only: bulk data would delay
// events that share it.
func New(ctx context.Context, js jetstream.JetStream, bucket string) (*Store, error) {
	s, err := open(ctx, js, bucket)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", bucket, err)
	}
	return s, nil
}

func open(ctx context.Context, js jetstream.JetStream, bucket string) (*Store, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	stream, err := js.Stream(ctx, "OBJ_"+bucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("%w: %w", objectstore.ErrConfig, err)
	}
	if err != nil {
		return nil, classify(err)
	}
	cfg := stream.CachedInfo().Config
	switch {
	case cfg.MaxAge != 0:
		return nil, fmt.Errorf("it drops messages after %s: %w", cfg.MaxAge, objectstore.ErrConfig)
	case !cfg.AllowDirect || !cfg.AllowRollup || cfg.DenyPurge || cfg.DenyDelete || cfg.Sealed:
		return nil, fmt.Errorf("it lacks direct get, rollup, purge or delete: %w", objectstore.ErrConfig)
	case cfg.MaxMsgSize >= 0 && cfg.MaxMsgSize < chunkSize+1024, js.Conn().MaxPayload() < chunkSize+4096:
		return nil, fmt.Errorf("messages of %d bytes do not fit: %w", chunkSize, objectstore.ErrConfig)
	}
	opts := js.Options()
	// A context of its own: acknowledgements time out one by one.
	own := []jetstream.JetStreamOpt{
		jetstream.WithPublishAsyncTimeout(callTimeout),
		jetstream.WithPublishAsyncMaxPending(2 * maxPuts * putWindow),
	}
	var pub jetstream.JetStream
	switch {
	case opts.Domain != "":
		pub, err = jetstream.NewWithDomain(js.Conn(), opts.Domain, own...)
	case opts.APIPrefix != "" && opts.APIPrefix != jetstream.DefaultAPIPrefix:
		pub, err = jetstream.NewWithAPIPrefix(js.Conn(), strings.TrimSuffix(opts.APIPrefix, "."), own...)
	default:
		pub, err = jetstream.New(js.Conn(), own...)
	}
	if err != nil {
		return nil, err
	}
	api := pub.Options().APIPrefix
	if opts.Domain != "" {
		api = "$JS." + opts.Domain + ".API."
	}
	if api == "" {
		api = jetstream.DefaultAPIPrefix
	}
	return &Store{
		nc: js.Conn(), js: pub, bucket: bucket,
		api:    strings.TrimSuffix(api, ".") + ".",
		direct: cfg.Replicas <= 1,
		puts:   make(chan struct{}, maxPuts),
		gets:   make(chan struct{}, maxFetches),
	}, nil
}

func (s *Store) stream() string                  { return "OBJ_" + s.bucket }
func (s *Store) chunkSubject(nuid string) string { return "$O." + s.bucket + ".C." + nuid }

// Stat implements objectstore.Stater.
func (s *Store) Stat(ctx context.Context, key string) (objectstore.Info, error) {
	if err := check(ctx, "stat", key); err != nil {
		return objectstore.Info{}, err
	}
	m, err := s.lookup(ctx, key)
	if err != nil {
		return objectstore.Info{}, fmt.Errorf("stat %s: %w", key, err)
	}
	return m.info()
}

// Delete implements objectstore.Store. Watchers of the bucket see the deletion;
// after it nothing of the object, not even its name, is left in the stream.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.end(ctx, "delete", key, 0)
}

// Erase implements objectstore.Eraser. The server removes a block file when
// nothing is left in it, so the chunks are overwritten that may share a block
// with something else, at most maxErase of them. Beyond that, bytes go with the
// server's compaction, as after Delete: when a block is more than half empty.
func (s *Store) Erase(ctx context.Context, key string) error {
	return s.end(ctx, "erase", key, maxErase)
}

const (
	// maxErase bounds how many chunks of an object are overwritten. The server
	// writes the block of each anew, 8 MB, and nobody writes to it meanwhile. An
	// object that was put while nothing else was has 2 x blockChunks to overwrite.
	maxErase = 256
	// blockChunks is more chunks than one block file has room for.
	blockChunks = 8 << 20 / chunkSize
)

// shared returns those of an object's places, which rise, that may lie in a block
// file with a message that is not the object's.
func shared(places []uint64) []uint64 {
	var out []uint64
	for i, p := range places {
		lo, hi := i-blockChunks, i+blockChunks
		if lo < 0 || hi >= len(places) || places[lo] != p-blockChunks || places[hi] != p+blockChunks {
			out = append(out, p)
		}
	}
	return out
}

func (s *Store) end(ctx context.Context, op, key string, chunks int) error {
	if err := check(ctx, op, key); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.remove(ctx, key, chunks); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return nil
}

// remove ends an object and overwrites at most chunks of its chunks.
func (s *Store) remove(ctx context.Context, key string, chunks int) error {
	old, err := s.meta(ctx, key)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	seq := old.seq
	if !old.Deleted {
		var replaced meta
		if seq, replaced, err = s.swapMeta(ctx, deleted(old), false); err != nil {
			return err
		}
		if replaced.NUID != "" { // else another deletion was faster
			old = replaced
		}
	}
	if chunks > 0 {
		places := shared(old.places)
		for _, seq := range places[:min(chunks, len(places))] {
			if err := s.deleteMsg(ctx, seq, true); err != nil {
				return err
			}
		}
	}
	if old.NUID != "" {
		if err := s.purge(ctx, s.chunkSubject(old.NUID), 0); err != nil {
			return err
		}
	}
	return s.purge(ctx, s.metaSubject(key), seq+1)
}

// List implements objectstore.Lister.
func (s *Store) List(ctx context.Context, prefix string, yield func(objectstore.Info) bool) error {
	err := s.metas(ctx, func(m meta) (bool, error) {
		if m.Deleted || !strings.HasPrefix(m.Name, prefix) {
			return true, nil
		}
		info, err := m.info()
		return err == nil && yield(info), err
	})
	if err != nil {
		return fmt.Errorf("list %q: %w", prefix, err)
	}
	return nil
}

// metas calls f for every meta message until it says no.
func (s *Store) metas(ctx context.Context, f func(meta) (bool, error)) error {
	const batch = 256
	seq := uint64(1)
	for {
		msgs, err := s.batch(ctx, "$O."+s.bucket+".M.>", seq, batch)
		if err != nil {
			return err
		}
		for _, msg := range msgs {
			m, err := decodeMeta(msg)
			if err != nil {
				return err
			}
			if more, err := f(m); err != nil || !more {
				return err
			}
			seq = m.seq + 1
		}
		if len(msgs) < batch {
			return nil
		}
	}
}

// Space returns the room of the bucket by its own limit. Without a limit it is
// the server's disk that counts, which the server's operator watches: Free and
// Total are math.MaxInt64 then, which no Guard finds short.
func (s *Store) Space(ctx context.Context) (objectstore.Space, error) {
	var out struct {
		Config struct {
			MaxBytes int64 `json:"max_bytes"`
		} `json:"config"`
		State struct {
			Bytes int64 `json:"bytes"`
		} `json:"state"`
	}
	if err := s.call(ctx, "STREAM.INFO."+s.stream(), struct{}{}, &out); err != nil {
		return objectstore.Space{}, fmt.Errorf("space of bucket %s: %w", s.bucket, err)
	}
	if out.Config.MaxBytes <= 0 {
		return objectstore.Space{Free: math.MaxInt64, Total: math.MaxInt64}, nil
	}
	return objectstore.Space{Free: max(0, out.Config.MaxBytes-out.State.Bytes), Total: out.Config.MaxBytes}, nil
}

// purge removes the messages of subject, those before sequence below only unless
// it is 0. It asks again for patience: thousands of chunks take the server longer
// than one call may, and it may restart meanwhile.
func (s *Store) purge(ctx context.Context, subject string, below uint64) error {
	req := map[string]any{"filter": subject}
	if below > 0 {
		req["seq"] = below
	}
	for wait := newBackoff(); ; {
		err := s.call(ctx, "STREAM.PURGE."+s.stream(), req, nil)
		if !objectstore.Retryable(err) {
			return err
		}
		if werr := wait.sleep(ctx); werr != nil {
			return errors.Join(werr, err)
		}
	}
}

// deleteMsg removes the message of a sequence, and overwrites it if erase. One
// that is gone already, as when two erase the same object, is not an error.
func (s *Store) deleteMsg(ctx context.Context, seq uint64, erase bool) error {
	err := s.call(ctx, "STREAM.MSG.DELETE."+s.stream(), map[string]any{"seq": seq, "no_erase": !erase}, nil)
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == codeDeleteFailed {
		// The server does not say why.
		if gone := s.call(ctx, "STREAM.MSG.GET."+s.stream(), map[string]any{"seq": seq}, nil); errors.Is(gone, objectstore.ErrNotFound) {
			err = gone
		}
	}
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	return err
}

// call makes one request to the JetStream API and decodes its answer into out
// unless that is nil.
func (s *Store) call(ctx context.Context, verb string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	msg, err := s.nc.RequestWithContext(ctx, s.api+verb, b)
	if err != nil {
		return s.denied(classify(err), s.api+verb)
	}
	var failed struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(msg.Data, &failed); err != nil {
		return fmt.Errorf("answer to %s: %w", verb, err)
	}
	if failed.Error != nil {
		return classify(failed.Error)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(msg.Data, out)
}

func check(ctx context.Context, op, key string) error {
	if err := objectstore.CheckKey(key); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return nil
}

// Codes of the JetStream API that mean that no room is left.
const (
	codeInsufficientResources jetstream.ErrorCode = 10023
	codeMemoryExceeded        jetstream.ErrorCode = 10028
	codeStorageExceeded       jetstream.ErrorCode = 10047
	codeStreamStoreFailed     jetstream.ErrorCode = 10077
	codeWrongLastSequence     jetstream.ErrorCode = 10071
	codeWrongLastSequenceRaft jetstream.ErrorCode = 10164
	codeMessageNotFound       jetstream.ErrorCode = 10037
	codeSequenceNotFound      jetstream.ErrorCode = 10043
	codeDeleteFailed          jetstream.ErrorCode = 10057
	codeStreamNotFound        jetstream.ErrorCode = 10059
	codeNotEnabled            jetstream.ErrorCode = 10039
	codeNotEnabledForAccount  jetstream.ErrorCode = 10076
)

func isConflict(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.ErrorCode == codeWrongLastSequence || api.ErrorCode == codeWrongLastSequenceRaft)
}

// denied is err, the silence that followed a message on subject, unless the server
// has said meanwhile that we may not publish there. It says so to the connection,
// and names the message by its subject only.
func (s *Store) denied(err error, subject string) error {
	last := s.nc.LastError()
	if objectstore.Retryable(err) && errors.Is(last, nats.ErrPermissionViolation) && strings.Contains(last.Error(), strconv.Quote(subject)) {
		return classify(last)
	}
	return err
}

// classify marks an error of the client or the server with what it means for
// the caller.
func classify(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	mark := objectstore.ErrUnavailable
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch api.ErrorCode {
		case codeInsufficientResources, codeMemoryExceeded, codeStorageExceeded, codeStreamStoreFailed:
			mark = objectstore.ErrFull
		case codeMessageNotFound, codeSequenceNotFound:
			mark = objectstore.ErrNotFound
		case codeStreamNotFound, codeNotEnabled, codeNotEnabledForAccount:
			mark = objectstore.ErrConfig
		default:
			if api.Code < http.StatusInternalServerError && api.Code != http.StatusTooManyRequests && api.Code != http.StatusRequestTimeout {
				mark = nil
			}
		}
	} else {
		for _, e := range []error{
			nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrPermissionViolation,
			nats.ErrConnectionClosed, nats.ErrMaxPayload, nats.ErrAccountAuthExpired,
		} {
			if errors.Is(err, e) {
				mark = objectstore.ErrConfig
			}
		}
	}
	if mark == nil || errors.Is(err, mark) {
		return err
	}
	return fmt.Errorf("%w: %w", mark, err)
}

var _ interface {
	objectstore.Store
	objectstore.Creator
	objectstore.RangeGetter
	objectstore.Stater
	objectstore.Lister
	objectstore.Scavenger
	objectstore.Eraser
} = (*Store)(nil)

var _ io.WriterTo = (*reader)(nil)
