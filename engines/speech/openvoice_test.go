package speech

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/speechtest"
	"github.com/videomsg/videomsg/engines/speech/text"
)

func openvoice(t *testing.T, fake *speechtest.OpenVoice) *OpenVoice {
	t.Helper()
	o, err := NewOpenVoice(serve(t, fake.Handler()), &http.Client{}, Reference{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// sample is two seconds of hum, as a WAV file.
func sampleWAV() []byte { return speechtest.WAV(make([]float64, 32000), 16000, 1, 1) }

func TestOpenVoiceExchanges(t *testing.T) {
	exchange(t, serve(t, (&speechtest.OpenVoice{}).Handler()), speechtest.OpenVoiceExchanges())
}

func TestOpenVoiceLifeOfAProfile(t *testing.T) {
	for name, fake := range map[string]*speechtest.OpenVoice{"openvoice": {}, "old id": {OldID: true}, "qwen": {Qwen: true}} {
		t.Run(name, func(t *testing.T) {
			o := openvoice(t, fake)
			ctx := t.Context()
			if _, err := o.Create(ctx, NewProfile{ID: "p1", Name: "母"}); !errors.Is(err, ErrSamples) {
				t.Errorf("no samples: %v", err)
			}
			samples := [][]byte{sampleWAV(), sampleWAV(), sampleWAV()}
			id, err := o.Create(ctx, NewProfile{ID: "p1", Name: "母", Language: "ja-JP", Samples: samples})
			if err != nil || id != "p1" {
				t.Fatalf("id %q, %v", id, err)
			}
			list, err := o.Profiles(ctx)
			if err != nil || len(list) != 1 || list[0].Language != "ja" || list[0].Samples != 3 {
				t.Fatalf("profiles %+v, %v", list, err)
			}
			s, err := o.Speak(ctx, Request{Text: "お誕生日おめでとう。元気でね！", Profile: "p1", Pitch: 3, Rate: 1.2})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			form := fake.Last()
			if form["pitch"] != "0" || form["volume"] != "1" || form["pause_duration"] != "0" || form["speed"] != "1.2" {
				t.Errorf("form %v", form)
			}
			if len(s.Timings.Sentences) != 2 || s.Voice != "profile:p1" {
				t.Errorf("%d sentences, voice %q", len(s.Timings.Sentences), s.Voice)
			}
			for range 2 {
				if err := o.Delete(ctx, "p1"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := o.Speak(ctx, Request{Text: "はい", Profile: "p1"}); !errors.Is(err, ErrProfile) {
				t.Errorf("deleted profile: %v", err)
			}
		})
	}
}

func TestOpenVoiceRefusals(t *testing.T) {
	fake := &speechtest.OpenVoice{}
	o := openvoice(t, fake)
	ctx := t.Context()
	if _, err := o.Speak(ctx, Request{Text: "はい"}); !errors.Is(err, ErrProfile) {
		t.Errorf("no profile: %v", err)
	}
	if _, err := o.Speak(ctx, Request{Text: "oui", Language: "fr", Profile: "p"}); !errors.Is(err, ErrLanguage) {
		t.Errorf("French: %v", err)
	}
	fake.Initialising = true
	if _, err := o.Speak(ctx, Request{Text: "はい", Profile: "p"}); !errors.Is(err, engines.ErrUnavailable) {
		t.Errorf("initialising: %v", err)
	}
}

// The answer to a creation can get lost after the profile was made.
func TestOpenVoiceFindsTheProfileOfALostAnswer(t *testing.T) {
	fake := &speechtest.OpenVoice{}
	o := openvoice(t, fake)
	fake.Add(speechtest.Fault{Path: "create", CutAt: 10, Times: 1})
	samples := [][]byte{sampleWAV(), sampleWAV(), sampleWAV()}
	id, err := o.Create(t.Context(), NewProfile{ID: "p1", Name: "母", Samples: samples})
	if err != nil || id != "p1" || fake.Calls("/voice-clone/create") != 1 {
		t.Errorf("id %q after %d calls, %v", id, fake.Calls("/voice-clone/create"), err)
	}
	fake.Add(speechtest.Fault{Path: "create", Reset: true, Times: 1})
	if _, err := o.Create(t.Context(), NewProfile{ID: "p2", Name: "父", Samples: samples}); err == nil {
		t.Error("a profile that was never made is reported")
	}
}

func TestOpenVoiceBadAnswersAreErrors(t *testing.T) {
	empty := base64.StdEncoding.EncodeToString(speechtest.WAV(nil, 22050, 1, 1))
	for name, fault := range map[string]speechtest.Fault{
		"html":        {Path: "synthesize", Status: 200, Body: "<html>", Type: "text/html"},
		"not base64":  {Path: "synthesize", Status: 200, Body: `{"success":true,"audio_data":"!!"}`},
		"empty sound": {Path: "synthesize", Status: 200, Body: `{"success":true,"audio_data":""}`},
		"empty WAV":   {Path: "synthesize", Status: 200, Body: `{"success":true,"audio_data":"` + empty + `"}`},
		"refusal":     {Path: "synthesize", Status: 200, Body: `{"success":false,"error":"no"}`},
		"half a body": {Path: "synthesize", CutAt: 100},
		"reset":       {Path: "synthesize", Reset: true},
	} {
		fake := &speechtest.OpenVoice{Qwen: true}
		o := openvoice(t, fake)
		if _, err := o.Create(t.Context(), NewProfile{ID: "p", Name: "x", Samples: [][]byte{sampleWAV()}}); err != nil {
			t.Fatal(err)
		}
		fake.Add(fault)
		if _, err := o.Speak(t.Context(), Request{Text: "はい", Profile: "p"}); err == nil || errors.Is(err, engines.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenVoiceThatNeverAnswersEndsWithTheDeadline(t *testing.T) {
	fake := &speechtest.OpenVoice{Qwen: true}
	o := openvoice(t, fake)
	fake.Add(speechtest.Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := o.Speak(ctx, Request{Text: "はい", Profile: "p"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestOpenVoiceSpeaksAThousandCharacters(t *testing.T) {
	fake := &speechtest.OpenVoice{Qwen: true}
	o := openvoice(t, fake)
	o.ref.OpenJTalk.Voice = "/none" // the reference would take as long as the text
	if _, err := o.Create(t.Context(), NewProfile{ID: "p", Name: "x", Samples: [][]byte{sampleWAV()}}); err != nil {
		t.Fatal(err)
	}
	s, err := o.Speak(t.Context(), Request{Text: strings.Repeat("これは長い文です。", 111) + "。", Profile: "p"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func TestListenFindsSyllablesAndSilence(t *testing.T) {
	// A hum that swells five times a second, half a second of silence, and again.
	pcm := make([]float32, 0, 3*Rate)
	hum := dsp.New(Rate, 1, Rate)
	for i := range hum.Ch[0] {
		hum.Ch[0][i] = float32(0.3 * swell(float64(i)/Rate))
	}
	pcm = append(pcm, hum.Ch[0]...)
	pcm = append(pcm, make([]float32, Rate/2)...)
	pcm = append(pcm, hum.Ch[0]...)
	tm := listen(pcm)
	if err := tm.Validate(seconds(len(pcm))); err != nil {
		t.Fatal(err)
	}
	silence := 0.0
	for _, p := range tm.Phones {
		if p.Silent() && p.Start >= 0.9 && p.End <= 1.6 {
			silence += p.End - p.Start
		}
	}
	if silence < 0.45 || tm.Source != Approximate {
		t.Errorf("silence of %.2f s in %v", silence, tm.Phones)
	}
	for _, pcm := range [][]float32{nil, {0}, make([]float32, 1000), make([]float32, Rate)} {
		if err := listen(pcm).Validate(seconds(len(pcm))); err != nil {
			t.Error(err)
		}
		p := text.Prepare("あいう", text.Options{}).Pieces[0]
		if err := (Reference{OpenJTalk: OpenJTalk{Voice: "/none"}}).Align(t.Context(), "ja", p, pcm).Validate(seconds(len(pcm))); err != nil {
			t.Error(err)
		}
	}
}
