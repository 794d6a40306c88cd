// Package ffmpeg runs media programs, ffmpeg and ffprobe above all, as
// separate processes: decoding what users upload, probing it, and encoding what
// is handed out. Uploads are hostile: everything that reads one names the
// formats and protocols it may use, and bounds time, memory and output.
package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/videomsg/videomsg/engines"
)

const (
	// grace is how long a cancelled program may take to close its files.
	grace = 3 * time.Second
	// tail is how much of stderr is kept for the error.
	tail = 2048
)

// A Cmd is one program to run.
type Cmd struct {
	Name       string   // looked up in the fixed system path, unless it is absolute
	Args       []string // without the name
	Stdin      io.Reader
	Stdout     io.Writer  // nil: discarded
	ExtraFiles []*os.File // become descriptors 3, 4, …
	Dir        string     // working directory; empty: /
	Env        []string   // in addition to a fixed PATH and LC_ALL=C; never our own environment
	Package    string     // the Debian package to name when the program is missing
	Memory     int64      // bytes of address space; 0: unlimited
	CPU        time.Duration
}

// searchPath is where programs are looked for, in this order. It is fixed so
// that an environment cannot substitute a program.
var searchPath = [...]string{"/usr/local/bin", "/usr/bin", "/bin"}

// An ExitError is a program that ran and did not succeed. Its text holds the
// end of what the program said.
type ExitError struct {
	Name   string
	Code   int    // exit code; -1 when a signal ended it
	Signal string // such as "killed"; empty after a normal exit
	Stderr string // the last 2 KiB
}

func (e *ExitError) Error() string {
	s := fmt.Sprintf("%s: exit status %d", e.Name, e.Code)
	if e.Signal != "" {
		s = fmt.Sprintf("%s: %s", e.Name, e.Signal)
	}
	if e.Stderr != "" {
		s += ": " + e.Stderr
	}
	return s
}

// Run runs c and waits for it. When ctx ends, the whole process group is
// killed and Run returns the cause of ctx. A program that is not installed is
// engines.ErrUnavailable, one that fails is an *ExitError, and a Stdin or
// Stdout that fails is that error. Run is safe for concurrent use.
func Run(ctx context.Context, c Cmd) error {
	path, err := lookup(c)
	if err != nil {
		return err
	}
	args := c.Args
	if c.Memory > 0 || c.CPU > 0 {
		path, args, err = limited(path, c)
		if err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{"PATH=" + strings.Join(searchPath[:], ":"), "LC_ALL=C"}, c.Env...)
	cmd.Dir = c.Dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	stderr := &lastBytes{}
	cmd.Stderr, cmd.ExtraFiles = stderr, c.ExtraFiles
	in, out := &source{r: c.Stdin}, &sink{w: c.Stdout}
	if cmd.Stdin = c.Stdin; !file(c.Stdin) && c.Stdin != nil {
		cmd.Stdin = in
	}
	if cmd.Stdout = c.Stdout; !file(c.Stdout) && c.Stdout != nil {
		cmd.Stdout = out
	}
	// An own group, so that children of the program go down with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	cmd.WaitDelay = grace
	return outcome(ctx, c.Name, cmd.Run(), errors.Join(in.err.get(), out.err.get()), stderr)
}

// outcome makes one error of what the program and our ends of its pipes say.
// Ours come first: a program whose output nobody takes dies of that.
func outcome(ctx context.Context, name string, err, pipes error, stderr *lastBytes) error {
	if err == nil && pipes == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", name, context.Cause(ctx))
	}
	if pipes != nil {
		return fmt.Errorf("%s: %w", name, pipes)
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	e := &ExitError{Name: name, Code: exit.ExitCode(), Stderr: stderr.String()}
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		e.Signal = s.Signal().String()
	}
	return e
}

// file reports whether exec can hand v to the program as it is, without copying.
func file(v any) bool {
	_, ok := v.(*os.File)
	return ok
}

// source and sink remember the error of our end of a pipe. exec copies in its
// own goroutines, and leaves one behind when a reader blocks beyond the grace
// period: hence the atomics.
type source struct {
	r   io.Reader
	err failure
}

type failure struct{ p atomic.Pointer[error] }

func (f *failure) set(err error) { f.p.Store(&err) }

func (f *failure) get() error {
	if p := f.p.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err.set(err)
	}
	return n, err
}

type sink struct {
	w   io.Writer
	err failure
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.err.set(err)
	}
	return n, err
}

// lookup finds the program in the fixed path.
func lookup(c Cmd) (string, error) {
	if strings.HasPrefix(c.Name, "/") {
		if executable(c.Name) {
			return c.Name, nil
		}
		return "", missing(c)
	}
	for _, dir := range searchPath {
		if p := dir + "/" + c.Name; executable(p) {
			return p, nil
		}
	}
	return "", missing(c)
}

func executable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}

func missing(c Cmd) error {
	mend := "install it"
	if c.Package != "" {
		mend = "install the package " + c.Package
	}
	return &engines.MissingError{What: c.Name, Mend: mend}
}

// limited wraps the command in prlimit (util-linux, always there on Debian),
// because Go cannot set limits between fork and exec.
func limited(path string, c Cmd) (string, []string, error) {
	prlimit, err := lookup(Cmd{Name: "prlimit", Package: "util-linux"})
	if err != nil {
		return "", nil, err
	}
	args := []string{"--core=0"}
	if c.Memory > 0 {
		args = append(args, fmt.Sprintf("--as=%d", c.Memory))
	}
	if c.CPU > 0 {
		args = append(args, fmt.Sprintf("--cpu=%d", int64((c.CPU+time.Second-1)/time.Second)))
	}
	return prlimit, append(append(args, "--", path), c.Args...), nil
}

// lastBytes keeps the end of what is written to it. exec.Cmd writes from one
// goroutine, which is done before an ExitError is made of it.
type lastBytes struct{ b []byte }

func (l *lastBytes) Write(p []byte) (int, error) {
	l.b = append(l.b, p[max(0, len(p)-tail):]...)
	if len(l.b) > tail {
		l.b = append(l.b[:0], l.b[len(l.b)-tail:]...)
	}
	return len(p), nil
}

func (l *lastBytes) String() string {
	return strings.ToValidUTF8(string(bytes.TrimSpace(l.b)), "?")
}
