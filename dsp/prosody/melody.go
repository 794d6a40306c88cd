package prosody

import "math"

const finalSeconds = 0.3 // of a phrase, over which FinalRise comes in

// melody is the pitch factor at a source position whose period is given. The
// excursions about the speaker's median are taken in the log domain, as the ear
// does.
func (t *Track) melody(p Plan) func(pos, period float64) float64 {
	base := math.Exp2(p.Semitones / 12)
	rate := float64(t.Rate)
	var falls []float64
	if p.Declination != 0 {
		falls = t.falls()
	}
	return func(pos, period float64) float64 {
		r := base
		f0 := t.contour(pos)
		if f0 == 0 {
			f0 = rate / period
		}
		if p.Range != 1 && t.MedianF0 > 0 {
			r *= math.Pow(f0/t.MedianF0, p.Range-1)
		}
		sec := pos / rate
		if p.TremorHz > 0 {
			r *= math.Exp2(p.TremorCents / 1200 * math.Sin(2*math.Pi*p.TremorHz*sec))
		}
		if p.JitterPct > 0 {
			r *= 1 + p.JitterPct/100*math.Sqrt(3)*scatter(pos)
		}
		if ph, k, ok := t.phraseAt(sec); ok {
			if falls != nil {
				r *= math.Exp2(p.Declination * falls[k] * (sec - (ph.Start+ph.End)/2))
			}
			if p.FinalRise != 0 {
				into := min(max(1-(ph.End-sec)/finalSeconds, 0), 1)
				r *= math.Exp2(p.FinalRise / 12 * into * into)
			}
		}
		// Keep the result a voice, whatever was multiplied.
		return min(max(r, 40/f0, 0.25), 1200/f0, 4)
	}
}

// falls is, for each phrase, by how many octaves a second its pitch falls: the
// slope of a straight line through it, 0 where it rises.
func (t *Track) falls() []float64 {
	out := make([]float64, len(t.Phrases))
	for k, ph := range t.Phrases {
		var n, sx, sy, sxx, sxy float64
		for i := max(0, int(ph.Start/t.Hop)); i < min(len(t.F0), int(ph.End/t.Hop)+1); i++ {
			if t.F0[i] > 0 {
				x, y := float64(i)*t.Hop-ph.Start, math.Log2(float64(t.F0[i]))
				n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
			}
		}
		if d := n*sxx - sx*sx; d > 0 {
			out[k] = min(max((n*sxy-sx*sy)/d, -1), 0)
		}
	}
	return out
}

// scatter is a number in [−1, 1) that depends on pos alone and looks random
// (splitmix64, Steele, Lea and Flood 2014).
func scatter(pos float64) float64 {
	z := uint64(int64(pos)) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64(int64(z^z>>31)>>11) / (1 << 52)
}

// levels is the gain at a source position: PhraseSlopeDB from the start to the
// end of each phrase.
func (t *Track) levels(p Plan) func(pos float64) float32 {
	if p.PhraseSlopeDB == 0 {
		return func(float64) float32 { return 1 }
	}
	rate := float64(t.Rate)
	return func(pos float64) float32 {
		ph, _, ok := t.phraseAt(pos / rate)
		if !ok || ph.End <= ph.Start {
			return 1
		}
		x := (pos/rate - ph.Start) / (ph.End - ph.Start)
		return float32(math.Pow(10, p.PhraseSlopeDB*(x-0.5)/20))
	}
}
