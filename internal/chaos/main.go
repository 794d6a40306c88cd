// Command chaos shows that no accepted task is lost, ended twice or paid for
// twice, whatever is killed. It runs the real runtime in processes of their own
// against a cluster of three nats-server processes, and then against one process
// with the embedded broker, kills them at random while tasks are submitted, and
// counts afterwards in the event stream itself.
//
// Its last line is
//
//	chaos: accepted=N completed=N failed=N lost=0 ended_twice=0 bought_twice=0 repeated=N seconds=…
//
// and it exits with 1 when anything was lost, ended twice or bought twice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// run is a child when its first argument is a role, and the test itself
// otherwise.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "child" {
		return child(ctx, args[1:])
	}
	var c plan
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.IntVar(&c.Tasks, "tasks", 2000, "tasks to submit, over both variants")
	f.IntVar(&c.Workers, "workers", 3, "worker processes")
	f.IntVar(&c.Kills, "kills", 10, "kills of the process with the embedded broker")
	f.DurationVar(&c.Every, "every", 4*time.Second, "time between two kills")
	f.DurationVar(&c.Patience, "patience", 5*time.Minute, "time for everything to end after the last kill")
	f.StringVar(&c.Server, "server", "bin/nats-server", "nats-server program; built when it is not there")
	f.StringVar(&c.Dir, "dir", "", "where to keep data and logs; empty is temporary")
	if err := f.Parse(args); err != nil {
		return err
	}
	return c.execute(ctx, out)
}

// A plan is how much chaos there shall be.
type plan struct {
	Tasks, Workers  int
	Kills           int
	Every, Patience time.Duration
	Server, Dir     string
}

// execute runs both variants and prints what they came to.
func (c plan) execute(ctx context.Context, out io.Writer) (err error) {
	started := time.Now()
	if c.Dir == "" {
		if c.Dir, err = os.MkdirTemp("", "chaos-*"); err != nil {
			return err
		}
		defer os.RemoveAll(c.Dir) //nolint:errcheck // temporary
	}
	if err := buildServer(ctx, c.Server); err != nil {
		return err
	}
	// Both at once: each mostly waits for leases to end.
	out = &shared{w: out}
	var cluster, embedded tally
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() { cluster, errs[0] = c.clustered(ctx, prefixed{out, "cluster: "}, c.Tasks*3/4) })
	wg.Go(func() { embedded, errs[1] = c.embedded(ctx, prefixed{out, "embedded: "}, c.Tasks-c.Tasks*3/4) })
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	sum := cluster.plus(embedded)
	fmt.Fprintf(out, "chaos: %s seconds=%.0f\n", sum, time.Since(started).Seconds())
	if !sum.good() {
		return errors.New("the pipeline broke a promise")
	}
	return nil
}

// shared is a writer for several goroutines.
type shared struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// prefixed begins each write, a line, with which variant it is from.
type prefixed struct {
	w      io.Writer
	prefix string
}

func (p prefixed) Write(b []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.prefix), b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// buildServer builds nats-server from the module this project depends on.
func buildServer(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build nats-server: %w: %s", err, out)
	}
	return nil
}
