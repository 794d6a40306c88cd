package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/internal/process"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
	"github.com/videomsg/videomsg/status"
)

// recorded is what commit 1a436e2, the first version that ran in roles, had on its
// stream and in its status bucket: a task that completed, one that failed, one that
// was canceled, and one whose image stage nobody had begun when it stopped.
const (
	recorded = "testdata/recorded/1a436e2"
	waiting  = "01m8764q4tjh2e3d505kkn5frt"
)

type recordedEvent struct {
	Seq     uint64            `json:"seq"`
	Subject string            `json:"subject"`
	Header  map[string]string `json:"header"`
	Data    json.RawMessage   `json:"data"`
}

func lines[T any](t *testing.T, name string) (list []T) {
	t.Helper()
	f, err := os.Open(filepath.Join(recorded, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

var stamp = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

// fresh moves every time in s as far as now is from the recording, so that the
// waiting task is not older than a task may be.
func fresh(t *testing.T, s string, by time.Duration) string {
	t.Helper()
	return stamp.ReplaceAllStringFunc(s, func(at string) string {
		v, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			t.Fatal(err)
		}
		return v.Add(by).Format(time.RFC3339Nano)
	})
}

// TestTasksOfAnOlderVersion puts the recorded stream and documents before this
// version, as an upgrade does: what had ended reads as it did, folds to the same
// documents, and what was on its way arrives.
func TestTasksOfAnOlderVersion(t *testing.T) {
	evs, docs := lines[recordedEvent](t, "events.jsonl"), lines[status.Task](t, "status.jsonl")
	if len(evs) != 24 || len(docs) != 4 {
		t.Fatalf("%d events, %d documents", len(evs), len(docs))
	}
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := broker.Open(t.Context(), log, broker.Config{DataDir: filepath.Join(dir, "broker")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	age := time.Since(docs[0].Created)
	folded := map[string]status.Task{}
	for _, r := range evs {
		header := nats.Header{}
		for k, v := range r.Header {
			if strings.HasSuffix(r.Subject, waiting) {
				v = fresh(t, v, age)
			}
			header.Set(k, v)
		}
		data := []byte(r.Data)
		if strings.HasSuffix(r.Subject, waiting) {
			data = []byte(fresh(t, string(data), age))
		}
		ack, err := b.JS.PublishMsg(t.Context(), &nats.Msg{Subject: r.Subject, Header: header, Data: data})
		if err != nil || ack.Sequence != r.Seq {
			t.Fatalf("publish %s: %+v, %v", r.Subject, ack, err)
		}
		e, err := events.Decode(header, data)
		if err != nil {
			t.Fatalf("decode %s: %v", r.Subject, err)
		}
		if e.Subject() != r.Subject || e.Version > events.Version {
			t.Errorf("%s reads as %s of version %d", r.Subject, e.Subject(), e.Version)
		}
		folded[e.Task], _ = status.Apply(folded[e.Task], e, r.Seq)
	}
	for _, want := range docs {
		if want.ID == waiting {
			continue
		}
		// What the older program kept, the newer one makes of the same events.
		if diff := cmp.Diff(want, folded[want.ID], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s folds to another document (-recorded +folded):\n%s", want.ID, diff)
		}
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Status.Put(t.Context(), want.ID, raw); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	store, err := dirstore.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	portrait, err := os.ReadFile(filepath.Join(recorded, "portrait.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"portrait": portrait, "text": []byte("またね。")} {
		if _, err := store.Put(t.Context(), objectstore.Key(objectstore.Inputs, waiting, name), bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}

	s := start(t, dir, "STORAGE_BACKEND=local")
	for _, d := range docs {
		if d.ID == waiting {
			continue
		}
		var st shown
		if code := get(t, s.url+"/api/video/status/"+d.ID, &st); code != 200 || st.Status != d.State() {
			t.Errorf("%s: %d, %s, want %s", d.ID, code, st.Status, d.State())
		}
	}
	if st := finished(t, s, waiting); st.Status != "completed" {
		t.Errorf("the task that was on its way ended as %+v", st)
	}
}

// TestSIGTERMLetsStagesFinish stops the program in the middle of a stage: with time
// it finishes the stage and begins no other, without it hands the request back.
// Either way it ends in time and without an error, and the next one goes on.
func TestSIGTERMLetsStagesFinish(t *testing.T) {
	for name, c := range map[string]struct {
		grace  string
		before string // what the stream must hold of the video stage when the process has ended
	}{
		"with time":    {"5m", "video.ready"},
		"without time": {"1ms", "video.requested"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, dir, "STORAGE_BACKEND=local", "SHUTDOWN_GRACE="+c.grace)
			ct, body := process.Form(t, map[string]any{"image": portraitPNG(t, 200), "text": "おめでとうございます。", "consent": "true", "bgm_type": "none", "aspect": "source", "background": "original"})
			task := request(t, http.MethodPost, s.url+"/api/video/generate", ct, body)
			for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
				var st shown
				get(t, s.url+"/api/video/status/"+task, &st)
				if i := slices.IndexFunc(st.Stages, func(x stageShown) bool { return x.Name == "video" }); i >= 0 && st.Stages[i].State == "running" {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("the video stage does not begin: %+v", st)
				}
			}
			if err := s.Terminate(); err != nil {
				t.Errorf("it ends with %v", err)
			}
			cmd := exec.CommandContext(t.Context(), builtBinary(t), "replay", "--task", task)
			cmd.Env = append(os.Environ(), "DATA_DIR="+dir)
			out, err := cmd.Output()
			if err != nil || !strings.Contains(string(out), c.before) || c.before == "video.requested" && strings.Contains(string(out), "video.ready") {
				t.Errorf("%v, want %s last in\n%s", err, c.before, out)
			}
			s = start(t, dir, "STORAGE_BACKEND=local")
			if st := finished(t, s, task); st.Status != "completed" {
				t.Errorf("it ended as %+v", st)
			}
		})
	}
}
