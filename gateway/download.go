package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
)

// mainArtifact is what a task of each kind gives when no artefact is named.
var mainArtifact = map[string][]string{
	events.KindVideo:   {events.BlobVideo},
	events.KindAvatar:  {events.BlobVideo},
	events.KindImage:   {events.BlobImage},
	events.KindVoice:   {events.BlobSpeech},
	events.KindProsody: {events.BlobProsody, events.BlobSpeech},
	events.KindBGM:     {events.BlobMP3, events.BlobMix},
}

// extensions names the file a client saves.
var extensions = map[string]string{
	"video/mp4": ".mp4", "audio/wav": ".wav", "audio/mpeg": ".mp3", "image/png": ".png", "image/jpeg": ".jpg",
	"image/webp": ".webp", "application/json": ".json", "text/vtt": ".vtt", "application/x-subrip": ".srt", "text/plain; charset=utf-8": ".txt",
}

// download is GET and HEAD /api/video/download/{task}: the finished file, or the
// artefact named, with ranges.
func (g *Gateway) download(w http.ResponseWriter, r *http.Request) error {
	t, _, err := g.load(r)
	if err != nil {
		return err
	}
	b, name, err := pick(t, r.URL.Query().Get("artifact"))
	if err != nil {
		return err
	}
	return g.serveBlob(w, r, b, "videomsg-"+t.ID+"-"+name)
}

// storeLinkLife is how long a link into the store itself works.
const storeLinkLife = time.Hour

// serveBlob sends a stored object, with ranges, or leads to the store when that
// is wanted and can be done.
func (g *Gateway) serveBlob(w http.ResponseWriter, r *http.Request, b events.Blob, name string) error {
	h := w.Header()
	disposition := mime.FormatMediaType("inline", map[string]string{"filename": name + extensions[b.Type]})
	// A link of S3 is signed for one method.
	if signer, ok := objectstore.As[objectstore.URLSigner](g.Blobs); ok && g.conf.PublicLinks && r.Method == http.MethodGet {
		u, err := signer.SignedURL(r.Context(), b.Key, objectstore.Link{Life: storeLinkLife, ContentType: b.Type, ContentDisposition: disposition})
		if err != nil {
			return err
		}
		h.Set("Location", u)
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusFound)
		return nil
	}
	src := &seeker{ctx: r.Context(), store: g.Blobs, key: b.Key, size: b.Size}
	defer src.Close() //nolint:errcheck // read only
	// Opened before the header is written, so that what is gone is a 404.
	if err := src.open(); err != nil {
		if errors.Is(err, objectstore.ErrNotFound) {
			return newProblem(codeNotFound, "The file is no longer kept.").because(err)
		}
		return err
	}
	h.Set("Content-Type", b.Type)
	h.Set("ETag", `"`+b.SHA256+`"`)
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("Content-Disposition", disposition)
	out := &unsatisfied{ResponseWriter: w, g: g, r: r, rc: http.NewResponseController(w)}
	defer out.end()
	http.ServeContent(out, r, "", time.Time{}, src)
	if src.err != nil && !errors.Is(src.err, context.Canceled) {
		infoOf(r.Context()).err = src.err
	}
	return nil
}

// unsatisfied says in our words what http.ServeContent says of a bad range, and
// drops clients that take nothing for a while.
type unsatisfied struct {
	http.ResponseWriter
	g    *Gateway
	r    *http.Request
	rc   *http.ResponseController
	said bool
}

// downloadPatience is how long a client may take for a piece of a file.
const downloadPatience = time.Minute

func (u *unsatisfied) end() {
	_ = u.rc.SetWriteDeadline(time.Time{}) // of a connection that is gone
}

// WriteHeader implements http.ResponseWriter.
func (u *unsatisfied) WriteHeader(code int) {
	if code != http.StatusRequestedRangeNotSatisfiable {
		u.ResponseWriter.WriteHeader(code)
		return
	}
	u.said = true
	for _, name := range []string{"Content-Disposition", "Content-Length", "ETag"} {
		u.Header().Del(name)
	}
	u.g.fail(u.ResponseWriter, u.r, newProblem(codeUnsatisfied, "The file is shorter than the range."))
}

// Write implements http.ResponseWriter.
func (u *unsatisfied) Write(b []byte) (int, error) {
	if u.said {
		return len(b), nil
	}
	if err := u.rc.SetWriteDeadline(time.Now().Add(downloadPatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return u.ResponseWriter.Write(b)
}

func pick(t status.Task, artifact string) (events.Blob, string, error) {
	if artifact != "" {
		b, ok := t.Blob(artifact)
		if !ok || artifact == events.BlobDetails {
			return b, "", newProblem(codeNotFound, "The task has no such artefact.")
		}
		return b, artifact, nil
	}
	for _, name := range mainArtifact[t.Request.Kind] {
		if b, ok := t.Blob(name); ok {
			return b, name, nil
		}
	}
	switch t.State() {
	case status.Completed, status.Failed, status.Canceled:
		return events.Blob{}, "", newProblem(codeNotFound, "The task has made no file.")
	}
	return events.Blob{}, "", newProblem(codeConflict, "The file is not ready yet.")
}

// seeker makes a stored object seekable by opening it again where it is wanted.
type seeker struct {
	ctx   context.Context //nolint:containedctx // io.ReadSeeker has no other way
	store objectstore.Store
	key   string
	size  int64
	off   int64
	rc    io.ReadCloser
	err   error
}

func (s *seeker) open() (err error) {
	if s.off == 0 {
		s.rc, err = s.store.Get(s.ctx, s.key) // this one checks the digest
		return err
	}
	s.rc, err = openRange(s.ctx, s.store, s.key, s.off, -1)
	return err
}

// Read implements io.Reader.
func (s *seeker) Read(p []byte) (int, error) {
	if s.rc == nil {
		if s.err = s.open(); s.err != nil {
			return 0, s.err
		}
	}
	n, err := s.rc.Read(p)
	s.off += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = fmt.Errorf("read %s: %w", s.key, err)
	}
	return n, err
}

// Seek implements io.Seeker.
func (s *seeker) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += s.off
	case io.SeekEnd:
		off += s.size
	}
	if off < 0 {
		return 0, errors.New("seek before the start")
	}
	if off != s.off {
		_ = s.Close()
		s.off = off
	}
	return off, nil
}

// Close implements io.Closer.
func (s *seeker) Close() error {
	if s.rc == nil {
		return nil
	}
	err := s.rc.Close()
	s.rc = nil
	return err
}

// details reads what the owner wanted echoed.
func (g *Gateway) details(ctx context.Context, t status.Task) (d details, err error) {
	b, ok := t.Blobs[events.BlobDetails]
	if !ok {
		return d, nil
	}
	rc, err := g.Blobs.Get(ctx, b.Key)
	if errors.Is(err, objectstore.ErrNotFound) {
		return d, nil // erased, or older than inputs are kept
	}
	if err != nil {
		return d, fmt.Errorf("details of %s: %w", t.ID, err)
	}
	defer rc.Close() //nolint:errcheck // read only
	if err := json.NewDecoder(io.LimitReader(rc, maxField)).Decode(&d); err != nil {
		return d, fmt.Errorf("details of %s: %w", t.ID, err)
	}
	return d, nil
}
