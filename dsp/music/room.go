package music

import "math"

// room is a feedback delay network (Jot 1991): eight delays of mutually prime
// length, mixed by a Householder matrix, damped like air and walls. Its tail
// is about 1.7 s; the input is delayed by 18 ms and freed of bass.
type room struct {
	lines [8][]float64
	at    [8]int
	gain  [8]float64
	damp  [8]float64
	pre   [2][]float64
	preAt int
	hp    [2]float64
}

const (
	decayTime = 1.7 // s to −60 dB
	preDelay  = 0.018
)

func newRoom() *room {
	r := &room{}
	for i, n := range [...]int{1433, 1601, 1867, 2053, 2251, 2399, 2617, 2797} {
		r.lines[i] = make([]float64, n)
		r.gain[i] = math.Pow(10, -3*float64(n)/Rate/decayTime)
	}
	for c := range r.pre {
		r.pre[c] = make([]float64, int(preDelay*Rate))
	}
	return r
}

// next takes one stereo sample and returns the reverberation.
func (r *room) next(l, rt float64) (float64, float64) {
	const bassCut = 0.024 // one pole at about 180 Hz
	l, r.pre[0][r.preAt] = r.pre[0][r.preAt], l
	rt, r.pre[1][r.preAt] = r.pre[1][r.preAt], rt
	if r.preAt++; r.preAt == len(r.pre[0]) {
		r.preAt = 0
	}
	r.hp[0] += bassCut * (l - r.hp[0])
	r.hp[1] += bassCut * (rt - r.hp[1])
	in := [2]float64{0.35 * (l - r.hp[0]), 0.35 * (rt - r.hp[1])}
	var o [8]float64
	sum := 0.0
	for j := range o {
		r.damp[j] += 0.42 * (r.lines[j][r.at[j]] - r.damp[j])
		o[j] = r.damp[j]
		sum += o[j]
	}
	sum *= 0.25
	for j := range o {
		line := r.lines[j]
		line[r.at[j]] = (o[j]-sum)*r.gain[j] + in[j&1]
		if r.at[j]++; r.at[j] == len(line) {
			r.at[j] = 0
		}
	}
	return o[0] - o[2] + o[4] - o[6], o[1] - o[3] + o[5] - o[7]
}

// biquad is a second-order section, transposed direct form II.
type biquad struct{ b0, b1, b2, a1, a2, s1, s2 float64 }

func (q *biquad) next(x float64) float64 {
	y := q.b0*x + q.s1
	q.s1 = q.b1*x - q.a1*y + q.s2
	q.s2 = q.b2*x - q.a2*y
	return y
}

// The three shapes are those of R. Bristow-Johnson's cookbook.

func highPass(f, q float64) biquad {
	c, alpha := angle(f, q)
	return norm(biquad{b0: (1 + c) / 2, b1: -(1 + c), b2: (1 + c) / 2, a1: -2 * c, a2: 1 - alpha}, 1+alpha)
}

func lowPass(f, q float64) biquad {
	c, alpha := angle(f, q)
	return norm(biquad{b0: (1 - c) / 2, b1: 1 - c, b2: (1 - c) / 2, a1: -2 * c, a2: 1 - alpha}, 1+alpha)
}

func bellEQ(f, q, dB float64) biquad {
	c, alpha := angle(f, q)
	a := math.Pow(10, dB/40)
	return norm(biquad{b0: 1 + alpha*a, b1: -2 * c, b2: 1 - alpha*a, a1: -2 * c, a2: 1 - alpha/a}, 1+alpha/a)
}

func angle(f, q float64) (c, alpha float64) {
	w := 2 * math.Pi * f / Rate
	return math.Cos(w), math.Sin(w) / (2 * q)
}

func norm(q biquad, a0 float64) biquad {
	q.b0, q.b1, q.b2, q.a1, q.a2 = q.b0/a0, q.b1/a0, q.b2/a0, q.a1/a0, q.a2/a0
	return q
}

// master is what the whole track goes through: no rumble, a wide dip where
// speech is understood, and a soft top.
type master struct{ bands [2][3]biquad }

func newMaster() *master {
	m := &master{}
	for c := range m.bands {
		m.bands[c] = [3]biquad{highPass(55, 0.7), bellEQ(2000, 0.55, -3), lowPass(10500, 0.65)}
	}
	return m
}

func (m *master) next(c int, x float64) float64 {
	for i := range m.bands[c] {
		x = m.bands[c][i].next(x)
	}
	return x
}
