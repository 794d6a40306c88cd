package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/videomsg/videomsg/objectstore"
)

// Memory is a store in memory for the tests of other packages. Its zero value is
// ready, and it passes Run.
type Memory struct {
	mu sync.Mutex
	m  map[string]memoryObject
}

type memoryObject struct {
	data []byte
	info objectstore.Info
}

// Put implements objectstore.Store.
func (s *Memory) Put(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	return s.store(ctx, "put", key, r, false)
}

// Create implements objectstore.Creator.
func (s *Memory) Create(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	return s.store(ctx, "create", key, r, true)
}

func (s *Memory) store(ctx context.Context, op, key string, r io.Reader, onlyNew bool) (objectstore.Info, error) {
	if err := checkCall(ctx, op, key); err != nil {
		return objectstore.Info{}, err
	}
	var data []byte
	b := make([]byte, 32<<10)
	for empty := 0; ; {
		n, err := r.Read(b)
		if n < 0 || n > len(b) {
			return objectstore.Info{}, fmt.Errorf("%s %s: reader returned %d of %d bytes", op, key, n, len(b))
		}
		data = append(data, b[:n]...)
		if err == io.EOF {
			break
		}
		if empty++; n > 0 {
			empty = 0
		}
		if err == nil && empty == 100 {
			err = io.ErrNoProgress
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return objectstore.Info{}, fmt.Errorf("%s %s: %w", op, key, err)
		}
	}
	h := sha256.Sum256(data)
	o := memoryObject{data, objectstore.Info{Key: key, Size: int64(len(data)), SHA256: hex.EncodeToString(h[:]), ModTime: time.Now()}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.m[key]; ok && onlyNew {
		return objectstore.Info{}, fmt.Errorf("%s %s: %w", op, key, objectstore.ErrExists)
	}
	if s.m == nil {
		s.m = map[string]memoryObject{}
	}
	s.m[key] = o
	return o.info, nil
}

// Age moves the time at which key was stored back by d.
func (s *Memory) Age(key string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.m[key]; ok {
		o.info.ModTime = o.info.ModTime.Add(-d)
		s.m[key] = o
	}
}

func (s *Memory) lookup(ctx context.Context, op, key string) (memoryObject, error) {
	if err := checkCall(ctx, op, key); err != nil {
		return memoryObject{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.m[key]
	if !ok {
		return o, fmt.Errorf("%s %s: %w", op, key, objectstore.ErrNotFound)
	}
	return o, nil
}

// Get implements objectstore.Store.
func (s *Memory) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.GetRange(ctx, key, 0, -1)
}

// GetRange implements objectstore.RangeGetter.
func (s *Memory) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if off < 0 {
		return nil, fmt.Errorf("get %s: offset %d is negative", key, off)
	}
	o, err := s.lookup(ctx, "get", key)
	if err != nil {
		return nil, err
	}
	b := o.data[min(off, int64(len(o.data))):]
	if n >= 0 && n < int64(len(b)) {
		b = b[:n]
	}
	return &memoryReader{ctx: ctx, r: bytes.NewReader(b)}, nil
}

type memoryReader struct {
	ctx    context.Context // of Get: ends the reading
	r      *bytes.Reader
	closed bool
}

func (r *memoryReader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, io.ErrClosedPipe
	}
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (r *memoryReader) Close() error {
	r.closed = true
	return nil
}

// Stat implements objectstore.Stater.
func (s *Memory) Stat(ctx context.Context, key string) (objectstore.Info, error) {
	o, err := s.lookup(ctx, "stat", key)
	return o.info, err
}

// Delete implements objectstore.Store.
func (s *Memory) Delete(ctx context.Context, key string) error {
	if err := checkCall(ctx, "delete", key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, key)
	return nil
}

// List implements objectstore.Lister, in the order of the keys.
func (s *Memory) List(ctx context.Context, prefix string, yield func(objectstore.Info) bool) error {
	var all []objectstore.Info
	s.mu.Lock()
	for key, o := range s.m {
		if strings.HasPrefix(key, prefix) {
			all = append(all, o.info)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b objectstore.Info) int { return strings.Compare(a.Key, b.Key) })
	for _, i := range all {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("list %q: %w", prefix, err)
		}
		if !yield(i) {
			break
		}
	}
	return nil
}

// Scavenge implements objectstore.Scavenger: nothing is ever left behind.
func (s *Memory) Scavenge(context.Context, time.Duration) (objectstore.Scavenged, error) {
	return objectstore.Scavenged{}, nil
}

func checkCall(ctx context.Context, op, key string) error {
	if err := objectstore.CheckKey(key); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return nil
}
