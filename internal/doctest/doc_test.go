// Package doctest runs what README and docs tell people to type. Each block fenced
// as sh is run against a service of its own, line by line; a line that begins with
// "! " must fail. Blocks fenced as console show what needs a Docker engine, systemd,
// root, or make, which the checks of those run themselves.
package doctest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/internal/process"
)

const (
	root    = "../.."
	address = "http://127.0.0.1:55433" // in the documents
)

// A block is one fenced block of commands.
type block struct {
	file string
	line int
	text string
}

var fence = regexp.MustCompile("(?ms)^( *)```sh\n(.*?)^ *```")

func blocks(t *testing.T) (all []block) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append([]string{filepath.Join(root, "README.md")}, files...) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllSubmatchIndex(b, -1) {
			all = append(all, block{filepath.Base(path), bytes.Count(b[:m[0]], []byte("\n")) + 1, string(b[m[4]:m[5]])})
		}
	}
	return all
}

// shell runs commands in dir, where the documents' relative paths lead to the
// repository's files.
type shell struct {
	dir     string
	program string
	env     []string
	swap    *strings.Replacer
}

func newShell(t *testing.T, replace ...string) shell {
	t.Helper()
	s := shell{dir: t.TempDir(), swap: strings.NewReplacer(replace...)}
	for _, name := range []string{"testdata", "deploy", "docs"} {
		abs, err := filepath.Abs(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(abs, filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	song := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440:duration=3", filepath.Join(s.dir, "song.mp3"))
	if out, err := song.CombinedOutput(); err != nil {
		t.Fatalf("make song.mp3: %v\n%s", err, out)
	}
	program, err := process.Build(filepath.Join(s.dir, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	s.program = program
	s.env = []string{"PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"), "HOME=" + s.dir, "DATA_DIR=" + filepath.Join(s.dir, "data"), "PORT=0", "LANG=C.UTF-8"}
	return s
}

func (s shell) run(ctx context.Context, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-uc", s.swap.Replace(line))
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// serve starts the service and returns its address.
func (s shell) serve(t *testing.T) string {
	t.Helper()
	env := append(s.env, "DATA_DIR="+filepath.Join(s.dir, "service"), "LOG_LEVEL=WARN", "SHUTDOWN_GRACE=1s", "WEBHOOK_ALLOW_PRIVATE=true")
	p, err := process.Start(t, s.program, env, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p.URL
}

// task makes a voice-only task, which is quick, or the video that downloads need,
// and waits for its end.
func (s shell) task(t *testing.T, url, submit string) string {
	t.Helper()
	out, err := s.run(t.Context(), submit)
	if err != nil {
		t.Fatalf("submit: %v\n%s", err, out)
	}
	var a struct {
		ID string `json:"task_id"`
	}
	if err := json.Unmarshal([]byte(out), &a); err != nil || a.ID == "" {
		t.Fatalf("submit: %s", out)
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		out, err := s.run(t.Context(), "curl -s "+url+"/api/video/status/"+a.ID)
		if err == nil && strings.Contains(out, `"completed"`) {
			return a.ID
		}
	}
	t.Fatalf("task %s has not completed", a.ID)
	return ""
}

func TestCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a video")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed: make setup-test")
	}
	all := blocks(t)
	if len(all) < 12 {
		t.Fatalf("%d blocks of commands: at least 12", len(all))
	}
	s := newShell(t)
	url := s.serve(t)
	submit := "curl -s -F consent=true -F image=@testdata/portrait/sample.jpg -F text=やあ " + url + "/api/video/generate"
	task, spare := s.task(t, url, submit), s.task(t, url, submit)
	s.swap = strings.NewReplacer(address, url, "TASK", task, "SPARE", spare, "curl -s ", "curl -s --fail-with-body --max-time 60 ")
	lines := 0
	for _, b := range all {
		for i, line := range strings.Split(strings.ReplaceAll(b.text, "\\\n", " "), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			lines++
			line, bad := strings.CutPrefix(line, "! ")
			out, err := s.run(t.Context(), line)
			if (err != nil) != bad {
				t.Errorf("%s:%d: %s\n%v\n%s", b.file, b.line+i+1, line, err, clip(out))
			}
		}
	}
	t.Logf("%d commands in %d blocks", lines, len(all))
}

func clip(s string) string {
	if len(s) > 2000 {
		return fmt.Sprintf("%s… (%d bytes)", s[:2000], len(s))
	}
	return s
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinks follows links between the documents.
func TestLinks(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, path := range append([]string{filepath.Join(root, "README.md")}, files...) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			seen++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", filepath.Base(path), err)
			}
		}
	}
	if seen == 0 {
		t.Error("no links")
	}
}
