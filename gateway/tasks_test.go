package gateway

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
)

func TestListsPageThroughOwnTasks(t *testing.T) {
	h := newHarness(t, nil)
	var made []string
	for range 7 {
		made = append(made, h.generate())
	}
	h.finish(made[2], "")
	h.ended(made[2], "completed")
	body, kind := formBody(file("image", picture()), text("text", "mine"))
	h.do("POST", "/api/video/generate", body, "Content-Type", kind, "Authorization", "Bearer "+h.other)
	waitFor(t, func() bool { return len(decode[taskList](t, h.do("GET", "/api/tasks?limit=100", nil)).Items) == 7 })

	var got []string
	path := "/api/tasks?limit=3"
	for pages := 0; path != ""; pages++ {
		if pages > 5 {
			t.Fatal("the list does not end")
		}
		r := h.do("GET", path, nil)
		l := decode[taskList](t, r)
		for _, v := range l.Items {
			got = append(got, v.TaskID)
		}
		path = ""
		if link := r.Header.Get("Link"); link != "" {
			path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		}
	}
	if len(got) != 7 || got[0] != made[6] || got[6] != made[0] {
		t.Errorf("got %v, made %v", got, made)
	}
	if l := decode[taskList](t, h.do("GET", "/api/tasks?state=completed", nil)); len(l.Items) != 1 || l.Items[0].TaskID != made[2] {
		t.Errorf("completed: %+v", l)
	}
	if l := decode[taskList](t, h.do("GET", "/api/tasks?since="+time.Now().Add(time.Hour).UTC().Format(time.RFC3339), nil)); len(l.Items) != 0 {
		t.Errorf("%d tasks of the future", len(l.Items))
	}
	r := h.do("GET", "/api/tasks", nil)
	if again := h.do("GET", "/api/tasks", nil, "If-None-Match", r.Header.Get("ETag")); again.StatusCode != 304 {
		t.Errorf("list that has not changed: %s", again.Status)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	h := newHarness(t, nil)
	send := func(key, words string) reply {
		// Another boundary each time, as clients make them.
		return h.form("/api/video/generate", []part{text("text", words), file("image", picture())}, "Idempotency-Key", key)
	}
	first := send("k1", "hello")
	if first.StatusCode != 202 || first.Header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("%s %s", first.Status, first.body)
	}
	again := send("k1", "hello")
	if again.StatusCode != 202 || again.Header.Get("Idempotency-Replayed") != "true" || string(again.body) != string(first.body) || again.Header.Get("Location") != first.Header.Get("Location") {
		t.Errorf("%s %v %s", again.Status, again.Header, again.body)
	}
	if r := send("k1", "other"); r.StatusCode != 422 || r.code() != codeMismatch {
		t.Errorf("other request: %s %s", r.Status, r.body)
	}
	if r := h.json("POST", "/api/voices/synthesize", `{"text":"hi"}`, "Idempotency-Key", "k1"); r.code() != codeMismatch {
		t.Errorf("other route: %s", r.body)
	}
	body, kind := formBody(text("text", "hello"), file("image", picture()))
	if r := h.do("POST", "/api/video/generate", body, "Content-Type", kind, "Idempotency-Key", "k1", "Authorization", "Bearer "+h.other); r.Header.Get("Idempotency-Replayed") != "" || r.StatusCode != 202 {
		t.Errorf("somebody else's key: %s", r.body)
	}
	// A refused request does not use up its key.
	if r := send("k2", "。"); r.StatusCode != 422 {
		t.Errorf("%s", r.body)
	}
	if r := send("k2", "better"); r.StatusCode != 202 {
		t.Errorf("after a refusal: %s", r.body)
	}
	evs := 0
	waitFor(t, func() bool { evs, _ = countSubmitted(t, h); return evs == 3 })
}

