package gateway

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

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
