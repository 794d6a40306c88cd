package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/producers"
	"github.com/videomsg/videomsg/status"
)

// role makes a process of this test binary a part of the pipeline, until it is
// killed: "worker" runs the stages at PIPELINE_URL, "all" also is the broker, in
// PIPELINE_DATA, and the projector.
const role = "PIPELINE_ROLE"

func TestMain(m *testing.M) {
	if r := os.Getenv(role); r != "" {
		fmt.Fprintln(os.Stderr, part(context.Background(), r))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// part runs a role; it returns only what ends it.
func part(ctx context.Context, role string) error {
	br, err := broker.Open(ctx, slog.New(slog.DiscardHandler), broker.Config{Name: role, URL: os.Getenv("PIPELINE_URL"), DataDir: os.Getenv("PIPELINE_DATA")})
	if err != nil {
		return err
	}
	o := &ours{Broker: br}
	failed := make(chan error)
	run := func(f func() error) { go func() { failed <- f() }() }
	o.work(ctx, run, 50*time.Millisecond)
	if role == "all" {
		run(func() error { return o.project(ctx) })
	}
	return <-failed
}

// killing is how many tasks are on their way when somebody is killed.
const killing = 60

// burst submits tasks and waits until the first one has ended.
func burst(b *testing.B, o *ours, name string) {
	b.Helper()
	for i := range killing {
		if err := o.submit(b.Context(), fmt.Sprintf("%s%03d", name, i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := o.done(b.Context(), name+"000", time.Millisecond); err != nil {
		b.Fatal(err)
	}
}

// drained is how long it takes from now until all of a burst have ended.
func drained(b *testing.B, o *ours, name string) float64 {
	b.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for i := range killing {
		if err := o.done(ctx, fmt.Sprintf("%s%03d", name, i), 5*time.Millisecond); err != nil {
			b.Fatalf("%s%03d is lost: %v", name, i, err)
		}
	}
	return time.Since(begin).Seconds()
}

// BenchmarkPipelineKill kills one of two workers in the middle of its stages, for
// good: how long until the other one has done everything. The peer is the same
// without the kill.
func BenchmarkPipelineKill(b *testing.B) {
	_, url := startNATS(b, build(b, natsServer))
	o := &ours{Broker: open(b, broker.Config{URL: url})}
	defer o.Close()
	o.pub, o.tasks = producers.Publisher{JS: o.JS}, status.Store{KV: o.Status}
	ctx, cancel := context.WithCancel(b.Context())
	o.wg.Go(func() { _ = o.project(ctx) })
	defer o.wg.Wait()
	defer cancel()
	env := []string{role + "=worker", "PIPELINE_URL=" + url}
	doomed := start(b, env, os.Args[0])
	start(b, env, os.Args[0])
	burst(b, o, "calm")
	peer := drained(b, o, "calm")
	burst(b, o, "kill")
	if err := doomed.Kill(); err != nil {
		b.Fatal(err)
	}
	ours := drained(b, o, "kill")
	fmt.Printf("bench: pipeline-kill-worker ours=%.2fs peer=%.2fs ratio=%.2f\n", ours, peer, peer/ours)
}

// BenchmarkPipelineKillAll kills the process that is broker, workers and projector
// ten times, each time with tasks on their way: how long after it starts again
// everything has ended, at most.
func BenchmarkPipelineKillAll(b *testing.B) {
	dir := b.TempDir()
	env := []string{role + "=all", "PIPELINE_DATA=" + dir}
	p := start(b, env, os.Args[0])
	if err := poll(b.Context(), time.Millisecond, func() (bool, error) {
		_, err := os.Stat(filepath.Join(dir, "socket"))
		return err == nil, nil
	}); err != nil {
		b.Fatal(err)
	}
	br, err := broker.Open(b.Context(), slog.New(slog.DiscardHandler), broker.Config{DataDir: dir, Join: true})
	if err != nil {
		b.Fatal(err)
	}
	o := &ours{Broker: br}
	defer o.Close()
	o.pub, o.tasks = producers.Publisher{JS: o.JS}, status.Store{KV: o.Status}
	burst(b, o, "calm")
	peer, ours := drained(b, o, "calm"), 0.0
	for i := range 10 {
		name := fmt.Sprintf("kill%d-", i)
		burst(b, o, name)
		if err := p.Kill(); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Wait(); err != nil { // it has the data directory until then
			b.Fatal(err)
		}
		p = start(b, env, os.Args[0])
		ours = max(ours, drained(b, o, name))
	}
	r, err := status.Rebuild(b.Context(), o.Events, o.tasks, false)
	if err != nil || r.Missing > 0 || r.Different > 0 {
		b.Errorf("documents are not the fold of the stream: %+v, %v", r, err)
	}
	fmt.Printf("bench: pipeline-kill-all ours=%.2fs peer=%.2fs ratio=%.2f\n", ours, peer, peer/ours)
}