func countSubmitted(t *testing.T, h *harness) (int, error) {
	t.Helper()
	info, err := h.b.Events.Info(t.Context(), jetstream.WithSubjectFilter(events.Subject(events.Task, events.Submitted, "*")))
	if err != nil {
		t.Fatal(err)
	}
	return len(info.State.Subjects), nil
}

func TestIdempotencyKeysUnderRace(t *testing.T) {
	h := newHarness(t, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	tasks, codes := map[string]int{}, map[int]int{}
	for range 12 {
		wg.Go(func() {
			r := h.json("POST", "/api/voices/synthesize", `{"text":"hi"}`, "Idempotency-Key", "same")
			mu.Lock()
			defer mu.Unlock()
			codes[r.StatusCode]++
			if r.StatusCode == 202 {
				tasks[decode[accepted](t, r).TaskID]++
			}
		})
	}
	wg.Wait()
	if len(tasks) != 1 || codes[202]+codes[409] != 12 {
		t.Errorf("tasks %v, answers %v", tasks, codes)
	}
}

func TestTakenOverKeyMakesNoSecondTask(t *testing.T) {
	h := newHarness(t, nil)
	r := h.json("POST", "/api/voices/synthesize", `{"text":"hi"}`, "Idempotency-Key", "k")
	task := decode[accepted](t, r).TaskID
	// As if the process had died between the event and the answer.
	key := digest("alice", "k")
	e, err := h.b.Idempotency.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.Replace(string(e.Value()), `"fingerprint"`, `"was"`, 1)
	doc = strings.Replace(doc, time.Now().UTC().Format("2006-01"), "2020-01", 1)
	if _, err := h.b.Idempotency.Update(t.Context(), key, []byte(doc), e.Revision()); err != nil {
		t.Fatal(err)
	}
	r = h.json("POST", "/api/voices/synthesize", `{"text":"hi"}`, "Idempotency-Key", "k")
	if got := decode[accepted](t, r).TaskID; got != task {
		t.Errorf("second task %s beside %s", got, task)
	}
	if n, _ := countSubmitted(t, h); n != 1 {
		t.Errorf("%d tasks", n)
	}
}

func TestPreferWaitAnswersWhenDone(t *testing.T) {
	h := newHarness(t, nil)
	body, kind := formBody(file("image", picture()), text("text", "hi"))
	got := make(chan reply, 1)
	go func() { got <- h.do("POST", "/api/video/generate", body, "Content-Type", kind, "Prefer", "wait=20") }()
	var id string
	waitFor(t, func() bool {
		l := decode[taskList](t, h.do("GET", "/api/tasks", nil))
		if len(l.Items) == 1 {
			id = l.Items[0].TaskID
		}
		return id != ""
	})
	h.finish(id, "")
	r := <-got
	if r.StatusCode != 200 || decode[view](t, r).Status != "completed" || r.Header.Get("Preference-Applied") != "wait=20" {
		t.Errorf("%s %v %s", r.Status, r.Header, r.body)
	}
	start := time.Now()
	r = h.json("POST", "/api/voices/synthesize", `{"text":"hi"}`, "Prefer", "wait=1")
	if took := time.Since(start); r.StatusCode != 202 || took < 900*time.Millisecond {
		t.Errorf("%s after %s", r.Status, took)
	}
}

func TestSpeechIsTheAnswerWhenAskedFor(t *testing.T) {
	h := newHarness(t, func(_ *Config, d *Deps) {
		d.Route = func(events.Request) []string { return plan5[1:2] }
	})
	got := make(chan reply, 1)
	go func() {
		got <- h.json("POST", "/api/voices/synthesize", `{"text":"hi"}`, "Prefer", "wait=20", "Accept", "audio/wav")
	}()
	var id string
	waitFor(t, func() bool {
		l := decode[taskList](t, h.do("GET", "/api/tasks", nil))
		if len(l.Items) == 1 {
			id = l.Items[0].TaskID
		}
		return id != ""
	})
	h.finish(id, "")
	if r := <-got; r.StatusCode != 200 || r.Header.Get("Content-Type") != "audio/wav" || !strings.HasPrefix(string(r.body), "RIFF") {
		t.Errorf("%s %s, %d bytes", r.Status, r.Header.Get("Content-Type"), len(r.body))
	}
}

func TestDownloadsAnswerRanges(t *testing.T) {
	h := newHarness(t, nil)
	task := h.generate()
	if r := h.do("GET", "/api/video/download/"+task, nil); r.StatusCode != 409 {
		t.Errorf("too early: %s", r.Status)
	}
	h.finish(task, "")
	h.ended(task, "completed")
	path := "/api/video/download/" + task
	whole := h.do("GET", path, nil)
	want := strings.Repeat("0123456789", 1000)
	if whole.StatusCode != 200 || string(whole.body) != want {
		t.Fatalf("%s, %d bytes", whole.Status, len(whole.body))
	}
	tag := whole.Header.Get("ETag")
	for _, c := range []struct {
		name, method, rng, ifRange, want string
		status                           int
	}{
		{"first bytes", "GET", "bytes=0-9", "", want[:10], 206},
		{"middle", "GET", "bytes=5003-5006", "", "3456", 206},
		{"from", "GET", "bytes=9995-", "", "56789", 206},
		{"last", "GET", "bytes=-3", "", "789", 206},
		{"beyond", "GET", "bytes=10000-", "", "", 416},
		{"nonsense", "GET", "bytes=x", "", "", 416},
		{"same version", "GET", "bytes=0-0", tag, "0", 206},
		{"other version", "GET", "bytes=0-0", `"other"`, want, 200},
		{"head", "HEAD", "", "", "", 200},
	} {
		headers := []string{"Range", c.rng, "If-Range", c.ifRange}
		r := h.do(c.method, path, nil, headers...)
		if r.StatusCode != c.status || c.status < 400 && string(r.body) != c.want {
			t.Errorf("%s: %s with %d bytes", c.name, r.Status, len(r.body))
		}
	}
	head := h.do("HEAD", path, nil)
	for name, want := range map[string]string{
		"Content-Length": "10000", "Content-Type": "video/mp4", "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff",
		"Content-Disposition": "inline; filename=videomsg-" + task + "-video.mp4", "ETag": tag,
	} {
		if got := head.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r := h.do("GET", path, nil, "If-None-Match", tag); r.StatusCode != 304 {
		t.Errorf("same again: %s", r.Status)
	}
}

func TestRerunTakesOverWhatIsDone(t *testing.T) {
	h := newHarness(t, nil)
	parent := h.generate(text("bgm_type", "calm"))
	h.finish(parent, "")
	before := h.ended(parent, "completed")
	r := h.json("POST", "/api/tasks/"+parent+"/rerun", `{"from":"bgm","changes":{"bgm_type":"upbeat","bgm_volume":0.7}}`)
	if r.StatusCode != 202 {
		t.Fatal(string(r.body))
	}
	child := decode[accepted](t, r).TaskID
	waitFor(t, func() bool { return h.do("GET", "/api/video/status/"+child, nil).StatusCode == 200 })
	m, err := h.b.Events.GetLastMsgForSubject(t.Context(), events.Subject(events.Task, events.Submitted, child))
	if err != nil {
		t.Fatal(err)
	}
	e, err := events.Decode(m.Header, m.Data)
	if err != nil {
		t.Fatal(err)
	}
	if e.Job.Request.BGM.Type != "upbeat" || *e.Job.Request.BGM.Volume != 0.7 || e.Job.Request.Parent != parent || strings.Join(e.Slip, " ") != "bgm video" {
		t.Errorf("submitted %+v with slip %v", e.Job.Request, e.Slip)
	}
	h.finish(child, "")
	after := h.ended(child, "completed")
	for i, s := range after.Stages {
		reused := s.Cache == "reused"
		if reused != (i < 3) {
			t.Errorf("stage %s: cache %q", s.Name, s.Cache)
		}
		if i < 3 && (len(s.Artifacts) != 1 || s.Artifacts[0].SHA256 != before.Stages[i].Artifacts[0].SHA256) {
			t.Errorf("stage %s: artefacts %+v", s.Name, s.Artifacts)
		}
	}
}

// The names on the title card are a blob of the task, and change as a whole.
func TestRerunChangesTheTitle(t *testing.T) {
	h := newHarness(t, nil)
	parent := h.generate(text("title_to", "Hanako"), text("title_from", "Taro"))
	h.finish(parent, "")
	h.ended(parent, "completed")
	for _, tt := range []struct{ changes, want string }{
		{`{"bgm_volume":0.5}`, `{"from":"Taro","to":"Hanako"}`},
		{`{"title_to":"Jiro","title_from":"Taro"}`, `{"from":"Taro","to":"Jiro"}`},
		{`{"title_to":"","title_from":""}`, ""},
	} {
		r := h.json("POST", "/api/tasks/"+parent+"/rerun", `{"from":"bgm","changes":`+tt.changes+`}`)
		if r.StatusCode != 202 {
			t.Fatal(string(r.body))
		}
		m, err := h.b.Events.GetLastMsgForSubject(t.Context(), events.Subject(events.Task, events.Submitted, decode[accepted](t, r).TaskID))
		if err != nil {
			t.Fatal(err)
		}
		e, err := events.Decode(m.Header, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if b, ok := e.Job.Blobs[events.BlobTitle]; ok {
			rc, err := h.blobs.Get(t.Context(), b.Key)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(rc)
			if err != nil {
				t.Fatal(err)
			}
			_ = rc.Close()
			got = string(raw)
		}
		if got != tt.want {
			t.Errorf("%s gives the card %s, want %s", tt.changes, got, tt.want)
		}
	}
	if r := h.json("POST", "/api/tasks/"+parent+"/rerun", `{"from":"video","changes":{"title_to":"Jiro"}}`); r.StatusCode != 422 {
		t.Errorf("from the video stage, without music for the card: %s", r.Status)
	}
}

// TestErasureLeavesNothingPersonal greps everything that can still be read: the
// events, the documents and the blobs; and the files on disk.
func TestErasureLeavesNothingPersonal(t *testing.T) {
	h := newHarness(t, nil)
	const name, words = "Hanako Yamada the second", "a very secret birthday wish"
	kept := h.generate(text("subject", "somebody else"))
	one := h.generate(text("subject", name), text("user_data", words+" in data"))
	two := decode[accepted](t, h.form("/api/video/generate", []part{file("image", picture()), text("text", words), text("subject", name)})).TaskID
	for _, id := range []string{kept, one} {
		h.finish(id, "")
		h.ended(id, "completed")
	}
	if len(h.grep(t, name, words)) == 0 || len(h.onDisk(t, name)) == 0 || len(h.onDisk(t, words)) == 0 {
		t.Fatal("nothing to erase: the test looks in the wrong places")
	}
	if r := h.do("DELETE", "/api/tasks/"+one, nil); r.StatusCode != 204 {
		t.Fatal(string(r.body))
	}
	if r := h.do("DELETE", "/api/subjects/"+strings.ReplaceAll(name, " ", "%20"), nil); r.StatusCode != 204 {
		t.Fatal(string(r.body))
	}
	for _, id := range []string{one, two} {
		waitFor(t, func() bool { return h.do("GET", "/api/video/status/"+id, nil).StatusCode == 410 })
		if r := h.do("DELETE", "/api/tasks/"+id, nil); r.StatusCode != 204 {
			t.Errorf("erased twice: %s", r.Status)
		}
		if r := h.do("GET", "/api/video/download/"+id, nil); r.StatusCode != 410 {
			t.Errorf("download: %s", r.Status)
		}
		task, _, err := status.Store{KV: h.b.Status}.Get(t.Context(), id)
		if err != nil || task.Erased == nil || len(task.Blobs)+len(task.Steps) != 0 || task.Request.Subject != "" {
			t.Errorf("tombstone %+v, %v", task, err)
		}
		info, err := h.b.Events.Info(t.Context(), jetstream.WithSubjectFilter(events.Subject("*", "*", id)))
		if err != nil || len(info.State.Subjects) != 1 {
			t.Errorf("events left: %v, %v", info.State.Subjects, err)
		}
	}
	if found := h.grep(t, name, words); len(found) != 0 {
		t.Errorf("still there: %v", found)
	}
	if found := h.onDisk(t, name, words); len(found) != 0 {
		t.Errorf("still on disk: %v", found)
	}
	if r := h.do("GET", "/api/video/download/"+kept, nil); r.StatusCode != 200 {
		t.Errorf("another task's file: %s", r.Status)
	}
	if l := decode[taskList](t, h.do("GET", "/api/tasks", nil)); len(l.Items) != 1 || l.Items[0].TaskID != kept {
		t.Errorf("list: %+v", l.Items)
	}
	r, err := status.Rebuild(t.Context(), h.b.Events, status.Store{KV: h.b.Status}, false)
	if err != nil || r.Different+r.Missing != 0 {
		t.Errorf("rebuild: %+v, %v", r, err)
	}
}

// grep looks for words in everything live and returns where they are.
func (h *harness) grep(t *testing.T, words ...string) (found []string) {
	t.Helper()
	look := func(where string, b []byte) {
		for _, w := range words {
			if strings.Contains(string(b), w) {
				found = append(found, where+": "+w)
			}
		}
	}
	err := status.Replay(t.Context(), h.b.Events, jetstream.OrderedConsumerConfig{}, func(e events.Event, _ uint64) error {
		look("event "+e.Subject(), fmt.Appendf(nil, "%+v", e))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range []jetstream.KeyValue{h.b.Status, h.b.Library, h.b.Idempotency, h.b.Limits, h.b.Webhooks} {
		if err := eachKey(t.Context(), kv, ">", func(key string, v []byte) error { look(kv.Bucket()+" "+key, v); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	lister, ok := h.blobs.(objectstore.Lister)
	if !ok {
		t.Fatal("the store cannot list")
	}
	var keys []string
	if err := lister.List(t.Context(), "", func(i objectstore.Info) bool { keys = append(keys, i.Key); return true }); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		rc, err := h.blobs.Get(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		_ = rc.Close()
		look("blob "+k, b)
	}
	return found
}

// onDisk greps the files of the data directory.
func (h *harness) onDisk(t *testing.T, words ...string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(h.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // files come and go
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil // files come and go
		}
		for _, w := range words {
			if strings.Contains(string(b), w) {
				found = append(found, strings.TrimPrefix(path, h.dir)+": "+w)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCancelIsIdempotentAndTooLateAfterTheEnd(t *testing.T) {
	h := newHarness(t, nil)
	task := h.generate()
	for range 3 {
		if r := h.do("POST", "/api/tasks/"+task+"/cancel", nil); r.StatusCode != 202 {
			t.Errorf("%s %s", r.Status, r.body)
		}
	}
	h.ended(task, "canceled")
	if r := h.do("POST", "/api/tasks/"+task+"/cancel", nil); r.StatusCode != 202 {
		t.Errorf("after it was canceled: %s", r.Status)
	}
	done := h.generate()
	h.finish(done, "")
	h.ended(done, "completed")
	if r := h.do("POST", "/api/tasks/"+done+"/cancel", nil); r.StatusCode != http.StatusConflict {
		t.Errorf("after it was completed: %s", r.Status)
	}
}
