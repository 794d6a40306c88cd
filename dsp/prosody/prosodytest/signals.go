// Package prosodytest has sounds whose truth is known, and meters to hold a
// changed sound against that truth. The meters share no code with package
// prosody: an engine graded by its own tracker always does well.
package prosodytest

import (
	"math"
	"math/rand/v2"

	"github.com/videomsg/videomsg/dsp"
)

// Signal is a generated sound and what is true of it. Times are in seconds.
type Signal struct {
	Name   string
	Audio  dsp.Audio
	F0     func(t float64) float64 // hertz; 0 where nothing is voiced
	Steady []Interval              // voiced and free of transitions
	Onsets []float64               // sudden beginnings
	Sounds []Interval              // everything that is not silence
	// Born is the same sound spoken at another pitch, ratio times as high; nil
	// for recordings.
	Born func(ratio float64) dsp.Audio
}

// Interval is a stretch of time.
type Interval struct{ Start, End float64 }

// Formants of a vowel: frequencies and bandwidths in hertz (Peterson and Barney
// 1952, male and female speakers, rounded).
type Formants [5]struct{ F, B float64 }

// Vowels are a, i, u, e, o.
func Vowels() []Formants {
	return []Formants{
		{{730, 60}, {1090, 80}, {2440, 120}, {3400, 180}, {4500, 250}},
		{{270, 50}, {2290, 90}, {3010, 120}, {3600, 180}, {4500, 250}},
		{{300, 50}, {870, 70}, {2240, 120}, {3300, 180}, {4500, 250}},
		{{530, 60}, {1840, 90}, {2480, 120}, {3500, 180}, {4500, 250}},
		{{570, 60}, {840, 70}, {2410, 120}, {3300, 180}, {4500, 250}},
	}
}

// response is the complex gain at f hertz of the resonances in cascade and of a
// glottal source that falls by 12 dB per octave.
func (v Formants) response(f float64) complex128 {
	h := complex(1, 0)
	for _, r := range v {
		h /= complex(1-f*f/(r.F*r.F), f*r.B/(r.F*r.F))
	}
	return h / complex(1, f/150)
}

// voice adds a vowel to x: band-limited harmonics of f0(t), which is exact at
// any pitch, times gain(t).
func voice(x []float32, rate int, start, end float64, v Formants, f0, gain func(t float64) float64) {
	const step = 64
	a, b := int(start*float64(rate)), min(int(end*float64(rate)), len(x))
	var h0, h1 []complex128
	bank := func(dst []complex128, f float64) []complex128 {
		dst = dst[:0]
		for k := 1; float64(k)*f < min(0.45*float64(rate), 10000); k++ {
			dst = append(dst, v.response(float64(k)*f))
		}
		return dst
	}
	phase := 0.0
	for i := a; i < b; i += step {
		n := min(step, b-i)
		t0, t1 := float64(i)/float64(rate), float64(i+step)/float64(rate)
		h0, h1 = bank(h0, f0(t0)), bank(h1, f0(t1))
		for j := range n {
			t := float64(i+j) / float64(rate)
			sin, cos := math.Sincos(phase)
			c, s := cos, sin
			mix := float64(j) / step
			var sum float64
			for k := range min(len(h0), len(h1)) {
				re := real(h0[k]) + mix*(real(h1[k])-real(h0[k]))
				im := imag(h0[k]) + mix*(imag(h1[k])-imag(h0[k]))
				sum += re*c - im*s
				c, s = c*cos-s*sin, c*sin+s*cos
			}
			x[i+j] += float32(gain(t) * sum)
			phase += 2 * math.Pi * f0(t) / float64(rate)
			if phase > math.Pi {
				phase -= 2 * math.Pi
			}
		}
	}
}

// ramp fades in and out over edge seconds.
func ramp(start, end, edge float64) func(float64) float64 {
	return func(t float64) float64 {
		d := min(t-start, end-t) / edge
		if d >= 1 {
			return 1
		}
		return 0.5 - 0.5*math.Cos(math.Pi*max(d, 0))
	}
}

