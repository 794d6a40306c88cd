package gateway

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// serveStage makes the consumer that workers of a stage would.
func serveStage(t *testing.T, h *harness, stage string) {
	t.Helper()
	_, err := h.b.Events.CreateOrUpdateConsumer(t.Context(), jetstream.ConsumerConfig{
		Durable: stageConsumer(stage), FilterSubjects: []string{events.Subject(stage, events.Requested, "*")}, AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A listener reads Server-Sent Events.
type listener struct {
	lines  chan sseEvent
	close  context.CancelFunc
	status int
}

type sseEvent struct{ id, kind, data string }

func (h *harness) listen(path, token string, headers ...string) *listener {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", h.url+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	l := &listener{lines: make(chan sseEvent, 1000), close: cancel, status: res.StatusCode}
	go func() {
		defer close(l.lines)
		defer res.Body.Close() //nolint:errcheck // read only
		var e sseEvent
		for s := bufio.NewScanner(res.Body); s.Scan(); {
			switch name, v, _ := strings.Cut(s.Text(), ": "); name {
			case "id":
				e.id = v
			case "event":
				e.kind = v
			case "data":
				e.data = v
			case "":
				if strings.HasPrefix(s.Text(), ":") {
					e.kind, e.data = "comment", v
				}
				if e != (sseEvent{}) {
					l.lines <- e
				}
				e = sseEvent{}
			}
		}
	}()
	return l
}

func (l *listener) next(t testing.TB, deadline time.Time) sseEvent {
	t.Helper()
	select {
	case e, ok := <-l.lines:
		if !ok {
			t.Fatal("the stream has ended")
		}
		return e
	case <-time.After(time.Until(deadline)):
		t.Fatal("no event came")
	}
	return sseEvent{}
}

// all reads to the end of the stream.
func (l *listener) all(t testing.TB) (out []sseEvent) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e, ok := <-l.lines:
			if !ok {
				return out
			}
			if e.kind == "event" {
				out = append(out, e)
			}
		case <-timeout:
			t.Fatalf("the stream does not end after %d events", len(out))
		}
	}
}

func TestTaskStreamIsCompleteAndResumes(t *testing.T) {
	h := newHarness(t, nil)
	task := h.generate()
	live := h.listen("/api/tasks/"+task+"/events", h.user)
	defer live.close()
	h.finish(task, "")
	got := live.all(t)
	if len(got) != 12 || !strings.Contains(got[11].data, "videomsg.task.completed") {
		t.Fatalf("%d events, last %+v", len(got), got[len(got)-1])
	}
	for i, e := range got {
		again := h.listen("/api/tasks/"+task+"/events", h.user, "Last-Event-ID", e.id)
		rest := again.all(t)
		again.close()
		if i == len(got)-1 {
			if len(rest) != 0 {
				t.Errorf("%d events after the last", len(rest))
			}
			continue
		}
		if len(rest) != len(got)-1-i || rest[0] != got[i+1] {
			t.Errorf("resumed after %d: %d events", i, len(rest))
		}
	}
}

func TestOwnStreamResumesAndShowsNobodyElse(t *testing.T) {
	h := newHarness(t, nil)
	first := h.generate()
	l := h.listen("/api/events", h.user)
	l.next(t, time.Now().Add(time.Minute)) // following
	foreign := h.listen("/api/events", h.other)
	defer foreign.close()
	foreign.next(t, time.Now().Add(time.Minute))
	h.finish(first, "")
	var last sseEvent
	for range 4 {
		last = l.next(t, time.Now().Add(time.Minute))
	}
	l.close()
	h.ended(first, "completed")
	l = h.listen("/api/events", h.user, "Last-Event-ID", last.id)
	defer l.close()
	want := decode[timeline](t, h.do("GET", "/api/tasks/"+first+"/events?after="+last.id, nil))
	for i, rec := range want.Events {
		if e := l.next(t, time.Now().Add(time.Minute)); e.id != strconv.FormatUint(rec.Seq, 10) {
			t.Errorf("event %d of %d has id %s, want %d", i+1, len(want.Events), e.id, rec.Seq)
		}
	}
	select {
	case e := <-foreign.lines:
		t.Errorf("somebody else got %+v", e)
	default:
	}
}

