package objectstore

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// An Operation is one finished call, for metrics. A reader counts when it is
// closed, with the bytes that were read.
type Operation struct {
	Name     string // put, create, get, range, stat, delete, list, scavenge
	Backend  string
	Status   string // see Status
	Bytes    int64
	Duration time.Duration
}

// Status names the kind of err in one word, for a metric's label: ok, not_found,
// exists, invalid_key, full, corrupt, config, unavailable, canceled or error.
func Status(err error) string {
	for _, s := range []struct {
		err  error
		name string
	}{
		{ErrNotFound, "not_found"},
		{ErrExists, "exists"},
		{ErrInvalidKey, "invalid_key"},
		{ErrFull, "full"},
		{ErrCorrupt, "corrupt"},
		{ErrConfig, "config"},
		{ErrUnavailable, "unavailable"},
		{context.Canceled, "canceled"},
	} {
		if errors.Is(err, s.err) {
			return s.name
		}
	}
	if err != nil {
		return "error"
	}
	return "ok"
}

// Observe returns a store that calls observe after every operation of s. observe
// may be called concurrently.
func Observe(s Full, backend string, observe func(Operation)) Full {
	return &observed{s, backend, observe}
}

type observed struct {
	s       Full
	backend string
	observe func(Operation)
}

// Unwrap is for As.
func (o *observed) Unwrap() Full { return o.s }

func (o *observed) done(name string, start time.Time, n int64, err error) {
	o.observe(Operation{name, o.backend, Status(err), n, time.Since(start)})
}

func (o *observed) Put(ctx context.Context, key string, r io.Reader) (Info, error) {
	start := time.Now()
	info, err := o.s.Put(ctx, key, r)
	o.done("put", start, info.Size, err)
	return info, err
}

func (o *observed) Create(ctx context.Context, key string, r io.Reader) (Info, error) {
	start := time.Now()
	info, err := o.s.Create(ctx, key, r)
	o.done("create", start, info.Size, err)
	return info, err
}

func (o *observed) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	start := time.Now()
	r, err := o.s.Get(ctx, key)
	return o.reader("get", start, r, err)
}

func (o *observed) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	start := time.Now()
	r, err := o.s.GetRange(ctx, key, off, n)
	return o.reader("range", start, r, err)
}

func (o *observed) reader(name string, start time.Time, r io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		o.done(name, start, 0, err)
		return nil, err
	}
	return &countingReader{ReadCloser: r, done: func(n int64, err error) { o.done(name, start, n, err) }}, nil
}

func (o *observed) Delete(ctx context.Context, key string) error {
	start := time.Now()
	err := o.s.Delete(ctx, key)
	o.done("delete", start, 0, err)
	return err
}

func (o *observed) Stat(ctx context.Context, key string) (Info, error) {
	start := time.Now()
	info, err := o.s.Stat(ctx, key)
	o.done("stat", start, 0, err)
	return info, err
}

func (o *observed) List(ctx context.Context, prefix string, yield func(Info) bool) error {
	start := time.Now()
	err := o.s.List(ctx, prefix, yield)
	o.done("list", start, 0, err)
	return err
}

func (o *observed) Scavenge(ctx context.Context, age time.Duration) (Scavenged, error) {
	start := time.Now()
	n, err := o.s.Scavenge(ctx, age)
	o.done("scavenge", start, n.Bytes, err)
	return n, err
}

type countingReader struct {
	io.ReadCloser
	n    int64
	err  error
	once sync.Once
	done func(n int64, err error)
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.note(int64(n), err)
	return n, err
}

// WriteTo keeps the copy-free way of the reader below.
func (r *countingReader) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, r.ReadCloser)
	r.note(n, err)
	return n, err
}

func (r *countingReader) note(n int64, err error) {
	r.n += n
	if err != nil && err != io.EOF {
		r.err = err
	}
}

func (r *countingReader) Close() error {
	err := r.ReadCloser.Close()
	r.once.Do(func() { r.done(r.n, errors.Join(r.err, err)) })
	return err
}
