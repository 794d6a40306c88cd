package pipeline

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// BenchmarkPipelineRest starts the whole service, and a nats-server alone: how long
// until each takes the first task or message, and what it costs at rest.
func BenchmarkPipelineRest(b *testing.B) {
	service, server := build(b, "github.com/videomsg/videomsg"), build(b, natsServer)
	begin := time.Now()
	port := freePort(b)
	dir := b.TempDir()
	ours := start(b, []string{"PORT=" + port, "DATA_DIR=" + dir, "LOG_LEVEL=ERROR"}, service, "serve")
	ct, body := picture(b)
	for {
		res, err := http.Post("http://127.0.0.1:"+port+"/api/image/process", ct, bytes.NewReader(body)) //nolint:noctx // ends with the process
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode < 300 {
				break
			}
		}
		if time.Since(begin) > time.Minute {
			b.Fatal("no task is taken")
		}
		time.Sleep(5 * time.Millisecond)
	}
	oursTook := time.Since(begin).Seconds()

	begin = time.Now()
	peer, url := startNATS(b, server)
	nc, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.ReconnectWait(5*time.Millisecond), nats.MaxReconnects(-1))
	if err != nil {
		b.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	for {
		if _, err = js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err == nil {
			break
		}
		if time.Since(begin) > time.Minute {
			b.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := js.Publish(b.Context(), "s", nil); err != nil {
		b.Fatal(err)
	}
	peerTook := time.Since(begin).Seconds()
	nc.Close()

	time.Sleep(15 * time.Second) // until the task has ended and its garbage is gone
	const rest = 20 * time.Second
	o, p := ticks(b, ours), ticks(b, peer)
	time.Sleep(rest)
	o, p = (ticks(b, ours)-o)/rest.Seconds(), (ticks(b, peer)-p)/rest.Seconds()
	fmt.Printf("bench: pipeline-start ours=%.2fs peer=%.2fs ratio=%.2f\n", oursTook, peerTook, peerTook/oursTook)
	fmt.Printf("bench: pipeline-rest-cpu ours=%.1fmilli-cores peer=%.1fmilli-cores ratio=%.2f\n", o, p, p/max(o, 0.1))
	o, p = pss(b, ours), pss(b, peer)
	fmt.Printf("bench: pipeline-rest-pss ours=%.1fMiB peer=%.1fMiB ratio=%.2f\n", o, p, p/o)
}

// picture is an upload to the image stage.
func picture(b *testing.B) (contentType string, body []byte) {
	b.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	f, err := w.CreateFormFile("image", "p.png")
	if err != nil {
		b.Fatal(err)
	}
	if err := png.Encode(f, image.NewRGBA(image.Rect(0, 0, 128, 128))); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return w.FormDataContentType(), buf.Bytes()
}

func proc(b *testing.B, p *os.Process, file string) string {
	b.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.Pid), file))
	if err != nil {
		b.Fatal(err)
	}
	return string(data)
}

// ticks is the CPU milliseconds of a process.
func ticks(b *testing.B, p *os.Process) float64 {
	b.Helper()
	s := proc(b, p, "stat")
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+2:])
	sum := 0.0
	for _, v := range f[11:13] {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n * 10 // a tick is 10 ms
	}
	return sum
}

// pss is the memory of a process with its share of what others map as well, in MiB.
func pss(b *testing.B, p *os.Process) float64 {
	b.Helper()
	for line := range strings.Lines(proc(b, p, "smaps_rollup")) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("no Pss")
	return 0
}
