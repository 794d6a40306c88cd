package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// form is a multipart request whose files have been streamed into the store.
type form struct {
	values map[string]string
	blobs  map[string]events.Blob
	counts map[string]int // files by field
}

// A fileField is a file that a request may carry.
type fileField struct {
	blob   string            // name in Job.Blobs
	limit  int64             // bytes
	code   string            // of the problem when its kind is wrong
	class  objectstore.Class // where it is stored; empty: objectstore.Inputs
	folder string            // below class; empty: none
	many   int               // how many files may come under this name; 0 means 1
	// check looks at what was stored and returns its media type.
	check func(r io.ReaderAt, size int64) (mediaType string, err error)
}

const (
	maxFields = 64
	maxField  = 16 << 10 // bytes of one text field
)

// readForm streams a multipart body: files go to the blob store under the task's
// inputs as they arrive, text fields are collected. Each field may stand once.
// On an error everything stored is removed again.
func (g *Gateway) readForm(w http.ResponseWriter, r *http.Request, task string, files map[string]fileField) (_ *form, err error) {
	total := int64(maxFields * maxField)
	for _, f := range files {
		total += f.limit
	}
	r.Body = http.MaxBytesReader(w, r.Body, total)
	parts, err := openForm(r)
	if err != nil {
		return nil, err
	}
	f := &form{values: map[string]string{}, blobs: map[string]events.Blob{}}
	defer func() {
		if err != nil {
			g.discard(r.Context(), f.blobs)
		}
	}()
	replay := replaying(r)
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return f, remember(r, f.fingerprint())
		}
		if err != nil {
			return nil, broken(err)
		}
		if n >= maxFields {
			return nil, newProblem(codeBadRequest, "The form has too many fields.")
		}
		name := part.FormName()
		field, isFile := files[name]
		if _, again := f.values[name]; again {
			return nil, badField(codeBadRequest, clipName(name), "is given more than once")
		}
		if isFile {
			if field, err = f.place(name, field); err != nil {
				return nil, err
			}
		}
		if isFile && replay {
			err = hashFile(f, name, field, part)
		} else if isFile {
			err = g.readFile(r.Context(), f, task, name, field, part)
		} else {
			err = readValue(f, name, part)
		}
		if err != nil {
			return nil, err
		}
	}
}

// place names the blob of the next file under name.
func (f *form) place(name string, field fileField) (fileField, error) {
	n := f.counts[name]
	if n >= max(field.many, 1) {
		if field.many > 1 {
			return field, badField(codeRange, name, fmt.Sprintf("has more than %d files", field.many))
		}
		return field, badField(codeBadRequest, name, "is given more than once")
	}
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[name] = n + 1
	if field.many > 1 {
		field.blob = fmt.Sprintf("%s-%d", field.blob, n+1)
	}
	return field, nil
}

// formReader is a multipart reader that tells a form which ends from one that
// breaks off: mime/multipart calls both io.EOF.
type formReader struct {
	*multipart.Reader
	tail *tailReader
	last []byte // the closing boundary
}

func openForm(r *http.Request) (*formReader, error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || len(params["boundary"]) > 70 {
		return nil, newProblem(codeBadRequest, "The body must be multipart/form-data.").because(err)
	}
	tail := &tailReader{ReadCloser: r.Body}
	r.Body = tail
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, newProblem(codeBadRequest, "The body must be multipart/form-data.").because(err)
	}
	return &formReader{parts, tail, []byte("--" + params["boundary"] + "--")}, nil
}

// NextPart returns io.EOF only after the closing boundary.
func (f *formReader) NextPart() (*multipart.Part, error) {
	p, err := f.Reader.NextPart()
	if errors.Is(err, io.EOF) && !f.tail.ended(f.last) {
		return nil, io.ErrUnexpectedEOF
	}
	return p, err
}

// tailReader reads a body in large blocks, and keeps the last bytes it gave: the
// multipart reader asks for 4 KiB at a time.
type tailReader struct {
	io.ReadCloser
	buf        []byte // tailSize bytes of what was before, then the block
	start, end int    // of what the block still has to give
	err        error
}

