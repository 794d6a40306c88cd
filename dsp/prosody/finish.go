package prosody

import "math"

// finisher is what happens to the sound after synthesis: attacks, breath,
// compression, tilt, gain, limiter. It
// works block by block and keeps nothing but filter states and 5 ms of sound.
type finisher struct {
	gain   float32
	shelf  [][]shelf // per channel, one per octave
	voice  []effort  // per channel; nil without breath and compression
	attack *attack   // nil without
	limit  *limiter
	emit   func(ch [][]float32) error
}

func newFinisher(rate, channels int, p Plan, onsets []float64, emit func([][]float32) error) *finisher {
	f := &finisher{gain: float32(math.Pow(10, p.GainDB/20)), emit: emit, limit: newLimiter(rate, channels)}
	if p.TiltDB != 0 {
		f.shelf = make([][]shelf, channels)
		for c := range f.shelf {
			for hz := 1000 * math.Sqrt2; hz < 12000 && hz < 0.4*float64(rate); hz *= 2 {
				f.shelf[c] = append(f.shelf[c], newShelf(hz, p.TiltDB, float64(rate)))
			}
		}
	}
	if p.AttackDB > 0 {
		f.attack = &attack{onsets: onsets, gain: p.AttackDB, rate: float64(rate)}
	}
	if p.BreathDB != 0 || p.Compression > 0 {
		for c := range channels {
			f.voice = append(f.voice, newEffort(rate, p, uint64(c)))
		}
	}
	return f
}

func (f *finisher) block(ch [][]float32) error {
	if f.attack != nil {
		f.attack.run(ch)
	}
	for c, x := range ch {
		if f.voice != nil {
			f.voice[c].run(x)
		}
		if f.shelf != nil {
			for k := range f.shelf[c] {
				f.shelf[c][k].run(x)
			}
		}
		if f.gain != 1 {
			for i := range x {
				x[i] *= f.gain
			}
		}
	}
	if out := f.limit.block(ch); len(out[0]) > 0 {
		return f.emit(out)
	}
	return nil
}

func (f *finisher) finish() error {
	if out := f.limit.rest(); len(out[0]) > 0 {
		return f.emit(out)
	}
	return nil
}

// shelf is a first-order high shelf: 0 dB far below hz, db far above, half of
// it (in dB) at hz. One per octave makes a slope of db per octave.
type shelf struct{ b0, b1, a1, x1, y1 float64 }

// newShelf is the bilinear transform of (√g·s + 1)/(s/√g + 1), s in units of the
// prewarped corner: H(0) = 1, H(∞) = g.
func newShelf(hz, db, rate float64) shelf {
	g := math.Pow(10, db/20)
	k := math.Tan(math.Pi * hz / rate)
	r := math.Sqrt(g)
	n0, n1 := k+r, k-r
	d0, d1 := k+1/r, k-1/r
	return shelf{b0: n0 / d0, b1: n1 / d0, a1: d1 / d0}
}

func (s *shelf) run(x []float32) {
	x1, y1 := s.x1, s.y1
	for i, v := range x {
		in := float64(v)
		y := s.b0*in + s.b1*x1 - s.a1*y1
		x1, y1 = in, y
		x[i] = float32(y)
	}
	if math.Abs(y1) < 1e-25 {
		y1 = 0 // keep denormals out of the loop
	}
	s.x1, s.y1 = x1, y1
}
