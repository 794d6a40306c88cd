package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/jsonschema-go/jsonschema"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/erase"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/producers"
	"github.com/videomsg/videomsg/status"
	"github.com/videomsg/videomsg/vision/face"
)

const testSecret = "0123456789abcdef0123456789abcdef"

var plan5 = []string{"image", "voice", "prosody", "bgm", "video"}

// harness is a gateway over HTTP with a real broker, store and projector, and
// without stages: tests say what stages would.
type harness struct {
	t     testing.TB
	g     *Gateway
	url   string
	dir   string
	b     *broker.Broker
	pub   producers.Publisher
	blobs objectstore.Store
	hooks *memoryHooks
	voice *memoryProfiles
	user  string // token
	other string
	admin string
}

func newHarness(t testing.TB, change func(*Config, *Deps)) *harness {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	h := &harness{t: t, dir: t.TempDir(), hooks: &memoryHooks{}, voice: &memoryProfiles{}}
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	if h.b, err = broker.Open(ctx, log, broker.Config{DataDir: h.dir, Name: "test"}); err != nil {
		t.Fatal(err)
	}
	if h.blobs, err = natsstore.New(ctx, h.b.BlobJS, broker.BucketBlobs); err != nil {
		t.Fatal(err)
	}
	h.pub = producers.Publisher{JS: h.b.JS}
	feed := NewFeed(log)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := feed.Follow(ctx, h.b.Conn, h.b.Status, h.b.Events); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if err := status.Serve(ctx, log, h.b.Events, status.Store{KV: h.b.Status}); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	runner := &consumers.Runner{Log: log, JS: h.b.JS, Events: h.b.Events, Publish: h.pub}
	wg.Go(func() {
		if err := runner.Dispatch(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	eraser := &erase.Eraser{Log: log, JS: h.b.JS, Events: h.b.Events, Blobs: h.blobs, Stages: plan5}
	reg := prometheus.NewRegistry()
	conf := Config{Secret: testSecret, GeneratePerMin: 1_000_000, WritesPerMin: 1_000_000}
	deps := Deps{
		Log: log, Tasks: status.Store{KV: h.b.Status}, Submit: h.pub, Blobs: h.blobs, JS: h.b.JS, Stream: h.b.Events, Feed: feed,
		Metrics: reg, Gather: reg, Version: "test", Stages: plan5,
		Library: h.b.Library, Idempotency: h.b.Idempotency, Limits: h.b.Limits, Webhooks: h.hooks, Profiles: h.voice,
		Route: func(r events.Request) []string {
			switch r.Kind {
			case events.KindVideo:
				return plan5
			case events.KindImage:
				return plan5[:1]
			}
			return plan5[1:2]
		},
		CheckText: func(s, _ string) error {
			if strings.Trim(s, "。、！？!?. ") == "" {
				return errors.New("nothing to speak")
			}
			return nil
		},
		CheckWord: func(w Word) error {
			if strings.ContainsFunc(w.Reading, func(r rune) bool { return r < 'ぁ' || r > 'ん' }) {
				return &Refusal{Code: codeRange, Field: "reading", Detail: "must be in kana"}
			}
			return nil
		},
		CheckVoice: func(_ context.Context, id string) error { return known(id, "openjtalk:standard") },
		CheckMusic: func(_ context.Context, id string) error { return known(id, "calm", "upbeat", "birthday") },
		CheckEngine: func(stage, engine string) error {
			if stage == "video" && engine == "d-id" {
				return errors.New("it is not set up on this service")
			}
			if stage == "video" && engine == "portrait" {
				return nil
			}
			return ErrUnknown
		},
		Voices: func(context.Context) ([]Voice, error) {
			return []Voice{{ID: "openjtalk:standard", Name: "標準", Language: "ja", Engine: "openjtalk", Quality: "plain"}}, nil
		},
		Speak: func(_ context.Context, voice, _ string, _ []Word) ([]byte, error) {
			return tone(t, 0.1), known(voice, "openjtalk:standard")
		},
		Verify: func(r io.Reader) (Verification, error) {
			n, err := io.Copy(io.Discard, r)
			return Verification{Verified: n > 0, Record: &Provenance{Engines: map[string]string{}, Inputs: map[string]string{}}}, err
		},
		Erase:   func(ctx context.Context, task status.Task) error { return eraser.Task(ctx, task.ID) },
		Ready:   h.b.Health,
		Health:  func(context.Context) Health { return Health{Status: "healthy", Services: map[string]ServiceHealth{}} },
		Engines: func(context.Context) []EngineState { return []EngineState{{Stage: "video", Engine: "portrait"}} },
		Web:     http.NotFoundHandler(),
	}
	if deps.Faces, err = detector(); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&conf, &deps)
	}
	h.g = New(conf, deps)
	srv := httptest.NewUnstartedServer(h.g)
	srv.Config.ReadHeaderTimeout = 2 * time.Second
	srv.Start()
	h.url = srv.URL
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		cancel()
		wg.Wait()
		h.b.Close()
	})
	h.user, h.other, h.admin = h.token("alice", RoleUser), h.token("bob", RoleUser), h.token("root", RoleAdmin)
	<-feed.ready
	return h
}

