package drawn

import "math"

type rgb [3]float64

func mix(a, b rgb, t float64) rgb {
	return rgb{a[0] + (b[0]-a[0])*t, a[1] + (b[1]-a[1])*t, a[2] + (b[2]-a[2])*t}
}

func (a rgb) scale(k float64) rgb { return rgb{a[0] * k, a[1] * k, a[2] * k} }

func clamp(x, lo, hi float64) float64 {
	if x < lo {
		return lo
	}
	if x > hi {
		return hi
	}
	return x
}

// smooth is Hermite's step from 0 at a to 1 at b; a may exceed b.
func smooth(a, b, x float64) float64 {
	t := clamp((x-a)/(b-a), 0, 1)
	return t * t * (3 - 2*t)
}

func level(x float64) uint8 { return uint8(clamp(x+0.5, 0, 255)) }

// bell is a Gaussian that is cut off where it no longer matters.
func bell(u, v, su, sv float64) float64 {
	e := u*u/(su*su) + v*v/(sv*sv)
	if e > 14 {
		return 0
	}
	return math.Exp(-e / 2)
}

// shape is a closed polygon with a signed distance (negative inside).
type shape struct {
	x, y           []float64
	x0, y0, x1, y1 float64
	grid           []float64
	gw, gh         int
}

// spline makes a shape from a closed Catmull–Rom curve through pts, each an
// (x, y) pair, sampled n times per span.
func spline(n int, pts ...[2]float64) shape {
	s := shape{x0: math.Inf(1), y0: math.Inf(1), x1: math.Inf(-1), y1: math.Inf(-1)}
	k := len(pts)
	for i := range pts {
		a, b, c, d := pts[(i+k-1)%k], pts[i], pts[(i+1)%k], pts[(i+2)%k]
		for j := range n {
			t := float64(j) / float64(n)
			var q [2]float64
			for e := range q {
				q[e] = 0.5 * (2*b[e] + (c[e]-a[e])*t + (2*a[e]-5*b[e]+4*c[e]-d[e])*t*t + (3*b[e]-a[e]-3*c[e]+d[e])*t*t*t)
			}
			s.x, s.y = append(s.x, q[0]), append(s.y, q[1])
			s.x0, s.x1 = min(s.x0, q[0]), max(s.x1, q[0])
			s.y0, s.y1 = min(s.y0, q[1]), max(s.y1, q[1])
		}
	}
	s.sample()
	return s
}

// mirrored closes a right half (from top to bottom) with its mirror image.
func mirrored(n int, half ...[2]float64) shape {
	pts := append([][2]float64(nil), half...)
	for i := len(half) - 1; i >= 0; i-- {
		if half[i][0] > 1e-9 {
			pts = append(pts, [2]float64{-half[i][0], half[i][1]})
		}
	}
	return spline(n, pts...)
}

// Distances are sampled once on a grid this fine (units) and interpolated.
const (
	gridStep = 0.05
	gridFar  = 0.45
)

// dist is the signed distance to the outline, from the grid; beyond gridFar
// outside it is only a lower bound, which is all that painting needs.
func (s *shape) dist(u, v float64) float64 {
	x, y := (u-s.x0+gridFar)/gridStep, (v-s.y0+gridFar)/gridStep
	if x < 0 || y < 0 || x >= float64(s.gw-1) || y >= float64(s.gh-1) {
		return gridFar
	}
	i, j := int(x), int(y)
	x, y = x-float64(i), y-float64(j)
	g := s.grid[j*s.gw+i:]
	a, b := g[0]+(g[1]-g[0])*x, g[s.gw]+(g[s.gw+1]-g[s.gw])*x
	return a + (b-a)*y
}

// sample fills the grid.
func (s *shape) sample() {
	s.gw = int((s.x1-s.x0+2*gridFar)/gridStep) + 2
	s.gh = int((s.y1-s.y0+2*gridFar)/gridStep) + 2
	s.grid = make([]float64, s.gw*s.gh)
	for j := range s.gh {
		for i := range s.gw {
			s.grid[j*s.gw+i] = s.exact(s.x0-gridFar+float64(i)*gridStep, s.y0-gridFar+float64(j)*gridStep)
		}
	}
}

func (s *shape) exact(u, v float64) float64 {
	best := math.Inf(1)
	inside := false
	n := len(s.x)
	for i, j := 0, n-1; i < n; j, i = i, i+1 {
		ex, ey := s.x[j]-s.x[i], s.y[j]-s.y[i]
		wx, wy := u-s.x[i], v-s.y[i]
		t := clamp((wx*ex+wy*ey)/(ex*ex+ey*ey+1e-18), 0, 1)
		dx, dy := wx-ex*t, wy-ey*t
		best = min(best, dx*dx+dy*dy)
		if (s.y[i] > v) != (s.y[j] > v) && u < (s.x[j]-s.x[i])*(v-s.y[i])/(s.y[j]-s.y[i])+s.x[i] {
			inside = !inside
		}
	}
	if inside {
		return -math.Sqrt(best)
	}
	return math.Sqrt(best)
}

// cover is the share of a pixel inside a distance field, with softness beyond
// one pixel added on both sides.
func (p *painter) cover(d, soft float64) float64 {
	w := 0.7*p.px + soft
	return smooth(w, -w, d)
}

// hash and noise2: value noise in [0, 1], smooth, without tables.
func hash(i, j int, seed uint64) float64 {
	h := uint64(int64(i))*0x9E3779B97F4A7C15 ^ uint64(int64(j))*0xC2B2AE3D27D4EB4F ^ seed*0x165667B19E3779F9
	h ^= h >> 29
	h *= 0xBF58476D1CE4E5B9
	h ^= h >> 32
	return float64(h>>11) / (1 << 53)
}

func noise2(x, y float64, seed uint64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	i, j := int(fx), int(fy)
	x, y = x-fx, y-fy
	x, y = x*x*(3-2*x), y*y*(3-2*y)
	a := hash(i, j, seed) + (hash(i+1, j, seed)-hash(i, j, seed))*x
	b := hash(i, j+1, seed) + (hash(i+1, j+1, seed)-hash(i, j+1, seed))*x
	return a + (b-a)*y
}
