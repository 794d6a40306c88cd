package portrait

import (
	"image"
	"math"
	"slices"

	"github.com/videomsg/videomsg/vision/face"
)

const seamN = 97 // samples of the seam from corner to corner

// mouth is what the picture shows of it. Its frame has the origin between the
// corners, s along them and t down, in units of half the mouth's width.
type mouth struct {
	frame face.Frame
	w     float64 // half width in texture pixels
	seam  [seamN]float64
	arc   [3]float64 // quadratic fitted to the seam: the smooth edge of the teeth
	smile bool
	teeth float64 // height of the visible teeth at the middle, mouth units
	nose  float64 // t of the nose's base: nothing above moves
	chin  float64
	skin  [3]float64
	gray  bool
}

func (m *mouth) seamAt(s float64) float64 {
	p := clamp((s+1)/2*(seamN-1), 0, seamN-1-1e-6)
	i := int(p)
	return lerp(m.seam[i], m.seam[i+1], p-float64(i))
}

// The patch around the mouth, in mouth units and samples.
const (
	patchN   = 97
	patchTop = -0.85
	patchBot = 0.85
)

func rowOf(t float64) int {
	return int(clamp((t-patchTop)/(patchBot-patchTop)*(patchN-1), 0, patchN-1))
}
func tOf(j int) float64 { return patchTop + (patchBot-patchTop)*float64(j)/(patchN-1) }
func sOf(i int) float64 { return -1 + 2*float64(i)/(seamN-1) }

// patch holds luma, saturation and redness around the mouth.
type patch struct{ l, sat, red [patchN][seamN]float64 }

func findMouth(im *image.NRGBA, f face.Face, mode MouthMode) *mouth {
	if mode != MouthClosed {
		f = mendCorners(im, f)
	}
	ax, ay := f.Frame.Pixel(f.MouthL.X, f.MouthL.Y)
	bx, by := f.Frame.Pixel(f.MouthR.X, f.MouthR.Y)
	m := &mouth{frame: face.Frame{Origin: face.Point{X: (ax + bx) / 2, Y: (ay + by) / 2}, C: (bx - ax) / 2, S: (by - ay) / 2}}
	m.w = max(m.frame.IOD(), 1)
	rel := func(p face.Point) float64 {
		_, t := m.frame.Canonical(f.Frame.Pixel(p.X, p.Y))
		return t
	}
	top, bot := clamp(rel(f.LipTop), -0.6, -0.12), clamp(rel(f.LipBot), 0.15, 0.8)
	m.nose = clamp(rel(f.Nose)+0.12, -1.4, -0.45)
	// The chin is about 0.62 of the distance from eyes to mouth below the mouth.
	m.chin = clamp(0.62*(f.MouthL.Y+f.MouthR.Y)/2/(m.w/f.Frame.IOD()), 1.1, 2.2)
	p := m.look(im)
	m.skinOf(im)
	white := m.whiteness(p)
	switch mode {
	case MouthClosed:
	case MouthSmile:
		m.smile = true
	default:
		m.smile = m.showsTeeth(white, top, bot)
	}
	raw := darkest(p, luma(m.skin[0], m.skin[1], m.skin[2]))
	if m.smile {
		raw = m.teethEdge(white, top, bot, raw)
	}
	copy(m.seam[:], hann(raw, 3))
	m.arc = quadratic(m.seam[:])
	return m
}

func (m *mouth) look(im *image.NRGBA) *patch {
	p := &patch{}
	for j := range patchN {
		for i := range seamN {
			var r, g, b float64
			for _, d := range []float64{-0.02, 0, 0.02} { // along the lips, against noise
				x, y := m.frame.Pixel(sOf(i)+d, tOf(j))
				rr, gg, bb := rgbAt(im, x, y)
				r, g, b = r+rr/3, g+gg/3, b+bb/3
			}
			p.l[j][i], p.sat[j][i] = luma(r, g, b), saturation(r, g, b)
			p.red[j][i] = (r - g) / (r + g + b + 1)
		}
	}
	return p
}

// skinOf takes the cheeks beside the mouth as reference.
func (m *mouth) skinOf(im *image.NRGBA) {
	var c [4][]float64
	for _, s := range []float64{-1.7, -1.55, -1.4, 1.4, 1.55, 1.7} {
		for k := range 8 {
			x, y := m.frame.Pixel(s, -0.5+0.1*float64(k))
			r, g, b := rgbAt(im, x, y)
			c[0], c[1], c[2], c[3] = append(c[0], r), append(c[1], g), append(c[2], b), append(c[3], saturation(r, g, b))
		}
	}
	for k := range 3 {
		m.skin[k] = percentile(c[k], 0.5)
	}
	m.gray = percentile(c[3], 0.5) < 0.06
}

// whiteness marks what has the colour of teeth.
func (m *mouth) whiteness(p *patch) *[patchN][seamN]bool {
	skin := luma(m.skin[0], m.skin[1], m.skin[2])
	sat := saturation(m.skin[0], m.skin[1], m.skin[2])
	red := (m.skin[0] - m.skin[1]) / (m.skin[0] + m.skin[1] + m.skin[2] + 1)
	var out [patchN][seamN]bool
	for j := range patchN {
		for i := range seamN {
			if m.gray {
				out[j][i] = p.l[j][i] > skin*1.06
			} else {
				out[j][i] = p.l[j][i] > skin*0.72 && p.sat[j][i] < sat*0.7 && p.red[j][i] < red*0.8
			}
		}
	}
	return &out
}

