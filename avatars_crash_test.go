package main

import (
	"bytes"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines/avatar/avatartest"
	"github.com/videomsg/videomsg/internal/process"
	"github.com/videomsg/videomsg/status"
)

// stuck lets three talks get stuck at three points, and tells when all are.
type stuck struct {
	fake  *avatartest.DID
	t     *testing.T
	mu    sync.Mutex
	at    map[string]bool
	there sync.WaitGroup
}

// hook holds the first talk between order and answer, the second between the
// answer and the first look, the third in the middle of the download.
func (s *stuck) hook(w http.ResponseWriter, r *http.Request) bool {
	call := r.Method + " " + r.URL.Path
	s.mu.Lock()
	hold := !s.at[call]
	switch call {
	case "POST /talks":
		if hold { // the order counts, the answer never comes
			if err := s.fake.Talk(r); err != nil {
				s.t.Error(err)
			}
		}
	case "GET /talks/tlk_1":
	case "GET /results/tlk_2.mp4":
		if hold {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(make([]byte, 50000)) // the worker is about to die
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
		}
	default:
		hold = false
	}
	if hold {
		s.at[call] = true
	}
	s.mu.Unlock()
	if hold {
		s.there.Done()
		<-r.Context().Done() // until the worker is killed
		avatartest.Abort()
	}
	return hold
}

// TestDIDBuysOnceWhenTheWorkerIsKilled kills a worker of the video stage with
// SIGKILL while one talk is between order and answer, one between answer and
// first look, and one in the middle of its download. Another worker finishes all
// three, and three talks were bought.
func TestDIDBuysOnceWhenTheWorkerIsKilled(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	dir := t.TempDir()
	fake := &avatartest.DID{Key: "ann:secret", Looks: 1, Video: testPattern(t, dir)}
	s := &stuck{fake: fake, t: t, at: map[string]bool{}}
	s.there.Add(3)
	fake.Hook = s.hook
	srv := httptest.NewServer(fake)
	t.Cleanup(srv.Close)

	env := []string{"D_ID_API_KEY=" + fake.Key, "D_ID_BASE_URL=" + srv.URL, "D_ID_CONCURRENCY=3", "WORKERS_VIDEO=3"}
	nats := freeAddress(t)
	front := startRoles(t, filepath.Join(dir, "front"), []string{"gateway", "image", "voice", "prosody", "bgm", "status", "notify"}, append(env, "NATS_LISTEN="+nats)...)
	env = append(env, "NATS_URL=nats://"+nats)
	worker := startRoles(t, filepath.Join(dir, "first"), []string{"video"}, env...)

	var tasks []string
	for range 3 {
		contentType, body := process.Form(t, map[string]any{"image": portraitPNG(t, 128), "audio": hum(t)})
		res, err := http.Post(front.url+"/api/d-id/generate-video", contentType, body) //nolint:noctx // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		_, id, ok := strings.Cut(string(text), `"task_id":"`)
		if err != nil || res.StatusCode != http.StatusAccepted || !ok {
			t.Fatalf("%s: %s, %v", res.Status, text, err)
		}
		id, _, _ = strings.Cut(id, `"`)
		tasks = append(tasks, id)
	}
	reached := make(chan struct{})
	go func() { s.there.Wait(); close(reached) }()
	select {
	case <-reached:
	case <-time.After(2 * time.Minute):
		t.Fatalf("not all talks got stuck: %v", s.at)
	}
	worker.Kill()
	startRoles(t, filepath.Join(dir, "second"), []string{"video"}, env...)

	for _, id := range tasks {
		var st taskStatus
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			get(t, front.url+"/api/video/status/"+id, &st)
			if st.Status == status.Completed {
				break
			}
			if st.Status == status.Failed || time.Now().After(deadline) {
				t.Fatalf("%s is %s: %+v", id, st.Status, st.Error)
			}
		}
		if last := st.Stages[len(st.Stages)-1]; last.Engine != "d-id" {
			t.Errorf("%s was made by %q", id, last.Engine)
		}
		checkFinished(t, front.url, id)
	}
	if n := fake.Bought(); n != 3 {
		t.Errorf("%d talks were bought for 3 videos", n)
	}
}

// freeAddress is a port that nobody uses at the moment.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // only the number is wanted
	return ln.Addr().String()
}

// testPattern is what D-ID makes of a portrait.
func testPattern(t *testing.T, dir string) []byte {
	t.Helper()
	path := filepath.Join(dir, "talk.mp4")
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=128x128:r=25:d=1.1",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hum is a second of sound as WAV.
func hum(t *testing.T) []byte {
	t.Helper()
	a := dsp.New(24000, 1, 24000)
	for i := range a.Ch[0] {
		a.Ch[0][i] = float32(0.3 * math.Sin(2*math.Pi*160*float64(i)/24000))
	}
	var b bytes.Buffer
	if err := wav.Encode(&b, a, wav.PCM16); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
