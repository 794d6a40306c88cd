package matting

import "math"

// A mixture is a Gaussian mixture over the four features with full
// covariances; a pixel's likelihood is that of its best component.
type mixture []gaussian

type gaussian struct {
	base float32    // ln weight - ½ ln det covariance
	mean [4]float32 //
	l    [10]float32
	// l is the lower triangular inverse of the covariance's Cholesky factor, row
	// by row: the Mahalanobis distance is |L(x-mean)|².
}

// Added to the variances so that flat backgrounds do not collapse a component.
var regularise = [4]float64{12, 12, 12, 4}

const maxSamples = 4000

// fitMixture fits k components to the weighted samples: k-means++ with a fixed
// seed, five Lloyd rounds, one hard expectation step. It returns nil when there
// are fewer than 20 samples.
func fitMixture(f [][4]float32, index []int32, weight []float32, k int, rng uint32) mixture {
	if len(index) < 20 {
		return nil
	}
	step := (len(index) + maxSamples - 1) / maxSamples
	n := (len(index) + step - 1) / step
	xs, ws := make([][4]float32, n), make([]float32, n)
	var total float64
	for i := range n {
		xs[i], ws[i] = f[index[i*step]], weight[i*step]
		total += float64(ws[i])
	}
	label := cluster(xs, ws, k, rng)
	m := estimate(xs, ws, label, k, total)
	for i := range xs {
		label[i] = m.best(&xs[i])
	}
	return estimate(xs, ws, label, k, total)
}

func squared(a, b *[4]float32) float32 {
	x, y, z, t := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3]
	return x*x + y*y + z*z + t*t
}

func cluster(xs [][4]float32, ws []float32, k int, rng uint32) []int {
	centres := [][4]float32{weightedMean(xs, ws)}
	far := make([]float32, len(xs))
	for i := range far {
		far[i] = math.MaxFloat32
	}
	for len(centres) < k {
		var total float64
		for i := range xs {
			far[i] = min(far[i], squared(&xs[i], &centres[len(centres)-1]))
			total += float64(far[i]) * float64(ws[i])
		}
		rng = rng*1664525 + 1013904223
		r := float64(rng) / (1 << 32) * total
		pick := 0
		for i := range xs {
			if r -= float64(far[i]) * float64(ws[i]); r <= 0 {
				pick = i
				break
			}
		}
		centres = append(centres, xs[pick])
	}
	label := make([]int, len(xs))
	sum, weight := make([][4]float64, k), make([]float64, k)
	for range 5 {
		clear(sum)
		clear(weight)
		for i := range xs {
			best, d := 0, float32(math.MaxFloat32)
			for c := range centres {
				if q := squared(&xs[i], &centres[c]); q < d {
					best, d = c, q
				}
			}
			label[i] = best
			for a := range 4 {
				sum[best][a] += float64(ws[i]) * float64(xs[i][a])
			}
			weight[best] += float64(ws[i])
		}
		for c := range centres {
			if weight[c] > 0 {
				for a := range 4 {
					centres[c][a] = float32(sum[c][a] / weight[c])
				}
			}
		}
	}
	return label
}

func weightedMean(xs [][4]float32, ws []float32) (mean [4]float32) {
	var s [4]float64
	var w float64
	for i := range xs {
		for a := range 4 {
			s[a] += float64(ws[i]) * float64(xs[i][a])
		}
		w += float64(ws[i])
	}
	for a := range 4 {
		mean[a] = float32(s[a] / max(w, 1e-9))
	}
	return mean
}

// moments of one component.
type moments struct {
	w float64
	m [4]float64
	s [4][4]float64
}

func estimate(xs [][4]float32, ws []float32, label []int, k int, total float64) mixture {
	acc := make([]moments, k)
	for i := range xs {
		c := &acc[label[i]]
		q := float64(ws[i])
		c.w += q
		for a := range 4 {
			qa := q * float64(xs[i][a])
			c.m[a] += qa
			for b := range a + 1 {
				c.s[a][b] += qa * float64(xs[i][b])
			}
		}
	}
	var out mixture
	for i := range acc {
		if acc[i].w >= 2e-3*total {
			out = append(out, acc[i].gaussian(total))
		}
	}
	return out
}

func (c *moments) gaussian(total float64) gaussian {
	var chol, inv [4][4]float64
	for a := range 4 {
		c.m[a] /= c.w
	}
	var logDet float64
	for a := range 4 {
		for b := range a + 1 {
			t := c.s[a][b]/c.w - c.m[a]*c.m[b]
			if a == b {
				t += regularise[a]
			}
			for q := range b {
				t -= chol[a][q] * chol[b][q]
			}
			if a == b {
				chol[a][a] = math.Sqrt(max(t, 1e-6))
				logDet += 2 * math.Log(chol[a][a])
			} else {
				chol[a][b] = t / chol[b][b]
			}
		}
	}
	for col := range 4 {
		for a := col; a < 4; a++ {
			t := 0.0
			if a == col {
				t = 1
			}
			for q := col; q < a; q++ {
				t -= chol[a][q] * inv[q][col]
			}
			inv[a][col] = t / chol[a][a]
		}
	}
	g := gaussian{base: float32(math.Log(c.w/total) - logDet/2)}
	n := 0
	for a := range 4 {
		g.mean[a] = float32(c.m[a])
		for b := range a + 1 {
			g.l[n] = float32(inv[a][b])
			n++
		}
	}
	return g
}

// logLikelihood of one pixel under one component, up to a constant.
func (g *gaussian) logLikelihood(x *[4]float32) float32 {
	a, b, c, d := x[0]-g.mean[0], x[1]-g.mean[1], x[2]-g.mean[2], x[3]-g.mean[3]
	l := &g.l
	p := l[0] * a
	q := l[1]*a + l[2]*b
	r := l[3]*a + l[4]*b + l[5]*c
	s := l[6]*a + l[7]*b + l[8]*c + l[9]*d
	return g.base - 0.5*(p*p+q*q+r*r+s*s)
}

func (m mixture) logLikelihood(x *[4]float32) float32 {
	best := float32(-1e30)
	for i := range m {
		best = max(best, m[i].logLikelihood(x))
	}
	return best
}

func (m mixture) best(x *[4]float32) int {
	k, best := 0, float32(-1e30)
	for i := range m {
		if v := m[i].logLikelihood(x); v > best {
			k, best = i, v
		}
	}
	return k
}
