package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
)

// sound is a WAV file of about size bytes that does not compress.
func sound(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // test data
	s := make([]float32, size/2)
	for i := range s {
		s[i] = r.Float32() - 0.5
	}
	var buf bytes.Buffer
	_ = wav.Encode(&buf, dsp.Audio{Rate: 44100, Ch: [][]float32{s}}, wav.PCM16) //nolint:errcheck // memory
	return buf.Bytes()
}

// form is a prosody request around a sound.
func form(data []byte) (body []byte, contentType string) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	pw, _ := w.CreateFormFile("audio", "speech.wav") //nolint:errcheck // memory
	_, _ = pw.Write(data)                            //nolint:errcheck // memory
	_ = w.Close()                                    //nolint:errcheck // memory
	return buf.Bytes(), w.FormDataContentType()
}

func send(ctx context.Context, url, token, kind string, body io.Reader, size int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/audio/prosody", body)
	if err != nil {
		return err
	}
	req.ContentLength = size
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	b, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("%s: %s", res.Status, b)
	}
	return err
}

// upload compares uploads of 10 MB, one after another, with io.Copy into the
// same store.
func upload(ctx context.Context, rounds int) error {
	for _, backend := range []string{"jetstream", "local"} {
		if err := uploadTo(ctx, backend, rounds); err != nil {
			return fmt.Errorf("%s: %w", backend, err)
		}
	}
	return nil
}

func uploadTo(ctx context.Context, backend string, rounds int) error {
	ours, err := self(ctx, "ours", backend)
	if err != nil {
		return err
	}
	defer ours.stop()
	if _, err := ours.line(); err != nil {
		return err
	}
	token, err := ours.line()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "videomsg-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system cleans up what is left
	b, err := broker.Open(ctx, slog.New(slog.DiscardHandler), broker.Config{DataDir: filepath.Join(dir, "broker")})
	if err != nil {
		return err
	}
	defer b.Close()
	store, err := openStore(ctx, backend, dir, b)
	if err != nil {
		return err
	}
	data := sound(10_000_000)
	body, kind := form(data)
	const each = 6
	var a, p []round
	for range rounds {
		start := time.Now()
		for range each {
			if err := send(ctx, ours.url, token, kind, bytes.NewReader(body), int64(len(body))); err != nil {
				return err
			}
		}
		a = append(a, round{perSecond: each * float64(len(data)) / 1e6 / time.Since(start).Seconds()})
		start = time.Now()
		for i := range each {
			if _, err := store.Put(ctx, fmt.Sprintf("inputs/t%d/audio", i), bytes.NewReader(data)); err != nil {
				return err
			}
		}
		p = append(p, round{perSecond: each * float64(len(data)) / 1e6 / time.Since(start).Seconds()})
	}
	print2("upload/MB-per-s/"+backend, a, p, func(r round) float64 { return r.perSecond })
	return nil
}

// uploads sends 100 files of 10 MB at once and looks at the server's memory.
func uploads(ctx context.Context, _ int) error {
	for _, backend := range []string{"jetstream", "local"} {
		ours, err := self(ctx, "ours", backend)
		if err != nil {
			return err
		}
		if err := uploadsTo(ctx, ours, backend); err != nil {
			ours.stop()
			return err
		}
		ours.stop()
	}
	return nil
}

func uploadsTo(ctx context.Context, ours *proc, backend string) error {
	if _, err := ours.line(); err != nil {
		return err
	}
	token, err := ours.line()
	if err != nil {
		return err
	}
	idle, _ := rss(ours.cmd.Process.Pid)
	body, kind := form(sound(10_000_000))
	const n = 100
	errs := make(chan error, n)
	var wg sync.WaitGroup
	start := time.Now()
	for range n {
		wg.Go(func() { errs <- send(ctx, ours.url, token, kind, bytes.NewReader(body), int64(len(body))) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	_, peak := rss(ours.cmd.Process.Pid)
	fmt.Printf("bench: gateway/uploads/peak-rss-MB/%s ours=%.0f goal=300 ratio=%.2f idle=%.0f seconds=%.1f\n", backend, peak, peak/300, idle, time.Since(start).Seconds())
	return nil
}

// streams opens 1,000 idle event streams and looks at the server's memory.
func streams(ctx context.Context, _ int) error {
	ours, err := self(ctx, "ours")
	if err != nil {
		return err
	}
	defer ours.stop()
	if _, err := ours.line(); err != nil {
		return err
	}
	token, err := ours.line()
	if err != nil {
		return err
	}
	idle, _ := rss(ours.cmd.Process.Pid)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const n = 1000
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 0}}
	var open atomic.Int64
	errs := make(chan error, n)
	for range n {
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, ours.url+"/api/events", nil)
			if err != nil {
				errs <- err
				return
			}
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Accept", "text/event-stream")
			res, err := client.Do(req)
			if err != nil {
				errs <- err
				return
			}
			defer res.Body.Close() //nolint:errcheck // read only
			if res.StatusCode != http.StatusOK {
				errs <- errors.New(res.Status)
				return
			}
			open.Add(1)
			_, _ = io.Copy(io.Discard, res.Body)
		}()
	}
	for deadline := time.Now().Add(30 * time.Second); open.Load() < n; time.Sleep(50 * time.Millisecond) {
		select {
		case err := <-errs:
			return err
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("only %d of %d streams are open", open.Load(), n)
		}
	}
	time.Sleep(17 * time.Second) // past a heartbeat
	now, _ := rss(ours.cmd.Process.Pid)
	before := cpu(ours.cmd.Process.Pid)
	time.Sleep(10 * time.Second)
	fmt.Printf("bench: gateway/streams/1000-idle-rss-MB ours=%.0f goal=200 ratio=%.2f idle=%.0f milli-cores=%.0f\n", now, now/200, idle, (cpu(ours.cmd.Process.Pid)-before)*100)
	return nil
}
