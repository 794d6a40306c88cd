package speech

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/speechtest"
)

func studio(t *testing.T, c Config) *Studio {
	t.Helper()
	c.HTTP = &http.Client{}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func codes(notes []Note) []string {
	var out []string
	for _, n := range notes {
		out = append(out, n.Code)
	}
	return out
}

func TestChainOrder(t *testing.T) {
	s := studio(t, Config{VoicevoxURL: "http://127.0.0.1:1", OpenVoiceURL: "http://127.0.0.1:1"})
	for _, c := range []struct {
		r    Request
		want string
	}{
		{Request{}, "voicevox openjtalk espeak-ng"},
		{Request{Profile: "p"}, "openvoice voicevox openjtalk espeak-ng"},
		{Request{Voice: "openjtalk:bright"}, "openjtalk voicevox espeak-ng"},
		{Request{Voice: "openjtalk:bright", Profile: "p"}, "openvoice openjtalk voicevox espeak-ng"},
		{Request{Language: "en-GB"}, "espeak-ng"},
		{Request{Language: "en", Profile: "p"}, "openvoice espeak-ng"},
	} {
		if got := strings.Join(s.Chain(c.r).Names(), " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.r, got, c.want)
		}
	}
	if got := strings.Join(studio(t, Config{}).Chain(Request{}).Names(), " "); got != "openjtalk espeak-ng" {
		t.Errorf("bare: %s", got)
	}
}

// A cloned voice that was asked for and does not speak is the first thing said.
func TestAClonedVoiceThatDoesNotSpeakIsSaid(t *testing.T) {
	vv := serve(t, (&speechtest.Voicevox{}).Handler())
	down := errors.New("kv is down")
	for name, c := range map[string]struct {
		config Config
		fake   *speechtest.OpenVoice
		want   string
	}{
		"not configured":       {Config{VoicevoxURL: vv}, nil, "no voice cloning service is set up"},
		"unknown there":        {Config{VoicevoxURL: vv}, &speechtest.OpenVoice{}, "does not have it"},
		"not ready":            {Config{VoicevoxURL: vv}, &speechtest.OpenVoice{Initialising: true}, "is not available"},
		"no answer on consent": {Config{VoicevoxURL: vv, MayUse: func(context.Context, string) error { return down }}, &speechtest.OpenVoice{}, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.fake != nil {
				c.config.OpenVoiceURL = serve(t, c.fake.Handler())
			}
			got, err := studio(t, c.config).Speak(t.Context(), Request{Text: "おはよう", Profile: "mother"}, "")
			if err != nil {
				t.Fatal(err)
			}
			if got.Engine != "voicevox" || len(got.Skipped) != 1 || got.Skipped[0].Engine != "openvoice" {
				t.Errorf("served by %s after %v", got.Engine, got.Skipped)
			}
			if len(got.Out.Notes) == 0 || got.Out.Notes[0].Code != NoteProfileNotUsed || !strings.Contains(got.Out.Notes[0].Detail, c.want) {
				t.Errorf("notes %v", got.Out.Notes)
			}
		})
	}
}

func TestWithdrawnConsentEndsTheRequest(t *testing.T) {
	fake := &speechtest.OpenVoice{Qwen: true}
	s := studio(t, Config{OpenVoiceURL: serve(t, fake.Handler()), MayUse: func(context.Context, string) error { return ErrConsent }})
	_, err := s.Speak(t.Context(), Request{Text: "おはよう", Profile: "p"}, "")
	if !errors.Is(err, ErrConsent) || fake.Calls("/voice-clone/synthesize") != 0 {
		t.Errorf("%v after %d syntheses", err, fake.Calls("/voice-clone/synthesize"))
	}
}

