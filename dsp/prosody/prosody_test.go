package prosody_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/dsp/prosody/prosodytest"
)

func apply(t testing.TB, a dsp.Audio, p prosody.Plan) (dsp.Audio, prosody.TimeMap, prosody.Report) {
	t.Helper()
	out, m, rep, err := prosody.Apply(a, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for c, x := range out.Ch {
		for i, v := range x {
			if !(math.Abs(float64(v)) < 10*dsp.MaxLevel) {
				t.Fatalf("channel %d sample %d is %g", c, i, v)
			}
		}
	}
	return out, m, rep
}

func plan(change func(p *prosody.Plan)) prosody.Plan {
	p := prosody.NeutralPlan()
	change(&p)
	return p
}

func rate(r float64) prosody.Plan { return plan(func(p *prosody.Plan) { p.Rate = r }) }

func shift(st float64) prosody.Plan { return plan(func(p *prosody.Plan) { p.Semitones = st }) }

// below fails unless got ≤ limit.
func below(t *testing.T, what string, got, limit float64) {
	t.Helper()
	if !(got <= limit) {
		t.Errorf("%s is %.4g, more than %.4g", what, got, limit)
	}
}

func TestNeutralPlanReturnsTheSamples(t *testing.T) {
	s := prosodytest.Sentences(16000, 140, 1, 1)
	out, _, rep := apply(t, s.Audio, prosody.NeutralPlan())
	if !rep.Bypassed || !slices.Equal(out.Ch[0], s.Audio.Ch[0]) {
		t.Error("the neutral plan changed the sound")
	}
	out.Ch[0][0]++
	if out.Ch[0][0] == s.Audio.Ch[0][0] {
		t.Error("the copy shares samples with the input")
	}
}

func TestSynthesisWithoutChangeIsTransparent(t *testing.T) {
	p := plan(func(p *prosody.Plan) { p.NoBypass = true })
	for _, s := range []prosodytest.Signal{
		prosodytest.Sentences(48000, 120, 2, 1), prosodytest.Sentences(22050, 210, 2, 2),
		prosodytest.SteadyVowels(16000, 150), prosodytest.Bursts(44100, 8), prosodytest.Glide(48000, 110),
	} {
		out, _, _ := apply(t, s.Audio, p)
		if db := prosodytest.IdentityDB(s.Audio, out); db < 120 || out.Len() != s.Audio.Len() {
			t.Errorf("%s: %.1f dB, %d of %d samples", s.Name, db, out.Len(), s.Audio.Len())
		}
	}
}

func TestStretchKeepsPitchAndTimbre(t *testing.T) {
	for _, f0 := range []float64{120, 220} {
		s := prosodytest.Sentences(48000, f0, 1, uint64(f0))
		k0 := prosodytest.Kurtosis(s, s.Audio, 1)
		for _, c := range []struct{ factor, cents, p95, env, kurt float64 }{
			{1.25, 2, 9, 0.95, 0.15},
			{0.8, 3, 12, 1.2, 0.2},
			{2, 2, 9, 1.4, 0.3},
			{0.5, 5, 24, 2.3, 0.7},
		} {
			t.Run(fmt.Sprintf("%g Hz by %g", f0, c.factor), func(t *testing.T) {
				out, _, _ := apply(t, s.Audio, rate(1/c.factor))
				if want := int(math.Round(float64(s.Audio.Len()) * c.factor)); out.Len() != want {
					t.Errorf("%d samples, want %d", out.Len(), want)
				}
				e, lost := prosodytest.PitchError(s, out, c.factor, 0)
				below(t, "median pitch error in cents", prosodytest.Percentile(e, 50), c.cents)
				below(t, "95th percentile of it", prosodytest.Percentile(e, 95), c.p95)
				below(t, "part without pitch", lost, 0.01)
				below(t, "envelope distance in dB", prosodytest.EnvelopeDB(s, out, c.factor, s.F0), c.env)
				below(t, "formant shift", math.Abs(prosodytest.FormantShift(s, out, c.factor, s.F0)), 0.1)
				below(t, "change of kurtosis", math.Abs(prosodytest.Kurtosis(s, out, c.factor)/k0-1), c.kurt)
			})
		}
	}
}

func TestPitchShiftKeepsTimeAndFormants(t *testing.T) {
	s := prosodytest.Sentences(48000, 130, 1, 9)
	k0 := prosodytest.Kurtosis(s, s.Audio, 1)
	for _, c := range []struct{ st, cents, p95, env, kurt float64 }{
		{2, 2, 9, 1.7, 0.15},
		// Fewer pulses in the same time raise the kurtosis by themselves.
		{-2, 2.5, 12, 1.7, 0.25},
		{4, 2, 9, 1.8, 0.2},
		{-4, 2.5, 12, 1.8, 0.4},
		{12, 3, 14, 3.4, 0.5},
		{-12, 5, 20, 1.9, 1.2},
	} {
		t.Run(fmt.Sprintf("%+g semitones", c.st), func(t *testing.T) {
			out, _, _ := apply(t, s.Audio, shift(c.st))
			if out.Len() != s.Audio.Len() {
				t.Errorf("%d samples, want %d", out.Len(), s.Audio.Len())
			}
			fy := func(x float64) float64 { return s.F0(x) * math.Exp2(c.st/12) }
			e, lost := prosodytest.PitchError(s, out, 1, c.st)
			below(t, "median pitch error in cents", prosodytest.Percentile(e, 50), c.cents)
			below(t, "95th percentile of it", prosodytest.Percentile(e, 95), c.p95)
			below(t, "part without pitch", lost, 0.02)
			below(t, "envelope distance in dB", prosodytest.EnvelopeDB(s, out, 1, fy), c.env)
			below(t, "formant shift", math.Abs(prosodytest.FormantShift(s, out, 1, fy)), 0.2)
			below(t, "change of kurtosis", math.Abs(prosodytest.Kurtosis(s, out, 1)/k0-1), c.kurt)
		})
	}
}

func TestVowelsStayHarmonic(t *testing.T) {
	s := prosodytest.SteadyVowels(48000, 150)
	for _, p := range []prosody.Plan{rate(0.8), rate(1.25), rate(0.5), rate(2), shift(2), shift(-2), shift(4), shift(-4), shift(12), shift(-12)} {
		out, _, _ := apply(t, s.Audio, p)
		below(t, fmt.Sprintf("inharmonic energy at rate %g, %g semitones", p.Rate, p.Semitones),
			prosodytest.InharmonicDB(s, out, 1/p.Rate, 150*math.Exp2(p.Semitones/12)), -70)
	}
}

func TestOnsetsStaySharpAndInPlace(t *testing.T) {
	s := prosodytest.Bursts(48000, 12)
	for _, p := range []prosody.Plan{rate(0.8), rate(1.25), rate(0.5), rate(2), shift(4), shift(-4)} {
		name := fmt.Sprintf("at rate %g, %g semitones", p.Rate, p.Semitones)
		out, _, rep := apply(t, s.Audio, p)
		if rep.Onsets != len(s.Onsets) {
			t.Errorf("found %d onsets of %d", rep.Onsets, len(s.Onsets))
		}
		ms, pre := prosodytest.OnsetErrors(s, out, func(t float64) float64 { return t / p.Rate })
		if len(ms) != len(s.Onsets) {
			t.Fatalf("%d onsets heard of %d", len(ms), len(s.Onsets))
		}
		below(t, "onset error in ms "+name, prosodytest.Percentile(ms, 50), 0.25)
		below(t, "its 95th percentile "+name, prosodytest.Percentile(ms, 95), 0.6)
		below(t, "pre-echo "+name, prosodytest.Percentile(pre, 50), -90)
	}
}

func TestRoundTripComesBack(t *testing.T) {
	s := prosodytest.Sentences(48000, 140, 1, 5)
	for _, c := range []struct{ factor, lsd, sc float64 }{{1.25, 2, 0.1}, {0.8, 3.6, 0.15}} {
		there, _, _ := apply(t, s.Audio, rate(1/c.factor))
		back, _, _ := apply(t, there, rate(c.factor))
		lsd, sc := prosodytest.RoundTrip(s.Audio, back)
		below(t, fmt.Sprintf("log spectral distance after %g", c.factor), lsd, c.lsd)
		below(t, fmt.Sprintf("spectral convergence after %g", c.factor), sc, c.sc)
	}
}

func TestRangeScalesTheMelody(t *testing.T) {
	s := prosodytest.Glide(48000, 120)
	for _, r := range []float64{0, 0.5, 1.5} {
		out, _, rep := apply(t, s.Audio, plan(func(p *prosody.Plan) { p.Range = r }))
		want := prosodytest.Signal{Audio: s.Audio, Steady: s.Steady, F0: func(x float64) float64 {
			return rep.MedianF0 * math.Pow(s.F0(x)/rep.MedianF0, r)
		}}
		e, lost := prosodytest.PitchError(want, out, 1, 0)
		below(t, fmt.Sprintf("pitch error in cents at range %g", r), prosodytest.Percentile(e, 95), 12)
		below(t, "part without pitch", lost, 0.01)
	}
}

func TestTremorMovesThePitch(t *testing.T) {
	s := prosodytest.SteadyVowels(48000, 150)
	out, _, _ := apply(t, s.Audio, plan(func(p *prosody.Plan) { p.TremorHz, p.TremorCents = 5.5, 30 }))
	want := s
	want.F0 = func(x float64) float64 {
		return s.F0(x) * math.Exp2(30.0/1200*math.Sin(2*math.Pi*5.5*x))
	}
	e, _ := prosodytest.PitchError(want, out, 1, 0)
	below(t, "pitch error in cents against the tremor", prosodytest.Percentile(e, 95), 8)
	plain, _ := prosodytest.PitchError(s, out, 1, 0)
	if p := prosodytest.Percentile(plain, 95); p < 25 {
		t.Errorf("the pitch moves by %g cents only", p)
	}
}

func TestFormantFactorMovesFormantsAndNotPitch(t *testing.T) {
	s := prosodytest.Sentences(48000, 120, 1, 4)
	for _, st := range []float64{-2, 2} {
		out, _, _ := apply(t, s.Audio, plan(func(p *prosody.Plan) { p.Formant = math.Exp2(st / 12) }))
		e, _ := prosodytest.PitchError(s, out, 1, 0)
		below(t, "pitch error in cents", prosodytest.Percentile(e, 50), 3)
		got := prosodytest.FormantShift(s, out, 1, s.F0)
		below(t, fmt.Sprintf("error of the formant shift %g (got %g)", st, got), math.Abs(got-st), 0.4)
	}
}

func TestTiltAndGain(t *testing.T) {
	n := prosodytest.Noise(48000, 96000, 0.05, 1)
	out, _, _ := apply(t, n, plan(func(p *prosody.Plan) { p.TiltDB = 2 }))
	// The power above and below, by octave bands.
	at := func(a dsp.Audio, hz float64) float64 { return 10 * math.Log10(bandPower(t, a, hz/1.2, hz*1.2)) }
	for _, c := range []struct{ hz, want, tol float64 }{{250, 0, 0.4}, {2000, 2, 0.7}, {4000, 4, 0.8}, {8000, 6, 0.9}} {
		got := at(out, c.hz) - at(n, c.hz)
		below(t, fmt.Sprintf("error of the tilt at %g Hz (got %.2f dB)", c.hz, got), math.Abs(got-c.want), c.tol)
	}
	loud, _, rep := apply(t, n, plan(func(p *prosody.Plan) { p.GainDB = 3 }))
	got := at(loud, 1000) - at(n, 1000)
	below(t, fmt.Sprintf("error of the gain (got %.2f)", got), math.Abs(got-3), 0.05)
	below(t, "gain reduction of quiet sound", rep.ReductionDB, 0)
}

func bandPower(t *testing.T, a dsp.Audio, low, high float64) float64 {
	t.Helper()
	f, err := dsp.NewFFT(4096)
	if err != nil {
		t.Fatal(err)
	}
	re, im, x := make([]float64, f.Bins()), make([]float64, f.Bins()), make([]float64, 4096)
	var p float64
	for at := 0; at+4096 <= a.Len(); at += 4096 {
		for i := range x {
			x[i] = float64(a.Ch[0][at+i]) * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/4096))
		}
		f.Forward(re, im, x)
		for k := int(low * 4096 / float64(a.Rate)); float64(k) < high*4096/float64(a.Rate); k++ {
			p += re[k]*re[k] + im[k]*im[k]
		}
	}
	return p
}