// showsTeeth: teeth fill a good part of the mouth, and they are not a shine on
// the lips: they lie in one band with lip colour above and below it.
func (m *mouth) showsTeeth(white *[patchN][seamN]bool, top, bot float64) bool {
	var n, cells, columns float64
	for i := seamN / 5; i < seamN*4/5; i++ {
		run := 0
		for j := rowOf(top * 0.7); j <= rowOf(bot*0.8); j++ {
			cells++
			if white[j][i] {
				n++
				run++
			}
		}
		if run >= 4 {
			columns++
		}
	}
	if n < 0.14*cells || columns < 0.55*float64(seamN*4/5-seamN/5) {
		return false
	}
	if m.gray {
		return n > 0.25*cells
	}
	return true
}

// darkest is the seam of closed lips: the darkest path from corner to corner,
// by dynamic programming with a prior at the line between the corners.
func darkest(p *patch, skin float64) []float64 {
	cost := func(j, i int) float64 {
		s, t := sOf(i), tOf(j)
		d := t - 0.02*(1-s*s*s*s)
		return p.l[j][i] - skin + 130*d*d
	}
	var best [patchN][seamN]float64
	var from [patchN][seamN]int
	for j := range patchN {
		best[j][0] = cost(j, 0) + 3000*tOf(j)*tOf(j)
	}
	for i := 1; i < seamN; i++ {
		for j := range patchN {
			b, k := math.Inf(1), j
			for d := -2; d <= 2; d++ {
				if q := j + d; q >= 0 && q < patchN {
					if c := best[q][i-1] + 4*float64(d*d); c < b {
						b, k = c, q
					}
				}
			}
			best[j][i], from[j][i] = b+cost(j, i), k
		}
	}
	end, low := 0, math.Inf(1)
	for j := range patchN {
		if v := best[j][seamN-1] + 3000*tOf(j)*tOf(j); v < low {
			end, low = j, v
		}
	}
	out := make([]float64, seamN)
	for i := seamN - 1; i >= 0; i-- {
		out[i] = tOf(end)
		end = from[end][i]
	}
	return out
}

// teethEdge is the seam of a smile: a robust quadratic through the lowest tooth
// of each column, pinned at the corners. The teeth stay with the upper jaw.
func (m *mouth) teethEdge(white *[patchN][seamN]bool, top, bot float64, closed []float64) []float64 {
	var xs, ys, heights []float64
	var edge [seamN]float64
	for i := range edge {
		edge[i] = math.NaN()
		last, first := -1, -1
		for j := rowOf(top); j <= rowOf(bot*0.95); j++ {
			if white[j][i] {
				last = j
				if first < 0 {
					first = j
				}
			}
		}
		if last < 0 {
			continue
		}
		edge[i] = tOf(last + 1)
		if i >= seamN/6 && i < seamN*5/6 {
			xs, ys = append(xs, sOf(i)), append(ys, edge[i])
			if math.Abs(sOf(i)) < 0.35 {
				heights = append(heights, tOf(last+1)-tOf(first))
			}
		}
	}
	if len(xs) < 8 {
		return closed
	}
	m.teeth = clamp(percentile(heights, 0.5), 0, 0.45)
	w := make([]float64, len(xs))
	for i := range w {
		w[i] = 1
	}
	var c [3]float64
	for range 6 {
		c = fitQuadratic(append(slices.Clone(xs), -0.97, 0.97), append(slices.Clone(ys), 0, 0), append(slices.Clone(w), 12, 12))
		for i := range xs {
			e := ys[i] - (c[0] + c[1]*xs[i] + c[2]*xs[i]*xs[i])
			w[i] = 1 / (1 + e*e/0.0016)
		}
	}
	off := fromCurve(&edge, c)
	out := make([]float64, seamN)
	for i := range out {
		s := sOf(i)
		out[i] = clamp(c[0]+c[1]*s+c[2]*s*s+off[i], patchTop*0.6, patchBot*0.8)
	}
	return out
}

// fromCurve is by how much the teeth end below the curve, where they do. Rows of
// teeth are flatter in the middle than any parabola; what the curve leaves of
// them below itself would move with the lower lip as a white thread. What is far
// off is a shine on the lip.
func fromCurve(edge *[seamN]float64, c [3]float64) *[seamN]float64 {
	const (
		far   = 0.12
		reach = 4
	)
	var out [seamN]float64
	for i := range out {
		var near []float64
		for k := max(0, i-reach); k <= min(seamN-1, i+reach); k++ {
			s := sOf(k)
			if e := edge[k] - (c[0] + c[1]*s + c[2]*s*s); math.Abs(e) < far { // false for NaN
				near = append(near, e)
			}
		}
		if len(near) > reach {
			out[i] = max(0, percentile(near, 0.75))
		}
	}
	return &out
}

func quadratic(y []float64) [3]float64 {
	x, w := make([]float64, len(y)), make([]float64, len(y))
	for i := range x {
		x[i], w[i] = sOf(i), 1
	}
	return fitQuadratic(x, y, w)
}

// fitQuadratic solves the weighted least squares of y = c0 + c1 x + c2 x².
func fitQuadratic(x, y, w []float64) (c [3]float64) {
	var a [3][4]float64
	for i := range x {
		b := [3]float64{1, x[i], x[i] * x[i]}
		for p := range 3 {
			for q := range 3 {
				a[p][q] += w[i] * b[p] * b[q]
			}
			a[p][3] += w[i] * b[p] * y[i]
		}
	}
	for p := range 3 {
		for q := p + 1; q < 3; q++ {
			f := a[q][p] / a[p][p]
			for k := p; k < 4; k++ {
				a[q][k] -= f * a[p][k]
			}
		}
	}
	for p := 2; p >= 0; p-- {
		v := a[p][3]
		for q := p + 1; q < 3; q++ {
			v -= a[p][q] * c[q]
		}
		c[p] = v / a[p][p]
	}
	return c
}
