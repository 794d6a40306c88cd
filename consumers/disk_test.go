package consumers

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
	"github.com/videomsg/videomsg/producers"
)

// TestFullDisk runs in a process of its own, whose files the kernel keeps from
// growing: writes really fail, those of the broker too.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv("FULL_DISK") != "" {
		fullDisk(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), "FULL_DISK="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// limitFiles lets no file grow beyond n bytes.
func limitFiles(t *testing.T, n uint64) {
	t.Helper()
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}); err != nil {
		t.Fatal(err)
	}
}

// fullDisk has a task whose blob does not fit fail while another goes on, then
// the broker itself unable to write, and then room again.
func fullDisk(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ) // then a write gives an error
	dir := os.Getenv("FULL_DISK")
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := broker.Open(t.Context(), log, broker.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	files, err := dirstore.Open(dir + "/blobs")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Broker: b, pub: producers.Publisher{JS: b.JS}, cancels: NewCancels(), tries: make(chan Try, 1000)}
	f.ctx, f.stop = context.WithCancel(t.Context())
	defer f.wg.Wait()
	defer f.stop()
	f.runner = &Runner{Log: log, JS: b.JS, Events: b.Events, Publish: f.pub}
	blobs := Blobs{Store: files}
	begun, full := make(chan string, 10), make(chan struct{})
	f.serve(t, Stage{Name: "image", Workers: 2, Tries: 2, Run: func(ctx context.Context, w Work) (Result, error) {
		size := 1000
		switch w.Task {
		case "big":
			size = 4 << 20
		case "held":
			begun <- w.Task
			<-full // it is done when the broker can write no more
		}
		blob, err := blobs.Put(ctx, objectstore.Intermediates, w.Task, "image", "made", "image/png", bytes.NewReader(make([]byte, size)))
		return Result{Blobs: map[string]events.Blob{"made": blob}}, err
	}})
	submit := func(task, owner string, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return f.pub.Submit(ctx, task, []string{"image"}, "", events.Job{Request: events.Request{Owner: owner}})
	}
	limitFiles(t, 1<<20)
	for _, task := range []string{"held", "big", "small"} {
		if err := submit(task, "", time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	n, _ := f.wait(t, events.Task, events.Ended, "big").Job.Note("image")
	if n.Problem == nil || !strings.Contains(n.Problem.Cause, "file too large") || !n.Problem.Retryable {
		t.Errorf("the task whose blob does not fit ends with %+v", n.Problem)
	}
	if e := f.wait(t, events.Task, events.Ended, "small"); e.Verb != events.TaskCompleted {
		t.Errorf("another task ends as %s", e.Verb)
	}

	<-begun
	var accepted []string
	var health error
	for i := 0; health == nil && i < 1000; i++ { // one refused on a busy machine is no sign yet
		task := fmt.Sprintf("t%04d", i)
		if err := submit(task, strings.Repeat("x", 30_000), 2*time.Second); err != nil {
			health = b.Health(t.Context())
			continue
		}
		accepted = append(accepted, task)
	}
	if health == nil || !strings.Contains(health.Error(), "write error") {
		t.Errorf("a broker that cannot write is said to be %v", health)
	}
	close(full)
	time.Sleep(time.Second) // the finished work cannot be told
	limitFiles(t, unix.RLIM_INFINITY)
	f.wg.Go(func() { _ = b.Mend(f.ctx, log, 100*time.Millisecond) })
	for _, task := range append(accepted, "held") {
		if e := f.wait(t, events.Task, events.Ended, task); e.Verb != events.TaskCompleted {
			t.Errorf("%s ended as %s: %+v", task, e.Verb, e.Job.Notes)
		}
	}
	if err := b.Health(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := submit("after", "", time.Minute); err != nil {
		t.Error(err)
	}
	f.wait(t, events.Task, events.Ended, "after")
}
