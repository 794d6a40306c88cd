package main

import (
	"bufio"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// TestSubscriberSeesEveryEnd runs the example against a broker that listens.
func TestSubscriberSeesEveryEnd(t *testing.T) {
	b, err := broker.Open(t.Context(), slog.Default(), broker.Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	bin := filepath.Join(t.TempDir(), "subscriber")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pub := producers.Publisher{JS: b.JS}
	end := func(task string, verb events.Verb) {
		if err := pub.Publish(t.Context(), events.New(task, events.Task, verb, nil, events.Job{})); err != nil {
			t.Fatal(err)
		}
	}
	end("before", events.TaskCompleted)
	cmd := exec.CommandContext(t.Context(), bin, b.ClientURL(), "test")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()         //nolint:errcheck // killed
	defer cmd.Process.Kill() //nolint:errcheck // may be gone
	lines := bufio.NewScanner(out)
	for _, want := range []string{"before-task-ended completed", "after-task-ended failed"} {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
		if strings.HasPrefix(want, "before") {
			end("after", events.TaskFailed)
		}
	}
}
