package storetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/objectstore"
)

// childEnv tells a test process that it is a child, and what to do.
const childEnv = "STORETEST_CHILD"

// Child does what the parent process asks for in the environment, with the store
// that open returns. A backend calls it in a test of its own, whose name it gives
// to Killed and Large; without a parent the test is skipped.
func Child(t *testing.T, open func(t *testing.T) objectstore.Store) {
	what, key, _ := strings.Cut(os.Getenv(childEnv), " ")
	switch what {
	case "":
		t.Skip("only for child processes")
	case "write":
		// Slowly and for ever: the parent kills this process.
		src := Stream(1<<40, 20)
		n := 0
		_, err := open(t).Put(t.Context(), key, readerFunc(func(b []byte) (int, error) {
			if n > 2<<20 {
				fmt.Println("writing") // the parent reads it
				time.Sleep(10 * time.Millisecond)
			}
			k, err := src.Read(b[:min(len(b), 64<<10)])
			n += k
			return k, err
		}))
		t.Fatalf("Put of an endless reader = %v", err)
	case "stream":
		size, key, _ := strings.Cut(key, " ")
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		stream(t, open(t), key, n)
	default:
		t.Fatalf("child is asked for %q", what)
	}
}

func stream(t *testing.T, s objectstore.Store, key string, n int64) {
	info, err := s.Put(t.Context(), key, Stream(n, 21))
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.Copy(io.Discard, struct{ io.Reader }{r})
	if err := errors.Join(err, r.Close()); err != nil || got != n || info.Size != n {
		t.Fatalf("read %d of %d bytes, %v", got, n, err)
	}
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("peak %d\n", peakRSS(t))
}

// peakRSS returns the largest resident size of this process so far, in bytes.
func peakRSS(t *testing.T) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	for line := range bytes.Lines(b) {
		if f := strings.Fields(string(line)); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}

func child(ctx context.Context, t *testing.T, test, what string, env []string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, exe, "-test.run=^"+test+"$", "-test.count=1")
	cmd.Env = append(append(os.Environ(), env...), childEnv+"="+what)
	cmd.Stderr = os.Stderr
	return cmd
}

// Killed kills a process in the middle of its Put, by a signal it cannot catch,
// and checks that nothing of it is readable, that the content from before stays,
// and that Scavenge removes the remains. childTest is the name of the test that
// calls Child; env tells it where the store is.
func Killed(t *testing.T, s objectstore.Full, childTest string, env ...string) {
	for _, before := range [][]byte{nil, Bytes(300_000, 22)} {
		key := unique("killed")
		if before != nil {
			put(t, s, key, before)
		}
		cmd := child(t.Context(), t, childTest, "write "+key, env)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var said []string
		for n := 0; n < 3; {
			if !lines.Scan() {
				t.Fatalf("the child ended by itself: %v: %q", cmd.Wait(), said)
			}
			if said = append(said, lines.Text()); lines.Text() == "writing" {
				n++
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the killed child ended well")
		}
		if before == nil {
			wantMissing(t, s, key)
		} else {
			wantContent(t, s, key, before)
		}
		n, err := s.Scavenge(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("scavenged %+v", n)
		if again, err := s.Scavenge(t.Context(), 0); err != nil || again.Parts != 0 {
			t.Errorf("a second Scavenge = %+v, %v; want nothing", again, err)
		}
		if before != nil {
			wantContent(t, s, key, before)
		}
		// The key is as good as any.
		put(t, s, key, []byte("after"))
		wantContent(t, s, key, []byte("after"))
	}
}

// MaxRSS is what a process may use to stream an object of any size.
const MaxRSS = 64 << 20

// Large streams an object through a process of its own and checks that the
// process stays below MaxRSS. The object has 1 GiB if STORETEST_LARGE is set,
// else 160 MiB, which is more than MaxRSS as well.
func Large(t *testing.T, childTest string, env ...string) {
	size := int64(160 << 20)
	if os.Getenv("STORETEST_LARGE") != "" {
		size = 1 << 30
	}
	if raceEnabled {
		t.Skip("the race detector multiplies memory")
	}
	out, err := child(t.Context(), t, childTest, fmt.Sprintf("stream %d %s", size, unique("large")), env).Output()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "peak" {
			peak, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d MiB streamed under %d MiB", size>>20, peak>>20)
			if peak > MaxRSS {
				t.Errorf("peak RSS is %d MiB, want at most %d", peak>>20, MaxRSS>>20)
			}
			return
		}
	}
	t.Fatalf("the child did not tell its peak:\n%s", out)
}
