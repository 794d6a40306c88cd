package speech

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/videomsg/videomsg/engines/speech/text"
)

func swell(t float64) float64 {
	return (0.5 - 0.5*math.Cos(2*math.Pi*5*t)) * (math.Sin(2*math.Pi*150*t) + 0.5*math.Sin(2*math.Pi*600*t))
}

const longSentence = "お誕生日おめでとうございます、これからも元気に過ごしてください"

// errorsOf compares the boundaries of two timelines of the same phonemes, in
// milliseconds, sorted.
func errorsOf(t testing.TB, got, want Timings) []float64 {
	t.Helper()
	a, b := spoken(got.Phones), spoken(want.Phones)
	if len(a) != len(b) {
		t.Fatalf("%d phones, want %d", len(a), len(b))
	}
	var ms []float64
	for i := range a {
		ms = append(ms, 1000*math.Abs(a[i].Start-b[i].Start), 1000*math.Abs(a[i].End-b[i].End))
	}
	slices.Sort(ms)
	return ms
}

func report(ms []float64) string {
	return fmt.Sprintf("median %.0f ms, p90 %.0f ms, max %.0f ms", ms[len(ms)/2], ms[len(ms)*9/10], ms[len(ms)-1])
}

// The truth is what Open JTalk says about its own sound in another voice,
// faster, and in another pitch; the alignment sees only the sound.
func TestAlignFindsTheBoundariesOfAnotherVoice(t *testing.T) {
	o := OpenJTalk{}
	if err := o.Ready(); err != nil {
		t.Skip(err)
	}
	p := text.Prepare(longSentence, text.Options{}).Pieces[0]
	for _, r := range []Request{{Rate: 1.3, Pitch: 2}, {Rate: 0.8, Pitch: -3}} {
		other, err := o.piece(t.Context(), p, surroundings{}, r, openJTalkStyles[1])
		if err != nil {
			t.Fatal(err)
		}
		got := (Reference{}).Align(t.Context(), "ja", p, other.samples)
		if err := got.Validate(seconds(len(other.samples))); err != nil {
			t.Fatal(err)
		}
		ms := errorsOf(t, got, other.timings)
		t.Logf("rate %g, pitch %g: %s", r.rate(), r.Pitch, report(ms))
		if got.Source != Aligned || ms[len(ms)/2] > 15 || ms[len(ms)*9/10] > 50 {
			t.Errorf("rate %g: %s, %s", r.rate(), got.Source, report(ms))
		}
	}
}

func TestAlignDoesNotTrustNoise(t *testing.T) {
	o := OpenJTalk{}
	if err := o.Ready(); err != nil {
		t.Skip(err)
	}
	p := text.Prepare("おはようございます", text.Options{}).Pieces[0]
	noise := make([]float32, 5*Rate)
	for i := range noise {
		noise[i] = float32(math.Sin(float64(i*i%7919))) * 0.1
	}
	for name, pcm := range map[string][]float32{"noise": noise, "silence": make([]float32, Rate), "a click": {0, 1, 0}, "nothing": nil} {
		got := (Reference{}).Align(t.Context(), "ja", p, pcm)
		if err := got.Validate(seconds(len(pcm))); err != nil || got.Source != Approximate {
			t.Errorf("%s is %s, %v", name, got.Source, err)
		}
	}
}

// What is laid over the sound without any reference, held against the truth.
func TestSegmentFindsTheBoundaries(t *testing.T) {
	o := OpenJTalk{}
	if err := o.Ready(); err != nil {
		t.Skip(err)
	}
	p := text.Prepare(longSentence, text.Options{}).Pieces[0]
	s, err := o.piece(t.Context(), p, surroundings{}, Request{}, openJTalkStyles[0])
	if err != nil {
		t.Fatal(err)
	}
	var seq []string
	for _, ph := range spoken(s.timings.Phones) {
		seq = append(seq, ph.P)
	}
	bounds := segment(s.samples, seq)
	var got Timings
	for i, ph := range seq {
		got.Phones = append(got.Phones, Phone{bounds[i], bounds[i+1], ph})
	}
	ms := errorsOf(t, got, s.timings)
	t.Log(report(ms))
	if ms[len(ms)/2] > 25 || ms[len(ms)*9/10] > 90 {
		t.Error(report(ms))
	}
}
