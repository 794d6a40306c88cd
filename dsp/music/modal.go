package music

import "math"

// instrument says who plays a note.
type instrument int

const (
	feltPiano instrument = iota
	guitar
	mutedPick
	bell
	bass
	warmPad
	strings
	kickDrum
	snapDrum
	clapDrum
	shakerDrum
)

// A mode is one decaying partial of a struck or plucked body.
type mode struct {
	freq  float64 // Hz
	amp   float64
	decay float64 // 1/s: amplitude falls by e^(-decay·t)
}

// voice is how a struck or plucked note is shaped around its modes.
type voice struct {
	modes   []mode
	attack  float64 // s
	release float64 // 1/s, after the note's length
	gain    float64
}

const (
	brightest = 9000.0 // Hz; no partial above: nothing shrill under a voice
	inaudible = 1e-4   // where a note is cut, −80 dB
)

// modalVoice returns the body of a pitched instrument at f hertz, played with
// velocity vel. Amplitudes and decays are judged by ear-like measures: partials
// fall faster the higher they are, and a softer blow is a darker one.
func modalVoice(play instrument, f, vel float64) voice {
	switch play {
	case feltPiano:
		return piano(f, vel)
	case guitar:
		return pluckedString(f, 0.17, 3800+4000*vel, 1.1+f/420, 0.42, 16, 0.55)
	case mutedPick:
		return pluckedString(f, 0.12, 3000+3000*vel, 4.2+f/280, 1.3, 40, 0.8)
	case bell:
		return musicBox(f, vel)
	}
	return bassString(f, vel)
}

// piano has slightly sharp partials (stiff strings), each of two strings a
// fraction apart: one dies away quickly, one sings on.
func piano(f, vel float64) voice {
	v := voice{attack: 0.004, release: 7, gain: 0.42}
	const stiffness = 0.00035
	for k := 1.0; k <= 10; k++ {
		fk := f * k * math.Sqrt(1+stiffness*k*k)
		if fk > brightest {
			break
		}
		a := math.Pow(k, -0.85) * math.Exp(-fk/(1500+3000*vel))
		d := (0.55 + f/900) * (0.7 + 0.3*k)
		v.modes = append(v.modes, mode{fk, 0.62 * a, 2.6 * d})
		if k <= 5 {
			v.modes = append(v.modes, mode{fk * (1 + 0.00035/k), 0.38 * a, 0.75 * d})
		}
	}
	return v
}

// pluckedString: partials that have a node at the plucking point (a share of
// the length) are missing; cut is where the plectrum's softness sets in.
func pluckedString(f, point, cut, decay, damping, release, gain float64) voice {
	v := voice{attack: 0.0015, release: release, gain: gain}
	for k := 1.0; k <= 14; k++ {
		fk := f * k * math.Sqrt(1+0.0001*k*k)
		if fk > brightest {
			break
		}
		a := math.Sin(math.Pi*k*point) / k * math.Exp(-fk/cut)
		v.modes = append(v.modes, mode{fk, a, decay + damping*k})
	}
	return v
}

// musicBox is a steel tongue: a strong fundamental, a faint octave from the
// box, and a short glitter of inharmonic partials.
func musicBox(f, vel float64) voice {
	v := voice{attack: 0.0015, release: 2.5, gain: 0.3}
	for _, m := range []mode{{1, 1, 2.4}, {2.003, 0.16, 3.5}, {3.01, 0.10 + 0.10*vel, 6}, {5.42, 0.16 * vel, 11}, {8.9, 0.06 * vel, 20}} {
		if fk := f * m.freq; fk < brightest {
			v.modes = append(v.modes, mode{fk, m.amp * math.Exp(-fk/6500), m.decay})
		}
	}
	return v
}

// bassString has enough second and third partial to be heard on a phone that
// reproduces nothing of the fundamental.
func bassString(f, vel float64) voice {
	return voice{attack: 0.010, release: 18, gain: 0.62, modes: []mode{
		{f, 1, 0.9}, {2 * f, 0.42, 1.5}, {3 * f, 0.16, 2.4}, {4 * f, 0.05 * vel, 4},
	}}
}

// strike plays a voice for dur seconds into a new slice.
//
// Each mode is the two-pole recurrence y[n] = 2r·cos(ω)·y[n−1] − r²·y[n−2],
// which is an exactly decaying sine without a sine per sample; four of them run
// side by side to fill the processor's pipeline.
func strike(v voice, dur float64) []float32 {
	x := make([]float32, int(ringing(v, dur)*Rate)+1)
	var bank [4]resonator
	for i := 0; i < len(v.modes); i += len(bank) {
		bank = [4]resonator{}
		for j := range bank {
			if i+j < len(v.modes) {
				bank[j] = newResonator(v.modes[i+j])
			}
		}
		ring(x, &bank)
	}
	shape(x, v, dur)
	return x
}

// ringing is how long a note is audible, in seconds.
func ringing(v voice, dur float64) float64 {
	slowest := math.Inf(1)
	for _, m := range v.modes {
		slowest = min(slowest, m.decay)
	}
	quiet := -math.Log(inaudible)
	if t := quiet / slowest; t < dur {
		return t
	}
	return dur + (quiet-slowest*dur)/(v.release+slowest)
}

type resonator struct{ c, d, y1, y2 float64 }

func newResonator(m mode) resonator {
	w := 2 * math.Pi * m.freq / Rate
	r := math.Exp(-m.decay / Rate)
	// With y[0] = 0 and y[−1] as here, y[n] = amp·rⁿ·sin(ωn).
	return resonator{c: 2 * r * math.Cos(w), d: r * r, y1: 0, y2: -m.amp * math.Sin(w) / r}
}

func ring(x []float32, b *[4]resonator) {
	p, q, s, u := b[0], b[1], b[2], b[3]
	for i := range x {
		yp := p.c*p.y1 - p.d*p.y2
		yq := q.c*q.y1 - q.d*q.y2
		ys := s.c*s.y1 - s.d*s.y2
		yu := u.c*u.y1 - u.d*u.y2
		p.y2, p.y1 = p.y1, yp
		q.y2, q.y1 = q.y1, yq
		s.y2, s.y1 = s.y1, ys
		u.y2, u.y1 = u.y1, yu
		x[i] += float32((yp + yq) + (ys + yu))
	}
}

// shape applies attack, release and a last millisecond that reaches zero.
func shape(x []float32, v voice, dur float64) {
	attack := int(v.attack * Rate)
	for i := range min(attack, len(x)) {
		x[i] *= float32(0.5 - 0.5*math.Cos(math.Pi*float64(i)/float64(attack)))
	}
	g, keep := v.gain, math.Exp(-v.release/Rate)
	off := int(dur * Rate)
	for i := range x {
		if i >= off {
			g *= keep
		}
		x[i] *= float32(g)
	}
	const last = Rate / 500
	for i := range min(last, len(x)) {
		x[len(x)-1-i] *= float32(i) / last
	}
}