const (
	tailSize  = 8 << 10
	bodyBlock = 64 << 10
)

// Read implements io.Reader.
func (t *tailReader) Read(p []byte) (int, error) {
	if t.start == t.end {
		if t.err != nil {
			return 0, t.err
		}
		if t.buf == nil {
			t.buf = make([]byte, tailSize+bodyBlock)
			t.start, t.end = tailSize, tailSize
		}
		copy(t.buf[:tailSize], t.buf[t.end-tailSize:t.end])
		var n int
		n, t.err = t.ReadCloser.Read(t.buf[tailSize:])
		t.start, t.end = tailSize, tailSize+n
		if n == 0 {
			return 0, t.err
		}
	}
	n := copy(p, t.buf[t.start:t.end])
	t.start += n
	return n, nil
}

// ended reports whether mark was among the last bytes.
func (t *tailReader) ended(mark []byte) bool { return bytes.Contains(t.buf[:t.end], mark) }

func readValue(f *form, name string, part *multipart.Part) error {
	if part.FileName() != "" {
		return badField(codeUnknownField, clipName(name), "is not a file of this request")
	}
	b, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return broken(err)
	}
	if len(b) > maxField {
		if name == "text" {
			return badField(codeTextTooLong, name, "has more than 1000 characters")
		}
		return badField(codeBadRequest, clipName(name), "is too long")
	}
	if !utf8.Valid(b) || strings.ContainsRune(string(b), 0) {
		return badField(codeBadRequest, clipName(name), "is not valid UTF-8 text")
	}
	f.values[name] = string(b)
	return nil
}

func (g *Gateway) readFile(ctx context.Context, f *form, task, name string, field fileField, part *multipart.Part) error {
	key := objectstore.Key(objectstore.Inputs, task, field.blob)
	if field.class != "" {
		key = objectstore.Key(field.class, field.folder, task, field.blob)
	}
	in := &limited{r: part, left: field.limit}
	info, err := g.put(ctx, key, in)
	// Known before anything is checked, so that a failure removes it.
	f.blobs[field.blob] = events.Blob{Key: key, Size: info.Size, SHA256: info.SHA256}
	switch {
	case in.over:
		return badField(codeFileTooLarge, name, fmt.Sprintf("is larger than %d MB", field.limit/1_000_000)).because(err)
	case in.err != nil:
		return broken(in.err)
	case err != nil:
		return fmt.Errorf("store %s: %w", name, err)
	case info.Size == 0:
		return badField(codeMissing, name, "is empty")
	}
	// What the check reads is mostly at the ends, which are still here.
	src := &rangeReader{ctx: ctx, store: g.Blobs, key: key, size: info.Size, head: in.head, tail: in.tail.bytes()}
	b := f.blobs[field.blob]
	if b.Type, err = field.check(src, info.Size); err != nil {
		if src.err != nil {
			return fmt.Errorf("check %s: %w", name, src.err)
		}
		var p *Problem
		if errors.As(err, &p) {
			p.Errors = []FieldError{{Field: name, Detail: p.Detail}}
		}
		return err
	}
	f.blobs[field.blob] = b
	return nil
}

// putBlob stores a small input that was not a file.
func (g *Gateway) putBlob(ctx context.Context, f *form, task, name, mediaType, content string) error {
	key := objectstore.Key(objectstore.Inputs, task, name)
	info, err := g.Blobs.Put(ctx, key, strings.NewReader(content))
	f.blobs[name] = events.Blob{Key: key, Type: mediaType, Size: info.Size, SHA256: info.SHA256}
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

// discard removes what a refused request has stored, also when its client is
// gone.
func (g *Gateway) discard(ctx context.Context, blobs map[string]events.Blob) {
	ctx = context.WithoutCancel(ctx)
	for _, b := range blobs {
		if b.Key == "" {
			continue // only read, for its fingerprint
		}
		if err := g.Blobs.Delete(ctx, b.Key); err != nil {
			g.Log.ErrorContext(ctx, "discard upload", "key", path.Base(b.Key), "err", err)
		}
	}
}

// broken is a body that ended or was cut off in the middle.
func broken(err error) error {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return newProblem(codeFileTooLarge, "The request is larger than allowed.").because(err)
	}
	return newProblem(codeBadRequest, "The upload is incomplete or malformed.").because(err)
}