func TestAClonedVoiceSpeaks(t *testing.T) {
	fake := &speechtest.OpenVoice{Qwen: true}
	s := studio(t, Config{OpenVoiceURL: serve(t, fake.Handler())})
	if _, err := s.OpenVoice().Create(t.Context(), NewProfile{ID: "p", Name: "x", Samples: [][]byte{sampleWAV()}}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Speak(t.Context(), Request{Text: "はい", Profile: "p"}, "openvoice")
	if err != nil || got.Engine != "openvoice" || slices.Contains(codes(got.Out.Notes), NoteProfileNotUsed) {
		t.Errorf("%s, %v, %v", got.Engine, got.Out.Notes, err)
	}
}

func TestAnEngineThatNeverAnswersLeavesTimeForTheNext(t *testing.T) {
	if err := (OpenJTalk{}).Ready(); err != nil {
		t.Skip(err)
	}
	t.Parallel() // it waits
	fake := &speechtest.Voicevox{}
	fake.Add(speechtest.Fault{Hang: true})
	s := studio(t, Config{VoicevoxURL: serve(t, fake.Handler())})
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
	defer cancel()
	got, err := s.Speak(ctx, Request{Text: "おはよう"}, "")
	if err != nil || got.Engine != "openjtalk" || len(got.Skipped) != 1 {
		t.Fatalf("%s, %v, %v", got.Engine, got.Skipped, err)
	}
	if !errors.Is(got.Skipped[0].Err, context.DeadlineExceeded) {
		t.Error(got.Skipped[0].Err)
	}
}

func TestTheBreakerSparesAServiceThatIsDown(t *testing.T) {
	if err := (OpenJTalk{}).Ready(); err != nil {
		t.Skip(err)
	}
	fake := &speechtest.Voicevox{}
	fake.Add(speechtest.Fault{Status: 400, Path: "/speakers", Times: 1})
	fake.Add(speechtest.Fault{Reset: true})
	s := studio(t, Config{VoicevoxURL: serve(t, fake.Handler())})
	for range 6 { // one refusal, which does not count, and five failures
		if got, err := s.Speak(t.Context(), Request{Text: "はい"}, ""); err != nil || got.Engine != "openjtalk" {
			t.Fatal(err)
		}
	}
	before := fake.Calls("/speakers")
	got, err := s.Speak(t.Context(), Request{Text: "はい"}, "")
	if err != nil || len(got.Skipped) != 1 || !errors.Is(got.Skipped[0].Err, engines.ErrUnavailable) {
		t.Errorf("%v, %v", got.Skipped, err)
	}
	if n := fake.Calls("/speakers"); n != before || before < 11 {
		t.Errorf("%d calls, then %d", before, n)
	}
}

func TestBadRequestsReachNoEngine(t *testing.T) {
	fake := &speechtest.Voicevox{}
	s := studio(t, Config{VoicevoxURL: serve(t, fake.Handler())})
	for name, c := range map[string]struct {
		r    Request
		want error
	}{
		"empty":           {Request{}, ErrNotSpeakable},
		"punctuation":     {Request{Text: "！？…。"}, ErrNotSpeakable},
		"emoji":           {Request{Text: "🎉🎂"}, ErrNotSpeakable},
		"controls":        {Request{Text: "\x00\x07\u202e"}, ErrNotSpeakable},
		"bytes":           {Request{Text: "\xff\xfe\xfd"}, ErrNotSpeakable},
		"1001 characters": {Request{Text: strings.Repeat("あ", 1001)}, ErrTooLong},
		"rate":            {Request{Text: "あ", Rate: 3}, engines.ErrInput},
		"rate NaN":        {Request{Text: "あ", Rate: nan()}, engines.ErrInput},
		"pitch":           {Request{Text: "あ", Pitch: -13}, engines.ErrInput},
		"pause":           {Request{Text: "あ", Pauses: map[string]float64{"。": 1e9}}, engines.ErrInput},
		"intonation":      {Request{Text: "あ", Intonation: -1}, engines.ErrInput},
	} {
		if _, err := s.Speak(t.Context(), c.r, ""); !errors.Is(err, c.want) || !errors.Is(err, engines.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := fake.Calls("/audio_query") + fake.Calls("/speakers"); n != 0 {
		t.Errorf("%d calls", n)
	}
	if _, err := s.Speak(t.Context(), Request{Text: "あ"}, "openvoice"); !errors.Is(err, engines.ErrUnavailable) {
		t.Errorf("required engine that does not serve: %v", err)
	}
}

func nan() float64 { z := 0.0; return z / z }

func TestCatalogueAndPreviews(t *testing.T) {
	fake := &speechtest.Voicevox{}
	s := studio(t, Config{VoicevoxURL: serve(t, fake.Handler()), OpenJTalk: OpenJTalk{Voice: "/nowhere"}})
	voices, missing := s.Voices(t.Context())
	if len(missing) != 1 || missing[0].Engine != "openjtalk" || !strings.Contains(missing[0].Err.Error(), "scripts/voices.sh") {
		t.Errorf("missing %v", missing)
	}
	seen := map[string]bool{}
	for _, v := range voices {
		if seen[v.ID] || v.Name == "" || v.Language == "" || v.Engine == "" {
			t.Errorf("voice %+v", v)
		}
		seen[v.ID] = true
	}
	if !seen["voicevox:3"] {
		t.Errorf("%d voices without voicevox:3", len(voices))
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			p, err := s.Preview(t.Context(), "voicevox:3")
			if err != nil || p.Voice != "voicevox:3" || p.Validate() != nil {
				t.Errorf("preview by %q, %v", p.Voice, err)
			}
		})
	}
	wg.Wait()
	if n := fake.Calls("/synthesis"); n != 2 {
		t.Errorf("%d syntheses of two sentences for five previews", n)
	}
	for _, id := range []string{"", "x", "voicevox:77", "openjtalk:nobody", "espeak:tlh-KLINGON", "openjtalk:standard"} {
		if _, err := s.Preview(t.Context(), id); err == nil {
			t.Errorf("%q has a preview", id)
		}
	}
}

func TestReadySaysWhatIsMissing(t *testing.T) {
	up := &speechtest.Voicevox{}
	s := studio(t, Config{
		VoicevoxURL: serve(t, up.Handler()), VoicevoxStyle: 3, OpenVoiceURL: "http://127.0.0.1:1",
		OpenJTalk: OpenJTalk{Voice: "/nowhere"}, Espeak: "/nowhere",
	})
	got := map[string]error{}
	for _, r := range s.Ready(t.Context()) {
		got[r.Engine] = r.Err
	}
	if len(got) != 4 || got["voicevox"] != nil {
		t.Errorf("ready: %v", got)
	}
	for _, name := range []string{"openvoice", "openjtalk", "espeak-ng"} {
		if !errors.Is(got[name], engines.ErrUnavailable) {
			t.Errorf("%s: %v", name, got[name])
		}
	}
	if err := s.Warm(t.Context()); err != nil || up.Calls("/initialize_speaker") != 1 {
		t.Errorf("warm: %v", err)
	}
	if err := studio(t, Config{}).Warm(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{VoicevoxURL: "localhost"}, {OpenVoiceURL: "ftp://x", HTTP: &http.Client{}}, {VoicevoxURL: "http://x"}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
