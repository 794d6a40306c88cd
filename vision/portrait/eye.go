package portrait

import (
	"cmp"
	"math"
	"slices"

	"github.com/videomsg/videomsg/vision/face"
)

// eye can be closed: fill is the skin that covers it, lash its darkest colour.
// Warping the lids was tried and failed: their edges are found too rarely.
type eye struct {
	centre         face.Point // canonical
	half, tilt     float64    // half width, slope of the line between the corners
	lid            float64    // from the pupil up to the open lid's edge
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
	// The corners are found less surely than the pupils are; an eye is about 0.47
	// of their distance wide.
	e.half = lerp(clamp(math.Hypot(b.X-a.X, b.Y-a.Y)/2, 0.16, 0.30), 0.235, 0.4)
	e.tilt = clamp((b.Y-a.Y)/(b.X-a.X+1e-9), -0.3, 0.3)
	midX := lerp((a.X+b.X)/2, pupil.X, 0.25)
	e.centre = face.Point{X: lerp(pupil.X, midX, 0.35), Y: pupil.Y}
	gap := clamp((a.Y+b.Y)/4+0.0075-brow.Y, 0.12, 0.5)
	e.lid = e.upperLid(l, f.Frame, gap)
	e.cover(l, f.Frame, clamp(e.lid+0.055, 0.11, max(0.11, 0.6*gap)))
	return e
}

// upperLid is how far above the pupil the lid's skin begins: where, coming down
// from the brow, the skin ends in lashes or in the white of the eye.
func (e *eye) upperLid(l *layer, fr face.Frame, gap float64) float64 {
	const rows, step, typical = 22, 0.01, 0.105
	var profile [rows]float64
	for j := range profile {
		for k := -4; k <= 4; k++ {
			du := 0.11 * float64(k) * e.half
			x, y := fr.Pixel(e.centre.X+du, e.centre.Y-step*float64(j)+du*e.tilt)
			profile[j] += float64(l.y.at(float32(x), float32(y))) / 9
		}
	}
	top := int(clamp(0.62*gap/step, 14, rows-1)) // still below the brow
	skin := percentile(slices.Clone(profile[11:top+1]), 0.6)
	dark := slices.Min(profile[:12])
	if skin < dark+12 {
		return typical // too little contrast to tell
	}
	for j := top; j > 5; j-- {
		if math.Abs(profile[j]-skin) > 0.3*(skin-dark) {
			return clamp(step*float64(j+1), 0.08, 0.15)
		}
	}
	return typical
}

// cover computes the skin fill: a membrane (Laplace's equation) inside an
// ellipse around the eye, held at the surrounding skin, with the skin's grain.
func (e *eye) cover(l *layer, fr face.Frame, up float64) {
	const down = 0.15
	wide := e.half * 1.45
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
			beside, above := math.Pow(math.Abs(du/wide), 2.8), math.Pow(math.Abs(dv/tall), 2.8)
			r := beside + above
			k := j*w + i
			inside[k] = r < 1
			// The fold of the lid may stay, the lashes' outer ends may not.
			e.fa[k] = float32(1 - step(lerp(0.5, 0.72, beside/(r+1e-9)), 1.0, r))
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
	e.grain(l, fr, ch[0], inside)
	e.fy, e.fu, e.fv = ch[0], ch[1], ch[2]
	slices.Sort(dark)
	e.lash = ink{y: 40, u: 126, v: 131, a: 1}
	if len(dark) > 20 {
		e.lash.y = float32(dark[len(dark)/14])
	}
}

// grain gives the smooth fill the fine structure of the cheek below the eye:
// without pores and noise it would look pasted on.
func (e *eye) grain(l *layer, fr face.Frame, fill []float32, inside []bool) {
	const below = 0.36
	w := e.x1 - e.x0
	dx, dy := below*-fr.S, below*fr.C
	r := max(1, int(0.02*fr.IOD()+0.5))
	for k, in := range inside {
		if !in {
			continue
		}
		x, y := e.x0+k%w+int(math.Round(dx)), e.y0+k/w+int(math.Round(dy))
		if x < r || y < r || x >= l.y.w-r || y >= l.y.h-r {
			continue
		}
		sum, n := 0, 0
		for j := -r; j <= r; j++ {
			for i := -r; i <= r; i++ {
				sum += int(l.y.p[(y+j)*l.y.w+x+i])
				n++
			}
		}
		mean := float64(sum) / float64(n)
		if math.Abs(mean-float64(fill[k])) > 0.3*float64(fill[k]) {
			continue // not a cheek: hair, glasses, the picture's edge
		}
		d := float64(l.y.p[y*l.y.w+x]) - mean
		fill[k] += float32(d / (1 + (d/6)*(d/6)*(d/6)*(d/6))) // what is stronger is a hair or a fold
	}
}

