package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/internal/process"
)

// hugePNG is a few kB that claim to be 20,000 × 20,000 pixels.
func hugePNG() []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		_ = binary.Write(&b, binary.BigEndian, uint32(len(data)))
		body := append([]byte(name), data...)
		b.Write(body)
		_ = binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(body))
	}
	head := binary.BigEndian.AppendUint32(nil, 20_000)
	head = binary.BigEndian.AppendUint32(head, 20_000)
	chunk("IHDR", append(head, 8, 2, 0, 0, 0))
	chunk("IDAT", make([]byte, 4000))
	chunk("IEND", nil)
	return b.Bytes()
}

func truncatedJPEG(t *testing.T) []byte {
	t.Helper()
	img, err := os.ReadFile("testdata/portrait/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	return img[:len(img)/2]
}

// bigJPEG is a valid picture with more bytes than are allowed.
func bigJPEG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 100, 100)), nil); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), make([]byte, 11_000_000)...)
}

// soundFile is half a second of silence.
func soundFile(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := wav.Encode(&b, dsp.New(16_000, 1, 8_000), wav.PCM16); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestBadRequestsLeaveNothingBehind sends what clients send by mistake or on
// purpose, and finds a clear answer, no task, no blob and no temporary file.
func TestBadRequestsLeaveNothingBehind(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "STORAGE_BACKEND=local", "RATE_GENERATE=1000")
	good := portraitPNG(t, 128)
	sound := soundFile(t)
	for name, c := range map[string]struct {
		fields map[string]any
		status int
		code   string
	}{
		"no image":           {map[string]any{"text": "はい"}, 422, "FIELD_MISSING"},
		"no text":            {map[string]any{"image": good}, 422, "FIELD_MISSING"},
		"text and audio":     {map[string]any{"image": good, "text": "はい", "audio": sound}, 400, "BAD_REQUEST"},
		"empty text":         {map[string]any{"image": good, "text": ""}, 422, "FIELD_MISSING"},
		"blank text":         {map[string]any{"image": good, "text": " \n\t"}, 422, "FIELD_MISSING"},
		"1,001 characters":   {map[string]any{"image": good, "text": strings.Repeat("あ", 1001)}, 422, "TEXT_TOO_LONG"},
		"only symbols":       {map[string]any{"image": good, "text": "！？…★♪"}, 422, "TEXT_NOT_SPEAKABLE"},
		"no image at all":    {map[string]any{"image": []byte("hello, world"), "text": "はい"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"empty image":        {map[string]any{"image": []byte{}, "text": "はい"}, 422, "FIELD_MISSING"},
		"truncated JPEG":     {map[string]any{"image": truncatedJPEG(t), "text": "はい"}, 422, "IMAGE_UNREADABLE"},
		"huge PNG":           {map[string]any{"image": hugePNG(), "text": "はい"}, 422, "IMAGE_TOO_LARGE"},
		"11 MB":              {map[string]any{"image": bigJPEG(t), "text": "はい"}, 413, "FILE_TOO_LARGE"},
		"unknown field":      {map[string]any{"image": good, "text": "はい", "txet": "x"}, 422, "FIELD_UNKNOWN"},
		"pitch NaN":          {map[string]any{"image": good, "text": "はい", "prosody_params": `{"pitch_shift": NaN}`}, 422, "PARAMETER_OUT_OF_RANGE"},
		"pitch 13":           {map[string]any{"image": good, "text": "はい", "prosody_params": `{"pitch_shift": 13}`}, 422, "PARAMETER_OUT_OF_RANGE"},
		"volume ∞":           {map[string]any{"image": good, "text": "はい", "bgm_volume": "+Inf"}, 422, "PARAMETER_OUT_OF_RANGE"},
		"unknown music":      {map[string]any{"image": good, "text": "はい", "bgm_type": "polka"}, 422, "BGM_NOT_FOUND"},
		"audio is a picture": {map[string]any{"image": good, "audio": good}, 415, "UNSUPPORTED_MEDIA_TYPE"},
	} {
		t.Run(name, func(t *testing.T) {
			code, answer := post(t, s.url, c.fields)
			if code != c.status || answer["code"] != c.code {
				t.Errorf("got %d %v, want %d %s", code, answer, c.status, c.code)
			}
			if answer["title"] == "" || answer["status"] != float64(c.status) {
				t.Errorf("no problem+json: %v", answer)
			}
			if s := fmt.Sprint(answer); strings.Contains(s, dir) || strings.Contains(s, "goroutine") {
				t.Errorf("the answer tells about the inside: %s", s)
			}
		})
	}
	t.Run("wrong method", func(t *testing.T) {
		var p map[string]any
		if code := get(t, s.url+"/api/video/generate", &p); code != http.StatusMethodNotAllowed || p["code"] != "METHOD_NOT_ALLOWED" {
			t.Errorf("got %d %v", code, p)
		}
	})
	t.Run("no form", func(t *testing.T) {
		res, err := http.Post(s.url+"/api/video/generate", "application/json", strings.NewReader("{}")) //nolint:noctx // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read only
		if b, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusBadRequest || !bytes.Contains(b, []byte("BAD_REQUEST")) {
			t.Errorf("got %d %s", res.StatusCode, b)
		}
	})
	t.Run("client goes away", func(t *testing.T) { stopInTheMiddle(t, s.url) })

	// Nothing may be left; what a gone client has left is removed a moment later.
	var left []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if left = files(t, filepath.Join(dir, "blobs"), filepath.Join(dir, "tmp")); len(left) == 0 {
			break
		}
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	s.Kill()
	cmd := exec.CommandContext(t.Context(), builtBinary(t), "replay")
	cmd.Env = append(os.Environ(), "DATA_DIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("the stream is not empty: %v\n%s", err, out)
	}
}

// stopInTheMiddle promises a large body and goes away.
func stopInTheMiddle(t *testing.T, url string) {
	t.Helper()
	ct, body := process.Form(t, map[string]any{"text": "はい", "image": portraitPNG(t, 512)})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")) //nolint:noctx // the test's own server
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /api/video/generate HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", ct, body.Len())
	if _, err := conn.Write(body.Bytes()[:body.Len()/2]); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

// files lists the regular files below dirs.
func files(t *testing.T, dirs ...string) (list []string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && d.Name() != "lock" {
				list = append(list, path)
			}
			return nil // removed meanwhile
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}