var detector = sync.OnceValues(face.NewDetector)

func known(id string, ids ...string) error {
	if slices.Contains(ids, id) {
		return nil
	}
	return ErrUnknown
}

func (h *harness) token(user, role string) string {
	h.t.Helper()
	s, err := NewToken(testSecret, user, role, time.Hour, time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// A reply is an answer, read to its end and held against the document.
type reply struct {
	*http.Response
	body []byte
}

func (r reply) code() string {
	var p Problem
	_ = json.Unmarshal(r.body, &p) //nolint:errcheck // then there is no code
	return p.Code
}

func decode[T any](t testing.TB, r reply) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	return v
}

// do sends a request as alice unless headers say otherwise ("" removes one).
func (h *harness) do(method, path string, body io.Reader, headers ...string) reply {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.user)
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	return h.send(req)
}

func (h *harness) send(req *http.Request) reply {
	h.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 30 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		h.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	h.conform(req, res, b)
	return reply{res, b}
}

func (h *harness) json(method, path, body string, headers ...string) reply {
	h.t.Helper()
	return h.do(method, path, strings.NewReader(body), append([]string{"Content-Type", "application/json"}, headers...)...)
}

// part of a form.
type part struct {
	name, file string
	data       []byte
}

func text(name, value string) part { return part{name: name, data: []byte(value)} }

func file(name string, data []byte) part { return part{name, "upload.bin", data} }

func formBody(parts ...part) (io.Reader, string) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, p := range parts {
		var pw io.Writer
		if p.file != "" {
			pw, _ = w.CreateFormFile(p.name, p.file) //nolint:errcheck // memory
		} else {
			pw, _ = w.CreateFormField(p.name) //nolint:errcheck // memory
		}
		_, _ = pw.Write(p.data) //nolint:errcheck // memory
	}
	_ = w.Close() //nolint:errcheck // memory
	return &buf, w.FormDataContentType()
}

func (h *harness) form(path string, parts []part, headers ...string) reply {
	h.t.Helper()
	body, kind := formBody(parts...)
	return h.do("POST", path, body, append([]string{"Content-Type", kind}, headers...)...)
}

// generate makes a video task and returns its id.
func (h *harness) generate(parts ...part) string {
	h.t.Helper()
	r := h.form("/api/video/generate", append([]part{file("image", picture()), text("text", "お誕生日おめでとう")}, parts...))
	if r.StatusCode != http.StatusAccepted {
		h.t.Fatalf("%s: %s", r.Status, r.body)
	}
	return decode[accepted](h.t, r).TaskID
}

