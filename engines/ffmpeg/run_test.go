package ffmpeg_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
)

func TestRun(t *testing.T) {
	t.Setenv("SECRET", "do not pass on")
	for name, c := range map[string]struct {
		cmd  ffmpeg.Cmd
		out  string
		fail string
	}{
		"gives what the program prints":        {ffmpeg.Cmd{Name: "echo", Args: []string{"a", "b"}}, "a b\n", ""},
		"feeds standard input":                 {ffmpeg.Cmd{Name: "cat", Stdin: strings.NewReader("in")}, "in", ""},
		"passes no environment on":             {ffmpeg.Cmd{Name: "env", Env: []string{"A=1"}}, "PATH=/usr/local/bin:/usr/bin:/bin\nLC_ALL=C\nA=1\n", ""},
		"works in / by default":                {ffmpeg.Cmd{Name: "pwd"}, "/\n", ""},
		"sets limits":                          {ffmpeg.Cmd{Name: "sh", Args: []string{"-c", "ulimit -v; ulimit -t"}, Memory: 1 << 30, CPU: 2 * time.Second}, "1048576\n2\n", ""},
		"quotes the end of standard error":     {ffmpeg.Cmd{Name: "sh", Args: []string{"-c", "echo no >&2; exit 3"}}, "", "sh: exit status 3: no"},
		"names the signal":                     {ffmpeg.Cmd{Name: "sh", Args: []string{"-c", "kill -TERM $$"}}, "", "sh: terminated"},
		"keeps only the end of standard error": {ffmpeg.Cmd{Name: "sh", Args: []string{"-c", "seq 100000 >&2; exit 1"}}, "", "99999\n100000"},
	} {
		var out bytes.Buffer
		c.cmd.Stdout = &out
		err := ffmpeg.Run(t.Context(), c.cmd)
		if (err == nil) != (c.fail == "") || (err != nil && !strings.HasSuffix(err.Error(), c.fail)) {
			t.Errorf("%s: error %v, want %q", name, err, c.fail)
		}
		if err != nil && len(err.Error()) > 2200 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
		if out.String() != c.out {
			t.Errorf("%s: printed %q, want %q", name, out.String(), c.out)
		}
	}
}

func TestRunNamesTheMissingPackage(t *testing.T) {
	for _, name := range []string{"no-such-program", "/no/such/program", "/etc/passwd", "/usr"} {
		err := ffmpeg.Run(t.Context(), ffmpeg.Cmd{Name: name, Package: "nothing"})
		if !errors.Is(err, engines.ErrUnavailable) || !strings.Contains(err.Error(), "install the package nothing") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunKillsTheWholeGroup(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	started := make(chan struct{})
	go func() {
		<-started
		cancel(cause)
	}()
	begin := time.Now()
	// The grandchild holds descriptor 3; the pipe ends only when it is dead.
	err = ffmpeg.Run(ctx, ffmpeg.Cmd{Name: "sh", Args: []string{"-c", "sleep 60 & echo started; wait"}, Stdout: signal(started), ExtraFiles: []*os.File{w}})
	if !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
	w.Close()
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("read something from a pipe nobody wrote to")
	}
	if d := time.Since(begin); d > 50*time.Second { // it would be 60
		t.Errorf("took %s", d)
	}
}

// signal closes itself on the first write.
type signal chan struct{}

func (s signal) Write(p []byte) (int, error) {
	close(s)
	return len(p), nil
}

func TestRunReportsItsOwnPipes(t *testing.T) {
	err := ffmpeg.Run(t.Context(), ffmpeg.Cmd{Name: "yes", Stdout: full{}})
	if !errors.Is(err, errFull) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
