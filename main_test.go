package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/internal/process"
	"github.com/videomsg/videomsg/status"
)

// build makes the real binary, once: what is killed and what makes videos is the
// program that users run.
var build = sync.OnceValues(func() (string, error) { return process.Build(scratch) })

// scratch is where build puts the program.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "videomsg-test-*"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

func builtBinary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// service is a running binary.
type service struct {
	*process.Running
	url string
}

// start runs `videomsg serve` on dir and waits until it listens.
func start(t *testing.T, dir string, env ...string) *service {
	t.Helper()
	return startRoles(t, dir, nil, env...)
}

// startRoles runs a process with some roles only; none means all.
func startRoles(t *testing.T, dir string, roles []string, env ...string) *service {
	t.Helper()
	var args []string
	if len(roles) > 0 {
		args = append(args, "--roles", strings.Join(roles, ","))
	}
	env = append(append(os.Environ(), "DATA_DIR="+dir, "PORT=0", "LOG_LEVEL=WARN", "SHUTDOWN_GRACE=1s"), env...)
	p, err := process.Start(t, builtBinary(t), env, t.Output(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return &service{p, p.URL}
}

// portraitPNG is the sample portrait, small, so that a video costs little.
func portraitPNG(t testing.TB, side int) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, process.Portrait(t, "testdata/portrait/sample.jpg", side)); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// post submits a form and returns the status code and the decoded answer.
func post(t testing.TB, url string, fields map[string]any) (int, map[string]any) {
	t.Helper()
	ct, body := process.Form(t, fields)
	res, err := http.Post(url+"/api/video/generate", ct, body) //nolint:noctx // the test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

// get decodes the answer to a GET.
func get(t testing.TB, url string, v any) int {
	t.Helper()
	res, err := http.Get(url) //nolint:noctx,gosec // the test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		t.Fatalf("%s: %s: %v", url, res.Status, err)
	}
	return res.StatusCode
}

type taskStatus struct {
	Status   string
	VideoURL string `json:"video_url"`
	Error    *struct{ Code, Detail string }
	Stages   []struct {
		Name, State, Engine string
		FallbackFrom        []events.Fallback `json:"fallback_from"`
	}
}

// TestNoTaskIsLostWhenTheProcessIsKilled submits 50 tasks, kills the whole
// program twice while they run, and finds 50 videos and one end for each.
func TestNoTaskIsLostWhenTheProcessIsKilled(t *testing.T) {
	dir := t.TempDir()
	portrait := portraitPNG(t, 128)
	const n = 50
	s := start(t, dir, "WORKERS_VIDEO=2", "RATE_GENERATE=1000")
	var tasks []string
	for range n {
		code, answer := post(t, s.url, map[string]any{"image": portrait, "text": "はい。", "bgm_type": "none", "aspect": "source", "background": "original"})
		if code != http.StatusAccepted {
			t.Fatal(code, answer)
		}
		tasks = append(tasks, answer["task_id"].(string))
	}
	ended := func() (done int) {
		for _, id := range tasks {
			var st taskStatus
			if code := get(t, s.url+"/api/video/status/"+id, &st); code != http.StatusOK {
				t.Fatalf("status of %s answers %d", id, code)
			}
			switch st.Status {
			case status.Completed, status.Failed, status.Canceled:
				done++
			}
		}
		return done
	}
	waitFor := func(want int) {
		t.Helper()
		for deadline := time.Now().Add(8 * time.Minute); ended() < want; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d tasks have ended", ended(), want)
			}
		}
	}
	for _, after := range []int{3, 12} {
		waitFor(after)
		s.Kill()
		s = start(t, dir, "WORKERS_VIDEO=2", "RATE_GENERATE=1000")
	}
	waitFor(n)
	for _, id := range tasks {
		checkFinished(t, s.url, id)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("files are left in the temporary directory: %v %v", left, err)
	}
}

// checkFinished downloads the video of a completed task and counts its ends.
func checkFinished(t *testing.T, url, id string) {
	t.Helper()
	var st taskStatus
	get(t, url+"/api/video/status/"+id, &st)
	if st.Status != status.Completed {
		t.Errorf("%s: %s %+v", id, st.Status, st.Error)
		return
	}
	res, err := http.Get(url + st.VideoURL) //nolint:noctx,gosec // the test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	path := filepath.Join(t.TempDir(), id+".mp4")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, res.Body); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := avatar.Probe(path); err != nil {
		t.Errorf("%s: %v", id, err)
	}
	var list struct {
		Events []struct{ Event events.Event }
	}
	get(t, url+"/api/tasks/"+id+"/events", &list)
	ends := 0
	for _, r := range list.Events {
		if r.Event.Terminal() {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("%s has %d terminal events", id, ends)
	}
}

