package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/gateway"
	"github.com/videomsg/videomsg/internal/process"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
	"github.com/videomsg/videomsg/status"
)

// command runs the program to its end.
func command(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), builtBinary(t), args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func commandOK(t *testing.T, env []string, args ...string) string {
	t.Helper()
	out, err := command(t, env, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

func TestStorageCommands(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "blobs")
	env := []string{"DATA_DIR=" + dir, "STORAGE_BACKEND=local"}
	store, err := dirstore.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for _, key := range []string{"inputs/t1/portrait", "outputs/t1/video/video.mp4", "library/music/m1/audio"} {
		if _, err := store.Put(t.Context(), key, strings.NewReader(strings.Repeat(key, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if out := commandOK(t, env, "storage", "usage"); !strings.Contains(out, "inputs                1 objects") || !strings.Contains(out, "total                 3 objects") {
		t.Errorf("usage says\n%s", out)
	}
	other := filepath.Join(dir, "other")
	if out := commandOK(t, env, "storage", "copy", "--to", "local:"+other); !strings.Contains(out, "copied 3 objects") {
		t.Errorf("copy says\n%s", out)
	}
	if out := commandOK(t, env, "storage", "copy", "--to", "local:"+other); !strings.Contains(out, "copied 0 objects, 0.0 MB; 3 were there already") {
		t.Errorf("copying again says\n%s", out)
	}
	if out := commandOK(t, env, "storage", "copy", "--from", "local:"+other, "--to", "jetstream", "--prefix", "outputs/"); !strings.Contains(out, "copied 1 objects") {
		t.Errorf("copying to the broker says\n%s", out)
	}
	if out := commandOK(t, append(env, "STORAGE_BACKEND=jetstream"), "storage", "verify"); !strings.Contains(out, "1 objects") {
		t.Errorf("the broker's store holds\n%s", out)
	}
	if out, err := command(t, append(env, "STORAGE_BACKEND=local", "STORAGE_ROOT_PATH=/proc/nowhere"), "storage", "usage"); err == nil || strings.Contains(out, "panic") || !strings.Contains(out, "/proc/nowhere") {
		t.Errorf("a store that cannot be opened: %v\n%s", err, out)
	}
	if out, err := command(t, env, "storage", "lifecycle"); err == nil || !strings.Contains(out, "only buckets of S3 have rules") {
		t.Errorf("rules of a directory: %v\n%s", err, out)
	}
	if out, err := command(t, env, "storage", "copy", "--to", "floppy"); err == nil || !strings.Contains(out, "must be jetstream, local:DIR or s3:BUCKET") {
		t.Errorf("an unknown store: %v\n%s", err, out)
	}

	if out := commandOK(t, env, "storage", "verify"); !strings.Contains(out, "3 objects, 0.1 MB are as they were stored") {
		t.Errorf("verify says\n%s", out)
	}
	spoil(t, root, "video.mp4")
	if out, err := command(t, env, "storage", "verify"); err == nil || !strings.Contains(out, "damaged outputs/t1/video/video.mp4") {
		t.Errorf("verify of a damaged store: %v\n%s", err, out)
	}

	// Nobody knows the task t1. What belongs to it is older than the grace.
	old := time.Now().Add(-2 * time.Hour)
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(path, old, old)
	})
	if err != nil {
		t.Fatal(err)
	}
	short := append(env, "RETENTION_INPUTS=1h")
	if out := commandOK(t, short, "storage", "sweep", "--dry-run"); !strings.Contains(out, "over their time: 1 objects") || !strings.Contains(out, "without a task: 1 objects") || !strings.Contains(out, "orphan  outputs/t1/video/video.mp4") {
		t.Errorf("a dry sweep says\n%s", out)
	}
	if out := commandOK(t, short, "storage", "sweep", "--delete-orphans"); !strings.Contains(out, "removed") {
		t.Errorf("a sweep says\n%s", out)
	}
	if out := commandOK(t, env, "storage", "usage"); !strings.Contains(out, "library               1 objects") || !strings.Contains(out, "total                 1 objects") {
		t.Errorf("what is left is\n%s", out)
	}
}

// spoil flips a bit in the middle of the files whose names contain part.
func spoil(t *testing.T, root, part string) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, part) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 1
		found++
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil || found == 0 {
		t.Fatalf("%d files, %v", found, err)
	}
}

func TestHoldingIsWhatMustStillBeThere(t *testing.T) {
	blob := func(key string) map[string]events.Blob { return map[string]events.Blob{"x": {Key: key}} }
	task := status.Task{
		ID: "t1", Created: time.Now().Add(-100 * time.Hour), Blobs: blob("inputs/t1/portrait"),
		Steps: map[string]status.Step{
			"voice": {Blobs: blob("intermediates/t1/voice/speech.wav")},
			"video": {Blobs: blob("outputs/t1/video/video.mp4")},
			"image": {Blobs: blob("outputs/parent/image/image.png")}, // taken over from another task
		},
	}
	got := holding(task, objectstore.DefaultRetention())
	for key, want := range map[string]bool{"inputs/t1/portrait": true, "intermediates/t1/voice/speech.wav": false, "outputs/t1/video/video.mp4": true, "outputs/parent/image/image.png": false} {
		found := false
		for _, k := range got {
			found = found || k == key
		}
		if found != want {
			t.Errorf("%s: %v, want %v", key, found, want)
		}
	}
	now := time.Now()
	task.Erased = &now
	if got := holding(task, nil); len(got) > 0 {
		t.Errorf("an erased task holds %v", got)
	}
}

func TestServiceSweepsAndKeepsRoom(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "blobs")
	store, err := dirstore.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for _, key := range []string{"intermediates/t1/voice/speech.wav", "outputs/t1/video/video.mp4"} {
		if _, err := store.Put(t.Context(), key, strings.NewReader(key)); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, dir, "STORAGE_BACKEND=local", "RETENTION_INTERMEDIATES=1s", "STORAGE_SWEEP_EVERY=200ms", "STORAGE_RESERVE_MB=1000000000")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := store.Stat(t.Context(), "intermediates/t1/voice/speech.wav"); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("what is over its time is still there")
		}
	}
	if _, err := store.Stat(t.Context(), "outputs/t1/video/video.mp4"); err != nil {
		t.Errorf("an orphan was deleted without being asked for: %v", err)
	}
	ct, body := process.Form(t, map[string]any{"image": portraitPNG(t, 128), "background": "office"})
	var problem struct{ Code string }
	if code := call(t, http.MethodPost, s.url+"/api/image/process", ct, body, &problem); code != http.StatusServiceUnavailable || problem.Code != "STORAGE_FULL" {
		t.Errorf("a full disk is answered %d %s", code, problem.Code)
	}
}

