package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines/shadow"
)

// rembgServer answers every picture with an ellipse in the middle, as its mask.
func rembgServer(t *testing.T, calls *atomic.Int64) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, _, err := r.FormFile("file")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		defer f.Close() //nolint:errcheck // read only
		conf, _, err := image.DecodeConfig(f)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		calls.Add(1)
		m := image.NewGray(image.Rect(0, 0, conf.Width, conf.Height))
		for y := range conf.Height {
			for x := range conf.Width {
				u, v := float64(x)/float64(conf.Width)-0.5, float64(y)/float64(conf.Height)-0.65
				if u*u/0.12+v*v/0.3 < 1 {
					m.SetGray(x, y, color.Gray{Y: 255})
				}
			}
		}
		w.Header().Set("Content-Type", "image/png")
		_ = png.Encode(w, m) // the client notices
	}))
	t.Cleanup(srv.Close)
	return srv
}

// TestShadow makes a video with an engine in the shadow of each stage that has a
// choice: the same engines serve as without, each stranger runs once, and the
// report compares them.
func TestShadow(t *testing.T) {
	var calls atomic.Int64
	dir := t.TempDir()
	env := []string{"STORAGE_BACKEND=local", "SHADOW_IMAGE=rembg", "REMBG_URL=" + rembgServer(t, &calls).URL, "SHADOW_VOICE=espeak-ng", "SHADOW_VIDEO=still"}
	s := start(t, dir, env...)
	done := ask(t, s, "/api/video/generate", map[string]any{"image": portraitPNG(t, 256), "text": "はい。", "consent": "true"})
	if done.Status != "completed" {
		t.Fatalf("the task ended as %+v", done)
	}
	want := map[string]string{"image": "local", "voice": "openjtalk", "video": "portrait"}
	for _, st := range done.Stages {
		if w := want[st.Name]; w != "" && (st.Engine != w || len(st.FallbackFrom) > 0) {
			t.Errorf("%s was served by %s after %v, want %s", st.Name, st.Engine, st.FallbackFrom, w)
		}
	}
	// The report needs nothing but the store, also while the service runs.
	var report []shadow.Comparison
	for end := time.Now().Add(time.Minute); len(report) < 3 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		report = nil
		if err := json.Unmarshal(shadowReport(t, dir, env, "--json"), &report); err != nil {
			t.Fatal(err)
		}
	}
	if len(report) != 3 {
		t.Fatalf("report %+v", report)
	}
	shadows := map[string]string{"image": "rembg", "voice": "espeak-ng", "video": "still"}
	for _, c := range report {
		if c.Pairs != 1 || c.Served.Engine != want[c.Stage] || c.Shadow.Engine != shadows[c.Stage] || c.Shadow.Failed != 0 {
			t.Errorf("%+v", c)
		}
	}
	if f := report[0].Both; len(f) != 2 || f[0].Name != "iou" || !(f[0].P50 > 0.3 && f[0].P50 < 1) {
		t.Errorf("the masks' overlap is %+v", f)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the engine in the shadow was called %d times", n)
	}
	if text := string(shadowReport(t, dir, env, "--stage", "voice")); !strings.Contains(text, "espeak-ng in the shadow of openjtalk, 1 pairs") || !strings.Contains(text, "loudness_lufs") {
		t.Errorf("report:\n%s", text)
	}
	// Records go with the task.
	if code := call(t, http.MethodDelete, s.url+"/api/tasks/"+done.TaskID, "", nil, nil); code != http.StatusNoContent {
		t.Fatalf("erase answers %d", code)
	}
	if left := files(t, filepath.Join(dir, "blobs")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func shadowReport(t *testing.T, dir string, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), builtBinary(t), append([]string{"shadow", "report"}, args...)...)
	cmd.Env = append(append(os.Environ(), "DATA_DIR="+dir), env...)
	var said bytes.Buffer
	cmd.Stderr = io.MultiWriter(t.Output(), &said)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("shadow report: %v\n%s", err, said.Bytes())
	}
	return out
}

func TestShadowBuysNothing(t *testing.T) {
	for setting, want := range map[string]string{
		"SHADOW_VIDEO=d-id":      "never runs in the shadow",
		"SHADOW_IMAGE=bedrock":   "never runs in the shadow",
		"SHADOW_IMAGE=sagemaker": "never runs in the shadow",
		"SHADOW_IMAGE=rembg":     "REMBG_URL is empty",
		"SHADOW_VIDEO=lipsync":   "LIPSYNC_URL is empty",
	} {
		name, value, _ := strings.Cut(setting, "=")
		_, err := loadConfig(func(k string) string {
			if k == name {
				return value
			}
			return ""
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
}
