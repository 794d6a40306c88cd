package prosody

import "math"

const finalSeconds = 0.3 // of a phrase, over which FinalRise comes in

// melody is the pitch factor at a source position whose period is given. The
// excursions about the speaker's median are taken in the log domain, as the ear
// does.
func (t *Track) melody(p Plan) func(pos, period float64) float64 {
	base := math.Exp2(p.Semitones / 12)
	rate := float64(t.Rate)
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
		if p.FinalRise != 0 {
			if ph, ok := t.phraseAt(sec); ok {
				into := min(max(1-(ph.End-sec)/finalSeconds, 0), 1)
				r *= math.Exp2(p.FinalRise / 12 * into * into)
			}
		}
		// Keep the result a voice, whatever was multiplied.
		return min(max(r, 40/f0, 0.25), 1200/f0, 4)
	}
}

// levels is the gain at a source position: PhraseSlopeDB from the start to the
// end of each phrase.
func (t *Track) levels(p Plan) func(pos float64) float32 {
	if p.PhraseSlopeDB == 0 {
		return func(float64) float32 { return 1 }
	}
	rate := float64(t.Rate)
	return func(pos float64) float32 {
		ph, ok := t.phraseAt(pos / rate)
		if !ok || ph.End <= ph.Start {
			return 1
		}
		x := (pos/rate - ph.Start) / (ph.End - ph.Start)
		return float32(math.Pow(10, p.PhraseSlopeDB*(x-0.5)/20))
	}
}
