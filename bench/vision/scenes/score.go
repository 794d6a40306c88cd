package scenes

import (
	"image"
	"math"
)

// A Score compares an alpha with the true one of the same size.
type Score struct {
	IoU       float64 // overlap of the halves above 1/2; 1 is best
	MAE       float64 // mean absolute difference, 0..1
	SAD       float64 // sum of absolute differences, thousands of pixels
	BoundaryF float64 // F measure of the outlines within 0.75 % of the diagonal; 1 is best
	Gradient  float64 // Rhemann et al. 2009: squared difference of gradient magnitudes (σ 1.4), thousands
}

// Evaluate scores a against the truth. Both must have the same size.
func Evaluate(a, truth *image.Gray) Score {
	w, h := truth.Rect.Dx(), truth.Rect.Dy()
	var s Score
	var in, un int
	for y := range h {
		for x := range w {
			p, q := a.Pix[y*a.Stride+x], truth.Pix[y*truth.Stride+x]
			if p > 127 && q > 127 {
				in++
			}
			if p > 127 || q > 127 {
				un++
			}
			s.SAD += math.Abs(float64(p)-float64(q)) / 255
		}
	}
	s.IoU = float64(in) / float64(max(un, 1))
	s.MAE = s.SAD / float64(w*h)
	s.SAD /= 1000
	s.BoundaryF = boundaryF(a, truth)
	ga, gt := gradient(a), gradient(truth)
	for i := range ga {
		d := ga[i] - gt[i]
		s.Gradient += d * d / 1000
	}
	return s
}

func boundaryF(a, b *image.Gray) float64 {
	w, h := b.Rect.Dx(), b.Rect.Dy()
	tol := int(math.Ceil(0.0075 * math.Hypot(float64(w), float64(h))))
	ea, eb := outline(a), outline(b)
	p, q := hits(ea, eb, w, h, tol), hits(eb, ea, w, h, tol)
	if p+q == 0 {
		return 0
	}
	return 2 * p * q / (p + q)
}

func outline(m *image.Gray) []bool {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	e := make([]bool, w*h)
	for y := range h {
		for x := range w {
			v := m.Pix[y*m.Stride+x] > 127
			e[y*w+x] = x+1 < w && (m.Pix[y*m.Stride+x+1] > 127) != v || y+1 < h && (m.Pix[(y+1)*m.Stride+x] > 127) != v
		}
	}
	return e
}

// hits is the share of a's pixels with one of b within tol. A column-wise
// distance first, then a scan along the row.
func hits(a, b []bool, w, h, tol int) float64 {
	far := tol + 1
	dist := make([]int, w*h)
	for x := range w {
		d := far
		for y := range h {
			if b[y*w+x] {
				d = 0
			} else {
				d = min(d+1, far)
			}
			dist[y*w+x] = d
		}
		d = far
		for y := h - 1; y >= 0; y-- {
			if b[y*w+x] {
				d = 0
			} else {
				d = min(d+1, far)
			}
			dist[y*w+x] = min(dist[y*w+x], d)
		}
	}
	var n, ok int
	for y := range h {
		for x := range w {
			if !a[y*w+x] {
				continue
			}
			n++
			for i := max(0, x-tol); i <= min(w-1, x+tol); i++ {
				d := dist[y*w+i]
				if d < far && d*d+(i-x)*(i-x) <= tol*tol {
					ok++
					break
				}
			}
		}
	}
	if n == 0 {
		return 0
	}
	return float64(ok) / float64(n)
}

// gradient is the magnitude of the derivative of a Gaussian, σ = 1.4, alpha 0..1.
func gradient(m *image.Gray) []float64 {
	const sigma, r = 1.4, 5
	var g, d [2*r + 1]float64
	var sum, norm float64
	for i := -r; i <= r; i++ {
		g[i+r] = math.Exp(-float64(i*i) / (2 * sigma * sigma))
		sum += g[i+r]
		d[i+r] = float64(i) * g[i+r]
		norm += float64(i) * d[i+r]
	}
	for i := range g {
		g[i] /= sum
		d[i] /= norm
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	sx, dx := make([]float64, w*h), make([]float64, w*h)
	for y := range h {
		for x := range w {
			for k := -r; k <= r; k++ {
				v := float64(m.Pix[y*m.Stride+min(max(x+k, 0), w-1)]) / 255
				sx[y*w+x] += g[k+r] * v
				dx[y*w+x] += d[k+r] * v
			}
		}
	}
	out := make([]float64, w*h)
	for y := range h {
		for x := range w {
			var a, b float64
			for k := -r; k <= r; k++ {
				j := min(max(y+k, 0), h-1)*w + x
				a += g[k+r] * dx[j]
				b += d[k+r] * sx[j]
			}
			out[y*w+x] = math.Hypot(a, b)
		}
	}
	return out
}

// Spill is the mean error of the cut-out's colours against the person's own, in
// levels of 255, weighted by how soft the true alpha is: 4α(1-α).
func Spill(cut *image.NRGBA, s Scene) float64 {
	var sum, weight float64
	w, h := s.Alpha.Rect.Dx(), s.Alpha.Rect.Dy()
	for y := range h {
		for x := range w {
			a := float64(s.Alpha.Pix[y*s.Alpha.Stride+x]) / 255
			p, f := cut.Pix[y*cut.Stride+4*x:], s.Fore.Pix[y*s.Fore.Stride+4*x:]
			wt := 4 * a * (1 - a)
			if wt == 0 || p[3] == 0 {
				continue
			}
			for k := range 3 {
				sum += wt * math.Abs(float64(p[k])-float64(f[k])) / 3
			}
			weight += wt
		}
	}
	if weight == 0 {
		return 0
	}
	return sum / weight
}