func TestLimiterHoldsThePeaks(t *testing.T) {
	s := prosodytest.Sentences(48000, 140, 2, 8)
	loud := dsp.New(48000, 2, s.Audio.Len())
	for i, v := range s.Audio.Ch[0] {
		loud.Ch[0][i], loud.Ch[1][i] = 1.9*v, 0.8*v
	}
	out, _, rep := apply(t, loud, plan(func(p *prosody.Plan) { p.GainDB = 3.5 }))
	var peak float32
	for _, x := range out.Ch {
		for _, v := range x {
			peak = max(peak, v, -v)
		}
	}
	below(t, "peak", float64(peak), 0.9891)
	below(t, "missing reduction", 2.5-rep.ReductionDB, 0)
	if out.Len() != loud.Len() {
		t.Errorf("%d samples of %d", out.Len(), loud.Len())
	}
	// One gain for both channels: the image stays.
	for i := range out.Ch[0] {
		if d := math.Abs(float64(out.Ch[1][i])*1.9 - float64(out.Ch[0][i])*0.8); d > 1e-4 {
			t.Fatalf("channels drift apart by %g at %d", d, i)
		}
	}
}

func TestStereoUsesOneSetOfMarks(t *testing.T) {
	s := prosodytest.Sentences(48000, 140, 1, 3)
	both := dsp.Audio{Rate: 48000, Ch: [][]float32{s.Audio.Ch[0], s.Audio.Ch[0]}}
	mono, _, _ := apply(t, s.Audio, rate(0.8))
	out, _, _ := apply(t, both, rate(0.8))
	if !slices.Equal(out.Ch[0], out.Ch[1]) {
		t.Error("equal channels became different")
	}
	if db := prosodytest.IdentityDB(mono, out); db < 100 {
		t.Errorf("stereo differs from mono: %.1f dB", db)
	}
}