func clipName(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.ToValidUTF8(s, "?")
}

// limited reads at most left bytes, remembers whether there were more, and keeps
// errors of the client's side apart from those of the store.
type limited struct {
	r    io.Reader
	left int64
	over bool
	err  error
	head []byte // the first blockSize bytes
	tail ring   // the last blockSize bytes
}

// ring keeps the last bytes written to it.
type ring struct {
	buf []byte
	n   int64 // written in all
}

func (r *ring) write(p []byte) {
	if r.buf == nil {
		r.buf = make([]byte, endSize)
	}
	if len(p) > endSize {
		r.n += int64(len(p) - endSize)
		p = p[len(p)-endSize:]
	}
	at := int(r.n % endSize)
	n := copy(r.buf[at:], p)
	copy(r.buf, p[n:])
	r.n += int64(len(p))
}

// bytes are the last ones in order.
func (r *ring) bytes() []byte {
	if r.n < endSize {
		return r.buf[:r.n]
	}
	at := r.n % endSize
	return append(slices.Clone(r.buf[at:]), r.buf[:at]...)
}

var errTooLarge = errors.New("file too large")

// Read implements io.Reader. It fills p: a part of a form comes in small pieces.
func (l *limited) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = l.r.Read(p[n:])
		n += m
	}
	if int64(n) > l.left {
		l.over = true
		return 0, errTooLarge
	}
	l.left -= int64(n)
	if room := endSize - len(l.head); room > 0 {
		l.head = append(l.head, p[:min(n, room)]...)
	}
	l.tail.write(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}

// rangeReader reads parts of a stored object, a block at a time.
type rangeReader struct {
	ctx   context.Context //nolint:containedctx // io.ReaderAt has no other way
	store objectstore.Store
	key   string
	size  int64
	head  []byte // what is known of the beginning
	tail  []byte // and of the end
	off   int64  // of block
	block []byte
	err   error // of the store, if any
}

const (
	blockSize = 128 << 10
	endSize   = 64 << 10
)

// ReadAt implements io.ReaderAt. It is not safe for concurrent use.
func (r *rangeReader) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= r.size {
			return n, io.EOF
		}
		if at < int64(len(r.head)) {
			n += copy(p[n:], r.head[at:])
			continue
		}
		if from := r.size - int64(len(r.tail)); at >= from {
			n += copy(p[n:], r.tail[at-from:])
			continue
		}
		if at < r.off || at >= r.off+int64(len(r.block)) {
			if err := r.load(at); err != nil {
				r.err = err
				return n, err
			}
		}
		n += copy(p[n:], r.block[at-r.off:])
	}
	return n, nil
}

func (r *rangeReader) load(at int64) error {
	n := min(blockSize, r.size-at)
	rc, err := openRange(r.ctx, r.store, r.key, at, n)
	if err != nil {
		return err
	}
	defer rc.Close() //nolint:errcheck // read only
	b := make([]byte, n)
	if _, err := io.ReadFull(rc, b); err != nil {
		return fmt.Errorf("read %s at %d: %w", r.key, at, err)
	}
	r.off, r.block = at, b
	return nil
}

// openRange reads n bytes from off (n < 0: the rest), by the store's own ability
// or by passing over what comes before.
func openRange(ctx context.Context, s objectstore.Store, key string, off, n int64) (io.ReadCloser, error) {
	if rg, ok := s.(objectstore.RangeGetter); ok {
		return rg.GetRange(ctx, key, off, n)
	}
	rc, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, rc, off); err != nil {
		_ = rc.Close()
		return nil, fmt.Errorf("skip to %d of %s: %w", off, key, err)
	}
	if n < 0 {
		return rc, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(rc, n), rc}, nil
}
