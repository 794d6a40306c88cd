package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// A stored answer of a request with an Idempotency-Key.
type answer struct {
	Route       string            `json:"route"`
	Task        string            `json:"task"` // made by the request, if it makes one
	Started     time.Time         `json:"started"`
	Fingerprint string            `json:"fingerprint,omitempty"` // empty while the first request runs
	Status      int               `json:"status,omitempty"`
	Header      map[string]string `json:"header,omitempty"`
	Body        []byte            `json:"body,omitempty"`
}

// idem is the state of one request that has a key.
type idem struct {
	task        string
	replay      bool   // answered before: read, but do not act
	fingerprint string // of what was read
}

const (
	maxIdempotencyKey = 255
	// idempotencyLease is how long a first request may run before another with
	// its key takes its place: longer than an upload may take.
	idempotencyLease = 12 * time.Minute
	maxAnswer        = 32 << 10
)

// errReplay ends a handler that has read a request answered before.
var errReplay = errors.New("answered before")

// replaying reports whether the request was answered before, so that its files
// are read but not stored.
func replaying(r *http.Request) bool {
	i := infoOf(r.Context()).idem
	return i != nil && i.replay
}

// remember notes what the request said. It ends the handler of a request that
// was answered before.
func remember(r *http.Request, fingerprint string) error {
	i := infoOf(r.Context()).idem
	if i == nil {
		return nil
	}
	i.fingerprint = fingerprint
	if i.replay {
		return errReplay
	}
	return nil
}

// fingerprint is the same for forms with the same fields and files, in whatever
// order and with whatever boundary.
func (f *form) fingerprint() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		fmt.Fprintf(h, "v%q=%q\n", name, f.values[name])
	}
	for _, name := range slices.Sorted(maps.Keys(f.blobs)) {
		fmt.Fprintf(h, "f%q=%s\n", name, f.blobs[name].SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// hashFile reads a file for its fingerprint only.
func hashFile(f *form, name string, field fileField, part *multipart.Part) error {
	h := sha256.New()
	in := &limited{r: part, left: field.limit}
	n, err := io.Copy(h, in)
	if in.over {
		return badField(codeFileTooLarge, name, "is too large").because(err)
	}
	if err != nil {
		return broken(err)
	}
	f.blobs[field.blob] = events.Blob{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}
	return nil
}

// idempotent lets a request with an Idempotency-Key act once: the same request
// again gets the stored answer.
func (g *Gateway) idempotent(next func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		values, ok := r.Header["Idempotency-Key"]
		if !ok || g.Idempotency == nil {
			return next(w, r)
		}
		if len(values) != 1 || !printable(values[0]) {
			return badField(codeBadRequest, "Idempotency-Key", "must be one value of 1 to 255 printable characters")
		}
		info := infoOf(r.Context())
		key := digest(info.who.owner, values[0])
		old, rev, err := g.begin(r.Context(), key, r.Method+" "+r.URL.Path)
		if err != nil {
			return err
		}
		if old.Fingerprint != "" {
			return g.replay(w, r, next, old)
		}
		info.idem = &idem{task: old.Task}
		rec := &recorder{ResponseWriter: w}
		err = next(rec, r)
		g.end(r.Context(), key, rev, old, rec, info.idem.fingerprint, err)
		return err
	}
}

func printable(s string) bool {
	if s == "" || len(s) > maxIdempotencyKey {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// begin takes the key, or returns the answer stored under it.
func (g *Gateway) begin(ctx context.Context, key, route string) (answer, uint64, error) {
	fresh := answer{Route: route, Task: producers.NewTask(), Started: time.Now().UTC()}
	b, err := json.Marshal(fresh)
	if err != nil {
		return answer{}, 0, err
	}
	for range 3 {
		rev, err := g.Idempotency.Create(ctx, key, b)
		if err == nil {
			return fresh, rev, nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return answer{}, 0, newProblem(codeUnavailable, "").because(err)
		}
		e, err := g.Idempotency.Get(ctx, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue // given up just now
		}
		if err != nil {
			return answer{}, 0, newProblem(codeUnavailable, "").because(err)
		}
		var old answer
		if err := json.Unmarshal(e.Value(), &old); err != nil {
			return answer{}, 0, fmt.Errorf("stored answer: %w", err)
		}
		switch {
		case old.Route != route:
			return answer{}, 0, newProblem(codeMismatch, "This Idempotency-Key was used for another request.")
		case old.Fingerprint != "":
			return old, e.Revision(), nil
		case time.Since(old.Started) < idempotencyLease:
			return answer{}, 0, newProblem(codeConflict, "The first request with this Idempotency-Key is still running.")
		}
		// Its process has died. The task keeps its id, so that it is made once at
		// most even if the first request got that far.
		old.Started = time.Now().UTC()
		nb, err := json.Marshal(old)
		if err != nil {
			return answer{}, 0, err
		}
		rev, err = g.Idempotency.Update(ctx, key, nb, e.Revision())
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
			continue
		}
		if err != nil {
			return answer{}, 0, newProblem(codeUnavailable, "").because(err)
		}
		return old, rev, nil
	}
	return answer{}, 0, newProblem(codeConflict, "The first request with this Idempotency-Key is still running.")
}

// replay reads the request again without acting, and gives the stored answer if
// it is the same.
func (g *Gateway) replay(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error, old answer) error {
	info := infoOf(r.Context())
	info.idem = &idem{task: old.Task, replay: true}
	err := next(&discarded{header: http.Header{}}, r)
	if !errors.Is(err, errReplay) {
		if err == nil {
			err = errors.New("handler did not read its request")
		}
		return err
	}
	if info.idem.fingerprint != old.Fingerprint {
		return newProblem(codeMismatch, "This Idempotency-Key was used for another request.")
	}
	for k, v := range old.Header {
		w.Header().Set(k, v)
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(old.Status)
	_, _ = w.Write(old.Body) // the client is gone
	return nil
}

// end stores a good answer; a request that was refused may be sent again.
func (g *Gateway) end(ctx context.Context, key string, rev uint64, a answer, rec *recorder, fingerprint string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err != nil || rec.status >= 300 || rec.body.Len() > maxAnswer || fingerprint == "" {
		if err := g.Idempotency.Delete(ctx, key, jetstream.LastRevision(rev)); err != nil {
			g.Log.ErrorContext(ctx, "idempotency key", "err", err)
		}
		return
	}
	a.Fingerprint, a.Status, a.Body, a.Header = fingerprint, rec.status, rec.body.Bytes(), map[string]string{}
	for _, name := range []string{"Content-Type", "Location", "Retry-After"} {
		if v := rec.Header().Get(name); v != "" {
			a.Header[name] = v
		}
	}
	b, err := json.Marshal(a)
	if err == nil {
		_, err = g.Idempotency.Update(ctx, key, b, rev)
	}
	if err != nil {
		g.Log.ErrorContext(ctx, "idempotency key", "err", err)
	}
}

// recorder keeps a copy of the answer that passes.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(code int) {
	if r.status == 0 {
		r.status = code
	}
	r.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.body.Len() <= maxAnswer {
		r.body.Write(b)
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// discarded takes an answer that nobody gets.
type discarded struct{ header http.Header }

// Header implements http.ResponseWriter.
func (d *discarded) Header() http.Header { return d.header }

// Write implements http.ResponseWriter.
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (d *discarded) WriteHeader(int) {}
