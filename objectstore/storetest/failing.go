package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/videomsg/videomsg/objectstore"
)

// ErrInjected is the error of a Failing store. It is retryable.
var ErrInjected = fmt.Errorf("injected: %w", objectstore.ErrUnavailable)

// Failing fails the calls that its fields choose, in the two ways in which a
// remote store fails: before the call did anything, and after it did everything
// but the answer was lost. The second kind is what finds code that loses or
// doubles data. Fields must not change during calls.
type Failing struct {
	objectstore.Full
	// Before says whether the n-th call (from 1) of op fails and does nothing.
	Before func(op, key string, n int) bool
	// After says whether the n-th call of op takes effect and fails nevertheless.
	After func(op, key string, n int) bool
	// CutAt breaks every reader after that many bytes when it is positive.
	CutAt int64

	mu    sync.Mutex
	calls map[string]int
}

// FailAndNotPersist returns a store whose first n calls of each operation fail
// and do nothing.
func FailAndNotPersist(s objectstore.Full, n int) *Failing {
	return &Failing{Full: s, Before: func(_, _ string, call int) bool { return call <= n }}
}

// FailButPersist returns a store whose first n calls of each operation take
// effect and fail nevertheless.
func FailButPersist(s objectstore.Full, n int) *Failing {
	return &Failing{Full: s, After: func(_, _ string, call int) bool { return call <= n }}
}

// Calls returns how often op was called.
func (f *Failing) Calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

func (f *Failing) do(op, key string, call func() error) error {
	f.mu.Lock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[op]++
	n := f.calls[op]
	f.mu.Unlock()
	if f.Before != nil && f.Before(op, key, n) {
		return fmt.Errorf("%s %s: %w", op, key, ErrInjected)
	}
	if err := call(); err != nil {
		return err
	}
	if f.After != nil && f.After(op, key, n) {
		return fmt.Errorf("%s %s: %w", op, key, ErrInjected)
	}
	return nil
}

// Put implements objectstore.Store.
func (f *Failing) Put(ctx context.Context, key string, r io.Reader) (info objectstore.Info, err error) {
	err = f.do("put", key, func() error { info, err = f.Full.Put(ctx, key, r); return err })
	return info, err
}

// Create implements objectstore.Creator.
func (f *Failing) Create(ctx context.Context, key string, r io.Reader) (info objectstore.Info, err error) {
	err = f.do("create", key, func() error { info, err = f.Full.Create(ctx, key, r); return err })
	return info, err
}

// Get implements objectstore.Store.
func (f *Failing) Get(ctx context.Context, key string) (r io.ReadCloser, err error) {
	err = f.do("get", key, func() error { r, err = f.Full.Get(ctx, key); return err })
	return f.reader(r, err)
}

// GetRange implements objectstore.RangeGetter.
func (f *Failing) GetRange(ctx context.Context, key string, off, n int64) (r io.ReadCloser, err error) {
	err = f.do("range", key, func() error { r, err = f.Full.GetRange(ctx, key, off, n); return err })
	return f.reader(r, err)
}

func (f *Failing) reader(r io.ReadCloser, err error) (io.ReadCloser, error) {
	switch {
	case err != nil && r != nil:
		return nil, errors.Join(err, r.Close())
	case err != nil:
		return nil, err
	case f.CutAt > 0:
		return &cutReader{r, f.CutAt}, nil
	}
	return r, nil
}

// Stat implements objectstore.Stater.
func (f *Failing) Stat(ctx context.Context, key string) (info objectstore.Info, err error) {
	err = f.do("stat", key, func() error { info, err = f.Full.Stat(ctx, key); return err })
	return info, err
}

// Delete implements objectstore.Store.
func (f *Failing) Delete(ctx context.Context, key string) error {
	return f.do("delete", key, func() error { return f.Full.Delete(ctx, key) })
}

type cutReader struct {
	io.ReadCloser
	left int64
}

func (c *cutReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, ErrInjected
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