// TestFullEventStreamTakesNoTasks fills the stream with requests that nobody has
// worked off. Another task would push one out.
func TestFullEventStreamTakesNoTasks(t *testing.T) {
	env := map[string]string{"DATA_DIR": t.TempDir(), "EVENTS_MAX_MB": "1", "STORAGE_BACKEND": "local"}
	conf, err := loadConfig(func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	a, err := open(t.Context(), slog.New(slog.DiscardHandler), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	const tasks = 32
	for i := range tasks {
		e := events.New(fmt.Sprintf("t%d", i), "image", events.Requested, nil, events.Job{Request: events.Request{Owner: strings.Repeat("x", 30_000)}})
		if err := a.pub.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.broker.Events.CreateOrUpdateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: consumers.ConsumerName("image"), FilterSubject: "vm.image.requested.*", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a.api(gateway.NewFeed(a.log)))
	defer srv.Close()
	ct, body := process.Form(t, map[string]any{"image": portraitPNG(t, 128), "background": "office"})
	var problem struct{ Code string }
	if code := call(t, http.MethodPost, srv.URL+"/api/image/process", ct, body, &problem); code != http.StatusServiceUnavailable || problem.Code != "STORAGE_FULL" {
		t.Errorf("a full stream is answered %d %s", code, problem.Code)
	}
	if info, err := a.broker.Events.Info(t.Context()); err != nil || info.State.Msgs != tasks {
		t.Errorf("%d of %d requests are left, %v", info.State.Msgs, tasks, err)
	}
}

func TestEnginesCommandShowsTheChains(t *testing.T) {
	out := commandOK(t, []string{"DATA_DIR=" + t.TempDir(), "REMBG_URL=http://127.0.0.1:1", "VOICEVOX_URL=http://127.0.0.1:1"}, "engines")
	at := -1
	for _, want := range []string{"image\n", "rembg      healthy", "local      healthy", "original   healthy", "voice\n", "voicevox   unavailable", "openjtalk", "prosody\n", "bgm\n", "video\n", "d-id       off"} {
		i := strings.Index(out, want)
		if i < at {
			t.Errorf("%q comes too early or is missing:\n%s", want, out)
		}
		at = i
	}
}
