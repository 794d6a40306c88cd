package speech

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sampleTimings() Timings {
	return Timings{
		SampleRate: 48000, Source: Exact, Engine: "x",
		Phones:    []Phone{{0, 0.1, "sil"}, {0.1, 0.2, "h"}, {0.2, 0.4, "a"}, {0.4, 0.6, "i"}, {0.6, 1, "sil"}},
		Words:     []Word{{0.1, 0.6, "はい", 0, 2}},
		Sentences: []Word{{0.1, 0.6, "はい。", 0, 3}},
	}
}

func TestTimingsAreTheDocumentedJSON(t *testing.T) {
	b, err := json.Marshal(Timings{SampleRate: 48000, Source: Exact, Engine: "e", Phones: []Phone{{0, 0.5, "a"}}, Words: []Word{{0, 0.5, "あ", 0, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"sample_rate":48000,"source":"exact","engine":"e","phones":[{"start":0,"end":0.5,"p":"a"}],"words":[{"start":0,"end":0.5,"text":"あ","char_start":0,"char_end":1}],"sentences":null}`
	if string(b) != want {
		t.Errorf("got %s", b)
	}
	var back Timings
	if err := json.Unmarshal(b, &back); err != nil || back.Phones[0].P != "a" {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestTimingsValidate(t *testing.T) {
	if err := sampleTimings().Validate(1); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Timings){
		"rate":             func(t *Timings) { t.SampleRate = 0 },
		"source":           func(t *Timings) { t.Source = "sure" },
		"overlap":          func(t *Timings) { t.Phones[2].Start = 0.15 },
		"backwards":        func(t *Timings) { t.Phones[2].End = 0.1 },
		"after the sound":  func(t *Timings) { t.Phones[4].End = 1.01 },
		"before the sound": func(t *Timings) { t.Phones[0].Start = -0.1 },
		"not a number":     func(t *Timings) { t.Words[0].End = math.NaN() },
		"endless":          func(t *Timings) { t.Sentences[0].End = math.Inf(1) },
	} {
		tm := sampleTimings()
		spoil(&tm)
		if tm.Validate(1) == nil {
			t.Errorf("%s is valid", name)
		}
	}
}

func TestMapCarriesTheTimeline(t *testing.T) {
	in := sampleTimings()
	stretched := in.Map(func(s float64) float64 { return 2 * s })
	if err := stretched.Validate(2); err != nil || stretched.Phones[2] != (Phone{0.4, 0.8, "a"}) || stretched.Words[0].End != 1.2 {
		t.Errorf("%+v, %v", stretched, err)
	}
	if d := cmp.Diff(in, sampleTimings()); d != "" {
		t.Errorf("the original changed: %s", d)
	}
	back := stretched.Map(func(s float64) float64 { return s / 2 })
	if d := cmp.Diff(back, in); d != "" {
		t.Error(d)
	}
	if s := in.Shift(0.5); s.Validate(1.5) != nil || s.Words[0].Start != 0.6 {
		t.Errorf("shifted %+v", s)
	}
	if s := in.Shift(-0.3); s.Validate(1) != nil || s.Words[0].Start != 0 || math.Abs(s.Words[0].End-0.3) > 1e-9 {
		t.Errorf("shifted back %+v", s)
	}
	if w := in.ShiftText(5).Words[0]; w.CharStart != 5 || w.CharEnd != 7 {
		t.Errorf("text shifted: %+v", w)
	}
}

// Whatever a map does, the result is in order.
func TestMapIsAlwaysMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		f := func(float64) float64 {
			switch r.IntN(5) {
			case 0:
				return math.NaN()
			case 1:
				return math.Inf(1 - 2*r.IntN(2))
			}
			return r.Float64()*3 - 1
		}
		if err := sampleTimings().Map(f).Validate(2); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendKeepsTheWorseSource(t *testing.T) {
	a, b := sampleTimings(), sampleTimings().Shift(1)
	b.Source = Approximate
	got := a.Append(b)
	if got.Source != Approximate || len(got.Phones) != 10 || got.Validate(2) != nil {
		t.Errorf("%+v, %v", got, got.Validate(2))
	}
	if (Timings{}).Append(a).Source != Exact || a.Append(Timings{}).Source != Exact {
		t.Error("an empty timeline changes the source")
	}
}

func FuzzAudioQuery(f *testing.F) {
	f.Add(`{"accent_phrases":[{"moras":[{"text":"ア","vowel":"a","vowel_length":0.1,"pitch":5}],"accent":1,"pause_mora":{"vowel":"pau","vowel_length":0.3},"is_interrogative":true}],"speedScale":1}`)
	f.Add(`{"accent_phrases":[{"moras":[]}],"speedScale":-1,"pauseLength":1e99,"prePhonemeLength":"x"}`)
	f.Fuzz(func(t *testing.T, s string) {
		var raw map[string]json.RawMessage
		if len(s) > 2000 || json.Unmarshal([]byte(s), &raw) != nil {
			return
		}
		q, err := decodeQuery(raw)
		if err != nil {
			return
		}
		pcm := make([]float32, Rate/4)
		tm, _ := q.timeline(pcm)
		tm.Engine = "voicevox"
		if err := tm.Validate(seconds(len(pcm))); err != nil {
			t.Fatal(err)
		}
	})
}