// normalise scales x to the given peak.
func normalise(x []float32, peak float32) {
	var m float32
	for _, v := range x {
		m = max(m, v, -v)
	}
	if m == 0 {
		return
	}
	for i := range x {
		x[i] *= peak / m
	}
}

// SteadyVowels are the five vowels, one second each, at one pitch.
func SteadyVowels(rate int, f0 float64) Signal {
	a := dsp.New(rate, 1, int(6.5*float64(rate)))
	s := Signal{Name: "vowels", Audio: a}
	for i, v := range Vowels() {
		st, en := 1.3*float64(i)+0.1, 1.3*float64(i)+1.1
		voice(a.Ch[0], rate, st, en, v, func(float64) float64 { return f0 }, ramp(st, en, 0.03))
		s.Steady = append(s.Steady, Interval{st + 0.1, en - 0.1})
		s.Sounds = append(s.Sounds, Interval{st, en})
	}
	s.F0 = func(t float64) float64 {
		for _, iv := range s.Sounds {
			if t >= iv.Start && t <= iv.End {
				return f0
			}
		}
		return 0
	}
	normalise(a.Ch[0], 0.5)
	return s
}

// Glide is one vowel whose pitch moves over an octave.
func Glide(rate int, low float64) Signal {
	a := dsp.New(rate, 1, 5*rate)
	f0 := func(t float64) float64 { return low * math.Exp2(0.5-0.5*math.Cos(2*math.Pi*t/4)) }
	voice(a.Ch[0], rate, 0.3, 4.7, Vowels()[0], f0, ramp(0.3, 4.7, 0.03))
	normalise(a.Ch[0], 0.5)
	return Signal{
		Name: "glide", Audio: a, Steady: []Interval{{0.4, 4.6}}, Sounds: []Interval{{0.3, 4.7}},
		F0: func(t float64) float64 {
			if t < 0.3 || t > 4.7 {
				return 0
			}
			return f0(t)
		},
	}
}

// Bursts are n decaying noise bursts (8 ms) every 250 ms.
func Bursts(rate, n int) Signal {
	rng := rand.New(rand.NewPCG(7, 7))
	a := dsp.New(rate, 1, int((0.25*float64(n)+0.25)*float64(rate)))
	s := Signal{Name: "bursts", Audio: a, F0: func(float64) float64 { return 0 }}
	for k := range n {
		// Off the grid of any frame.
		at := int((0.2 + 0.25*float64(k) + 0.0137*math.Sin(float64(3*k))) * float64(rate))
		s.Onsets = append(s.Onsets, float64(at)/float64(rate))
		for i := range int(0.08 * float64(rate)) {
			d := math.Exp(-float64(i) / (0.008 * float64(rate)))
			a.Ch[0][at+i] += float32(0.3 * d * rng.NormFloat64())
		}
		s.Sounds = append(s.Sounds, Interval{s.Onsets[k], s.Onsets[k] + 0.04})
	}
	return s
}

// Noise is white noise at the given rms.
func Noise(rate, samples int, rms float64, seed uint64) dsp.Audio {
	rng := rand.New(rand.NewPCG(seed, 99))
	a := dsp.New(rate, 1, samples)
	for i := range a.Ch[0] {
		a.Ch[0][i] = float32(rms * rng.NormFloat64())
	}
	return a
}

// Sung is a long vowel with vibrato: a semitone wide, 5.5 Hz.
func Sung(rate int, f0 float64) Signal {
	const seconds = 2.0
	a := dsp.New(rate, 1, int(seconds*float64(rate)))
	melody := func(t float64) float64 { return f0 * math.Exp2(0.5/12*math.Sin(2*math.Pi*5.5*t)) }
	voice(a.Ch[0], rate, 0.1, seconds-0.1, Vowels()[0], melody, ramp(0.1, seconds-0.1, 0.1))
	normalise(a.Ch[0], 0.5)
	return Signal{
		Name: "sung", Audio: a, F0: melody,
		Steady: []Interval{{0.3, seconds - 0.3}}, Sounds: []Interval{{0.1, seconds - 0.1}},
	}
}