func TestStreamEqualsApplyAndStops(t *testing.T) {
	s := prosodytest.Sentences(48000, 140, 2, 3)
	p := plan(func(p *prosody.Plan) { p.Rate, p.Semitones, p.GainDB = 0.9, 1, 2 })
	want, _, _ := apply(t, s.Audio, p)
	var got []float32
	last := 0.0
	_, _, err := prosody.Stream(s.Audio.Source(), p, func(done float64) error {
		if done < last || done > 1 {
			t.Errorf("progress went from %g to %g", last, done)
		}
		last = done
		return nil
	}, func(b dsp.Audio) error { got = append(got, b.Ch[0]...); return nil })
	if err != nil || !slices.Equal(got, want.Ch[0]) {
		t.Errorf("Stream and Apply differ (error %v)", err)
	}
	stop := errors.New("stop")
	if _, _, _, err := prosody.Apply(s.Audio, p, func(done float64) error {
		if done > 0.3 {
			return stop
		}
		return nil
	}); !errors.Is(err, stop) {
		t.Errorf("stopped by progress: %v", err)
	}
	if _, _, err := prosody.Stream(s.Audio.Source(), p, nil, func(dsp.Audio) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped by emit: %v", err)
	}
	src := s.Audio.Source()
	src.Read = func([][]float32, int) error { return stop }
	if _, _, err := prosody.Stream(src, p, nil, func(dsp.Audio) error { return nil }); !errors.Is(err, stop) {
		t.Errorf("stopped by Read: %v", err)
	}
}