// mendRim replaces what is thin and dark around the ellipse (lashes, the end of
// the brow, the frame of glasses) by the skin beside it, so that it does not
// smear into the lid. A shadow or make-up is broad, and stays.
func mendRim(inside []bool, ch [3][]float32, w, h int) {
	type point struct {
		k     int
		angle float64
	}
	var rim []point
	var lum []float64
	for j := 1; j < h-1; j++ {
		for i := 1; i < w-1; i++ {
			k := j*w + i
			if !inside[k] && (inside[k-1] || inside[k+1] || inside[k-w] || inside[k+w]) {
				rim = append(rim, point{k, math.Atan2(float64(2*j-h)*float64(w), float64(2*i-w)*float64(h))})
			}
		}
	}
	if len(rim) <= 8 {
		return
	}
	slices.SortFunc(rim, func(a, b point) int { return cmp.Or(cmp.Compare(a.angle, b.angle), cmp.Compare(a.k, b.k)) })
	for _, p := range rim {
		lum = append(lum, float64(ch[0][p.k]))
	}
	floor := 0.6 * percentile(lum, 0.6)
	reach := max(3, len(rim)/8)
	mended := make([][3]float32, len(rim))
	var near, us, vs []float64
	for n := range rim {
		near, us, vs = near[:0], us[:0], vs[:0]
		for d := -reach; d <= reach; d++ {
			near = append(near, lum[(n+d+len(rim))%len(rim)])
		}
		typical := max(percentile(near, 0.6), floor)
		k := rim[n].k
		mended[n] = [3]float32{ch[0][k], ch[1][k], ch[2][k]}
		if lum[n] > 0.86*typical {
			continue
		}
		for d := -reach; d <= reach; d++ {
			if m := (n + d + len(rim)) % len(rim); lum[m] > 0.86*typical {
				us, vs = append(us, float64(ch[1][rim[m].k])), append(vs, float64(ch[2][rim[m].k]))
			}
		}
		mended[n][0] = float32(0.96 * typical)
		if len(us) > 0 {
			mended[n][1], mended[n][2] = float32(percentile(us, 0.5)), float32(percentile(vs, 0.5))
		}
	}
	for n, p := range rim {
		ch[0][p.k], ch[1][p.k], ch[2][p.k] = mended[n][0], mended[n][1], mended[n][2]
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
	q := du / (e.half * 1.14)
	if q < -1.3 || q > 1.3 {
		return in
	}
	c := max(0, 1-q*q)
	open, shut := -e.lid*c-0.012, 0.022+0.036*c
	line := lerp(open, shut, blink)
	px := 1 / fr.IOD()
	cov := clamp((line-dv)/(1.5*px)+0.5, 0, 1)
	cov = max(cov, step(0.8, 1, blink)) * clamp(blink*4, 0, 1)
	// Lashes: thickest in the middle, soft towards the lid.
	thick := (0.004 + 0.011*c) * (0.6 + 0.4*blink)
	soft := 1.5 * px
	if dv < line {
		soft = max(soft, 0.014)
	}
	lash := clamp((thick-math.Abs(dv-line+thick*0.3))/soft+0.5, 0, 1) * 0.8 * step(0, 0.35, c) * clamp(blink*4, 0, 1)
	k := j*(e.x1-e.x0) + i
	fa := e.fa[k]
	if a := float32(cov) * fa; a > 0 {
		// The lid is a ball: lightest half way, in its own shadow at the lashes.
		h := (line - dv) / (line + e.lid + 0.05)
		depth := step(0.10, 0, line-dv)
		if dv > line {
			depth = step(-0.05, 0, line-dv)
		}
		shade := float32(1 - 0.10*depth + 0.03*c*max(0, 1-4*(h-0.5)*(h-0.5)))
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