func TestStreamBeatsAndEndsForErasedTasks(t *testing.T) {
	h := newHarness(t, func(c *Config, _ *Deps) { c.Heartbeat = 20 * time.Millisecond })
	task := h.generate()
	l := h.listen("/api/tasks/"+task+"/events", h.user)
	defer l.close()
	beats := 0
	for beats < 3 {
		if e := l.next(t, time.Now().Add(time.Minute)); e.kind == "comment" {
			beats++
		}
	}
	h.publish(events.New(task, events.Task, events.TaskCanceled, nil, events.Job{}))
	l.all(t)
}

func TestSlowReaderIsDropped(t *testing.T) {
	tl := newTail(nil, nil)
	f := &follower{want: func(_, _ string) bool { return true }, events: make(chan record, followerBuffer)}
	tl.subs[f] = struct{}{}
	for i := range followerBuffer + 10 {
		tl.give(record{Seq: uint64(i + 1)}, "t", "")
	}
	n := 0
	for range f.events {
		n++
	}
	if n != followerBuffer {
		t.Errorf("%d events kept for a reader that does not read, want %d", n, followerBuffer)
	}
}

func TestStatusAnswersWhatHasNotChanged(t *testing.T) {
	h := newHarness(t, nil)
	task := h.generate()
	h.finish(task, "")
	h.ended(task, "completed")
	r := h.do("GET", "/api/video/status/"+task, nil)
	tag := r.Header.Get("ETag")
	if again := h.do("GET", "/api/video/status/"+task, nil, "If-None-Match", tag); again.StatusCode != 304 || len(again.body) != 0 {
		t.Errorf("%s with %d bytes", again.Status, len(again.body))
	}
	if _, err := fmt.Sscanf(tag, `"%d`, new(int)); err != nil {
		t.Errorf("ETag %s", tag)
	}
}

func TestLongPollWakesOnChange(t *testing.T) {
	h := newHarness(t, nil)
	task := h.generate()
	got := make(chan reply, 1)
	tag := h.do("GET", "/api/video/status/"+task, nil).Header.Get("ETag")
	start := time.Now()
	go func() { got <- h.do("GET", "/api/video/status/"+task+"?wait=60", nil, "If-None-Match", tag) }()
	h.finish(task, "")
	r := <-got
	if took := time.Since(start); r.StatusCode != 200 || took > 50*time.Second {
		t.Errorf("%s after %s", r.Status, took)
	}
}

// TestPauseOutlastsWorkers pauses a stage and lets a worker come anew, which
// declares its consumer as every worker does.
func TestPauseOutlastsWorkers(t *testing.T) {
	h := newHarness(t, nil)
	serveStage(t, h, "bgm")
	as := func(method, path string) reply { return h.do(method, path, nil, "Authorization", "Bearer "+h.admin) }
	if s := decode[StageState](t, as("POST", "/api/admin/stages/bgm/pause")); !s.Paused || s.PausedUntil == nil {
		t.Fatalf("%+v", s)
	}
	serveStage(t, h, "bgm")
	for _, s := range decode[list[StageState]](t, as("GET", "/api/admin/stages")).Items {
		if s.Name == "bgm" && !s.Paused {
			t.Errorf("a new worker has ended the pause")
		}
	}
	if s := decode[StageState](t, as("POST", "/api/admin/stages/bgm/resume")); s.Paused {
		t.Errorf("%+v", s)
	}
}

// TestConnectionsOutliveTheirStreams uses a connection again after a stream and
// a download have ended, which set deadlines on it.
func TestConnectionsOutliveTheirStreams(t *testing.T) {
	h := newHarness(t, nil)
	task := h.generate()
	h.finish(task, "")
	h.ended(task, "completed")
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	for _, path := range []string{"/api/tasks/" + task + "/events", "/api/video/download/" + task} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+h.user)
		r.Header.Set("Accept", "text/event-stream")
		h.g.ServeHTTP(w, r)
		if w.set == 0 || !w.last.IsZero() {
			t.Errorf("%s set %d deadlines and left %v", path, w.set, w.last)
		}
	}
}

// deadlines notes what is set on a connection.
type deadlines struct {
	*httptest.ResponseRecorder
	set  int
	last time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.set++
	d.last = t
	return nil
}