func TestBadSound(t *testing.T) {
	bad := func(v float32) dsp.Audio {
		a := dsp.New(48000, 1, 4800)
		a.Ch[0][99] = v
		return a
	}
	for _, c := range []struct {
		name string
		in   dsp.Audio
		want string
	}{
		{"NaN", bad(float32(math.NaN())), "channel 0 sample 99 is NaN"},
		{"infinity", bad(float32(math.Inf(1))), "channel 0 sample 99 is +Inf"},
		{"huge", bad(1e30), "channel 0 sample 99 is 1e+30"},
		{"1 Hz", dsp.New(1, 1, 10), "rate 1 Hz"},
		{"1 MHz", dsp.New(1000000, 1, 10), "rate 1000000 Hz"},
		{"no channel", dsp.New(48000, 0, 0), "0 channels"},
		{"256 channels", dsp.New(48000, 256, 10), "256 channels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, _, err := prosody.Apply(c.in, rate(0.8), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not say %q", err, c.want)
			}
			if _, err := prosody.Analyze(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Analyze: error %v does not say %q", err, c.want)
			}
			if len(c.in.Ch) != 1 || c.in.Rate != 48000 {
				return
			}
			// The same through a source that nobody has looked at.
			_, _, err = prosody.Stream(c.in.Source(), rate(0.8), nil, func(dsp.Audio) error { return nil })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Stream: error %v does not say %q", err, c.want)
			}
		})
	}
}

