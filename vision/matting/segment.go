package matting

import (
	"image"
	"math"
)

// A variant perturbs the cut, to see whether its outcome is robust.
type variant struct {
	inner  bool    // the person's first colours come from the trunk's middle and what is sure
	rng    uint32  // added to the seed of k-means++
	scale  float64 // of the shape; 0 means 1
	smooth float64 // factor on gamma; 0 means 1
	comps  int     // mixture components; 0 means 5
	back   float32 // overrides regime.back; 0 does not
	lambda float32 // factor on lambda; 0 means 1
}

// regime holds the settings that depend on how the picture is framed.
type regime struct {
	fore, back float32 // prior above and below which the first samples are taken
	gamma      float32 // smoothness
	lambda     float32 // weight of the prior against the colours
}

var (
	// The face fills much of the picture: little background is known, colours decide.
	closeUp = regime{fore: 0.7, back: 0.3, gamma: 40, lambda: 0.2}
	usual   = regime{fore: 0.9, back: 0.1, gamma: 20, lambda: 0.5}
)

const (
	maxRounds = 5
	surely    = 50 // a terminal weight that no edge outweighs
)

// segment runs the iterated graph cut at the raster's size.
func segment(r *raster, seeds []seed, model *image.Gray, v variant) mask {
	if v.scale == 0 {
		v.scale = 1
	}
	if v.smooth == 0 {
		v.smooth = 1
	}
	if v.comps == 0 {
		v.comps = 5
	}
	s := segmentation{r: r, v: v, set: usual}
	if model != nil {
		s.prior = modelPrior(model, r.w, r.h)
		s.set.lambda = 1
	} else {
		s.prior = shapePrior(r.w, r.h, seeds, v.scale)
		if seeds[0].aspect > 0.30 {
			s.set = closeUp
		}
	}
	if v.inner {
		s.set.fore = 0.97
	}
	if v.back > 0 {
		s.set.back = v.back
	}
	if v.lambda > 0 {
		s.set.lambda *= v.lambda
	}
	s.core = innerBody(r.w, r.h, seeds)
	s.set.gamma *= float32(v.smooth)
	s.contrast()
	return s.run()
}

type segmentation struct {
	r     *raster
	v     variant
	set   regime
	prior field
	core  mask
	edge  [][4]float32 // weights to the right, below, below right, below left
	unary []float32    // > 0 for the person
}

// offsets of the four neighbours in edge, with the grid's edge numbers.
var neighbours = [4]struct {
	dx, dy, k int
	weight    float32
}{{1, 0, 0, 1}, {0, 1, 2, 1}, {1, 1, 4, math.Sqrt2 / 2}, {-1, 1, 6, math.Sqrt2 / 2}}

// contrast computes exp(-β d²)/distance for every pair of neighbours, β being
// the inverse of twice the mean d².
func (s *segmentation) contrast() {
	r := s.r
	var sum float64
	for y := range r.h {
		for x := range r.w {
			i := y*r.w + x
			if x+1 < r.w {
				sum += float64(r.colourDistance(i, i+1))
			}
			if y+1 < r.h {
				sum += float64(r.colourDistance(i, i+r.w))
			}
		}
	}
	pairs := max(1, 2*r.w*r.h-r.w-r.h)
	beta := float32(1 / (2*sum/float64(pairs) + 1e-3))
	// exp(-x) in steps of 1/128; beyond 8 the floor keeps thin parts connected.
	var table [1024]float32
	for i := range table {
		table[i] = float32(math.Exp(-float64(i) / 128))
	}
	s.edge = make([][4]float32, r.w*r.h)
	for y := range r.h {
		for x := range r.w {
			i := y*r.w + x
			for n, o := range neighbours {
				if x+o.dx < 0 || x+o.dx >= r.w || y+o.dy >= r.h {
					continue
				}
				k := int(beta * r.colourDistance(i, i+o.dy*r.w+o.dx) * 128)
				e := float32(0.0003)
				if k < len(table) {
					e = table[k]
				}
				s.edge[i][n] = o.weight * e
			}
		}
	}
}

func (s *segmentation) run() mask {
	n := s.r.w * s.r.h
	m := newMask(s.r.w, s.r.h)
	for i, p := range s.prior.pix {
		if p > 0.5 {
			m.pix[i] = 1
		}
	}
	s.unary = make([]float32, n)
	for round := range maxRounds {
		fore, back := s.learn(m, round)
		if fore == nil || back == nil {
			break
		}
		s.weigh(fore, back)
		changed := s.cut(m)
		if round > 0 && changed*500 < n {
			break
		}
	}
	return m
}

