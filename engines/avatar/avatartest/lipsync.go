package avatartest

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Lipsync behaves like the servers of MuseTalk (Talks) or of LivePortrait and
// EchoMimic. Fields are set before it serves.
type Lipsync struct {
	Talks   bool // /talk-status instead of /job-status
	Video   []byte
	Looks   int  // until a job is done
	Full    bool // the queue
	Fails   bool // every job
	Restart int  // after so many looks in all, every job is forgotten, once
	Down    bool // jobs are forgotten at once, always
	Hook    func(w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	jobs    map[string]int
	started int
	looks   int
}

// Started is how many jobs were taken, Left how many are there still.
func (l *Lipsync) Started() int { l.mu.Lock(); defer l.mu.Unlock(); return l.started }

// Left is how many jobs have not been deleted.
func (l *Lipsync) Left() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.jobs) }

var (
	pictures = regexp.MustCompile(`\.(jpg|jpeg|png|webp)$`)
	sounds   = regexp.MustCompile(`\.(wav|mp3|m4a|ogg|flac)$`)
)

// ServeHTTP implements http.Handler.
func (l *Lipsync) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l.Hook != nil && l.Hook(w, r) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.jobs == nil {
		l.jobs = map[string]int{}
	}
	kind, id := path.Split(r.URL.Path)
	status, remove := "/job-status/", "/job/"
	if l.Talks {
		status, remove = "/talk-status/", "/talk/"
	}
	_, known := l.jobs[id]
	detail := func(code int, s string) { answer(w, code, map[string]string{"detail": s}) }
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/health":
		answer(w, 200, map[string]any{"status": "healthy", "model_loaded": true, "jobs_queued": 0})
	case r.Method == http.MethodPost && r.URL.Path == "/generate-video":
		l.take(w, r, detail)
	case r.Method == http.MethodGet && kind == status:
		l.looks++
		if l.Down || l.Restart > 0 && l.looks == l.Restart {
			l.jobs, known = map[string]int{}, false
		}
		if !known {
			detail(404, "Job not found")
			return
		}
		l.jobs[id]++
		a := map[string]any{"id": id, "status": "processing", "result_url": nil, "progress": float64(l.jobs[id]) / float64(l.Looks+1), "error": nil}
		switch {
		case l.jobs[id] <= l.Looks:
		case l.Fails:
			a["status"], a["error"] = "error", "no face detected"
		default:
			a["status"], a["result_url"] = "done", "/storage/videos/"+id+".mp4"
		}
		answer(w, 200, a)
	case r.Method == http.MethodDelete && kind == remove && known:
		delete(l.jobs, id)
		answer(w, 200, map[string]string{"status": "deleted"})
	case kind == "/storage/videos/" && strings.HasSuffix(id, ".mp4"):
		w.Header().Set("Content-Length", strconv.Itoa(len(l.Video)))
		_, _ = w.Write(l.Video) // the client is gone
	default:
		detail(404, "Not Found")
	}
}

func (l *Lipsync) take(w http.ResponseWriter, r *http.Request, detail func(int, string)) {
	if l.Full {
		detail(503, "Queue is full")
		return
	}
	if err := r.ParseMultipartForm(64 << 20); err != nil {
		detail(400, err.Error())
		return
	}
	img, sound := r.MultipartForm.File["source_image"], r.MultipartForm.File["audio_data"]
	switch {
	case len(img) != 1 || !pictures.MatchString(img[0].Filename) || len(sound) != 1 || !sounds.MatchString(sound[0].Filename):
		detail(400, "source_image and audio_data are needed")
	case img[0].Size > 10<<20 || sound[0].Size > 50<<20:
		detail(413, "too large")
	default:
		l.started++
		id := fmt.Sprintf("job-%d", l.started)
		l.jobs[id] = 0
		answer(w, 200, map[string]any{"id": id, "status": "queued", "result_url": nil, "created_at": "2026-01-01T00:00:00"})
	}
}
