package main

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/internal/process"
)

func decodeInto(t *testing.T, data []byte, v any) {
	t.Helper()
	if len(data) == 0 {
		return
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}

// song is music of a certain pitch.
func song(hz, seconds float64) dsp.Audio {
	a := dsp.New(44100, 2, int(44100*seconds))
	for c := range a.Ch {
		for i := range a.Ch[c] {
			x := float64(i) / 44100
			a.Ch[c][i] = float32(0.3 * math.Sin(2*math.Pi*hz*x) * (0.7 + 0.3*math.Sin(2*math.Pi*2*x)))
		}
	}
	return a
}

func wavOf(t *testing.T, a dsp.Audio) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := wav.Encode(&b, a, wav.PCM16); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mp3Of(t *testing.T, a dsp.Audio) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := ffmpeg.EncodeMP3(t.Context(), &b, a.Source().Stream()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func soundOf(t *testing.T, data []byte) dsp.Audio {
	t.Helper()
	a, _, err := ffmpeg.DecodeAudio(t.Context(), bytes.NewReader(data), ffmpeg.Limits{Bytes: 50 << 20, Duration: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// power is how much of a, between two times, is at a frequency, in dB (Goertzel).
func power(a dsp.Audio, hz, from, to float64) float64 {
	x := a.Mono().Ch[0]
	i, j := int(from*float64(a.Rate)), min(int(to*float64(a.Rate)), len(x))
	w := 2 * math.Pi * hz / float64(a.Rate)
	var re, im float64
	for n, v := range x[i:j] {
		re += float64(v) * math.Cos(w*float64(n))
		im += float64(v) * math.Sin(w*float64(n))
	}
	return 20 * math.Log10(2*math.Hypot(re, im)/float64(j-i)+1e-9)
}

// TestSoundAlone asks for the stages of sound one by one, with uploads and with
// own music.
func TestSoundAlone(t *testing.T) {
	if err := (speech.OpenJTalk{}).Ready(); err != nil {
		t.Skip(err)
	}
	s := start(t, t.TempDir())
	studio, err := speech.New(speech.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = studio.Close() })
	served, err := studio.Speak(t.Context(), speech.Request{Text: "こんにちは。元気ですか。"}, "")
	if err != nil {
		t.Fatal(err)
	}
	voice := served.Out.Audio

	t.Run("prosody of an uploaded WAV", func(t *testing.T) {
		st := ask(t, s, "/api/audio/prosody", map[string]any{"audio": wavOf(t, voice), "emotion": "excited", "intensity": "1"})
		if st.Status != "completed" {
			t.Fatalf("%+v", st)
		}
		last := st.Stages[len(st.Stages)-1]
		if last.Name != "prosody" || last.Engine != "dsp" || !slices.Contains(last.Remarks, "Done afterwards: pitch, speed, melody, timbre, loudness.") {
			t.Errorf("%+v", last)
		}
		got := soundOf(t, artefact(t, s, st.TaskID, "prosody"))
		if ratio := voice.Duration().Seconds() / got.Duration().Seconds(); math.Abs(ratio-1.25) > 0.01 {
			t.Errorf("excited is %.3f times as fast", ratio)
		}
	})
	t.Run("prosody of a spoken text, by the voice and afterwards", func(t *testing.T) {
		body, _ := json.Marshal(map[string]any{"text": "こんにちは。元気ですか。", "prosody_params": map[string]any{"emotion": "calm", "pauses": map[string]float64{"。": 1.5}}})
		st := finished(t, s, request(t, http.MethodPost, s.url+"/api/voices/synthesize", "application/json", bytes.NewReader(body)))
		last := st.Stages[len(st.Stages)-1]
		if st.Status != "completed" || last.Engine != "dsp" || !slices.Contains(last.Remarks, "Done by the voice itself: pitch, speed.") {
			t.Fatalf("%+v", st)
		}
		var line speech.Timings
		decodeInto(t, artefact(t, s, st.TaskID, "prosody-timings"), &line)
		if len(line.Sentences) != 2 || math.Abs(line.Sentences[1].Start-line.Sentences[0].End-1.5) > 0.015 {
			t.Errorf("sentences %+v", line.Sentences)
		}
	})
	t.Run("music under an uploaded MP3", func(t *testing.T) {
		st := ask(t, s, "/api/audio/bgm", map[string]any{"audio": mp3Of(t, voice), "bgm_type": "birthday", "bgm_volume": "0.5"})
		if st.Status != "completed" || !slices.Contains(st.artefacts("bgm"), "mp3") {
			t.Fatalf("%+v", st)
		}
		got := soundOf(t, artefact(t, s, st.TaskID, "mp3"))
		if d := got.Duration() - voice.Duration(); (d - 3*time.Second).Abs() > 150*time.Millisecond {
			t.Errorf("%v longer than the voice", d)
		}
	})
	t.Run("own music", func(t *testing.T) {
		ct, body := process.Form(t, map[string]any{"audio": mp3Of(t, song(523, 2)), "name": "My song", "credit": "A. Composer", "licence": "CC-BY-4.0", "rights": "true"})
		var track struct{ ID string }
		if code := call(t, http.MethodPost, s.url+"/api/bgm", ct, body, &track); code != http.StatusCreated {
			t.Fatal(code)
		}
		request := map[string]any{"audio": wavOf(t, voice), "bgm_type": track.ID, "bgm_volume": "0.8"}
		st := ask(t, s, "/api/audio/bgm", request)
		if st.Status != "completed" || !slices.Contains(st.Credits, "A. Composer (CC-BY-4.0)") {
			t.Fatalf("%+v", st)
		}
		got := soundOf(t, artefact(t, s, st.TaskID, "mp3"))
		end := got.Duration().Seconds()
		// The track of 2 s is looped until the end of the tail.
		for _, at := range []float64{0.6, end / 2, end - 1.8} {
			if p := power(got, 523, at, at+0.4); p < -45 {
				t.Errorf("the music is at %.1f dB at %.1f s of %.1f", p, at, end)
			}
		}
		if p := power(got, 700, 0.5, 0.95); p > -50 {
			t.Errorf("before the voice there is more than the music: %.1f dB", p)
		}

		// A refused request that names the track leaves it alone.
		ct, body = process.Form(t, request)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/audio/bgm", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", ct)
		req.Header.Set("Prefer", "wait=soon")
		res, err := http.DefaultClient.Do(req) //nolint:gosec // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("a bad Prefer header is answered %s", res.Status)
		}
		if st := ask(t, s, "/api/audio/bgm", request); len(st.Stages[len(st.Stages)-1].FallbackFrom) > 0 {
			t.Errorf("after a refused request: %+v", st)
		}

		if code := call(t, http.MethodDelete, s.url+"/api/bgm/"+track.ID, "", nil, &track); code != http.StatusNoContent {
			t.Fatal(code)
		}
		ct, body = process.Form(t, request)
		if code := call(t, http.MethodPost, s.url+"/api/audio/bgm", ct, body, &struct{}{}); code != http.StatusUnprocessableEntity {
			t.Errorf("deleted music is answered %d", code)
		}
	})
	t.Run("wrong uploads", func(t *testing.T) {
		ct, body := process.Form(t, map[string]any{"audio": []byte("#EXTM3U\nhttp://127.0.0.1/x.ts\n"), "emotion": "sad"})
		if code := call(t, http.MethodPost, s.url+"/api/audio/prosody", ct, body, &struct{}{}); code != http.StatusUnsupportedMediaType {
			t.Errorf("a playlist is answered %d", code)
		}
		st := ask(t, s, "/api/audio/prosody", map[string]any{"audio": append([]byte("ID3"), bytes.Repeat([]byte{7}, 5000)...), "emotion": "sad"})
		if st.Status != "failed" || st.Error == nil || st.Error.Code != "AUDIO_UNREADABLE" {
			t.Errorf("%+v", st)
		}
	})
	t.Run("metrics", func(t *testing.T) {
		res, err := http.Get(s.url + "/metrics") //nolint:noctx,gosec // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read only
		var b bytes.Buffer
		if _, err := b.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		for _, series := range []string{
			`api_requests_total{endpoint="/api/audio/prosody",method="POST",status="415"}`,
			`api_request_duration_seconds_count{endpoint="/api/video/status/{task}",method="GET"}`,
			`service_calls_total{operation="prosody",service="dsp",status="ready"}`,
			`service_calls_total{operation="voice",service="none",status="failed"}`,
			`storage_operations_total{backend="jetstream",operation="put",status="ok"}`,
			`storage_bytes_total{backend="jetstream",operation="put"}`,
			`storage_operation_duration_seconds_count{backend="jetstream",operation="put"}`,
			`task_queue_size{queue="prosody"}`,
			`task_duration_seconds_count{task_name="prosody"}`,
			`task_wait_seconds_count{task_name="bgm"}`,
			`task_queue_oldest_seconds{queue="prosody"}`,
			`dead_letters{stage="voice"} 1`,
		} {
			if !strings.Contains(b.String(), "\n"+series) {
				t.Errorf("%s is missing", series)
			}
		}
		if t.Failed() {
			t.Log(b.String())
		}
	})
}
