package speech

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/speechtest"
	"github.com/videomsg/videomsg/engines/speech/text"
)

func voicevox(t *testing.T, base string, style int) *Voicevox {
	t.Helper()
	v, err := NewVoicevox(VoicevoxConfig{URL: base, Style: style, HTTP: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVoicevoxExchanges(t *testing.T) {
	if base := os.Getenv("VOICEVOX_URL"); base != "" {
		exchange(t, base, slices.DeleteFunc(speechtest.VoicevoxExchanges(), func(x speechtest.Exchange) bool { return x.Old || x.Varies }))
	}
	for _, old := range []bool{false, true} {
		base := serve(t, (&speechtest.Voicevox{Old: old}).Handler())
		exchange(t, base, slices.DeleteFunc(speechtest.VoicevoxExchanges(), func(x speechtest.Exchange) bool {
			return x.Old != old
		}))
	}
}

// onsets finds where the sound of the fake changes between silence and not, in
// seconds.
func edges(pcm []float32) (on, off []float64) {
	const quiet = 1e-3
	last, silent := 0, true
	for i, v := range pcm {
		if math.Abs(float64(v)) < quiet {
			continue
		}
		if silent || i-last > Rate/50 {
			if !silent {
				off = append(off, seconds(last))
			}
			on = append(on, seconds(i))
			silent = false
		}
		last = i
	}
	if !silent {
		off = append(off, seconds(last))
	}
	return on, off
}

func TestVoicevoxTimelineLiesOnTheSound(t *testing.T) {
	const frame = 256.0 / 24000
	for name, fake := range map[string]*speechtest.Voicevox{
		"new": {}, "old": {Old: true, Version: "0.19.1"}, "other rate": {Rate: 44100},
	} {
		t.Run(name, func(t *testing.T) {
			v := voicevox(t, serve(t, fake.Handler()), 1)
			for _, rate := range []float64{1, 0.7, 1.6} {
				s, err := v.Speak(t.Context(), Request{
					Text: "おはよう、みなさん。きょうはとてもいいてんきですね！げんきですか？", Rate: rate,
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Validate(); err != nil {
					t.Fatal(err)
				}
				if s.Timings.Source != Exact {
					t.Errorf("source %s", s.Timings.Source)
				}
				// Every pause of the timeline is a silence of the sound and the
				// other way round.
				on, off := edges(s.Audio.Ch[0])
				var starts, ends []float64
				silent := true
				for _, p := range s.Timings.Phones {
					if q := p.Silent() || p.P == "cl"; q != silent {
						if q {
							ends = append(ends, p.Start)
						} else {
							starts = append(starts, p.Start)
						}
						silent = q
					}
				}
				if len(on) != len(starts) || len(off) != len(ends) {
					t.Fatalf("rate %g: %d rises and %d falls, timeline has %d and %d", rate, len(on), len(off), len(starts), len(ends))
				}
				for i := range on {
					if d := math.Abs(on[i] - starts[i]); d > frame {
						t.Errorf("rate %g: rise %d at %.4f s, timeline says %.4f", rate, i, on[i], starts[i])
					}
					if d := math.Abs(off[i] - ends[i]); d > frame {
						t.Errorf("rate %g: fall %d at %.4f s, timeline says %.4f", rate, i, off[i], ends[i])
					}
				}
				if len(s.Timings.Sentences) != 3 || s.Timings.Sentences[2].Text != "げんきですか？" {
					t.Errorf("sentences %v", s.Timings.Sentences)
				}
			}
		})
	}
}

func TestVoicevoxWithoutLengthsIsAligned(t *testing.T) {
	v := voicevox(t, serve(t, (&speechtest.Voicevox{Aivis: true}).Handler()), speechtest.AivisStyle)
	s, err := v.Speak(t.Context(), Request{Text: "おはよう、みなさん。"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	if s.Timings.Source != Aligned || len(s.Timings.Phones) < 10 || s.Credit != "AivisSpeech:Anneli" {
		t.Errorf("source %s, %d phones, credit %q", s.Timings.Source, len(s.Timings.Phones), s.Credit)
	}
}

func TestVoicevoxVoices(t *testing.T) {
	v := voicevox(t, serve(t, (&speechtest.Voicevox{}).Handler()), 3)
	voices, err := v.Voices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(voices) != 4 || voices[2].ID != "voicevox:3" || voices[2].Credit != "VOICEVOX:ずんだもん" || voices[2].Name != "ずんだもん（ノーマル）" {
		t.Errorf("voices %+v", voices)
	}
	policy, err := v.Policy(t.Context(), 3)
	if err != nil || !strings.Contains(policy, "VOICEVOX:ずんだもん") {
		t.Errorf("policy %q, %v", policy, err)
	}
	s, err := v.Speak(t.Context(), Request{Text: "はい", Voice: "voicevox:2"})
	if err != nil || s.Credit != "VOICEVOX:四国めたん" || s.Voice != "voicevox:2" {
		t.Errorf("credit %q, voice %q, %v", s.Credit, s.Voice, err)
	}
	for _, id := range []string{"voicevox:9999", "voicevox:x", "voicevox:6000"} {
		if _, err := v.Speak(t.Context(), Request{Text: "はい", Voice: id}); !errors.Is(err, ErrVoice) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := v.Warm(t.Context(), 3); err != nil {
		t.Error(err)
	}
}

func TestVoicevoxDictionary(t *testing.T) {
	servers := []string{serve(t, (&speechtest.Voicevox{}).Handler()), serve(t, (&speechtest.Voicevox{Old: true}).Handler())}
	if base := os.Getenv("VOICEVOX_URL"); base != "" {
		servers = append(servers, base)
	}
	for _, base := range servers {
		v := voicevox(t, base, 1)
		id, err := v.AddWord(t.Context(), DictionaryWord{Surface: "小鳥遊", Pronunciation: "タカナシ", AccentType: 2})
		if err != nil || len(id) != 36 {
			t.Fatalf("id %q, %v", id, err)
		}
		if err := v.ChangeWord(t.Context(), id, DictionaryWord{Surface: "小鳥遊", Pronunciation: "コトリアソビ"}); err != nil {
			t.Fatal(err)
		}
		words, err := v.Dictionary(t.Context())
		if err != nil || words[id].Pronunciation != "コトリアソビ" {
			t.Errorf("words %v, %v", words, err)
		}
		if err := v.RemoveWord(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if _, err := v.AddWord(t.Context(), DictionaryWord{Surface: "a", Pronunciation: "hiragana"}); !errors.Is(err, engines.ErrPermanent) {
			t.Errorf("bad pronunciation: %v", err)
		}
	}
}

func TestVoicevoxAccentsOfOnesOwnWords(t *testing.T) {
	fake := &speechtest.Voicevox{}
	v := voicevox(t, serve(t, fake.Handler()), 1)
	name := func(accent *int) []text.Entry {
		return []text.Entry{{Surface: "小鳥遊", Reading: "たかなし", Accent: accent}, {Surface: "光太", Reading: "こーた", Accent: new(1)}}
	}
	for _, c := range []struct {
		in     string
		accent *int
		want   string
		calls  int // for the pitch, so far
	}{
		{"小鳥遊さん", new(3), "タ 5.4 カ 5.4 ナ 5.4 シ 5.0 サ 5.0 ン 5.0", 1},
		{"小鳥遊さん", new(0), "タ 5.4 カ 5.4 ナ 5.4 シ 5.4 サ 5.4 ン 5.4", 2},
		{"小鳥遊さん", new(1), "", 2}, // as it is
		{"小鳥遊さん", nil, "", 2},
		{"山の小鳥遊", new(2), "", 2}, // in the middle of a phrase
	} {
		s, err := v.Speak(t.Context(), Request{Text: c.in, Words: name(c.accent)})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); err != nil || s.Timings.Source != Exact {
			t.Errorf("%s: %s, %v", c.in, s.Timings.Source, err)
		}
		if got := strings.Join(fake.Sung(), " / "); c.want != "" && got != c.want || fake.Calls("/mora_pitch") != c.calls {
			t.Errorf("%s is sung %q after %d calls, want %q after %d", c.in, got, fake.Calls("/mora_pitch"), c.want, c.calls)
		}
	}
	if got := sounds("こーたろー"); got != "コオタロオ" {
		t.Errorf("sounds are %s", got)
	}
	fake.Add(speechtest.Fault{Path: "mora_pitch", Status: 200, Body: "[]", Type: "application/json"})
	if _, err := v.Speak(t.Context(), Request{Text: "小鳥遊", Words: name(new(2))}); err == nil {
		t.Error("phrases are lost and nobody says so")
	}
}

func TestVoicevoxReadsEnglishWhereItCan(t *testing.T) {
	for version, reads := range map[string]bool{"0.25.2": true, "0.24.0": true, "latest": true, "1.0.0": true, "0.23.1": false, "0.19.1": false, "": true, "x": false} {
		fake := &speechtest.Voicevox{Version: version}
		v := voicevox(t, serve(t, fake.Handler()), 1)
		if _, err := v.Speak(t.Context(), Request{Text: "Happyなgymnasticsの先生、NHKのrhy"}); err != nil {
			t.Fatal(err)
		}
		want := "ハッピーなジーワイエムエヌエーエスティーアイシーエスの先生、エヌエイチケーのアールエイチワイ"
		if reads {
			want = "ハッピーなgymnasticsの先生、エヌエイチケーのrhy"
		}
		if q := fake.Asked(); q.Get("text") != want || q.Get("enable_katakana_english") != "true" {
			t.Errorf("version %q is asked %v", version, q)
		}
	}
}

// badAnswers are what broken services and proxies in front of them say.
var badAnswers = map[string]speechtest.Fault{
	"html":         {Status: 200, Body: "<html><body>Welcome to nginx!</body></html>", Type: "text/html"},
	"empty sound":  {Status: 200, Type: "audio/wav", Path: "synthesis", Body: string(speechtest.WAV(nil, 24000, 1, 1))},
	"no body":      {Status: 200, Type: "audio/wav", Path: "synthesis"},
	"half a body":  {CutAt: 1000, Path: "synthesis"},
	"half a JSON":  {CutAt: 50, Path: "audio_query"},
	"reset":        {Reset: true},
	"bad gateway":  {Status: 502, Body: "upstream"},
	"null":         {Status: 200, Body: "null", Type: "application/json"},
	"other JSON":   {Status: 200, Body: `{"a":[1]}`, Type: "application/json"},
	"huge lengths": {Status: 200, Path: "audio_query", Body: `{"accent_phrases":[{"moras":[{"vowel":"a","vowel_length":1e9}]}]}`, Type: "application/json"},
}

func TestVoicevoxBadAnswersAreErrors(t *testing.T) {
	for name, fault := range badAnswers {
		t.Run(name, func(t *testing.T) {
			fake := &speechtest.Voicevox{}
			v := voicevox(t, serve(t, fake.Handler()), 1)
			if fault.Path != "" {
				if _, err := v.Voices(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			fake.Add(fault)
			_, err := v.Speak(t.Context(), Request{Text: "おはよう"})
			if err == nil {
				t.Fatal("no error")
			}
			if len(err.Error()) > 800 || errors.Is(err, engines.ErrInput) {
				t.Errorf("error of %d bytes: %v", len(err.Error()), err)
			}
		})
	}
}

func TestVoicevoxTriesAgain(t *testing.T) {
	fake := &speechtest.Voicevox{}
	v := voicevox(t, serve(t, fake.Handler()), 1)
	fake.Add(speechtest.Fault{Path: "audio_query", Status: 500, Times: 1})
	fake.Add(speechtest.Fault{Path: "synthesis", Reset: true, Times: 1})
	if _, err := v.Speak(t.Context(), Request{Text: "おはよう"}); err != nil {
		t.Fatal(err)
	}
	if a, b := fake.Calls("/audio_query"), fake.Calls("/synthesis"); a != 2 || b != 2 {
		t.Errorf("%d queries and %d syntheses", a, b)
	}
	fake.Add(speechtest.Fault{Path: "audio_query", Status: 422, Body: `{"detail":"no"}`})
	if _, err := v.Speak(t.Context(), Request{Text: "おはよう"}); !errors.Is(err, engines.ErrPermanent) || fake.Calls("/audio_query") != 3 {
		t.Errorf("%d queries, %v", fake.Calls("/audio_query"), err)
	}
}

func TestVoicevoxThatNeverAnswersEndsWithTheDeadline(t *testing.T) {
	fake := &speechtest.Voicevox{}
	fake.Add(speechtest.Fault{Hang: true})
	v := voicevox(t, serve(t, fake.Handler()), 1)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := v.Speak(ctx, Request{Text: "おはよう"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestVoicevoxDownIsUnavailable(t *testing.T) {
	v := voicevox(t, "http://127.0.0.1:1", 1)
	if _, err := v.Speak(t.Context(), Request{Text: "おはよう"}); !errors.Is(err, engines.ErrUnavailable) {
		t.Error(err)
	}
}

func TestVoicevoxSpeaksAThousandCharacters(t *testing.T) {
	fake := &speechtest.Voicevox{}
	v := voicevox(t, serve(t, fake.Handler()), 1)
	long := strings.Repeat("これはながいぶんです、", 90) + strings.Repeat("あ", 10)
	s, err := v.Speak(t.Context(), Request{Text: long})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	if fake.Calls("/synthesis") < 5 {
		t.Errorf("%d calls", fake.Calls("/synthesis"))
	}
	last := s.Timings.Words[len(s.Timings.Words)-1]
	if last.CharEnd != 1000 {
		t.Errorf("last word ends at %d", last.CharEnd)
	}
}

func TestPhrasesFindTheirPlaces(t *testing.T) {
	v := voicevox(t, serve(t, (&speechtest.Voicevox{}).Handler()), 1)
	in := "おはよう、みなさん。"
	s, err := v.Speak(t.Context(), Request{Text: in})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range s.Timings.Words {
		got = append(got, w.Text)
	}
	if !slices.Equal(got, []string{"おはよう", "みなさん"}) {
		t.Errorf("words %q", got)
	}
}

// A real engine must keep the same contract as the fake, in this test and in those
// of exchanges and dictionary. Set VOICEVOX_URL to hold one to it.
func TestRealVoicevox(t *testing.T) {
	base := os.Getenv("VOICEVOX_URL")
	if base == "" {
		t.Skip("VOICEVOX_URL is not set")
	}
	v := voicevox(t, base, 0)
	voices, err := v.Voices(t.Context())
	if err != nil || len(voices) == 0 {
		t.Fatalf("%d voices, %v", len(voices), err)
	}
	if err := v.Warm(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if p, err := v.Policy(t.Context(), 0); err != nil || p == "" {
		t.Errorf("policy %q, %v", p, err)
	}
	for _, r := range []Request{
		{Text: "おはよう、みなさん。げんきですか？", Words: []text.Entry{{Surface: "みなさん", Reading: "みんな", Accent: new(0)}}},
		{Text: "Happyなgymnasticsの先生、2026年11月23日に会いましょう！", Rate: 1.3, Pitch: 1, Intonation: 1.5},
		{Text: strings.Repeat("これはながいぶんです、", 90) + strings.Repeat("あ", 10)},
	} {
		s, err := v.Speak(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		if s.Credit == "" || len(s.Timings.Phones) < 10 || len(s.Timings.Words) < 2 {
			t.Errorf("credit %q, %d phones, %d words", s.Credit, len(s.Timings.Phones), len(s.Timings.Words))
		}
	}
	if _, err := v.Speak(t.Context(), Request{Text: "はい", Voice: "voicevox:999999"}); !errors.Is(err, ErrVoice) {
		t.Errorf("unknown style: %v", err)
	}
}
