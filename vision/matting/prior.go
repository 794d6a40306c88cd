package matting

import (
	"image"
	"math"
)

// The shape of a person around a face, mean of a set of portraits with
// published mattes, in units of the face square's side: half-width at which the
// person is as likely as the background, and how softly, by height below the
// square's centre. Hair ends at about -1, the neck is narrowest at +0.5, the
// shoulders reach 1.28 at +1.2.
var (
	shapeV    = [...]float64{-1.3, -1.05, -0.8, -0.55, -0.3, 0, 0.25, 0.45, 0.7, 0.95, 1.2, 1.45, 1.7, 2.2, 6}
	shapeHalf = [...]float64{-0.4, -0.02, 0.3, 0.55, 0.66, 0.68, 0.68, 0.74, 0.92, 1.1, 1.28, 1.4, 1.5, 1.6, 1.6}
	shapeSoft = [...]float64{0.12, 0.18, 0.18, 0.14, 0.13, 0.13, 0.15, 0.2, 0.24, 0.26, 0.28, 0.3, 0.32, 0.4, 0.5}
)

func interpolate(ys []float64, v float64) float64 {
	if v <= shapeV[0] {
		return ys[0]
	}
	for i := 1; i < len(shapeV); i++ {
		if v <= shapeV[i] {
			t := (v - shapeV[i-1]) / (shapeV[i] - shapeV[i-1])
			return ys[i-1] + t*(ys[i]-ys[i-1])
		}
	}
	return ys[len(ys)-1]
}

// shapePrior is the probability of the person by position, the union over
// several faces. scale stretches the shape for the repeated cuts.
func shapePrior(w, h int, seeds []seed, scale float64) field {
	p := newField(w, h)
	for i := range p.pix {
		p.pix[i] = 1 // of not being anybody
	}
	for _, s := range seeds {
		cx, cy, side := s.at(w)
		side *= scale
		for y := range h {
			v := (float64(y) + 0.5 - cy) / side
			half, soft := interpolate(shapeHalf[:], v), interpolate(shapeSoft[:], v)
			if v < shapeV[0] {
				half -= 2 * (shapeV[0] - v)
			}
			// Arms and props may be anywhere beside the body; far below nothing is sure.
			lo, hi := 0.004, 0.995
			if v > 0.7 {
				lo += min(0.05, (v-0.7)*0.05)
			}
			if v > 2.5 {
				hi = max(0.8, hi-(v-2.5)*0.1)
			}
			for x := range w {
				u := math.Abs((float64(x) + 0.5 - cx) / side)
				q := 1 / (1 + math.Exp(-(half-u)/soft))
				p.pix[y*w+x] *= float32(1 - min(max(q, lo), hi))
			}
		}
	}
	for i, v := range p.pix {
		p.pix[i] = min(max(1-v, 0.004), 0.995)
	}
	return p
}

// modelPrior turns a model's mask into probabilities that leave the colours a
// say everywhere.
func modelPrior(m *image.Gray, w, h int) field {
	p := resizeField(fieldOf(m), w, h)
	for i, v := range p.pix {
		p.pix[i] = min(max(v, 0.004), 0.995)
	}
	return p
}

// innerBody is 1 where an upright person's trunk all but surely is: the column
// under the face. It keeps a white shirt before a white wall from dissolving.
func innerBody(w, h int, seeds []seed) mask {
	m := newMask(w, h)
	for _, s := range seeds {
		cx, cy, side := s.at(w)
		for y := range h {
			v := (float64(y) + 0.5 - cy) / side
			var half float64
			switch {
			case v <= -0.75 || v > 3:
				continue
			case v <= 0: // brow and the hair above it
				half = 0.35 * math.Sqrt(1-(v/0.75)*(v/0.75))
			case v <= 0.45: // face
				half = 0.35 * math.Sqrt(1-(v/0.5)*(v/0.5))
			case v <= 0.8: // neck
				half = 0.25
			default: // trunk, widening from the collar
				half = min(0.85, 0.25+(v-0.8)*1.2)
			}
			for x := max(0, int(cx-half*side+0.5)); x < min(w, int(cx+half*side+0.5)); x++ {
				m.pix[y*w+x] = 1
			}
		}
	}
	return m
}
