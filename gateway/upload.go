package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path"
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
		if err := objectstore.Erase(ctx, g.Blobs, b.Key); err != nil {
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
