// Package webtest drives the web app in a real browser against the real program
// with its local engines.
package webtest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/image/draw"

	"github.com/videomsg/videomsg/engines/speech/speechtest"
	"github.com/videomsg/videomsg/internal/process"
)

var (
	portrait   = filepath.Join("..", "..", "testdata", "portrait", "sample.jpg")
	scratch    string // removed when all tests have run
	speechFile string // what the fake microphone hears
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "videomsg-web-*")
	if err != nil {
		return 1, err
	}
	scratch, speechFile = dir, filepath.Join(dir, "speech.wav")
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	// Pages mostly wait, for the service or for sound to be recorded: more of them
	// than there are processors go side by side, unless somebody says otherwise.
	if err := flag.Set("test.parallel", "4"); err != nil {
		return 1, err
	}
	code := m.Run()
	stopServices()
	closeBrowser()
	return code, nil
}

// binary is the program that users run.
var binary = sync.OnceValues(func() (string, error) { return process.Build(scratch) })

// A service is a running program.
type service struct {
	url string
	cmd *exec.Cmd
}

var running struct {
	sync.Mutex
	all []*service
}

func stopServices() {
	running.Lock()
	defer running.Unlock()
	for _, s := range running.all {
		s.stop()
	}
}

func (s *service) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// serve starts the program on a fresh directory.
func serve(name string, env ...string) (*service, error) {
	path, err := binary()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "serve") //nolint:noctx // outlives the first test
	cmd.Env = append(os.Environ(),
		"DATA_DIR="+filepath.Join(scratch, name), "PORT=0", "LOG_LEVEL=ERROR", "SHUTDOWN_GRACE=1s",
		"RATE_GENERATE=1000", "RATE_WRITES=10000")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &service{cmd: cmd}
	running.Lock()
	running.all = append(running.all, s)
	running.Unlock()
	line := make([]byte, 256)
	n, err := out.Read(line)
	if err != nil {
		return nil, fmt.Errorf("start of %s: %w", name, err)
	}
	s.url = strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "videomsg listens on "))
	go io.Copy(io.Discard, out) //nolint:errcheck // keeps the pipe open
	return s, nil
}

// healthy is a service with its local engines and a cloning service, shared by
// most tests.
var healthy = sync.OnceValues(func() (*service, error) {
	cloning := (&speechtest.OpenVoice{}).Server()
	return serve("healthy", "OPENVOICE_SERVICE_URL="+cloning.URL)
})

// recordSpeech lets the service speak what the fake microphone will hear.
func recordSpeech() error {
	s, err := healthy()
	if err != nil {
		return err
	}
	return speak(s.url, "おはようございます。今日はとても良い天気ですね。いつもより少しゆっくり、駅まで歩いてみようと思います。", speechFile)
}

// shortSpeech is a file with few words.
func shortSpeech(t *testing.T, base string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "short.wav")
	if err := speak(base, "こんにちは、お元気ですか。", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// speak writes what the service at base makes of a text.
func speak(base, text, path string) error {
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, base+"/api/voices/synthesize", bytes.NewReader(body)) //nolint:noctx // the test's timeout ends it
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "audio/wav")
	req.Header.Set("Prefer", "wait=60")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	wav, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("speak %q: %s %.200s %w", text, res.Status, wav, err)
	}
	return os.WriteFile(path, wav, 0o600)
}

// troubled is a service whose matting server answers nothing but errors.
var troubled = sync.OnceValues(func() (*service, error) {
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of memory", http.StatusInternalServerError)
	}))
	return serve("troubled", "REMBG_URL="+broken.URL)
})

func use(t *testing.T, get func() (*service, error)) string {
	t.Helper()
	s, err := get()
	if err != nil {
		t.Fatal(err)
	}
	return s.url
}

// submit makes a task without the app.
func submit(t *testing.T, base string, fields map[string]string) string {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for k, v := range fields {
		if err := form.WriteField(k, v); err != nil {
			t.Fatal(err)
		}
	}
	w, err := form.CreateFormFile("image", "sample.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(w, smallPortrait(t)); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/video/generate", &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	var a struct {
		TaskID string `json:"task_id"`
		Detail string `json:"detail"`
	}
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil || a.TaskID == "" {
		t.Fatalf("submit: %s %s %v", res.Status, a.Detail, err)
	}
	return a.TaskID
}

// smallPortrait is the sample portrait at a size that makes videos cheap.
func smallPortrait(t *testing.T) image.Image {
	t.Helper()
	f, err := os.Open(portrait)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	src, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	small := image.NewRGBA(image.Rect(0, 0, 360, 360*src.Bounds().Dy()/src.Bounds().Dx()))
	draw.CatmullRom.Scale(small, small.Bounds(), src, src.Bounds(), draw.Src, nil)
	return small
}

// twoFaces is a picture of the same person twice, the second one smaller.
func twoFaces(t *testing.T) string {
	t.Helper()
	one := smallPortrait(t)
	w, h := one.Bounds().Dx(), one.Bounds().Dy()
	both := image.NewRGBA(image.Rect(0, 0, w+w*3/4, h))
	draw.Draw(both, both.Bounds(), image.NewUniform(color.Gray{200}), image.Point{}, draw.Src)
	draw.Draw(both, one.Bounds(), one, image.Point{}, draw.Src)
	draw.CatmullRom.Scale(both, image.Rect(w, h/4, w+w*3/4, h), one, one.Bounds(), draw.Src, nil)
	return pngFile(t, both)
}

// pngFile writes a picture to a file for an upload.
func pngFile(t *testing.T, img image.Image) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "picture.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // the encoder has reported what matters
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// get decodes what the service says at path.
func get[T any](t *testing.T, base, path string) (v T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
		t.Fatalf("GET %s: %s: %v", path, res.Status, err)
	}
	return v
}

// made is the service that most tests share and a finished message on it, which
// none of them may change.
func made(t *testing.T) (base, id string) {
	t.Helper()
	base = use(t, healthy)
	finished.Do(func() {
		id := submit(t, base, map[string]string{"text": "こんにちは。", "subject": "試験", "consent": "true"})
		if v := ended(t, base, id); v.Status == "completed" {
			finished.id = id
		} else {
			t.Errorf("the task is %s: %+v", v.Status, v.Error)
		}
	})
	if finished.id == "" {
		t.Fatal("there is no finished message to look at")
	}
	return base, finished.id
}

var finished struct {
	sync.Once
	id string
}

type task struct {
	Status  string  `json:"status"`
	Percent float64 `json:"percent"`
	Error   *struct {
		Code, Detail string
	} `json:"error"`
}

// ended waits for the end of a task.
func ended(t *testing.T, base, id string) task {
	t.Helper()
	for {
		v := get[task](t, base, "/api/video/status/"+id+"?wait=20")
		switch v.Status {
		case "completed", "failed", "canceled":
			return v
		}
	}
}
