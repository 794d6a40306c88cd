package notify

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// receiver is a webhook's far end that answers as told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	answer func(n int, w http.ResponseWriter)
}

type received struct {
	at     time.Time
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter)) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.got = append(r.got, received{time.Now(), req.Header.Clone(), b})
		n := len(r.got)
		r.mu.Unlock()
		r.answer(n, w)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

type bench struct {
	b   *broker.Broker
	n   *Notifier
	pub producers.Publisher
}

func newBench(t *testing.T, schedule ...time.Duration) *bench {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := broker.Open(t.Context(), log, broker.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return &bench{b: b, pub: producers.Publisher{JS: b.JS}, n: &Notifier{
		Log: log, JS: b.JS, Events: b.Events, Stream: b.Deliveries, Endpoints: Endpoints{KV: b.Webhooks},
		Client: NewClient(nil, true), Schedule: schedule,
	}}
}

// serve runs the notifier until the test ends.
func (b *bench) serve(t *testing.T) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- b.n.Serve(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
}

func (b *bench) endpoint(t *testing.T, url string, verbs ...string) Endpoint {
	t.Helper()
	if len(verbs) == 0 {
		verbs = []string{"completed", "failed", "canceled"}
	}
	e, err := b.n.Endpoints.Add(t.Context(), Endpoint{ID: producers.NewTask(), Owner: "alice", URL: url, Events: verbs})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (b *bench) end(t *testing.T, owner string, verb events.Verb) string {
	t.Helper()
	task := producers.NewTask()
	job := events.Job{Request: events.Request{Kind: events.KindVideo, Owner: owner}, Notes: []events.Note{{Stage: "bgm", Tries: []string{"inside"}, Problem: &events.Problem{Code: "X", Cause: "inside"}}}}
	if err := b.pub.Publish(t.Context(), events.New(task, events.Task, verb, nil, job)); err != nil {
		t.Fatal(err)
	}
	return task
}

func waitFor(t *testing.T, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}

func (b *bench) deliveries(t *testing.T, endpoint string) []Delivery {
	t.Helper()
	d, err := b.n.Deliveries(t.Context(), endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSignatureIsTheSpecification(t *testing.T) {
	// The test vector of the specification's reference libraries.
	got := signatures([]string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestEndedTasksAreTold(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) })
	old := b.end(t, "alice", events.TaskCompleted) // before there was a webhook
	ep := b.endpoint(t, r.URL, "completed")
	b.serve(t)
	task := b.end(t, "alice", events.TaskCompleted)
	b.end(t, "alice", events.TaskFailed)
	b.end(t, "bob", events.TaskCompleted)
	waitFor(t, func() bool {
		d := b.deliveries(t, ep.ID)
		return len(d) == 1 && d[0].State() == "delivered"
	})
	if n := r.count(); n != 1 {
		t.Fatalf("%d requests, want 1; %s must not be told", n, old)
	}
	got := r.got[0]
	var e events.Event
	if err := json.Unmarshal(got.body, &e); err != nil || e.Task != task || e.Verb != events.TaskCompleted {
		t.Errorf("body %s: %v", got.body, err)
	}
	if strings.Contains(string(got.body), "inside") {
		t.Errorf("what operators see went out: %s", got.body)
	}
	h := got.header
	if h.Get("Content-Type") != "application/cloudevents+json" || h.Get("Webhook-Id") != e.ID() {
		t.Errorf("headers %v", h)
	}
	if want := signatures([]string{ep.Secret}, h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), got.body); h.Get("Webhook-Signature") != want {
		t.Errorf("signature %s, want %s", h.Get("Webhook-Signature"), want)
	}
}

func TestDeliveriesFollowTheSchedule(t *testing.T) {
	b := newBench(t, 0, 400*time.Millisecond, 800*time.Millisecond, time.Hour)
	r := newReceiver(t, func(n int, w http.ResponseWriter) {
		if n < 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	ep := b.endpoint(t, r.URL)
	b.serve(t)
	b.end(t, "alice", events.TaskCompleted)
	waitFor(t, func() bool {
		d := b.deliveries(t, ep.ID)
		return len(d) == 1 && d[0].State() == "delivered"
	})
	d := b.deliveries(t, ep.ID)[0]
	if len(d.Records) != 3 || d.Records[0].Status != 500 || d.Records[2].Status != 200 {
		t.Fatalf("log %+v", d.Records)
	}
	for i, want := range []time.Duration{400 * time.Millisecond, 800 * time.Millisecond} {
		if gap := r.got[i+1].at.Sub(r.got[i].at); gap < want-50*time.Millisecond || gap > want+3*time.Second {
			t.Errorf("attempt %d came %s after the one before, want %s", i+2, gap, want)
		}
	}
	if a, b := r.got[0].header.Get("Webhook-Id"), r.got[2].header.Get("Webhook-Id"); a != b {
		t.Errorf("ids %s and %s", a, b)
	}
	// Once more by hand.
	if err := b.n.Redeliver(t.Context(), "alice", ep.ID, d.N); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return r.count() == 4 })
	for _, c := range []struct {
		owner, endpoint string
		n               uint64
	}{{"bob", ep.ID, d.N}, {"alice", "other", d.N}, {"alice", ep.ID, d.N + 1000}} {
		if err := b.n.Redeliver(t.Context(), c.owner, c.endpoint, c.n); err == nil {
			t.Errorf("%+v is delivered again", c)
		}
	}
}

func TestAnswersMean(t *testing.T) {
	for name, c := range map[string]struct {
		answer   func(w http.ResponseWriter)
		state    string
		reason   string
		disabled bool
		atLeast  time.Duration
	}{
		"201": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusCreated) }, "delivered", "", false, 0},
		"302": {func(w http.ResponseWriter) { w.Header().Set("Location", "/else"); w.WriteHeader(http.StatusFound) }, "pending", "redirects are not followed", false, 0},
		"410": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }, "failed", "Gone", true, 0},
		"429": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "pending", "Too Many Requests", false, 7000 * time.Second},
		"404": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "pending", "Not Found", false, 0},
		"cut": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "pending", "the connection failed", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 0, time.Hour)
			r := newReceiver(t, func(_ int, w http.ResponseWriter) { c.answer(w) })
			ep := b.endpoint(t, r.URL)
			b.serve(t)
			b.end(t, "alice", events.TaskCompleted)
			waitFor(t, func() bool { d := b.deliveries(t, ep.ID); return len(d) == 1 && len(d[0].Records) == 1 })
			d := b.deliveries(t, ep.ID)[0]
			if d.State() != c.state || d.Records[0].Reason != c.reason {
				t.Errorf("state %s, reason %q", d.State(), d.Records[0].Reason)
			}
			if c.state == "pending" && d.Next().Sub(d.Records[0].At) < max(c.atLeast, 30*time.Minute) {
				t.Errorf("next attempt after %s", d.Next().Sub(d.Records[0].At))
			}
			got, err := b.n.Endpoints.Get(t.Context(), "alice", ep.ID)
			if err != nil || (got.Disabled != nil) != c.disabled {
				t.Errorf("disabled %v, %v", got.Disabled, err)
			}
			if r.count() != 1 {
				t.Errorf("%d requests", r.count())
			}
		})
	}
}

