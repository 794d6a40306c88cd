// Package process runs the real program in tests, as users run it: built without the
// race detector, in a process of its own, spoken to over HTTP.
package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"mime/multipart"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/image/draw"
)

// Build returns the path of the program: the one that VIDEOMSG_BINARY names, which
// `make test` has just built, or one that it builds in dir. It may be called from any
// directory of the module.
func Build(dir string) (string, error) {
	if built := os.Getenv("VIDEOMSG_BINARY"); built != "" { //nolint:forbidigo // tests only
		return built, nil
	}
	path := filepath.Join(dir, "videomsg")
	out, err := exec.Command("go", "build", "-o", path, "github.com/videomsg/videomsg").CombinedOutput() //nolint:noctx // outlives the first test
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
}

// Running is a running `videomsg serve`.
type Running struct {
	URL string // where it listens

	cmd  *exec.Cmd
	err  error         // how it ended
	done chan struct{} // closed at its end
}

// Start runs `serve` with args and waits until it listens. What it logs goes to log.
// The process outlives t's context; whoever starts it stops it.
func Start(t testing.TB, path string, env []string, log io.Writer, args ...string) (*Running, error) {
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, append([]string{"serve"}, args...)...)
	cmd.Env, cmd.Stderr = env, log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	const says = "videomsg listens on "
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, says) {
		_ = cmd.Process.Kill()
		return nil, errors.Join(fmt.Errorf("serve says %q", line), cmd.Wait())
	}
	p := &Running{URL: strings.TrimSpace(strings.TrimPrefix(line, says)), cmd: cmd, done: make(chan struct{})}
	go func() {
		_, _ = io.Copy(io.Discard, r) // keeps the pipe open
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the process has ended.
func (p *Running) Done() <-chan struct{} { return p.done }

// Terminate asks the process to end, as an init system does, and waits for it.
func (p *Running) Terminate() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-p.done
	return p.err
}

// Stop asks the process to end, and insists after a while.
func (p *Running) Stop() {
	defer time.AfterFunc(15*time.Second, func() { _ = p.cmd.Process.Kill() }).Stop()
	_ = p.Terminate() // it may have ended already
}

// Kill ends the process as a crash does.
func (p *Running) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// Form is a multipart body; a value that is bytes is a file.
func Form(t testing.TB, fields map[string]any) (contentType string, body *bytes.Buffer) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for name, v := range fields {
		var err error
		switch v := v.(type) {
		case string:
			err = w.WriteField(name, v)
		case []byte:
			var part io.Writer
			if part, err = w.CreateFormFile(name, "file"); err == nil {
				_, err = part.Write(v)
			}
		default:
			err = fmt.Errorf("field %s is %T", name, v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), body
}

// Portrait is the JPEG at path, square and small, so that a video costs little.
func Portrait(t testing.TB, path string, side int) *image.RGBA {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	src, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	dst := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.ApproxBiLinear.Scale(dst, dst.Rect, src, src.Bounds(), draw.Src, nil)
	return dst
}
