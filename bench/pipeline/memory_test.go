package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/broker"
)

// build builds a program of this module or of one it depends on.
func build(b *testing.B, path string) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), filepath.Base(path))
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, path).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return program
}

func freePort(b *testing.B) string {
	b.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		b.Fatal(err)
	}
	return port
}

// start runs a program until the benchmark ends.
func start(b *testing.B, env []string, program string, args ...string) *os.Process {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), program, args...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process
}

const natsServer = "github.com/nats-io/nats-server/v2"

// startNATS runs a nats-server and gives its address once it answers.
func startNATS(b *testing.B, program string) (p *os.Process, url string) {
	b.Helper()
	port := freePort(b)
	address := net.JoinHostPort("127.0.0.1", port)
	p = start(b, []string{"GOMEMLIMIT=512MiB"}, program, "-a", "127.0.0.1", "-p", port, "-js", "-sd", b.TempDir())
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	if err := poll(ctx, time.Millisecond, func() (bool, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return false, nil //nolint:nilerr // not yet
		}
		return true, c.Close()
	}); err != nil {
		b.Fatal(err)
	}
	return p, "nats://" + address
}

// BenchmarkPipelineMemory runs 100,000 tasks through five stages and the projector
// and prints, every 10,000, what this process holds without the broker: that keeps
// an index of what it stores, which grows with what it keeps.
func BenchmarkPipelineMemory(b *testing.B) {
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	_, url := startNATS(b, build(b, natsServer))
	s := newOurs(b, broker.Config{URL: url})
	defer s.stop()
	ctx := b.Context()
	part := n / 10
	var heaps, goroutines []float64
	for done := 0; done < n; done += part {
		var wg sync.WaitGroup
		for p := range 8 {
			wg.Go(func() {
				for i := done + p; i < done+part; i += 8 {
					if err := s.submit(ctx, fmt.Sprintf("t%06d", i)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		for i := done; i < done+part; i += 100 {
			if err := s.done(ctx, fmt.Sprintf("t%06d", i), 5*time.Millisecond); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.done(ctx, fmt.Sprintf("t%06d", done+part-1), 5*time.Millisecond); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heaps, goroutines = append(heaps, float64(m.HeapAlloc)/(1<<20)), append(goroutines, float64(runtime.NumGoroutine()))
		fmt.Printf("%7d tasks: heap %.1f MiB, resident %.1f MiB, %d goroutines\n", done+part, heaps[len(heaps)-1], rss(), runtime.NumGoroutine())
	}
	first, last := heaps[0], heaps[len(heaps)-1]
	fmt.Printf("bench: pipeline-memory ours=%.1fMiB peer=%.1fMiB ratio=%.2f\n", last, first, first/last)
	fmt.Printf("bench: pipeline-goroutines ours=%.0f peer=%.0f ratio=%.2f\n", goroutines[len(goroutines)-1], goroutines[0], goroutines[0]/goroutines[len(goroutines)-1])
}