// finish does what the stages of a video task would, up to a stage; "" means all.
func (h *harness) finish(task, failAt string) {
	h.t.Helper()
	ctx := h.t.Context()
	m, err := h.b.Events.GetLastMsgForSubject(ctx, events.Subject(events.Task, events.Submitted, task))
	if err != nil {
		h.t.Fatal(err)
	}
	e, err := events.Decode(m.Header, m.Data)
	if err != nil {
		h.t.Fatal(err)
	}
	names := map[string]string{"image": events.BlobImage, "voice": events.BlobSpeech, "prosody": events.BlobProsody, "bgm": events.BlobMix, "video": events.BlobVideo}
	for e = e.Next(); !e.Terminal(); {
		h.publish(e)
		out := e
		out.Job = e.Job.Clone()
		out.Time = time.Now().UTC()
		note := events.Note{Stage: e.Stage, Engine: "test", Attempt: 1, Started: out.Time}
		if e.Stage == failAt {
			out.Verb = events.Failed
			note.Tries = []string{"dial tcp 10.1.2.3:80: secret cause"}
			note.Problem = &events.Problem{Code: "STAGE_FAILED", Detail: "The " + e.Stage + " stage failed.", Cause: "dial tcp 10.1.2.3:80: secret cause", Retryable: true}
			out.Job.Notes = append(out.Job.Notes, note)
			end := events.New(task, events.Task, events.TaskFailed, nil, out.Job)
			h.publish(out, end)
			return
		}
		name := names[e.Stage]
		content := "made by " + e.Stage
		mediaType := "application/octet-stream"
		if e.Stage == "video" {
			content, mediaType = strings.Repeat("0123456789", 1000), "video/mp4"
		}
		if e.Stage == "voice" {
			content, mediaType = string(tone(h.t, 0.2)), "audio/wav"
		}
		info, err := h.blobs.Put(ctx, objectstore.Key(objectstore.Intermediates, task, e.Stage, name), strings.NewReader(content))
		if err != nil {
			h.t.Fatal(err)
		}
		if out.Job.Blobs == nil {
			out.Job.Blobs = map[string]events.Blob{}
		}
		out.Job.Blobs[name] = events.Blob{Key: info.Key, Type: mediaType, SHA256: info.SHA256, Size: info.Size}
		note.Artifacts = []string{name}
		out.Job.Notes = append(out.Job.Notes, note)
		out.Verb = events.Ready
		h.publish(out)
		e = out.Next()
	}
	h.publish(e)
}

func (h *harness) publish(evs ...events.Event) {
	h.t.Helper()
	if err := h.pub.Publish(h.t.Context(), evs...); err != nil {
		h.t.Fatal(err)
	}
}

// ended waits until the task is shown in a state.
func (h *harness) ended(task, state string) view {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		r := h.do("GET", "/api/video/status/"+task+"?wait=1", nil)
		v := decode[view](h.t, r)
		if v.Status == state {
			return v
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("task is %s, want %s: %s", v.Status, state, r.body)
		}
	}
}

// stored counts what is kept: events and blobs.
func (h *harness) stored() (evs uint64, blobs int) {
	h.t.Helper()
	info, err := h.b.Events.Info(h.t.Context(), jetstream.WithSubjectFilter(events.AllSubjects))
	if err != nil {
		h.t.Fatal(err)
	}
	lister, ok := h.blobs.(objectstore.Lister)
	if !ok {
		h.t.Fatal("the store cannot list")
	}
	if err := lister.List(h.t.Context(), "", func(objectstore.Info) bool { blobs++; return true }); err != nil {
		h.t.Fatal(err)
	}
	return info.State.Msgs, blobs
}

// picture is a small PNG.
func picture() []byte { return pictureOf(96, 96) }

func pictureOf(w, h int) []byte {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), 128, 255})
		}
	}
	var buf bytes.Buffer
	_ = png.Encode(&buf, img) //nolint:errcheck // memory
	return buf.Bytes()
}

// tone is a WAV file of some seconds.
func tone(t testing.TB, seconds float64) []byte {
	t.Helper()
	n := int(seconds * 16000)
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(i%100)/200 - 0.25
	}
	var buf bytes.Buffer
	if err := wav.Encode(&buf, dsp.Audio{Rate: 16000, Ch: [][]float32{s}}, wav.PCM16); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// seen counts the documented answers that any test got, by operation and status.
