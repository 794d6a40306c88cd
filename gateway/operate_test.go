package gateway

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/events"
)

// What was done is counted from the stream: another process that has just begun
// tells the same.
func TestThroughputIsReadFromTheStream(t *testing.T) {
	h := newHarness(t, nil)
	begun := time.Now().UTC().Add(-time.Minute).Truncate(time.Minute)
	done, failed := h.generate(), h.generate()
	h.finish(done, "")
	h.finish(failed, "bgm")
	h.ended(done, "completed")
	h.ended(failed, "failed")
	slow := events.New("01k0slow", "image", events.Ready, []string{"voice"}, events.Job{
		Request: events.Request{Owner: "bob"},
		Notes: []events.Note{{
			Stage: "image", Engine: "local", Attempt: 3, Seconds: 2.5,
			Fallback: []events.Fallback{{Engine: "rembg", Reason: "failed"}},
		}},
	})
	long := slow
	long.Task, long.Time = "01k0long", begun.Add(-time.Hour) // recorded now, happened before
	h.publish(slow, long)

	sum := func(r reply) (m Minute) {
		t.Helper()
		m.Stages = map[string]Count{}
		for _, x := range decode[throughput](t, r).Items {
			m.Completed += x.Completed
			m.Failed += x.Failed
			for name, c := range x.Stages {
				all := m.Stages[name]
				all.Ready, all.Failed, all.Retries, all.Seconds = all.Ready+c.Ready, all.Failed+c.Failed, all.Retries+c.Retries, all.Seconds+c.Seconds
				for e, n := range c.Replaced {
					all.Replaced = plusOne(all.Replaced, e)
					all.Replaced[e] += n - 1
				}
				m.Stages[name] = all
			}
		}
		return m
	}
	as := func(path string) reply { return h.do("GET", path, nil, "Authorization", "Bearer "+h.admin) }
	check := func(who string, m Minute) {
		t.Helper()
		img := m.Stages["image"]
		if m.Completed != 1 || m.Failed != 1 || img.Ready != 3 || img.Retries != 2 || img.Seconds < 2.5 || img.Replaced["rembg"] != 1 || m.Stages["bgm"].Failed != 1 || m.Stages["video"].Ready != 1 {
			t.Errorf("%s: %+v", who, m)
		}
	}
	r := as("/api/admin/throughput")
	if n := len(decode[throughput](t, r).Items); n != 60 {
		t.Errorf("%d minutes, want 60", n)
	}
	check("the hour", sum(r))
	check("since before the work", sum(as("/api/admin/throughput?since="+begun.Format(time.RFC3339))))
	page := decode[throughput](t, as("/api/admin/throughput?limit=59"))
	if len(page.Items) != 59 || page.Next == "" {
		t.Fatalf("%d minutes on the first page, next %q", len(page.Items), page.Next)
	}
	if last := decode[throughput](t, as("/api/admin/throughput?since="+page.Next)); last.Next != "" || len(last.Items) < 1 || len(last.Items) > 2 {
		t.Errorf("the last page: %d minutes, next %q", len(last.Items), last.Next)
	}

	deps := h.g.Deps
	deps.Metrics = prometheus.NewRegistry()
	again := New(h.g.conf, deps)
	h.g.mux, h.g.serve = again.mux, again.serve
	check("after a restart", sum(as("/api/admin/throughput")))
	for _, q := range []string{"limit=0", "limit=61", "limit=x", "since=yesterday", "since=2999-01-01T00:00:00Z"} {
		if r := as("/api/admin/throughput?" + q); r.StatusCode != 422 || r.code() != codeRange {
			t.Errorf("%s: %d %s", q, r.StatusCode, r.body)
		}
	}
}

func TestWorkersAreThoseWhoSaySo(t *testing.T) {
	h := newHarness(t, nil)
	say := func(subject string, w events.Worker) {
		b, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.b.Conn.Publish(subject, b); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().UTC()
	video := events.Worker{ID: "b", Host: "blue", Stage: "video", Places: 2, Since: now, Running: []events.Run{{Task: "t", Attempt: 1, Since: now}}}
	image := events.Worker{ID: "a", Stage: "image", Places: 1, Since: now, Running: []events.Run{}}
	say(events.WorkerSubject("voice", "c"), video) // speaks for another
	if err := h.b.Conn.Publish(events.WorkerSubject("voice", "d"), []byte("{")); err != nil {
		t.Fatal(err)
	}
	say(events.WorkerSubject("video", "b"), video)
	say(events.WorkerSubject("image", "a"), image)
	var got []events.Worker
	for end := time.Now().Add(time.Minute); len(got) < 2 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		got = decode[list[events.Worker]](t, h.do("GET", "/api/admin/workers", nil, "Authorization", "Bearer "+h.admin)).Items
	}
	if len(got) != 2 || got[0].ID != "a" || got[1].Host != "blue" || len(got[1].Running) != 1 {
		t.Fatalf("workers: %+v", got)
	}
	if left := h.g.Feed.workers.list(plan5, time.Now().Add(events.WorkerSilence+time.Second)); len(left) != 0 {
		t.Errorf("the silent ones are still there: %+v", left)
	}
}

var pathParams = regexp.MustCompile(`\{[a-z]+\}`)

// A viewer sees everything an operator sees and can change none of it.
func TestViewersChangeNothing(t *testing.T) {
	h := newHarness(t, nil)
	viewer := h.token("eve", RoleViewer)
	paths := map[string]bool{}
	for _, rt := range h.g.api() {
		if rt.access != admin {
			continue
		}
		path := pathParams.ReplaceAllString(rt.path, "1")
		r := h.do(rt.method, path, nil, "Authorization", "Bearer "+viewer)
		paths[rt.method] = true
		if look := rt.method == http.MethodGet; look && r.StatusCode == http.StatusForbidden || !look && r.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s: %d", rt.method, path, r.StatusCode)
		}
	}
	if got := slices.Sorted(maps.Keys(paths)); !slices.Equal(got, []string{"DELETE", "GET", "POST"}) {
		t.Errorf("tried %v", got)
	}
}
