package loudness

import "math"

// kFilter is the K-weighting of BS.1770-4 annex 1: a high shelf of +4 dB for
// the head, then a high-pass. The standard tabulates 48 kHz only; the analogue
// prototypes behind its coefficients serve every rate through the bilinear
// transform. Both are second order, transposed direct form II.
type kFilter struct {
	b0, b1, b2, a1, a2 float64 // shelf
	c1, c2             float64 // high-pass denominator; its numerator is 1 −2 1
	s1, s2, t1, t2     float64
}

func newKFilter(rate int) kFilter {
	var k kFilter
	const (
		shelfHz, shelfDB, shelfQ = 1681.974450955533, 3.999843853973347, 0.7071752369554196
		shelfSlope               = 0.4996667741545416
		highHz, highQ            = 38.13547087602444, 0.5003270373238773
	)
	w := math.Tan(math.Pi * shelfHz / float64(rate))
	vh := math.Pow(10, shelfDB/20)
	vb := math.Pow(vh, shelfSlope)
	a0 := 1 + w/shelfQ + w*w
	k.b0, k.b1, k.b2 = (vh+vb*w/shelfQ+w*w)/a0, 2*(w*w-vh)/a0, (vh-vb*w/shelfQ+w*w)/a0
	k.a1, k.a2 = 2*(w*w-1)/a0, (1-w/shelfQ+w*w)/a0
	w = math.Tan(math.Pi * highHz / float64(rate))
	a0 = 1 + w/highQ + w*w
	k.c1, k.c2 = 2*(w*w-1)/a0, (1-w/highQ+w*w)/a0
	return k
}

// energy filters x and returns the sum of squares.
func (k *kFilter) energy(x []float32) float64 {
	b0, b1, b2, a1, a2, c1, c2 := k.b0, k.b1, k.b2, k.a1, k.a2, k.c1, k.c2
	s1, s2, t1, t2 := k.s1, k.s2, k.t1, k.t2
	sum := 0.0
	for _, v := range x {
		in := float64(v)
		y := b0*in + s1
		s1 = b1*in - a1*y + s2
		s2 = b2*in - a2*y
		u := y + t1
		t1 = -2*y - c1*u + t2
		t2 = y - c2*u
		sum += u * u
	}
	// A tail that decays for ever ends in denormals, a hundred times slower.
	k.s1, k.s2, k.t1, k.t2 = flush(s1), flush(s2), flush(t1), flush(t2)
	return sum
}

func flush(x float64) float64 {
	if math.Abs(x) < 1e-30 {
		return 0
	}
	return x
}
