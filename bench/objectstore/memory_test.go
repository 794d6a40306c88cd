package objectstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/storetest"
)

// childEnv tells a process of this program that it is a child, and what to do.
const childEnv = "BENCH_OBJECTSTORE_CHILD"

func TestMain(m *testing.M) {
	what := strings.Fields(os.Getenv(childEnv))
	if len(what) == 0 {
		os.Exit(m.Run())
	}
	if err := child(context.Background(), what); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is "serve DIR", a NATS server until standard input ends, or "stream
// STORE ADDRESS BYTES".
func child(ctx context.Context, what []string) error {
	switch {
	case what[0] == "serve" && len(what) == 2:
		srv, err := startServer(what[1])
		if err != nil {
			return err
		}
		defer srv.WaitForShutdown()
		defer srv.Shutdown()
		fmt.Println(srv.ClientURL())
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	case what[0] == "stream" && len(what) == 4:
		n, err := strconv.ParseInt(what[3], 10, 64)
		if err != nil {
			return err
		}
		s, done, err := openOurs(ctx, what[1], what[2])
		if err != nil {
			return err
		}
		defer done()
		return stream(ctx, s, n)
	}
	return fmt.Errorf("unknown child %q", what)
}

// stream puts and gets an object of n bytes.
func stream(ctx context.Context, s objectstore.Full, n int64) error {
	const key = "temporary/memory"
	if _, err := s.Put(ctx, key, storetest.Stream(n, 1)); err != nil {
		return err
	}
	r, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close(), s.Delete(ctx, key))
}

// BenchmarkMemory streams objects of several sizes, each through a process that
// has nothing else to do, and prints its peak resident size, which must not
// depend on the object's. The NATS server, too, has its own process and line.
func BenchmarkMemory(b *testing.B) {
	for _, name := range []string{"dir", "nats", "s3"} {
		b.Run(name, func(b *testing.B) {
			address, server := b.TempDir(), 0
			switch name {
			case "nats":
				address, server = serve(b, address)
			case "s3":
				address = s3Endpoint(b)
			}
			for _, n := range []int64{1 << 20, 32 << 20, 512 << 20, 2 << 30} {
				if server > 0 { // resets its VmHWM
					if err := os.WriteFile(filepath.Join("/proc", strconv.Itoa(server), "clear_refs"), []byte("5"), 0); err != nil {
						b.Skipf("peak cannot be reset: %v", err)
					}
				}
				cmd := childOf(b, "stream "+name+" "+address+" "+strconv.FormatInt(n, 10))
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				fmt.Printf("bench: %s-rss-%dMiB ours=%dMiB", name, n>>20, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss>>10)
				if server > 0 {
					fmt.Printf(" server=%dMiB", peakMiB(b, server))
				}
				fmt.Println()
			}
		})
	}
}

func childOf(b *testing.B, what string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	return cmd
}

// serve starts a NATS server in a process of its own.
func serve(b *testing.B, dir string) (url string, pid int) {
	cmd := childOf(b, "serve "+dir)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil && b.Context().Err() == nil {
			b.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

func peakMiB(b *testing.B, pid int) int {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		b.Skip(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		b.Fatal(err)
	}
	return kib >> 10
}
