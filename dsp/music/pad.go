package music

import (
	"iter"
	"math"
)

// A table is one period of a band-limited wave.
const tableSize = 2048

type table [tableSize + 1]float32

// padTable sums harmonics that fall off as a soft low-pass would have them.
func padTable(play instrument, f float64) *table {
	slope, cut := 1.3, 1500.0
	if play == strings {
		slope, cut = 1.05, 2600
	}
	var t table
	for k := 1.0; k*f < 6000 && k <= 40; k++ {
		a := math.Pow(k, -slope) * math.Exp(-k*f/cut)
		// Phases spread like a chirp keep the crest factor low (Schroeder 1970).
		ph := math.Pi * k * k / 24
		step := 2 * math.Pi * k / tableSize
		for i := range tableSize {
			t[i] += float32(a * math.Sin(step*float64(i)+ph))
		}
	}
	t[tableSize] = t[0]
	return &t
}

// A section of players: how far apart in cents, and on which side.
var sections = [...]struct{ cents, left, right float64 }{
	{-6.1, 0.85, 0.25}, {5.3, 0.25, 0.85}, {-2.2, 0.35, 0.75}, {2.9, 0.75, 0.35},
}

// sustain plays a pad note of dur seconds in stereo: four detuned players, slow
// swell, and for strings a vibrato that sets in late and differs per player.
func sustain(play instrument, f, dur float64) (left, right []float32) {
	attack, release, vibrato := 0.9, 1.1, 0.0
	gain := 0.085
	if play == strings {
		attack, release, vibrato = 0.55, 0.9, 4.5
		gain = 0.075
	}
	attack = min(attack, dur*0.6)
	n := int((dur + release) * Rate)
	left, right = make([]float32, n), make([]float32, n)
	t := padTable(play, f)
	const block = 64 // the pitch moves in steps of 1.3 ms
	for p, s := range sections {
		phase := mod1(0.37 * float64(p+1) * f / 50)
		rate := 4.9 + 0.23*float64(p)
		l, r := float32(gain*s.left), float32(gain*s.right)
		for i := 0; i < n; i += block {
			at := float64(i) / Rate
			bend := s.cents
			if vibrato > 0 {
				bend += vibrato * min(1, at/1.2) * math.Sin(2*math.Pi*rate*at+float64(p))
			}
			step := f * math.Exp2(bend/1200) / Rate * tableSize
			pos := phase * tableSize
			for j := i; j < min(i+block, n); j++ {
				k := int(pos)
				v := t[k] + float32(pos-float64(k))*(t[k+1]-t[k])
				left[j] += l * v
				right[j] += r * v
				if pos += step; pos >= tableSize {
					pos -= tableSize
				}
			}
			phase = pos / tableSize
		}
	}
	swell(left, attack, dur)
	swell(right, attack, dur)
	return left, right
}

// swell is raised-cosine up in attack seconds and down from dur to the end.
func swell(x []float32, attack, dur float64) {
	up, off := int(attack*Rate), int(dur*Rate)
	head := x[:min(up, len(x))]
	for i, c := range cosine(len(head), up, 0) {
		head[i] *= 0.5 - 0.5*c
	}
	tail := x[min(off, len(x)):]
	for i, c := range cosine(len(tail), len(tail), 1) {
		tail[i] *= 0.5 + 0.5*c
	}
}

// cosine yields n values of cos(π·(i+first)/half), by recurrence.
func cosine(n, half, first int) iter.Seq2[int, float32] {
	return func(yield func(int, float32) bool) {
		w := math.Pi / float64(max(1, half))
		k := 2 * math.Cos(w)
		now, before := math.Cos(w*float64(first)), math.Cos(w*float64(first-1))
		for i := range n {
			if !yield(i, float32(now)) {
				return
			}
			now, before = k*now-before, now
		}
	}
}

func mod1(x float64) float64 { return x - math.Floor(x) }
