package loudness_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
)

// seg is one stretch of a test tone.
type seg struct{ dB, seconds float64 }

func repeat(n int, s ...seg) []seg {
	var out []seg
	for range n {
		out = append(out, s...)
	}
	return out
}

// tone is a 1 kHz sine whose level follows the segments, phase continuous.
func tone(rate int, segs ...seg) []float32 {
	second := make([]float64, rate)
	for i := range second {
		second[i] = math.Sin(2 * math.Pi * 1000 * float64(i) / float64(rate))
	}
	var x []float32
	for _, s := range segs {
		n := int(math.Round(s.seconds * float64(rate)))
		a := math.Pow(10, s.dB/20)
		for range n {
			// 1 kHz fits a second exactly.
			x = append(x, float32(a*second[len(x)%rate]))
		}
	}
	return x
}

func stereo(rate int, x []float32) dsp.Audio { return dsp.Audio{Rate: rate, Ch: [][]float32{x, x}} }

func measure(t testing.TB, a dsp.Audio) loudness.Stats {
	t.Helper()
	s, err := loudness.Measure(a)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func near(got, want, tol float64) bool { return math.Abs(got-want) <= tol }

// 3341-11 and -14 are for live meters: tones of exactly one window, each a decibel
// louder and starting elsewhere within a block, in one programme.
func TestWindowsOfALiveMeter(t *testing.T) {
	for name, c := range map[string]struct {
		window, step float64
		read         func(loudness.Stats) float64
	}{
		"3341-11": {3, 0.15, func(s loudness.Stats) float64 { return s.MaxShort }},
		"3341-14": {0.4, 0.02, func(s loudness.Stats) float64 { return s.MaxMomentary }},
	} {
		m, err := loudness.NewMeter(48000, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			if underRace && i > 2 {
				break
			}
			lead := c.step * float64(i)
			x := tone(48000, seg{-200, lead}, seg{-38 + float64(i), c.window}, seg{-200, c.window + 20*c.step - lead})
			m.Write([][]float32{x, x})
			if got, want := c.read(m.Stats()), -38+float64(i); !near(got, want, 0.1) {
				t.Errorf("%s: maximum %.2f after segment %d, want %.0f±0.1", name, got, i+1, want)
			}
		}
	}
}

// The signals of EBU Tech 3341 that can be synthesised, with its tolerance.
func TestIntegratedLoudness(t *testing.T) {
	for name, c := range map[string]struct {
		segs []seg
		want float64
	}{
		"3341-1": {[]seg{{-23, 20}}, -23},
		"3341-2": {[]seg{{-33, 20}}, -33},
		"3341-3": {[]seg{{-36, 10}, {-23, 60}, {-36, 10}}, -23},
		"3341-4": {[]seg{{-72, 10}, {-36, 10}, {-23, 60}, {-36, 10}, {-72, 10}}, -23},
		"3341-5": {[]seg{{-26, 20}, {-20, 20.1}, {-26, 20}}, -23},
	} {
		for _, rate := range []int{48000, 44100, 22050, 96000} {
			if (rate != 48000 && name != "3341-3") || (underRace && (rate != 48000 || len(c.segs) > 1)) {
				continue
			}
			s := measure(t, stereo(rate, tone(rate, c.segs...)))
			if !near(s.Integrated, c.want, 0.1) || !s.Gated {
				t.Errorf("%s at %d Hz: I %.2f LUFS (gated %v), want %.1f±0.1", name, rate, s.Integrated, s.Gated, c.want)
			}
		}
	}
	s := measure(t, stereo(48000, tone(48000, seg{-23, 20})))
	if !near(s.MaxMomentary, -23, 0.1) || !near(s.MaxShort, -23, 0.1) {
		t.Errorf("3341-1: M %.2f, S %.2f, want −23.0±0.1", s.MaxMomentary, s.MaxShort)
	}
}

func TestSurroundWeights(t *testing.T) {
	front, centre, side := tone(48000, seg{-28, 3}), tone(48000, seg{-24, 3}), tone(48000, seg{-30, 3})
	loud := tone(48000, seg{0, 3})
	for name, ch := range map[string][][]float32{
		"3341-6, 5 channels":          {front, front, centre, side, side},
		"3341-6, 5.1 with a loud LFE": {front, front, centre, loud, side, side},
	} {
		if s := measure(t, dsp.Audio{Rate: 48000, Ch: ch}); !near(s.Integrated, -23, 0.1) {
			t.Errorf("%s: %.2f LUFS, want −23.0±0.1", name, s.Integrated)
		}
	}
	// BS.1770-4: 0 dBFS at 997 Hz in one channel of two reads −3.01.
	x := make([]float32, 4*48000)
	for i := range x {
		x[i] = float32(math.Sin(2 * math.Pi * 997 * float64(i) / 48000))
	}
	if s := measure(t, dsp.Audio{Rate: 48000, Ch: [][]float32{x, make([]float32, len(x))}}); !near(s.Integrated, -3.01, 0.02) {
		t.Errorf("997 Hz in one channel: %.3f, want −3.01", s.Integrated)
	}
	// Mono is measured as the dual mono it becomes.
	if m, s := measure(t, dsp.Audio{Rate: 48000, Ch: [][]float32{x}}), measure(t, stereo(48000, x)); !near(m.Integrated, s.Integrated, 1e-9) {
		t.Errorf("mono %.3f, dual mono %.3f", m.Integrated, s.Integrated)
	}
}

// 3341-9 and -12: levels that alternate within the window read as constant;
// -10 and -13: a tone of exactly one window reads full wherever it starts.
func TestSlidingWindows(t *testing.T) {
	check := func(name string, x []float32, after float64, read func(*loudness.Meter) float64) {
		m, err := loudness.NewMeter(48000, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+480 <= len(x); i += 480 {
			b := x[i : i+480]
			m.Write([][]float32{b, b})
			if float64(i+480)/48000 > after && !near(read(m), -23, 0.1) {
				t.Fatalf("%s: %.2f at %.2f s, want −23.0±0.1", name, read(m), float64(i+480)/48000)
			}
		}
	}
	check("3341-9", tone(48000, repeat(5, seg{-20, 1.34}, seg{-30, 1.66})...), 3, (*loudness.Meter).ShortTerm)
	check("3341-12", tone(48000, repeat(25, seg{-20, 0.18}, seg{-30, 0.22})...), 1, (*loudness.Meter).Momentary)
	for i := range 20 {
		if underRace && i > 1 {
			break
		}
		lead := 0.015 * float64(i)
		s := measure(t, stereo(48000, tone(48000, seg{-200, lead}, seg{-23, 3}, seg{-200, 1})))
		if !near(s.MaxShort, -23, 0.1) {
			t.Errorf("3341-10, start %.3f s: S %.2f", lead, s.MaxShort)
		}
		lead = 0.005 * float64(i)
		s = measure(t, stereo(48000, tone(48000, seg{-200, lead}, seg{-23, 0.4}, seg{-200, 1})))
		if !near(s.MaxMomentary, -23, 0.1) {
			t.Errorf("3341-13, start %.3f s: M %.2f", lead, s.MaxMomentary)
		}
	}
}

func TestLoudnessRange(t *testing.T) {
	for name, c := range map[string]struct {
		segs []seg
		want float64
	}{
		"3342-1": {[]seg{{-20, 20}, {-30, 20}}, 10},
		"3342-2": {[]seg{{-20, 20}, {-15, 20}}, 5},
		"3342-3": {[]seg{{-40, 20}, {-20, 20}}, 20},
		"3342-4": {[]seg{{-50, 20}, {-35, 20}, {-20, 20}, {-35, 20}, {-50, 20}}, 15},
	} {
		rate := 48000
		if underRace {
			rate = 4000
		}
		if s := measure(t, stereo(rate, tone(rate, c.segs...))); !near(s.Range, c.want, 1) {
			t.Errorf("%s: LRA %.2f, want %.0f±1", name, s.Range, c.want)
		}
	}
}

// faded is a sine of frequency rate/div with 10 ms fades: a hard start is a
// real peak of its own.
func faded(rate, div, degrees, amplitude, seconds float64) []float32 {
	x := make([]float32, int(seconds*rate))
	for i := range x {
		fade := min(1, float64(i)/(0.01*rate), float64(len(x)-1-i)/(0.01*rate))
		x[i] = float32(fade * amplitude * math.Sin(2*math.Pi*float64(i)/div+degrees*math.Pi/180))
	}
	return x
}

func TestTruePeak(t *testing.T) {
	for name, c := range map[string]struct{ div, degrees, amplitude, want float64 }{
		"3341-15": {4, 0, 0.5, -6},
		"3341-16": {4, 45, 0.5, -6},
		"3341-17": {6, 60, 0.5, -6},
		"3341-18": {8, 67.5, 0.5, -6},
		"3341-19": {4, 45, 1.41, 3},
	} {
		for _, rate := range []int{48000, 44100} {
			s := measure(t, stereo(rate, faded(float64(rate), c.div, c.degrees, c.amplitude, 1)))
			if s.TruePeak > c.want+0.2 || s.TruePeak < c.want-0.4 {
				t.Errorf("%s at %d Hz: %.2f dBTP, want %.1f +0.2/−0.4", name, rate, s.TruePeak, c.want)
			}
		}
	}
}

// 3341-20 to -23: one loud cycle designed at four times the rate and decimated
// at each of the four offsets, so that its peak falls between samples.
func TestTruePeakBetweenSamples(t *testing.T) {
	const rate, over = 48000, 4
	design := make([]float64, over*4800)
	for i := range design {
		at := float64(i)/over - 2400
		// A windowed burst at rate/6 is band-limited well below rate/2.
		env := 0.5 + 0.5*math.Exp(-at*at/(2*24*24))
		design[i] = env * math.Cos(2*math.Pi*at/6)
	}
	edge := func(i, n int) float64 { return min(1, float64(i)/480, float64(n-1-i)/480) }
	for offset := range over {
		x := make([]float32, len(design)/over)
		for i := range x {
			x[i] = float32(design[over*i+offset] * edge(i, len(x)))
		}
		if s := measure(t, stereo(rate, x)); s.TruePeak > 0.2 || s.TruePeak < -0.4 {
			t.Errorf("offset %d/4: %.2f dBTP, want 0.0 +0.2/−0.4", offset, s.TruePeak)
		}
	}
}

func TestBlockSizeDoesNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a := dsp.New(44100, 2, 5*44100)
	for c := range a.Ch {
		for i := range a.Ch[c] {
			a.Ch[c][i] = float32(rng.NormFloat64() * 0.2 * math.Abs(math.Sin(float64(i)/9000)))
		}
	}
	want := measure(t, a)
	m, err := loudness.NewMeter(a.Rate, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < a.Len(); {
		n := min(a.Len()-i, 1+rng.IntN(9000))
		m.Write([][]float32{a.Ch[0][i : i+n], a.Ch[1][i : i+n]})
		i += n
	}
	got := m.Stats()
	for name, d := range map[string]float64{
		"I": got.Integrated - want.Integrated, "M": got.MaxMomentary - want.MaxMomentary, "S": got.MaxShort - want.MaxShort,
		"LRA": got.Range - want.Range, "TP": got.TruePeak - want.TruePeak,
	} {
		if math.Abs(d) > 1e-6 {
			t.Errorf("%s differs by %g", name, d)
		}
	}
}

func TestOddInputs(t *testing.T) {
	for name, a := range map[string]dsp.Audio{
		"nothing":    dsp.New(48000, 2, 0),
		"one sample": {Rate: 48000, Ch: [][]float32{{0.5}}},
		"10 ms":      dsp.New(48000, 1, 480),
		"silence":    dsp.New(48000, 2, 480000),
		"DC":         stereo(48000, constant(0.5, 480000)),
		"clipping":   stereo(48000, constant(1000, 48000)),
		"4 kHz":      dsp.New(4000, 1, 4001),
		"384 kHz":    dsp.New(384000, 8, 38400),
	} {
		s := measure(t, a)
		for _, v := range []float64{s.Integrated, s.MaxMomentary, s.MaxShort, s.Range, s.TruePeak} {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < loudness.Floor || v > 80 {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, a := range map[string]dsp.Audio{
		"zero value":       {},
		"1 Hz":             dsp.New(1, 1, 10),
		"1 MHz":            dsp.New(1000000, 1, 10),
		"256 channels":     dsp.New(48000, 256, 10),
		"NaN":              {Rate: 48000, Ch: [][]float32{{0, nan}}},
		"Inf":              {Rate: 48000, Ch: [][]float32{{0, inf}}},
		"uneven channels":  {Rate: 48000, Ch: [][]float32{{0}, {0, 1}}},
		"negative rate":    {Rate: -48000, Ch: [][]float32{{0}}},
		"no channel at 48": dsp.New(48000, 0, 10),
	} {
		if _, err := loudness.Measure(a); err == nil {
			t.Errorf("%s was measured", name)
		}
		if _, _, err := loudness.Normalize(a, loudness.Message); err == nil {
			t.Errorf("%s was normalised", name)
		}
		if _, _, err := loudness.Limit(a, -1); err == nil {
			t.Errorf("%s was limited", name)
		}
	}
}

func constant(v float32, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

func TestShortAudioFallsBackToPlainLevel(t *testing.T) {
	long := measure(t, stereo(48000, tone(48000, seg{-20, 5})))
	short := measure(t, stereo(48000, tone(48000, seg{-20, 0.35})))
	if short.Gated || !near(short.Integrated, long.Integrated, 0.3) {
		t.Errorf("350 ms: %.2f LUFS (gated %v), 5 s: %.2f", short.Integrated, short.Gated, long.Integrated)
	}
}
