package portrait

import (
	"math"
	"slices"

	"github.com/videomsg/videomsg/vision/face"
)

// eye can be closed: fill is the skin that covers it, lash its darkest colour.
// Warping the lids was tried and failed: their edges are found too rarely.
type eye struct {
	centre         face.Point // canonical
	half, tilt     float64    // half width, slope of the line between the corners
	x0, y0, x1, y1 int        // box in texture pixels
	fy, fu, fv, fa []float32  // skin fill and its cover, for the box
	lash           ink
}

// ink is a colour with its cover, painted over the texture.
type ink struct{ y, u, v, a float32 }

func findEye(l *layer, f face.Face, left bool) *eye {
	in, out, brow, pupil := f.InL, f.OutL, f.BrowL, face.Point{X: -0.5}
	a, b := out, in // from left to right
	if !left {
		in, out, brow, pupil = f.InR, f.OutR, f.BrowR, face.Point{X: 0.5}
		a, b = in, out
	}
	e := &eye{}
	e.half = clamp(math.Hypot(b.X-a.X, b.Y-a.Y)/2, 0.16, 0.30)
	e.tilt = clamp((b.Y-a.Y)/(b.X-a.X+1e-9), -0.3, 0.3)
	midX := lerp((a.X+b.X)/2, pupil.X, 0.25)
	e.centre = face.Point{X: lerp(pupil.X, midX, 0.35), Y: pupil.Y}
	gap := clamp((a.Y+b.Y)/4+0.0075-brow.Y, 0.12, 0.5)
	e.cover(l, f.Frame, clamp(gap*0.48, 0.12, 0.21))
	return e
}

// cover computes the skin fill: a membrane (Laplace's equation) inside an
// ellipse around the eye, held at the surrounding skin.
func (e *eye) cover(l *layer, fr face.Frame, up float64) {
	const down = 0.14
	wide := e.half * 1.32
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, du := range []float64{-wide, wide} {
		for _, dv := range []float64{-up - 0.06, down + 0.06} {
			x, y := fr.Pixel(e.centre.X+du, e.centre.Y+dv+du*e.tilt)
			x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x), max(y1, y)
		}
	}
	e.x0, e.y0 = int(max(x0, 2)), int(max(y0, 2))
	e.x1, e.y1 = int(min(x1, float64(l.y.w-3))), int(min(y1, float64(l.y.h-3)))
	w, h := e.x1-e.x0, e.y1-e.y0
	if w < 4 || h < 4 {
		e.x1, e.y1 = e.x0, e.y0
		return
	}
	inside := make([]bool, w*h)
	e.fa = make([]float32, w*h)
	ch := [3][]float32{make([]float32, w*h), make([]float32, w*h), make([]float32, w*h)}
	var dark []float64
	for j := range h {
		for i := range w {
			x, y := e.x0+i, e.y0+j
			u, v := fr.Canonical(float64(x)+0.5, float64(y)+0.5)
			du, dv := u-e.centre.X, v-e.centre.Y
			dv -= du * e.tilt
			tall := down
			if dv < 0 {
				tall = up
			}
			r := math.Pow(math.Abs(du/wide), 2.8) + math.Pow(math.Abs(dv/tall), 2.8)
			k := j*w + i
			inside[k] = r < 1
			e.fa[k] = float32(1 - step(0.72, 1.0, r))
			ch[0][k] = float32(l.y.p[y*l.y.w+x])
			ch[1][k], ch[2][k] = l.c.pair((float32(x)+0.5)/2, (float32(y)+0.5)/2)
			if r < 0.5 {
				dark = append(dark, float64(ch[0][k]))
			}
		}
	}
	mendRim(inside, ch, w, h)
	for _, p := range ch {
		membrane(p, inside, w, h)
	}
	e.fy, e.fu, e.fv = ch[0], ch[1], ch[2]
	slices.Sort(dark)
	e.lash = ink{y: 40, u: 126, v: 131, a: 1}
	if len(dark) > 20 {
		e.lash.y = float32(dark[len(dark)/14])
	}
}

