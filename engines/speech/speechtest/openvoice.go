package speechtest

import (
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
)

// OpenVoice is the OpenVoice service on port 8001 or, with Qwen set, the one
// that takes its place. Set the fields before the first call.
type OpenVoice struct {
	Faults
	Qwen         bool // one sample is enough, other health fields
	Initialising bool // the model is not there yet
	OldID        bool // answers profile_id instead of voice_profile_id
	// Say makes the sound of a synthesis, at 22,050 Hz; nil is a hum of 0.1 s per
	// character.
	Say func(text string, speed float64) []float64

	mu       sync.Mutex
	profiles []map[string]any
	last     map[string]string
}

// Server starts it; close it after use.
func (o *OpenVoice) Server() *httptest.Server { return httptest.NewServer(o.Handler()) }

// Last is the form of the last synthesis.
func (o *OpenVoice) Last() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

// Handler answers the service's calls.
func (o *OpenVoice) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /health", o.health)
	m.HandleFunc("GET /{$}", o.health)
	m.HandleFunc("POST /voice-clone/create", o.create)
	m.HandleFunc("POST /voice-clone/synthesize", o.synthesize)
	m.HandleFunc("GET /voice-clone/profiles", func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		list := []map[string]any{}
		reply(w, 200, append(list, o.profiles...))
	})
	m.HandleFunc("DELETE /voice-clone/profiles/{id}", func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		for i, p := range o.profiles {
			if p["id"] == r.PathValue("id") {
				o.profiles = append(o.profiles[:i:i], o.profiles[i+1:]...)
				reply(w, 200, map[string]any{"success": true, "message": "削除しました"})
				return
			}
		}
		detail(w, 404, "音声プロファイルが見つかりません")
	})
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { detail(w, 404, "Not Found") })
	return o.wrap(m)
}

func (o *OpenVoice) health(w http.ResponseWriter, _ *http.Request) {
	status := "healthy"
	if o.Initialising {
		status = "initializing"
	}
	h := map[string]any{"status": status, "service": "voice-clone", "version": "1.0.0", "pytorch_device": "cpu"}
	if o.Qwen {
		h["model_loaded"] = !o.Initialising
	} else {
		h["openvoice_available"] = !o.Initialising
	}
	reply(w, 200, h)
}

func (o *OpenVoice) create(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(64 << 20); err != nil || r.FormValue("name") == "" {
		missing(w, "body", "name")
		return
	}
	samples := r.MultipartForm.File["audio_samples"]
	least, most := 3, int64(10<<20)
	if o.Qwen {
		least, most = 1, 50<<20
	}
	if len(samples) < least {
		detail(w, 400, fmt.Sprintf("最低%d個の音声サンプルが必要です", least))
		return
	}
	for _, s := range samples {
		if s.Size > most {
			detail(w, 400, "ファイルが大きすぎます")
			return
		}
		f, err := s.Open()
		if err != nil {
			detail(w, 500, "Internal Server Error")
			return
		}
		head := make([]byte, 4)
		_, err = io.ReadFull(f, head)
		if err := f.Close(); err != nil || string(head) != "RIFF" {
			detail(w, 500, "音声の処理に失敗しました")
			return
		}
		if err != nil {
			detail(w, 500, "音声の処理に失敗しました")
			return
		}
	}
	if o.Initialising {
		detail(w, 500, "サービスが初期化されていません")
		return
	}
	id := r.FormValue("voice_profile_id")
	o.mu.Lock()
	if id == "" {
		id = fmt.Sprintf("profile-%d", len(o.profiles)+1)
	}
	o.profiles = append(o.profiles, map[string]any{
		"id": id, "name": r.FormValue("name"), "language": r.FormValue("language"), "description": r.FormValue("description"),
		"created_at": "2026-11-23T10:00:00", "status": "ready", "sample_count": len(samples),
		"embedding_path": "/storage/" + id + ".pkl", "reference_audio_path": nil,
	})
	o.mu.Unlock()
	key := "voice_profile_id"
	if o.OldID {
		key = "profile_id"
	}
	reply(w, 200, map[string]any{"success": true, key: id, "embedding_path": "/storage/" + id + ".pkl", "message": "作成しました", "error": nil})
}

func (o *OpenVoice) synthesize(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		detail(w, 400, "bad form")
		return
	}
	for _, f := range []string{"text", "voice_profile_id"} {
		if r.PostForm.Get(f) == "" {
			missing(w, "body", f)
			return
		}
	}
	form := map[string]string{}
	for k := range r.PostForm {
		form[k] = r.PostForm.Get(k)
	}
	value := func(name string, def float64) float64 {
		v, err := strconv.ParseFloat(form[name], 64)
		if err != nil {
			return def
		}
		return v
	}
	speed, pitch := value("speed", 1), value("pitch", 0)
	if speed < 0.5 || speed > 2 || math.Abs(pitch) > 0.15 {
		detail(w, 400, "パラメータが範囲外です")
		return
	}
	o.mu.Lock()
	o.last = form
	known := false
	for _, p := range o.profiles {
		known = known || p["id"] == form["voice_profile_id"]
	}
	o.mu.Unlock()
	switch {
	case o.Initialising:
		detail(w, 500, "サービスが初期化されていません")
		return
	case !known:
		detail(w, 500, "音声プロファイルが見つかりません")
		return
	}
	say := o.Say
	if say == nil {
		say = hum
	}
	pcm := say(form["text"], speed)
	if pitch != 0 { // its filter: an octave up at half the length
		pcm = hold(pcm, 2, 1)
	}
	answer := map[string]any{"success": true, "audio_data": base64.StdEncoding.EncodeToString(WAV(pcm, 22050, 1, 1)), "message": "ok", "error": nil}
	if o.Qwen {
		answer["duration"] = float64(len(pcm)) / 22050
	}
	reply(w, 200, answer)
}

func hum(text string, speed float64) []float64 {
	n := int(float64(len([]rune(text))) * 0.1 / speed * 22050)
	out := make([]float64, n)
	for i := range out {
		t := float64(i) / 22050
		syllable := 0.5 - 0.5*math.Cos(2*math.Pi*5*t)
		out[i] = 0.3 * syllable * (math.Sin(2*math.Pi*150*t) + 0.5*math.Sin(2*math.Pi*600*t))
	}
	return out
}