// Sentences is speech-like sound: phrases of syllables, each a burst or a hiss
// and a vowel with breath in it, under a falling melody with accents, jitter and
// pauses. f0 is the speaker's middle pitch.
func Sentences(rate int, f0 float64, phrases int, seed uint64) Signal {
	rng := rand.New(rand.NewPCG(seed, 3))
	type syllable struct {
		iv     Interval
		vowel  int
		accent float64
		hiss   Interval
		plosve bool
	}
	var syl []syllable
	var spans []Interval
	t := 0.25
	for range phrases {
		n := 5 + rng.IntN(4)
		start := t
		for range n {
			var y syllable
			y.hiss = Interval{t, t + 0.05 + 0.03*rng.Float64()}
			y.plosve = rng.IntN(2) == 0
			if y.plosve {
				y.hiss = Interval{t + 0.04, t + 0.06}
			}
			y.iv = Interval{y.hiss.End - 0.005, y.hiss.End + 0.12 + 0.08*rng.Float64()}
			y.vowel, y.accent = rng.IntN(5), rng.NormFloat64()
			t = y.iv.End
			syl = append(syl, y)
		}
		spans = append(spans, Interval{start, t})
		t += 0.35 + 0.2*rng.Float64()
	}
	a := dsp.New(rate, 1, int(t*float64(rate)))
	x := a.Ch[0]
	melody := func(t float64) float64 {
		oct := 0.0
		for _, p := range spans {
			if t >= p.Start && t <= p.End {
				oct = 0.25 - 0.5*(t-p.Start)/(p.End-p.Start)
			}
		}
		for _, y := range syl {
			c := (y.iv.Start + y.iv.End) / 2
			d := (t - c) / 0.08
			if d > -4 && d < 4 {
				oct += 0.12 * y.accent * math.Exp(-d*d/2)
			}
		}
		return f0 * math.Exp2(oct)
	}
	s := Signal{Name: "sentences", Audio: a, Born: func(ratio float64) dsp.Audio {
		return Sentences(rate, ratio*f0, phrases, seed).Audio
	}}
	jitter := rand.New(rand.NewPCG(seed, 5))
	for _, y := range syl {
		voice(x, rate, y.iv.Start, y.iv.End, Vowels()[y.vowel], melody, ramp(y.iv.Start, y.iv.End, 0.025))
		s.Steady = append(s.Steady, Interval{y.iv.Start + 0.03, y.iv.End - 0.03})
	}
	normalise(x, 0.5)
	for _, y := range syl {
		prev := 0.0
		env := ramp(y.hiss.Start, y.hiss.End, 0.015)
		if y.plosve {
			env = func(t float64) float64 { return math.Exp(-(t - y.hiss.Start) / 0.006) }
			s.Onsets = append(s.Onsets, math.Round(y.hiss.Start*float64(rate))/float64(rate))
		}
		for i := int(math.Round(y.hiss.Start * float64(rate))); i < int(y.hiss.End*float64(rate)); i++ {
			w := jitter.NormFloat64()
			x[i] += float32(0.04 * env(float64(i)/float64(rate)) * (w - 0.7*prev))
			prev = w
		}
		br := ramp(y.iv.Start, y.iv.End, 0.02)
		for i := int(y.iv.Start * float64(rate)); i < int(y.iv.End*float64(rate)); i++ {
			x[i] += float32(0.003 * br(float64(i)/float64(rate)) * jitter.NormFloat64())
		}
		s.Sounds = append(s.Sounds, Interval{y.hiss.Start, y.iv.End})
	}
	s.F0 = func(t float64) float64 {
		for _, y := range syl {
			if t >= y.iv.Start && t <= y.iv.End {
				return melody(t)
			}
		}
		return 0
	}
	return s
}
