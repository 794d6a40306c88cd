package prosody_test

import (
	"math"
	"slices"
	"testing"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/dsp/prosody/prosodytest"
)

// power of a from start to end seconds, in dB.
func power(a dsp.Audio, start, end float64) float64 {
	sum := 0.0
	x := a.Ch[0][int(start*float64(a.Rate)):int(end*float64(a.Rate))]
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(x))+1e-20)
}

func TestJitterScattersPeriods(t *testing.T) {
	steady := prosodytest.SteadyVowels(48000, 150)
	deviation := func(p prosody.Plan) float64 {
		out, _, _ := apply(t, steady.Audio, p)
		tr, err := prosody.Analyze(out)
		if err != nil {
			t.Fatal(err)
		}
		sum, n := 0.0, 0.0
		for _, r := range tr.Runs {
			m := tr.Marks[r.First:r.End]
			for i := 3; i+3 < len(m); i++ {
				d := (m[i+1]-m[i])/(48000/150.0) - 1
				sum, n = sum+d*d, n+1
			}
		}
		return 100 * math.Sqrt(sum/n)
	}
	below(t, "jitter of a steady voice in percent", deviation(shift(0)), 0.1)
	got := deviation(plan(func(p *prosody.Plan) { p.JitterPct = 0.8 }))
	if got < 0.5 || got > 1.1 {
		t.Errorf("jitter is %.2f %%, want 0.8", got)
	}
}

func TestDeclinationDeepensTheFall(t *testing.T) {
	s := prosodytest.Sentences(24000, 140, 2, 5)
	fall := func(a dsp.Audio) float64 {
		tr, err := prosody.Analyze(a)
		if err != nil {
			t.Fatal(err)
		}
		ph := tr.Phrases[0]
		at := func(from, to float64) float64 {
			var f []float64
			for i := int(from / tr.Hop); i < int(to/tr.Hop); i++ {
				if tr.F0[i] > 0 {
					f = append(f, math.Log2(float64(tr.F0[i])))
				}
			}
			return prosodytest.Percentile(f, 50)
		}
		mid := (ph.Start + ph.End) / 2
		return at(ph.Start, mid) - at(mid, ph.End)
	}
	out, _, _ := apply(t, s.Audio, plan(func(p *prosody.Plan) { p.Declination = 0.5 }))
	if got := fall(out) / fall(s.Audio); got < 1.3 || got > 1.7 {
		t.Errorf("the pitch falls %.2f times as much, want 1.5", got)
	}
}

func TestAttackLiftsBeginningsOnly(t *testing.T) {
	s := prosodytest.Bursts(48000, 8)
	for i := range s.Audio.Ch[0] {
		s.Audio.Ch[0][i] *= 0.3 // away from the limiter
	}
	out, _, _ := apply(t, s.Audio, plan(func(p *prosody.Plan) { p.AttackDB = 4 }))
	for _, at := range s.Onsets[1:7] {
		got := power(out, at+0.002, at+0.010) - power(s.Audio, at+0.002, at+0.010)
		if math.Abs(got-4) > 0.5 {
			t.Errorf("the beginning at %.2f s is lifted by %.2f dB, want 4", at, got)
		}
		below(t, "lift of what follows in dB", math.Abs(power(out, at+0.035, at+0.05)-power(s.Audio, at+0.035, at+0.05)), 0.2)
	}
}

// Passages 12 dB apart come closer by half of it, and quiet ones stay.
func TestCompressionEvensLoudPassages(t *testing.T) {
	a := prosodytest.Noise(48000, 8*48000, 0.02, 6)
	for i := range a.Ch[0] {
		if i/24000%8 == 7 { // half a second in four
			a.Ch[0][i] *= 4
		}
	}
	out, _, _ := apply(t, a, plan(func(p *prosody.Plan) { p.Compression = 0.5 }))
	before, after := power(a, 3.52, 3.6)-power(a, 3, 3.4), power(out, 3.52, 3.6)-power(out, 3, 3.4)
	if after > before-4 || after < before-7 {
		t.Errorf("passages are %.1f dB apart, before %.1f", after, before)
	}
	below(t, "change of the quiet passage in dB", math.Abs(power(out, 1, 3)-power(a, 1, 3)), 1)
}

func TestBreathFollowsTheVoice(t *testing.T) {
	s := prosodytest.SteadyVowels(48000, 150)
	out, _, _ := apply(t, s.Audio, plan(func(p *prosody.Plan) { p.BreathDB = -30 }))
	noise := dsp.New(48000, 1, out.Len())
	for i, v := range out.Ch[0] {
		noise.Ch[0][i] = v - s.Audio.Ch[0][i]
	}
	iv := s.Steady[1]
	if got := power(noise, iv.Start, iv.End) - power(s.Audio, iv.Start, iv.End); math.Abs(got+30) > 1 {
		t.Errorf("breath is %.1f dB under the voice, want 30", -got)
	}
	below(t, "breath in a pause in dB", power(noise, 0.0, 0.05), -100)
}

// The extremes of the presets are what the emotional-speech literature gives
// them; each must reach the plan, and scale with the intensity.
func TestPresetsHaveTheirEffort(t *testing.T) {
	resolve := func(e prosody.Emotion, intensity float64) prosody.Plan {
		p := prosody.DefaultParams()
		p.Emotion, p.Intensity = e, intensity
		out, err := p.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := func(p prosody.Plan) []float64 {
		return []float64{p.JitterPct, p.AttackDB, p.Compression, p.Declination, p.BreathDB}
	}
	for e, want := range map[prosody.Emotion][]float64{
		prosody.Neutral: {0, 0, 0, 0, 0}, prosody.Happy: {0, 1, 0, 0, 0},
		prosody.Sad: {0, 0, 0, 0.3, -45}, prosody.Angry: {0.8, 2, 0.5, 0, 0},
	} {
		if g := got(resolve(e, 1)); !slices.Equal(g, want) {
			t.Errorf("%s has %v, want %v", e, g, want)
		}
	}
	if g, want := got(resolve(prosody.Angry, 0.5)), []float64{0.4, 1, 0.25, 0, 0}; !slices.Equal(g, want) {
		t.Errorf("half angry has %v, want %v", g, want)
	}
}
