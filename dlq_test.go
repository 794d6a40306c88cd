package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
	"github.com/videomsg/videomsg/status"
)

// giveUp records in dir two tasks whose image stage has given up.
func giveUp(t *testing.T, dir string) (tasks []string) {
	t.Helper()
	b, err := broker.Open(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)), broker.Config{DataDir: filepath.Join(dir, "broker")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	pub := producers.Publisher{JS: b.JS}
	for range 2 {
		task := producers.NewTask()
		tasks = append(tasks, task)
		submitted := events.New(task, events.Task, events.Submitted, []string{"image", "voice"}, events.Job{Request: events.Request{Kind: events.KindVideo, Owner: "local"}})
		failed := submitted.Next()
		failed.Verb = events.Failed
		failed.Job.Notes = []events.Note{{
			Stage: "image", Attempt: 3, Tries: []string{"connection refused", "connection reset"},
			Problem: &events.Problem{Code: "UNAVAILABLE", Detail: "No engine is available.", Cause: "dial tcp: connection refused"},
		}}
		end := events.New(task, events.Task, events.TaskFailed, nil, failed.Job)
		if err := pub.Publish(t.Context(), submitted, submitted.Next(), failed, end); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := status.Rebuild(t.Context(), b.Events, status.Store{KV: b.Status}, false); err != nil {
		t.Fatal(err)
	}
	return tasks
}

func TestDeadLettersFromTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	tasks := giveUp(t, dir)
	for _, secret := range []string{"", strings.Repeat("k", 40)} { // whoever has the secret is an administrator
		dlq := func(args ...string) (string, error) {
			t.Helper()
			var out, log bytes.Buffer
			env := map[string]string{"DATA_DIR": dir, "JWT_SECRET_KEY": secret}
			err := run(context.WithoutCancel(t.Context()), append([]string{"dlq"}, args...), func(k string) string { return env[k] }, &out, &log)
			return out.String(), err
		}
		list, err := dlq("list")
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)^(\d+) .*` + tasks[len(tasks)-1] + ` +image +UNAVAILABLE +3 tries +open$`).FindStringSubmatch(list)
		if found == nil {
			t.Fatalf("list is\n%s", list)
		}
		shown, err := dlq("show", found[1])
		for _, want := range []string{"UNAVAILABLE: No engine", "dial tcp", "attempt 1  connection refused", "attempt 2  connection reset", `"type": "videomsg.image.failed"`} {
			if err != nil || !strings.Contains(shown, want) {
				t.Fatalf("show lacks %q: %v\n%s", want, err, shown)
			}
		}
		if secret == "" {
			out, err := dlq("redrive", found[1])
			if err != nil || !strings.Contains(out, found[1]+": task ") {
				t.Fatalf("redrive says %q, %v", out, err)
			}
			if _, err := dlq("redrive", found[1]); err == nil {
				t.Error("the same dead letter was redriven twice")
			}
			tasks = tasks[:1]
			continue
		}
		if _, err := dlq("discard", "--all"); err != nil {
			t.Fatal(err)
		}
		if list, err := dlq("list"); err != nil || list != "" {
			t.Errorf("left are %v\n%s", err, list)
		}
		if list, err := dlq("list", "--state", "all"); err != nil || strings.Count(list, "\n") != 2 || !strings.Contains(list, "redriven") || !strings.Contains(list, "discarded") {
			t.Errorf("all are %v\n%s", err, list)
		}
		if _, err := dlq("discard"); err == nil {
			t.Error("discard without numbers does something")
		}
	}
	b, err := broker.Open(t.Context(), slog.New(slog.DiscardHandler), broker.Config{DataDir: filepath.Join(dir, "broker")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	again := 0
	if err := status.Replay(t.Context(), b.Events, jetstream.OrderedConsumerConfig{FilterSubjects: []string{events.AllSubjects}}, func(e events.Event, _ uint64) error {
		if e.Verb == events.Submitted && e.Job.Request.Parent != "" {
			again++
			if fmt.Sprint(e.Slip) != "[image voice]" {
				t.Errorf("the redriven task visits %v", e.Slip)
			}
		}
		return nil
	}); err != nil || again != 1 {
		t.Errorf("%d redriven tasks, %v", again, err)
	}
}
