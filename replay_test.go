package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// TestReplay runs the command with each of its flags on the history of two tasks,
// beside the process that has the data directory.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	b, err := broker.Open(t.Context(), slog.New(slog.DiscardHandler), broker.Config{DataDir: filepath.Join(dir, "broker")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	pub := producers.Publisher{JS: b.JS}
	var half time.Time
	for _, task := range []string{"one", "two"} {
		submitted := events.New(task, events.Task, events.Submitted, []string{"image", "voice"}, events.Job{Request: events.Request{Kind: events.KindVideo}})
		ready := submitted.Next()
		ready.Verb = events.Ready
		half = ready.Time
		later := ready.Next()
		later.Time = half.Add(time.Second)
		failed := later
		failed.Verb = events.Failed
		failed.Job.Notes = []events.Note{{Stage: "voice", Problem: &events.Problem{Code: "UNAVAILABLE", Detail: "No engine is available."}}}
		end := events.New(task, events.Task, events.TaskFailed, nil, failed.Job)
		end.Time = half.Add(2 * time.Second)
		if err := pub.Publish(t.Context(), submitted, submitted.Next(), ready, later, failed, end); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"DATA_DIR": dir}
	replay := func(ctx context.Context, stdout io.Writer, args ...string) error {
		return run(ctx, append([]string{"replay"}, args...), func(k string) string { return env[k] }, stdout, t.Output())
	}

	for args, want := range map[string]int{
		"":                          12,
		"--task one":                6,
		"--stage voice":             4,
		"--stage voice --task one":  2,
		"--stage task":              4,
		"--from 7":                  6,
		"--from 7 --task one":       -1, // an error: there are none
		"--since 1h":                12,
		"--since 1ns":               0,
		"--json":                    12,
		"--task three":              -1,
		"--task ../x":               -1,
		"--at 2030-01-01T00:00:00Z": -1, // of which task?
		"--into dev":                -1,
		"--into vm --task one":      -1,
		"--into dev.* --task one":   -1,
		"--task one --follow --at " + "2030-01-01T00:00:00Z": -1,
	} {
		var out bytes.Buffer
		err := replay(t.Context(), &out, strings.Fields(args)...)
		n := strings.Count(out.String(), "\n")
		if (err != nil) != (want < 0) || err == nil && n != want {
			t.Errorf("replay %s: %d lines, want %d, %v", args, n, want, err)
		}
		if args == "--json" {
			for line := range strings.Lines(out.String()) {
				var e events.Event
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
		}
	}

	for at, want := range map[time.Time]string{half: "image_ready", half.Add(time.Hour): "failed"} {
		var out bytes.Buffer
		var got struct{ Status string }
		if err := replay(t.Context(), &out, "--task", "two", "--at", at.Format(time.RFC3339Nano)); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Status != want {
			t.Errorf("at %s: %s, want %s, %v", at, out.String(), want, err)
		}
	}

	t.Run("into another prefix", func(t *testing.T) {
		sub, err := b.Conn.SubscribeSync("dev.>")
		if err != nil {
			t.Fatal(err)
		}
		if err := replay(t.Context(), io.Discard, "--task", "one", "--into", "dev"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"dev.image.requested.one", "dev.voice.requested.one"} {
			m, err := sub.NextMsg(5 * time.Second)
			if err != nil || m.Subject != want {
				t.Fatalf("%+v, want %s, %v", m, want, err)
			}
			if e, err := events.Decode(m.Header, m.Data); err != nil || e.Verb != events.Requested || e.Job.Request.Kind != events.KindVideo {
				t.Errorf("%+v, %v", e, err)
			}
		}
		if m, err := sub.NextMsg(50 * time.Millisecond); err == nil {
			t.Errorf("%s is no request", m.Subject)
		}
	})

	t.Run("follow", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		r, w := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- replay(ctx, w, "--from", "12", "--follow") }()
		lines := bufio.NewScanner(r)
		for i, want := range []string{"12", "14", "15"} { // 13 is no event
			if !lines.Scan() || !strings.HasPrefix(strings.TrimSpace(lines.Text()), want+" ") {
				t.Fatalf("line %d is %q, want %s", i, lines.Text(), want)
			}
			if i > 0 {
				continue
			}
			if _, err := b.JS.PublishMsg(t.Context(), &nats.Msg{Subject: "vm.image.requested.x", Data: []byte("no event")}); err != nil {
				t.Fatal(err)
			}
			for _, task := range []string{"three", "four"} {
				if err := pub.Submit(t.Context(), task, []string{"image"}, "", events.Job{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		stop()
		go func() { _, _ = io.Copy(io.Discard, r) }()
		if err := <-done; err != nil {
			t.Errorf("an interrupted replay ends with %v", err)
		}
	})
}
