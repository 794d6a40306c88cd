package main

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/internal/process"
)

// verifies holds a video of the service at url, whose data is in dir, against
// its record: as the command and as the API do it, and after a byte has changed.
func verifies(t *testing.T, dir, url, video string) {
	t.Helper()
	whole, err := os.ReadFile(video)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged.mp4")
	bad := append([]byte{}, whole...)
	bad[len(bad)/2] ^= 1 // in the middle of picture and sound
	if err := os.WriteFile(damaged, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file, dir, says string
		ok              bool
	}{
		{video, dir, "video is as it was made    yes\nsigner is known            yes", true},
		{damaged, dir, "video is as it was made    NO", false},
		{video, t.TempDir(), "signer is known            NO", false},
	} {
		cmd := exec.CommandContext(t.Context(), builtBinary(t), "verify", tt.file)
		cmd.Env = append(os.Environ(), "DATA_DIR="+tt.dir)
		out, err := cmd.CombinedOutput()
		if (err == nil) != tt.ok || !strings.Contains(string(out), tt.says) {
			t.Errorf("verify %s: %v, want %q:\n%s", tt.file, err, tt.says, out)
		}
	}
	for body, says := range map[string]string{string(whole): `"verified":true`, string(bad): `"intact":false`} {
		contentType, form := process.Form(t, map[string]any{"video": []byte(body)})
		res, err := http.Post(url+"/api/verify", contentType, form) //nolint:noctx,gosec // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(answer), says) {
			t.Errorf("POST /api/verify: %s: %s, %v; want %s", res.Status, answer, err, says)
		}
	}
}