func TestLastAttemptFails(t *testing.T) {
	b := newBench(t, 0, 300*time.Millisecond)
	r := newReceiver(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) })
	ep := b.endpoint(t, r.URL)
	b.serve(t)
	b.end(t, "alice", events.TaskCanceled)
	waitFor(t, func() bool { d := b.deliveries(t, ep.ID); return len(d) == 1 && d[0].State() == "failed" })
	if n := r.count(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestOldSecretSignsWhileRotating(t *testing.T) {
	b := newBench(t)
	r := newReceiver(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusOK) })
	ep := b.endpoint(t, r.URL)
	next, err := b.n.Endpoints.Rotate(t.Context(), "alice", ep.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.serve(t)
	b.end(t, "alice", events.TaskCompleted)
	waitFor(t, func() bool { return r.count() == 1 })
	h := r.got[0].header
	want := signatures([]string{next.Secret, ep.Secret}, h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), r.got[0].body)
	if got := h.Get("Webhook-Signature"); got != want || strings.Count(got, "v1,") != 2 {
		t.Errorf("signatures %s, want %s", got, want)
	}
	if got := next.secrets(time.Now().Add(Overlap + time.Minute)); len(got) != 1 {
		t.Errorf("%d secrets a day later", len(got))
	}
}

func TestDeliveriesSurviveTheProcess(t *testing.T) {
	b := newBench(t, 0, 300*time.Millisecond)
	r := newReceiver(t, func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	ep := b.endpoint(t, r.URL)
	b.end(t, "alice", events.TaskCompleted) // while nobody serves
	b.serve(t)
	other := *b.n               // a second process beside it
	go other.Serve(t.Context()) //nolint:errcheck // ends with the test
	waitFor(t, func() bool { d := b.deliveries(t, ep.ID); return len(d) == 1 && d[0].State() == "delivered" })
	if n := r.count(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestSlowEndpointHoldsUpNoOther(t *testing.T) {
	b := newBench(t, 0)
	release := make(chan struct{})
	slow := newReceiver(t, func(int, http.ResponseWriter) { <-release })
	defer close(release)
	fast := newReceiver(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusOK) })
	b.endpoint(t, slow.URL)
	b.endpoint(t, fast.URL)
	b.serve(t)
	for range 12 {
		b.end(t, "alice", events.TaskCompleted)
	}
	waitFor(t, func() bool { return fast.count() == 12 })
	if n := slow.count(); n > perEndpoint {
		t.Errorf("%d at once to the slow one, want at most %d", n, perEndpoint)
	}
}