var seen = struct {
	sync.Mutex
	n map[string]int
}{n: map[string]int{}}

// conform holds an answer against the document.
func (h *harness) conform(req *http.Request, res *http.Response, body []byte) {
	h.t.Helper()
	mux, ok := h.g.mux.(*chi.Mux)
	if !ok {
		h.t.Fatal("the gateway has no mux")
	}
	rctx := chi.NewRouteContext()
	path := req.URL.EscapedPath()
	if !mux.Match(rctx, req.Method, path) {
		return
	}
	pattern := rctx.RoutePattern()
	var rt *route
	for _, r := range h.g.api() {
		if r.method == req.Method && r.path == pattern {
			rt = &r
		}
	}
	if rt == nil {
		return // the web app, metrics
	}
	where := fmt.Sprintf("%s %s → %d", rt.method, rt.path, res.StatusCode)
	if leaks := inside(h, body); leaks != "" && rt.access != admin {
		h.t.Errorf("%s reveals %q: %s", where, leaks, body)
	}
	o := rt.doc
	documented := res.StatusCode == o.ok || slices.Contains(o.also, res.StatusCode) || slices.Contains(o.problems, res.StatusCode)
	if !documented {
		h.t.Errorf("%s is not documented: %s", where, body)
	}
	seen.Lock()
	seen.n[fmt.Sprintf("%s %d", o.id, res.StatusCode)]++
	seen.Unlock()
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	switch {
	case req.Method == http.MethodHead:
	case res.StatusCode >= 400 && res.StatusCode != o.ok && !slices.Contains(o.also, res.StatusCode):
		if kind != "application/problem+json" {
			h.t.Errorf("%s has content type %q", where, kind)
			return
		}
		validate(h.t, where, reflect.TypeFor[Problem](), body)
		var p Problem
		if json.Unmarshal(body, &p) == nil && (p.Status != res.StatusCode || p.TraceID == "" || p.Title == "") {
			h.t.Errorf("%s: %s", where, body)
		}
	case kind == "application/json" && o.answer != nil:
		t := reflect.TypeOf(o.answer)
		if res.StatusCode == http.StatusOK && o.ok == http.StatusAccepted {
			t = reflect.TypeFor[view]()
		}
		if t.Kind() != reflect.Map {
			validate(h.t, where, t, body)
		}
	case len(body) > 0 && o.answer == nil && o.media == "":
		h.t.Errorf("%s has a body: %s", where, body)
	}
}

var resolved sync.Map

func validate(t testing.TB, where string, typ reflect.Type, body []byte) {
	t.Helper()
	v, ok := resolved.Load(typ)
	if !ok {
		s, err := schemaOf(typ)
		if err != nil {
			t.Fatal(err)
		}
		rs, err := s.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		v, _ = resolved.LoadOrStore(typ, rs)
	}
	var doc any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Errorf("%s: %v in %s", where, err, body)
		return
	}
	if err := v.(*jsonschema.Resolved).Validate(doc); err != nil {
		t.Errorf("%s differs from the document: %v in %s", where, err, body)
	}
}

var secretWords = regexp.MustCompile(`goroutine|\.go:\d|panic|runtime error|nats|jetstream|vm_|VM_|secret cause|10\.1\.2\.3|/root/|/tmp/|stack`)

// inside finds words that no client may see.
func inside(h *harness, body []byte) string {
	if bytes.HasPrefix(body, []byte(`{"openapi"`)) || bytes.Contains(body[:min(len(body), 200)], []byte(`"asyncapi"`)) || bytes.Contains(body[:min(len(body), 4000)], []byte(`"components"`)) {
		return ""
	}
	host, err := os.Hostname()
	if err == nil && len(host) > 4 && bytes.Contains(body, []byte(host)) {
		return host
	}
	if bytes.Contains(body, []byte(h.dir)) {
		return h.dir
	}
	return string(secretWords.Find(body))
}
