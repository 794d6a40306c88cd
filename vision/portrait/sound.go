package portrait

import (
	"math"

	"github.com/videomsg/videomsg/dsp"
)

// soundShape guesses the mouth from the sound alone: loudness times a rough
// first-formant centroid opens it, the balance of the second formant's bands
// widens it, and hiss shows the teeth. It correlates with the true openness by
// about 0.6, against 0.85 with phonemes.
func soundShape(a dsp.Audio, n int) tracks {
	t := newTracks(n)
	centres := []float64{300, 500, 750, 1100, 1600, 2300, 4200, 6000}
	energy := make([][]float64, len(centres))
	total := make([]float64, n)
	for b, f := range centres {
		energy[b] = hann(bandEnergy(a, f, n), 4)
		for i, e := range energy[b] {
			total[i] += e
		}
	}
	ref := percentile(total, 0.95)
	if ref < 1e-12 {
		return t
	}
	for i := range total {
		if total[i] <= 0 {
			continue
		}
		db := 10 * math.Log10(total[i]/ref)
		loud := clamp((db+32)/32, 0, 1.05)
		var centroid, low float64
		for b := range 4 {
			centroid += centres[b] * energy[b][i]
			low += energy[b][i]
		}
		f1 := clamp((centroid/(low+1e-12)-350)/450, 0, 1)
		hiss := clamp((energy[6][i]+energy[7][i])/total[i]*3-0.3, 0, 1)
		f2 := (energy[5][i] + 0.7*energy[4][i]) / (energy[3][i] + energy[4][i] + energy[5][i] + 1e-12)
		t.open[i] = loud * loud * (0.3 + 0.7*f1) * (1 - 0.7*hiss)
		t.width[i] = lerp(1, lerp(0.84, 1.08, clamp(f2*1.3, 0, 1)), clamp(loud*1.3-0.3, 0, 1))
		t.teeth[i] = hiss
	}
	return t
}

// bandEnergy is the mean power behind a band-pass of Q 2.5 at trackRate
// (RBJ audio EQ cookbook, constant peak gain).
func bandEnergy(a dsp.Audio, f0 float64, n int) []float64 {
	out := make([]float64, n)
	rate := float64(a.Rate)
	if a.Len() == 0 || f0 > 0.45*rate {
		return out
	}
	w := 2 * math.Pi * f0 / rate
	al := math.Sin(w) / 5
	b0, a1, a2 := al/(1+al), -2*math.Cos(w)/(1+al), (1-al)/(1+al)
	var x1, x2, y1, y2, acc float64
	cnt, k := 0, 0
	for i, s := range a.Ch[0] {
		x := float64(s)
		if !(math.Abs(x) < 1e6) {
			x = 0
		}
		y := b0*(x-x2) - a1*y1 - a2*y2
		x2, x1, y2, y1 = x1, x, y1, y
		acc += y * y
		cnt++
		if float64(i+1)*trackRate >= float64(k+1)*rate {
			if k < n {
				out[k] = acc / float64(cnt)
			}
			k++
			acc, cnt = 0, 0
		}
	}
	return out
}