// TestSendMakesAVideoInOneProcess is the whole job without a server, and its
// recorded events afterwards.
func TestSendMakesAVideoInOneProcess(t *testing.T) {
	dir := t.TempDir()
	portrait := filepath.Join(dir, "p.png")
	if err := os.WriteFile(portrait, portraitPNG(t, 256), 0o600); err != nil {
		t.Fatal(err)
	}
	video := filepath.Join(dir, "out", "v.mp4")
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), builtBinary(t), args...)
		cmd.Env = append(os.Environ(), "DATA_DIR="+filepath.Join(dir, "data"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	out := run("send", portrait, "おはようございます。", "-o", video)
	for _, want := range []string{"image    ready", "voice    ready    openjtalk", "bgm      ready", "video    ready    portrait", video, "credit"} {
		if !strings.Contains(out, want) {
			t.Errorf("send does not say %q:\n%s", want, out)
		}
	}
	if _, err := avatar.Probe(video); err != nil {
		t.Error(err)
	}

	s := start(t, filepath.Join(dir, "data"))
	out = run("send", portrait, "Good morning.", "-o", video, "--server", s.url, "--language", "en", "--set", "bgm_type=none")
	if !strings.Contains(out, "voice    ready    espeak") {
		t.Errorf("English is not spoken by espeak-ng:\n%s", out)
	}
	task := strings.TrimPrefix(strings.SplitN(out, "\n", 2)[0], "task ")
	sameLength(t, s.url, task, video)
	verifies(t, filepath.Join(dir, "data"), s.url, video)
	timeline := run("replay", "--task", task)
	for _, want := range []string{"task.submitted", "image.requested", "video.ready", "task.completed"} {
		if strings.Count(timeline, want) != 1 {
			t.Errorf("the timeline does not show %s once:\n%s", want, timeline)
		}
	}
	s.Kill()
	if again := run("replay", "--task", task); again != timeline {
		t.Errorf("the timeline differs when it is read from the data directory:\n%s\n%s", again, timeline)
	}
	if out := run("rebuild"); !strings.Contains(out, "1 tasks: 1 identical, 0 missing, 0 different") {
		t.Errorf("rebuild says %s", out)
	}
}

// sameLength compares the video with the speech on its own clock, which starts
// and ends with a quarter of a second at rest.
func sameLength(t *testing.T, url, task, video string) {
	t.Helper()
	f, err := avatar.Probe(video)
	if err != nil {
		t.Fatal(err)
	}
	for artifact, rest := range map[string]float64{"speech": 0.5, "stem": 0} {
		res, err := http.Get(url + "/api/video/download/" + task + "?artifact=" + artifact) //nolint:noctx,gosec // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		a, err := wav.Decode(res.Body, 1<<24)
		_ = res.Body.Close()
		if err != nil {
			t.Fatalf("%s: %v", artifact, err)
		}
		want := a.Duration().Seconds() + rest
		if math.Abs(f.Video-want) > 0.1 || math.Abs(f.Audio-want) > 0.1 {
			t.Errorf("%.3f s of picture and %.3f s of sound for %.3f s of %s", f.Video, f.Audio, want, artifact)
		}
	}
}

func TestMissingProgramsAreNamed(t *testing.T) {
	dir := t.TempDir()
	env := func(k string) string {
		return map[string]string{"DATA_DIR": dir, "OPEN_JTALK_DIC": "/nowhere"}[k]
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"doctor"}, env, &out, t.Output()); err == nil {
		t.Error("doctor is content")
	}
	if !strings.Contains(out.String(), "open-jtalk-mecab-naist-jdic") {
		t.Errorf("doctor does not name the package:\n%s", out.String())
	}
	s := start(t, filepath.Join(dir, "serve"), "OPEN_JTALK_DIC=/nowhere")
	_, answer := post(t, s.url, map[string]any{"image": portraitPNG(t, 128), "text": "漢字", "require": "voice=openjtalk"})
	id := answer["task_id"].(string)
	var st taskStatus
	for deadline := time.Now().Add(time.Minute); st.Status != status.Failed; time.Sleep(50 * time.Millisecond) {
		if get(t, s.url+"/api/video/status/"+id, &st); time.Now().After(deadline) {
			t.Fatalf("the task is %s", st.Status)
		}
	}
	if st.Error == nil || st.Error.Code != "UNAVAILABLE" || !strings.Contains(st.Error.Detail, "open-jtalk-mecab-naist-jdic") {
		t.Errorf("the failure is %+v", st.Error)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	bad := map[string]string{"PORT": "99999", "LOG_LEVEL": "LOUD", "STORAGE_BACKEND": "floppy", "WORKERS_VIDEO": "0", "TASK_TIMEOUT": "soon", "NATS_REPLICAS": "2"}
	err := run(t.Context(), []string{"serve"}, func(k string) string { return bad[k] }, io.Discard, io.Discard)
	if err == nil {
		t.Fatal("bad settings are accepted")
	}
	for k, v := range bad {
		if !strings.Contains(err.Error(), v) && !strings.Contains(err.Error(), k) {
			t.Errorf("the error does not speak of %s=%s:\n%v", k, v, err)
		}
	}
}

func TestTwoProcessesDoNotShareADataDirectory(t *testing.T) {
	dir := t.TempDir()
	conf := broker.Config{DataDir: dir}
	b, err := broker.Open(t.Context(), slog.Default(), conf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Open(t.Context(), slog.Default(), conf); err == nil {
		t.Fatal("a second broker opened the same directory")
	}
	b.Close()
	b, err = broker.Open(context.WithoutCancel(t.Context()), slog.Default(), conf)
	if err != nil {
		t.Fatalf("the directory cannot be opened after it was closed: %v", err)
	}
	b.Close()
}