// mendRim replaces dark pixels around the ellipse (brow, lashes, glasses) by
// typical skin, so that they do not smear into the lid.
func mendRim(inside []bool, ch [3][]float32, w, h int) {
	var rim []int
	var lum []float64
	for j := 1; j < h-1; j++ {
		for i := 1; i < w-1; i++ {
			k := j*w + i
			if !inside[k] && (inside[k-1] || inside[k+1] || inside[k-w] || inside[k+w]) {
				rim, lum = append(rim, k), append(lum, float64(ch[0][k]))
			}
		}
	}
	if len(rim) <= 8 {
		return
	}
	typical := percentile(lum, 0.6)
	var us, vs []float64
	for n, k := range rim {
		if math.Abs(lum[n]-typical) < 14 {
			us, vs = append(us, float64(ch[1][k])), append(vs, float64(ch[2][k]))
		}
	}
	u, v := percentile(us, 0.5), percentile(vs, 0.5)
	for n, k := range rim {
		if lum[n] < typical*0.82 {
			ch[0][k], ch[1][k], ch[2][k] = float32(typical*0.93), float32(u), float32(v)
		}
	}
}

// membrane solves Laplace's equation inside by successive over-relaxation,
// started from a vertical interpolation.
func membrane(p []float32, inside []bool, w, h int) {
	for i := range w {
		from := -1
		for j := range h {
			if inside[j*w+i] && from < 0 {
				from = j
			}
			if from >= 0 && (j == h-1 || !inside[j*w+i]) {
				top, bot := p[max(0, from-1)*w+i], p[j*w+i]
				for q := from; q < j; q++ {
					p[q*w+i] = top + (bot-top)*float32(q-from+1)/float32(j-from+1)
				}
				from = -1
			}
		}
	}
	for range 160 {
		for j := 1; j < h-1; j++ {
			for i := 1; i < w-1; i++ {
				if k := j*w + i; inside[k] {
					p[k] += 1.7 * ((p[k-1]+p[k+1]+p[k-w]+p[k+w])*0.25 - p[k])
				}
			}
		}
	}
}

// paint is the closing lid at texture point (x, y): the fill down to a moving
// line with a stroke of lashes.
func (e *eye) paint(x, y, blink float64, fr face.Frame) (in ink) {
	i, j := int(x)-e.x0, int(y)-e.y0
	if blink <= 0 || i < 0 || j < 0 || i >= e.x1-e.x0 || j >= e.y1-e.y0 {
		return in
	}
	u, v := fr.Canonical(x, y)
	du, dv := u-e.centre.X, v-e.centre.Y
	dv -= du * e.tilt
	q := du / (e.half * 1.04)
	if q < -1.3 || q > 1.3 {
		return in
	}
	c := max(0, 1-q*q)
	open, shut := -0.095*c*e.half/0.24-0.012, 0.022+0.036*c
	line := lerp(open, shut, blink)
	px := 1 / fr.IOD()
	cov := clamp((line-dv)/(1.5*px)+0.5, 0, 1)
	cov = max(cov, step(0.8, 1, blink)) * clamp(blink*4, 0, 1)
	thick := (0.005 + 0.012*c) * (0.6 + 0.4*blink)
	lash := clamp((thick-math.Abs(dv-line+thick*0.3))/(1.5*px)+0.5, 0, 1) * 0.85 * step(0, 0.25, c) * clamp(blink*4, 0, 1)
	k := j*(e.x1-e.x0) + i
	fa := e.fa[k]
	if a := float32(cov) * fa; a > 0 {
		depth := step(0.10, 0, line-dv) // shadow towards the lashes
		if dv > line {
			depth = step(-0.05, 0, line-dv)
		}
		shade := float32(1 - 0.08*depth)
		in = ink{e.fy[k] * shade, e.fu[k], e.fv[k], a}
	}
	if a := float32(lash) * min(1, fa*1.5); a > 0 {
		if in.a == 0 {
			return ink{e.lash.y, e.lash.u, e.lash.v, a}
		}
		in.y += (e.lash.y - in.y) * a
		in.u += (e.lash.u - in.u) * a
		in.v += (e.lash.v - in.v) * a
	}
	return in
}
