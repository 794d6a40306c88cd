package music

import "math"

// kit is a light drum kit as figures of eighths: 0 nothing, 1 soft, 2 loud.
type kit struct{ kick, snap, clap, shaker figure }

type drumPart struct {
	hits figure
	play instrument
	gain float64
	pan  float64
	from float64 // density of a bar from which the part joins in
}

func (k kit) parts() []drumPart {
	return []drumPart{
		{k.kick, kickDrum, 0.8, 0.5, 0.7},
		{k.snap, snapDrum, 0.5, 0.45, 0.6},
		{k.clap, clapDrum, 0.45, 0.52, 0.75},
		{k.shaker, shakerDrum, 0.6, 0.66, 0.5},
	}
}

// beatDrum renders one hit. The noise is the same for every hit of a track, as
// is the skin of a real drum.
func beatDrum(play instrument, r *random) []float32 {
	switch play {
	case kickDrum:
		return kick()
	case snapDrum:
		return burst(r, 0.16, []float64{0}, 26, 1500, 3600, 0.003, 0.5)
	case clapDrum:
		return burst(r, 0.22, []float64{0, 0.009, 0.019}, 30, 900, 2600, 0.001, 0.4)
	}
	return burst(r, 0.09, []float64{0}, 55, 4500, 8500, 0.012, 1)
}

// kick is a sine that falls from 130 to 50 Hz.
func kick() []float32 {
	x := make([]float32, Rate*32/100)
	phase := 0.0
	for i := range x {
		t := float64(i) / Rate
		phase += 2 * math.Pi * (50 + 80*math.Exp(-t*38)) / Rate
		x[i] = float32(0.8 * math.Sin(phase) * math.Exp(-t*13) * min(1, t/0.002) * min(1, (0.32-t)/0.02))
	}
	return x
}

// burst is noise between two frequencies, started once or in a quick row.
func burst(r *random, length float64, starts []float64, decay, low, high, attack, gain float64) []float32 {
	x := make([]float32, int(length*Rate))
	a, b := 1-math.Exp(-2*math.Pi*high/Rate), 1-math.Exp(-2*math.Pi*low/Rate)
	var l1, l2, h1, h2 float64
	for i := range x {
		t := float64(i) / Rate
		l1 += a * (r.between(-1, 1) - l1)
		l2 += a * (l1 - l2)
		h1 += b * (l2 - h1)
		h2 += b * (l2 - h1 - h2)
		env := 0.0
		for k, s := range starts {
			if t >= s {
				e := math.Exp(-(t-s)*decay) * min(1, (t-s)/attack)
				if k < len(starts)-1 {
					e *= math.Exp(-(t - s) * 160)
				}
				env += e
			}
		}
		x[i] = float32(gain * env * (l2 - h1 - h2) * min(1, (length-t)/0.01))
	}
	return x
}
