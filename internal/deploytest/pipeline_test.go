package deploytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/internal/process"
)

// build makes the program: this is what users run.
var build = sync.OnceValues(func() (string, error) { return process.Build(scratch) })

// scratch is where build puts the program.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "videomsg-deploy-*"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

func binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// as is the environment of a process that is one of the broker's users.
func as(dir, user, brokers string) []string {
	return []string{
		"NATS_URL=" + brokers, "NATS_NKEY=" + filepath.Join(dir, user+".nk"), "NATS_INBOX=_INBOX_" + user,
		"NATS_CA=" + filepath.Join(dir, "ca.pem"), "ENVIRONMENT=production",
	}
}

// run runs a command to its end and returns what it says.
func run(t testing.TB, env []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	cmd.Env = append(clean(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// clean is this process's environment without settings of a developer's own.
func clean() []string {
	var env []string
	for _, kv := range os.Environ() {
		for _, keep := range []string{"PATH=", "HOME=", "TMPDIR=", "LANG="} {
			if strings.HasPrefix(kv, keep) {
				env = append(env, kv)
			}
		}
	}
	return env
}

// serve starts a process with one role and waits until it listens.
func serve(t testing.TB, role string, env ...string) *process.Running {
	t.Helper()
	p, err := start(t, role, env...)
	if err != nil {
		t.Fatalf("%s: %v", role, err)
	}
	t.Cleanup(p.Stop)
	return p
}

func start(t testing.TB, role string, env ...string) (*process.Running, error) {
	env = append(append(clean(), "PORT=0", "DATA_DIR="+t.TempDir(), "LOG_LEVEL=WARN", "SHUTDOWN_GRACE=5s", "NATS_DECLARE=false"), env...)
	return process.Start(t, binary(t), env, prefixed{t.Output(), role}, "--roles", role)
}

type prefixed struct {
	w    io.Writer
	role string
}

func (p prefixed) Write(b []byte) (int, error) {
	_, err := fmt.Fprintf(p.w, "%s: %s", p.role, b)
	return len(b), err
}

// token asks the program for a token of a user.
func token(t testing.TB, secret string) string {
	t.Helper()
	out, err := run(t, []string{"JWT_SECRET_KEY_FILE=" + secret}, "token", "--user", "tester")
	if err != nil {
		t.Fatalf("token: %v\n%s", err, out)
	}
	return strings.TrimSpace(out)
}

// client is a user of the API.
type client struct{ url, token string }

func (c client) do(ctx context.Context, method, path, contentType string, body io.Reader) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}

// await polls a task until it has ended.
func (c client) await(t testing.TB, task string, patience time.Duration) map[string]any {
	t.Helper()
	var doc map[string]any
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		code, b, err := c.do(t.Context(), "GET", "/api/video/status/"+task, "", nil)
		if err != nil || code != http.StatusOK {
			continue
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatalf("status: %v in %s", err, b)
		}
		if s := doc["status"]; s == "completed" || s == "failed" || s == "canceled" {
			return doc
		}
	}
	t.Fatalf("task %s has not ended: %v", task, doc)
	return nil
}

// TestPipelineWithUsers runs every role as its own user, each in its own process,
// and makes a video.
func TestPipelineWithUsers(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a video")
	}
	t.Parallel()
	s := newSite(t)
	if out, err := run(t, as(s.dir, "gateway", s.url()), "bootstrap"); err == nil {
		t.Fatalf("the gateway's user may declare:\n%s", out)
	}
	early, err := run(t, append(as(s.dir, "status", s.url()), "NATS_DECLARE=false", "DATA_DIR="+t.TempDir()), "serve", "--roles", "status")
	if err == nil || !strings.Contains(early, "videomsg bootstrap") {
		t.Errorf("before the declaration: %v\n%s", err, early)
	}
	out, err := run(t, as(s.dir, "operator", s.url()), "bootstrap")
	if err != nil {
		t.Fatalf("bootstrap: %v\n%s", err, out)
	}
	if n := strings.Count(out, "consumer "); n != 13 {
		t.Errorf("%d consumers declared:\n%s", n, out)
	}
	secret := s.file("jwt_secret")
	// With a service outside configured, the gateway opens the orders as well, to
	// erase what is kept there. Nothing calls it: the task requires our own engine.
	outside := "LIPSYNC_URL=http://127.0.0.1:9"
	gw := serve(t, "gateway", append(as(s.dir, "gateway", s.url()), "JWT_SECRET_KEY_FILE="+secret, outside)...)
	for _, role := range []string{"image", "voice", "prosody", "bgm", "video", "status", "notify"} {
		p := serve(t, role, append(as(s.dir, role, s.url()), outside)...)
		if code, _, err := (client{url: p.URL}).do(t.Context(), "GET", "/readyz", "", nil); err != nil || code != http.StatusNoContent {
			t.Errorf("%s ready: %d, %v", role, code, err)
		}
		if code, _, err := (client{url: p.URL}).do(t.Context(), "GET", "/api/tasks", "", nil); err != nil || code != http.StatusNotFound {
			t.Errorf("%s serves the API: %d, %v", role, code, err)
		}
	}
	portrait, err := os.ReadFile("../../testdata/portrait/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 1)
	sub, err := s.connect(t, "subscriber").SubscribeSync("live.ended.*")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if m, err := sub.NextMsg(2 * time.Minute); err == nil {
			heard <- m.Subject
		}
	}()
	c := client{gw.URL, token(t, secret)}
	ct, body := process.Form(t, map[string]any{"text": "おめでとう", "consent": "true", "require": "video=portrait", "image": portrait})
	code, b, err := c.do(t.Context(), "POST", "/api/video/generate", ct, body)
	if err != nil || code != http.StatusAccepted {
		t.Fatalf("generate: %d, %v\n%s", code, err, b)
	}
	var accepted struct {
		Task string `json:"task_id"`
	}
	if err := json.Unmarshal(b, &accepted); err != nil || accepted.Task == "" {
		t.Fatalf("answer %s: %v", b, err)
	}
	if doc := c.await(t, accepted.Task, 2*time.Minute); doc["status"] != "completed" {
		t.Fatalf("task ended as %v", doc)
	}
	if code, b, err := c.do(t.Context(), "GET", "/api/video/download/"+accepted.Task, "", nil); err != nil || code != http.StatusOK || len(b) < 10_000 {
		t.Errorf("download: %d, %d bytes, %v", code, len(b), err)
	}
	select {
	case got := <-heard:
		if got != "live.ended."+accepted.Task {
			t.Errorf("the subscriber outside heard %s", got)
		}
	case <-time.After(time.Minute):
		t.Error("the subscriber outside heard nothing")
	}
	if code, b, err := c.do(t.Context(), "GET", "/api/tasks/"+accepted.Task+"/events", "", nil); err != nil || code != http.StatusOK || !bytes.Contains(b, []byte("video.ready")) {
		t.Errorf("history: %d, %v, %.200s", code, err, b)
	}
	if code, b, err := c.do(t.Context(), "DELETE", "/api/tasks/"+accepted.Task, "", nil); err != nil || code >= 300 {
		t.Errorf("erase: %d, %v\n%s", code, err, b)
	}
}