func TestOddSoundIsChangedSensibly(t *testing.T) {
	level := func(v float32) dsp.Audio {
		a := dsp.New(48000, 1, 12000)
		for i := range a.Ch[0] {
			a.Ch[0][i] = v
		}
		return a
	}
	clipped := prosodytest.Sentences(24000, 140, 1, 2).Audio
	for i, v := range clipped.Ch[0] {
		clipped.Ch[0][i] = min(max(20*v, -1), 1)
	}
	offset := prosodytest.Sentences(24000, 140, 1, 2).Audio
	for i := range offset.Ch[0] {
		offset.Ch[0][i] += 0.4
	}
	music := dsp.New(48000, 1, 24000)
	for i := range music.Ch[0] {
		for _, f := range []float64{262, 330, 392, 523} {
			music.Ch[0][i] += float32(0.1 * math.Sin(2*math.Pi*f*float64(i)/48000))
		}
	}
	eight := dsp.New(8000, 8, 8000)
	for c := range eight.Ch {
		copy(eight.Ch[c], prosodytest.Noise(8000, 8000, 0.1, uint64(c)).Ch[0])
	}
	denormal := level(1e-42)
	for name, a := range map[string]dsp.Audio{
		"empty": dsp.New(48000, 1, 0), "one sample": head(level(0.5), 1), "two samples": head(level(0.5), 2),
		"10 ms": head(level(0.5), 480), "silence": level(0), "constant": level(1), "denormal": denormal, "clipped": clipped,
		"offset": offset, "whisper": prosodytest.Noise(48000, 24000, 0.05, 3), "music": music, "eight channels at 8 kHz": eight,
		"lowest rate": prosodytest.Noise(dsp.MinRate, dsp.MinRate, 0.1, 4), "highest rate": head(prosodytest.Glide(dsp.MaxRate, 200).Audio, dsp.MaxRate/4),
		"million": level(dsp.MaxLevel),
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range []prosody.Plan{
				rate(0.5), rate(2), shift(12), shift(-12),
				plan(func(p *prosody.Plan) {
					p.Rate, p.Semitones, p.Range, p.Formant, p.GainDB, p.TiltDB = 0.7, 5, 3, 1.4, 12, 6
					p.TremorHz, p.TremorCents, p.FinalRise, p.PhraseSlopeDB = 20, 200, 6, -12
					p.Declination, p.JitterPct, p.AttackDB, p.Compression, p.BreathDB = 2, 5, 6, 1, -20
				}),
			} {
				out, _, rep := apply(t, a, p)
				if want := int(math.Round(float64(a.Len()) / p.Rate)); out.Len() != want || out.Rate != a.Rate || len(out.Ch) != len(a.Ch) {
					t.Errorf("%d samples at %d Hz on %d channels, want %d samples", out.Len(), out.Rate, len(out.Ch), want)
				}
				if a.Len() > 0 && p.Semitones != 0 && rep.PitchKept != (rep.Voiced == 0) {
					t.Errorf("voiced %g, but pitch kept is %t", rep.Voiced, rep.PitchKept)
				}
			}
		})
	}
}

// Voices that are no clean speech keep their length and their pitch: sung, under
// noise, and the louder of two that speak at once.
func TestDifficultVoices(t *testing.T) {
	mixed := func(s prosodytest.Signal, other dsp.Audio, db float64) prosodytest.Signal {
		g := float32(math.Pow(10, (power(s.Audio, 0, 1)-power(other, 0, 1)-db)/20))
		out := dsp.New(s.Audio.Rate, 1, s.Audio.Len())
		for i, v := range s.Audio.Ch[0] {
			out.Ch[0][i] = v
			if i < other.Len() {
				out.Ch[0][i] += g * other.Ch[0][i]
			}
		}
		s.Audio = out
		return s
	}
	low := prosodytest.Sentences(24000, 120, 1, 7)
	for name, c := range map[string]struct {
		s    prosodytest.Signal
		most float64 // cents, median
	}{
		"sung":           {prosodytest.Sung(24000, 330), 5},
		"sung high":      {prosodytest.Sung(24000, 560), 5},
		"noise at 10 dB": {mixed(low, prosodytest.Noise(24000, low.Audio.Len(), 0.1, 8), 10), 10},
		"two speakers":   {mixed(low, prosodytest.Sentences(24000, 205, 1, 9).Audio, 15), 10},
		"over music":     {mixed(low, prosodytest.Sung(24000, 262).Audio, 15), 10},
	} {
		for _, st := range []float64{4, -4} {
			out, _, rep := apply(t, c.s.Audio, plan(func(p *prosody.Plan) { p.Semitones, p.Rate = st, 1.25 }))
			if want := int(math.Round(float64(c.s.Audio.Len()) / 1.25)); out.Len() != want || rep.PitchKept {
				t.Errorf("%s: %d samples, want %d; %+v", name, out.Len(), want, rep)
			}
			cents, lost := prosodytest.PitchError(c.s, out, 0.8, st)
			below(t, name+": pitch error in cents", prosodytest.Percentile(cents, 50), c.most)
			below(t, name+": frames without pitch", lost, 0.1)
		}
	}
}

func head(a dsp.Audio, n int) dsp.Audio {
	out := dsp.Audio{Rate: a.Rate}
	for _, x := range a.Ch {
		out.Ch = append(out.Ch, x[:n])
	}
	return out
}