// learn fits the two mixtures, in the first round to what the prior is sure of,
// later to the current mask.
func (s *segmentation) learn(m mask, round int) (fore, back mixture) {
	n := len(m.pix)
	fi, bi := make([]int32, 0, n), make([]int32, 0, n)
	fw, bw := make([]float32, 0, n), make([]float32, 0, n)
	for i, p := range s.prior.pix {
		switch {
		case round == 0 && s.v.inner && s.core.pix[i] == 1:
			fi, fw = append(fi, int32(i)), append(fw, 1)
		case round == 0 && p > s.set.fore:
			fi, fw = append(fi, int32(i)), append(fw, p)
		case round == 0 && p < s.set.back:
			bi, bw = append(bi, int32(i)), append(bw, 1-p)
		case round == 0:
		case m.pix[i] == 1:
			fi, fw = append(fi, int32(i)), append(fw, 0.3+p)
		default:
			bi, bw = append(bi, int32(i)), append(bw, 1.3-p)
		}
	}
	rng := 12345 + s.v.rng
	return fitMixture(s.r.f, fi, fw, s.v.comps, rng), fitMixture(s.r.f, bi, bw, s.v.comps, rng)
}

// weigh sets the unary terms: clamped log likelihood ratio plus λ logit(prior).
// Where both mixtures explain a colour equally well (a white shirt before a
// white wall) its ratio is noise, so the prior's weight rises there.
func (s *segmentation) weigh(fore, back mixture) {
	for i := range s.unary {
		f, b := fore.logLikelihood(&s.r.f[i]), back.logLikelihood(&s.r.f[i])
		ratio := min(max(f-b, -6), 6)
		p := s.prior.pix[i]
		logit := float32(math.Log(float64(p / (1 - p))))
		// Both densities high and close: ambiguous, 0..1.
		ambiguous := clamp01(1-abs(f-b)/4) * clamp01((min(f, b)+16)/4)
		u := ratio*(1-0.5*ambiguous) + (s.set.lambda+ambiguous*(1-s.set.lambda))*logit
		switch {
		case s.core.pix[i] == 1:
			u = max(u, 3)
		case p < 0.008:
			u = -surely
		case p > 0.985:
			u = max(u, 3)
		}
		s.unary[i] = u
	}
}

func abs(v float32) float32 { return max(v, -v) }

// cut solves the graph and returns how many pixels changed sides.
func (s *segmentation) cut(m mask) (changed int) {
	g := newGrid(m.w, m.h)
	for y := range m.h {
		for x := range m.w {
			i, j := y*m.w+x, g.node(x, y)
			g.terminal[j] = s.unary[i]
			for n, o := range neighbours {
				if e := s.edge[i][n]; e > 0 {
					g.link(j, o.k, s.set.gamma*e)
				}
			}
		}
	}
	g.cut()
	for y := range m.h {
		for x := range m.w {
			var v uint8
			if g.tree[g.node(x, y)] == source {
				v = 1
			}
			if i := y*m.w + x; m.pix[i] != v {
				m.pix[i] = v
				changed++
			}
		}
	}
	return changed
}

// clean keeps the components that hold a face (or, without faces, the largest)
// and fills holes smaller than 0.5 % of the picture.
func clean(m mask, seeds []seed) {
	label, regions := components(m)
	keep := make([]bool, len(regions))
	if len(seeds) == 0 {
		best := -1
		for i, r := range regions {
			if r.value == 1 && (best < 0 || r.size > regions[best].size) {
				best = i
			}
		}
		if best >= 0 {
			keep[best] = true
			// A model may see two people apart: keep what is nearly as large.
			for i, r := range regions {
				keep[i] = keep[i] || r.value == 1 && r.size*3 > regions[best].size
			}
		}
	}
	for _, s := range seeds {
		cx, cy, side := s.at(m.w)
		count := make([]int, len(regions))
		for y := max(0, int(cy-0.4*side)); y < min(m.h, int(cy+0.4*side)+1); y++ {
			for x := max(0, int(cx-0.4*side)); x < min(m.w, int(cx+0.4*side)+1); x++ {
				if i := y*m.w + x; m.pix[i] == 1 {
					count[label[i]]++
				}
			}
		}
		best := 0
		for i := range count {
			if count[i] > count[best] {
				best = i
			}
		}
		if count[best] > 0 {
			keep[best] = true
		}
	}
	small := len(m.pix) / 200
	for i := range m.pix {
		r := regions[label[i]]
		switch {
		case r.value == 1 && !keep[label[i]]:
			m.pix[i] = 0
		case r.value == 0 && !r.border && r.size < small:
			m.pix[i] = 1
		}
	}
}

type region struct {
	value  uint8
	size   int
	border bool
}

// components labels the 4-connected regions of equal value.
func components(m mask) ([]int32, []region) {
	label := make([]int32, len(m.pix))
	for i := range label {
		label[i] = -1
	}
	var regions []region
	var stack []int32
	for i := range m.pix {
		if label[i] >= 0 {
			continue
		}
		id := int32(len(regions))
		r := region{value: m.pix[i]}
		stack = append(stack[:0], int32(i))
		label[i] = id
		for len(stack) > 0 {
			j := int(stack[len(stack)-1])
			stack = stack[:len(stack)-1]
			r.size++
			x, y := j%m.w, j/m.w
			visit := func(inside bool, k int) {
				if !inside {
					r.border = true
				} else if label[k] < 0 && m.pix[k] == r.value {
					label[k] = id
					stack = append(stack, int32(k))
				}
			}
			visit(x > 0, j-1)
			visit(x+1 < m.w, j+1)
			visit(y > 0, j-m.w)
			visit(y+1 < m.h, j+m.w)
		}
		regions = append(regions, r)
	}
	return label, regions
}
