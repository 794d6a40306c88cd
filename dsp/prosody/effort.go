package prosody

import "math"

// effort is how hard somebody speaks, beyond level and tilt. Breath is noise
// that follows the envelope of the voice. Compression compares the level with
// that of the last second of speech, so that it works at any level: strained
// voices are loud evenly.
type effort struct {
	breath float64 // amplitude relative to the envelope
	part   float64 // of the excess in decibels that is taken away
	seed   uint64
	// One-pole coefficients of the two power envelopes, and the envelopes.
	fastStep, slowStep float64
	fast, slow         float64
	heard              float64 // samples that slow is the mean of
	last               float64 // noise before, for its high-pass
}

const (
	fastSeconds = 0.010
	slowSeconds = 1.0
	speechGate  = 0.01 // of the slow power: less is a pause, which does not count
	mostExcess  = 16.0 // of the slow power: an outcry is taken for one of 12 dB
)

func newEffort(rate int, p Plan, channel uint64) effort {
	e := effort{
		part: p.Compression, seed: channel,
		fastStep: 1 - math.Exp(-1/(fastSeconds*float64(rate))), slowStep: 1 - math.Exp(-1/(slowSeconds*float64(rate))),
	}
	if p.BreathDB != 0 {
		e.breath = math.Pow(10, p.BreathDB/20)
	}
	return e
}

func (e *effort) run(x []float32) {
	for i, v := range x {
		in := float64(v)
		e.fast += e.fastStep * (in*in - e.fast)
		if e.fast*speechGate > e.slow {
			e.heard = 0 // what was taken for speech was the room
		}
		if e.fast > speechGate*e.slow {
			e.heard++ // a plain mean until there is a second of speech
			e.slow += max(e.slowStep, 1/e.heard) * (e.fast - e.slow)
		}
		out := in
		if e.part > 0 && e.fast > e.slow && e.slow > 0 {
			out *= math.Pow(min(e.fast/e.slow, mostExcess), -e.part/2)
		}
		if e.breath > 0 {
			e.seed = e.seed*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
			n := float64(int64(e.seed)>>11) / (1 << 52)
			// The difference of white noise rises by 6 dB per octave; uniform noise
			// has a third of the power, the difference twice that of its parts.
			out += e.breath * math.Sqrt(1.5*e.fast) * (n - e.last)
			e.last = n
		}
		x[i] = float32(out)
	}
	if e.fast < 1e-25 {
		e.fast = 0 // keep denormals out of the loop
	}
}

// attack lifts sudden beginnings: the gain is there half a millisecond before the
// onset, and goes in the second half of attackSeconds.
type attack struct {
	onsets []float64 // output samples, ascending
	gain   float64   // dB
	rate   float64
	pos    int // samples gone through
}

const (
	attackSeconds = 0.020
	attackRise    = 0.0005
)

func (a *attack) run(ch [][]float32) {
	n := len(ch[0])
	rise, hold, end := attackRise*a.rate, attackSeconds/2*a.rate, attackSeconds*a.rate
	for len(a.onsets) > 0 && a.onsets[0]+end < float64(a.pos) {
		a.onsets = a.onsets[1:]
	}
	done := a.pos // an onset on the tail of another does not lift twice
	for k, o := range a.onsets {
		if o-2*rise > float64(a.pos+n) {
			break
		}
		last := o + end
		if k+1 < len(a.onsets) {
			last = min(last, a.onsets[k+1]-2*rise)
		}
		for i := max(done, int(math.Ceil(o-2*rise))); i < min(a.pos+n, int(math.Ceil(last))); i++ {
			t := float64(i) - o
			w := min((t+2*rise)/rise, 1, (end-t)/(end-hold))
			g := float32(math.Pow(10, a.gain*(0.5-0.5*math.Cos(math.Pi*max(w, 0)))/20))
			for c := range ch {
				ch[c][i-a.pos] *= g
			}
			done = i + 1
		}
	}
	a.pos += n
}
