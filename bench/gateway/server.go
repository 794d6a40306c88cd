package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/gateway"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/producers"
	"github.com/videomsg/videomsg/status"
	"github.com/videomsg/videomsg/vision/face"
)

const secret = "0123456789abcdef0123456789abcdef"

// A proc is a server in a process of its own.
type proc struct {
	cmd *exec.Cmd
	url string
	out *bufio.Reader
}

// self starts this program in a role; its first line of output is its address.
func self(ctx context.Context, role string, args ...string) (*proc, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return launch(ctx, exec.CommandContext(ctx, exe, append([]string{"-role", role}, args...)...))
}

func launch(_ context.Context, cmd *exec.Cmd) (*proc, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &proc{cmd: cmd, out: bufio.NewReader(out)}
	line, err := p.out.ReadString('\n')
	p.url = strings.TrimSpace(line)
	return p, err
}

func (p *proc) line() (string, error) {
	s, err := p.out.ReadString('\n')
	return strings.TrimSpace(s), err
}

func (p *proc) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
	}
}

// cpu is the processor seconds of the process and its children so far.
func cpu(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	var ticks float64
	for _, i := range []int{11, 12} {
		n, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return ticks / 100
}

// rss is the resident memory of a process in MB; peak its highest so far.
func rss(pid int) (now, peak float64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(b)) {
		name, v, _ := strings.Cut(line, ":")
		kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 64)
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			now = kb / 1024
		case "VmHWM":
			peak = kb / 1024
		}
	}
	return now, peak
}

// serveConstant is the bare handler with one answer: behind chi, or by net/http
// alone, which is the limit of what a Go server can do here.
func serveConstant(router bool) error {
	body := bytes.Repeat([]byte("x"), 1024)
	answer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}
	var r http.Handler = http.HandlerFunc(answer)
	if router {
		mux := chi.NewRouter()
		mux.Get("/api/video/status/{task}", answer)
		r = mux
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	return (&http.Server{Handler: r, ReadHeaderTimeout: time.Minute}).Serve(ln)
}

// serveOurs is the gateway with an embedded broker, a projector and no stages.
// Its second line of output is the id of a finished task, its third a token.
func serveOurs(ctx context.Context, backend string) error {
	dir, err := os.MkdirTemp("", "videomsg-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system cleans up what is left
	// Like the peers, without a line per request.
	log := slog.New(slog.DiscardHandler)
	b, err := broker.Open(ctx, log, broker.Config{DataDir: filepath.Join(dir, "broker")})
	if err != nil {
		return err
	}
	blobs, err := openStore(ctx, backend, dir, b)
	if err != nil {
		return err
	}
	pub := producers.Publisher{JS: b.JS}
	feed := gateway.NewFeed(log)
	failed := make(chan error, 3)
	go func() { failed <- feed.Follow(ctx, b.Conn, b.Status, b.Events) }()
	go func() { failed <- status.Serve(ctx, log, b.Events, status.Store{KV: b.Status}) }()
	faces, err := face.NewDetector()
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	g := gateway.New(gateway.Config{Secret: secret, GeneratePerMin: 1_000_000, WritesPerMin: 1_000_000}, gateway.Deps{
		Log: log, Tasks: status.Store{KV: b.Status}, Submit: pub, Blobs: blobs, JS: b.JS, Stream: b.Events, Feed: feed,
		Metrics: reg, Gather: reg, Library: b.Library, Idempotency: b.Idempotency, Faces: faces,
		Route:      func(events.Request) []string { return []string{"image", "voice", "prosody", "bgm", "video"} },
		CheckText:  func(string, string) error { return nil },
		CheckMusic: func(context.Context, string) error { return nil },
		CheckVoice: func(context.Context, string) error { return nil },
		Health:     func(context.Context) gateway.Health { return gateway.Health{} },
		Web:        http.NotFoundHandler(),
	})
	task, err := seed(ctx, pub)
	if err != nil {
		return err
	}
	token, err := gateway.NewToken(secret, "bench", gateway.RoleUser, time.Hour, time.Now())
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	fmt.Println(task)
	fmt.Println(token)
	go func() { failed <- (&http.Server{Handler: g, ReadHeaderTimeout: time.Minute}).Serve(ln) }()
	return <-failed
}

func openStore(ctx context.Context, backend, dir string, b *broker.Broker) (objectstore.Store, error) {
	switch backend {
	case "local":
		return dirstore.Open(filepath.Join(dir, "blobs"))
	case "jetstream", "":
		return natsstore.New(ctx, b.BlobJS, broker.BucketBlobs)
	}
	return nil, errors.New("no such backend")
}

// seed publishes the life of one finished task.
func seed(ctx context.Context, pub producers.Publisher) (string, error) {
	task := producers.NewTask()
	job := events.Job{Request: events.Request{Kind: events.KindVoice, Owner: "bench"}, Blobs: map[string]events.Blob{}}
	e := events.New(task, events.Task, events.Submitted, []string{"voice"}, job)
	evs := []events.Event{e}
	e = e.Next()
	evs = append(evs, e)
	e.Verb = events.Ready
	e.Job = job.Clone()
	e.Job.Blobs[events.BlobSpeech] = events.Blob{Key: "intermediates/" + task + "/voice/speech.wav", Type: "audio/wav", Size: 100_000, SHA256: strings.Repeat("a", 64)}
	e.Job.Blobs[events.BlobTimings] = events.Blob{Key: "intermediates/" + task + "/voice/timings.json", Type: "application/json", Size: 1000, SHA256: strings.Repeat("b", 64)}
	e.Job.Notes = []events.Note{{Stage: "voice", Engine: "openjtalk", Attempt: 1, Started: time.Now().UTC(), Seconds: 0.5, Artifacts: []string{events.BlobSpeech, events.BlobTimings}, Credit: "NIT ATR503 M001"}}
	evs = append(evs, e, e.Next())
	return task, pub.Publish(ctx, evs...)
}
