package portrait

import (
	"math"

	"github.com/videomsg/videomsg/vision/face"
)

// jaw is what a pose means for the mouth, in mouth units; one per frame.
type jaw struct {
	gap   float64 // distance of the lips at the middle; negative presses them over the teeth
	rise  float64 // share of the gap by which the upper lip rises
	drop  float64 // of the chin
	pull  float64 // of the corners
	reach float64 // half width of the opening
	width float64 // horizontal factor
}

const (
	maxOpen = 0.43 // half mouth widths for an "a"
	chinLag = 0.72 // the chin drops by this share of the lower lip
)

func (m *mouth) jaw(p *Pose) jaw {
	j := jaw{gap: p.Open * maxOpen, rise: 0.20, width: p.Width}
	if m.smile {
		// the picture's own mouth is already open by the teeth: rounded and
		// closed sounds bring the lower lip up over them
		j.gap = 0.82*p.Open*maxOpen - p.Press*min(0.9*m.teeth, 0.32)
		j.rise = 0.12
		// the cheeks of a smile are folded already: less is left to squeeze
		j.width = lerp(1, p.Width, 0.65)
	}
	j.reach = lerp(0.78, 0.95, clamp((p.Width-0.78)/0.25, 0, 1))
	// A smile closes with the lower lip; the chin hardly rises.
	j.drop = chinLag * max(j.gap, 0.05*j.gap)
	j.pull = 0.22 * max(j.drop, 0)
	return j
}

// reachS and reachT bound what the mouth moves, in mouth units.
const (
	reachS = 2.4
	reachT = 1.9 // below the chin
)

// lens is x^0.72 at 1024 points: the outline of the opening.
type lens [1024]float64

func newLens() *lens {
	l := &lens{}
	for i := range l {
		l[i] = math.Pow(float64(i)/1023, 0.72)
	}
	return l
}

// source says which texture point is seen at the texture point (x, y) of the
// moving face, and whether the mouth's inside is seen instead. All fields are
// monotone in the output point, so nothing folds.
func (t *talking) source(x, y float64, p *Pose, j *jaw) (sx, sy float64, in ink) {
	if x < t.reach[0] || x > t.reach[2] || y < t.reach[1] || y > t.reach[3] {
		return x, y, in
	}
	m := t.mouth
	s, tt := m.frame.Canonical(x, y)
	if s <= -reachS || s >= reachS || tt <= m.nose || tt >= m.chin+reachT {
		if p.Blink > 0 {
			for _, e := range t.eyes {
				if in = e.paint(x, y, p.Blink, t.face.Frame); in.a > 0 {
					return x, y, in
				}
			}
		}
		return x, y, in
	}
	// Rounding squeezes horizontally; it ends well inside the cheeks and above
	// the chin, or the outline of the face would be pinched.
	as := math.Abs(s)
	squeeze := step(m.nose, -0.2, tt) * (1 - step(0.45, 1.05, tt)) * (1 - step(0.85, 1.75, as))
	s *= 1 + (1/j.width-1)*squeeze
	side := 1 - step(0.7, 2.3, math.Abs(s))
	seam := m.seamAt(s)
	g := 0.0
	if q := s / j.reach; q > -1 && q < 1 {
		g = j.gap * t.lens[int((1-q*q)*1023)]
	}
	pull := j.pull * side
	up := seam + pull - g*j.rise
	arc := m.arc[0] + m.arc[1]*s + m.arc[2]*s*s
	// an open lower lip has a smooth edge, without the bow of the closed seam
	smooth := 0.8 * (arc - seam) * step(0.03, 0.22, g)
	low := seam + pull + g*(1-j.rise) + smooth
	if pixel := 0.6 / m.w; g > 0 { // by the share of the pixel, or a narrow gap would be a dotted line
		if share := (min(tt+pixel, low) - max(tt-pixel, up)) / (2 * pixel); share > 0 {
			in = t.inside(s, clamp(tt, up, low), up, low, arc+0.3*pull, p, j)
			in.a *= float32(min(share, 1))
		}
	}
	switch {
	case tt >= low:
		lip, chin := pull+g*(1-j.rise)+smooth, j.drop*side
		end := m.chin + j.drop
		d := lerp(lip, chin, step(0, 0.6, (tt-low)/(end-low)))
		if edge := 1.4 / m.w; g < 0 && tt-low < edge { // the lip's shadow on the teeth it covers
			in = t.lipShadow(float32(step(0, 0.04, -g) * 0.8 * (1 - (tt-low)/edge)))
		}
		tt -= d * (1 - step(end, end+1.5, tt))
	case tt <= up:
		if edge := 1.4 / m.w; g < 0 && low-tt < edge {
			in = t.lipShadow(float32(step(0, 0.04, -g) * 0.8 * (1 - (low-tt)/edge)))
		}
		tt -= (pull - g*j.rise) * step(m.nose, up, tt)
	default:
		tt = seam
	}
	sx, sy = m.frame.Pixel(s, tt)
	return sx, sy, in
}

// lipShadow is the dark line between teeth and a lip that lies on them; it also
// hides the steps of the edge.
func (t *talking) lipShadow(a float32) ink {
	y, u, v := yuv(96*t.bright*t.tint[0], 62*t.bright*t.tint[1], 58*t.bright*t.tint[2])
	if t.mouth.gray {
		u, v = 128, 128
	}
	return ink{float32(y), float32(u), float32(v), a}
}

// inside paints the mouth's inside at (s, t) between the lips' edges: a dark
// cavity, tongue, lower and upper teeth and the shadow of the upper lip. In a
// smile the teeth are the picture's own and stay in the texture.
func (t *talking) inside(s, tt, up, low, arc float64, p *Pose, j *jaw) ink {
	m := t.mouth
	h, open := tt-up, low-up
	q := s / j.reach
	aq := math.Abs(q)
	f := h / (open + 1e-6)
	dim := 1 - 0.5*q*q
	r, g, b := lerp(30, 62, f)*dim, lerp(9, 20, f)*dim, lerp(9, 20, f)*dim
	paint := func(cr, cg, cb, w float64) {
		r, g, b = lerp(r, cr, w), lerp(g, cg, w), lerp(b, cb, w)
	}
	if thick := (0.13 + 0.26*p.Tongue) * (1 - 0.9*q*q); thick > 0 {
		edge := low - thick
		w := step(edge-0.05, edge+0.07, tt) * (1 - step(0.75, 0.98, aq)) * step(0.10, 0.28, open)
		sh := lerp(0.62, 1, step(edge, low, tt)) * (1 - 0.35*q*q)
		paint(158*sh, 74*sh, 74*sh, w*0.9)
	}
	if !m.smile {
		if lower := clamp(p.Teeth*0.9-0.1, 0, 1) * 0.09; lower > 0.01 {
			w := step(low-lower-0.02, low-lower+0.02, tt) * (1 - step(0.5, 0.8, aq))
			sh := 0.68 * (1 - 0.45*q*q)
			paint(222*sh, 212*sh, 198*sh, w)
		}
		// Upper teeth end on a smooth arc, not on the jitter of the seam, and
		// fade when the mouth is round or hardly open.
		length := (0.105 - 0.03*q*q) * lerp(0.3, 1, clamp((p.Width-0.82)/0.14, 0, 1))
		w := (1 - step(arc+length-0.018, arc+length+0.018, tt)) * (1 - step(0.70, 0.97, aq))
		sh := 0.99 * (1 - 0.50*math.Pow(aq, 1.8)) * lerp(0.76, 1, step(0, 0.09, h))
		ph := math.Abs(s) / 0.27
		ph -= math.Floor(ph)
		sh *= 1 - 0.17*(1-step(0, 0.09, min(ph, 1-ph)))
		w *= 0.94 * step(0.015, 0.09, open)
		paint(232*sh, 222*sh, 208*sh, w)
	}
	k := t.bright * lerp(0.74, 1, step(0, 0.08, h))
	r, g, b = r*k*t.tint[0], g*k*t.tint[1], b*k*t.tint[2]
	if m.gray {
		r = luma(r, g, b)
		g, b = r, r
	}
	y, u, v := yuv(r, g, b)
	return ink{float32(y), float32(u), float32(v), 1}
}

// head is the displacement of a point of the canonical frame by the slow
// motion: parallax over a smooth ellipsoid with a nose (yaw, pitch), roll about
// the neck, breath below it, a lift of the brows.
func (t *talking) head(u, v float64, p *Pose) (du, dv float64) {
	amp := t.motion
	weight := 1 - step(1.5, 3.4, v)
	if t.alpha == nil { // without a mask the surroundings must not follow
		weight *= 1 - step(1.9, 3.8, math.Hypot(u, (v-0.3)*0.8))
	}
	if weight > 0 {
		var depth, nose float64
		if r := u*u/(1.45*1.45) + (v-0.5)*(v-0.5)/(1.95*1.95); r < 1 {
			depth = (1 - r) * (1 - r)
			if e := u*u/0.05 + (v-0.6)*(v-0.6)/0.09; e < 9 {
				nose = math.Exp(-e)
			}
		}
		du = amp * (p.Yaw*(0.045*weight+0.055*depth+0.018*nose) + 0.03*p.SwayX*weight)
		dv = amp * (p.Pitch*(0.030*weight+0.040*depth+0.012*nose) + 0.02*p.SwayY*weight)
		roll := p.Roll * 1.3 * math.Pi / 180 * amp * weight
		du -= roll * (v - 2.4)
		dv += roll * u
		if p.Brow > 0 && v < 0 && v > -1 {
			dv -= 0.028 * amp * p.Brow * step(-0.95, -0.45, v) * step(-0.16, -0.36, v) * (1 - step(0.75, 1.05, math.Abs(u)))
		}
	}
	if v > 1.7 {
		dv -= 0.016 * amp * p.Breath * step(1.7, 3.6, v) * clamp(1-(v-3.6)/4, 0.3, 1)
	}
	return du, dv
}

// region returns the texture box of a rectangle in a frame, grown by pad.
func region(f face.Frame, u0, v0, u1, v1 float64) (b [4]float64) {
	b = [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, u := range []float64{u0, u1} {
		for _, v := range []float64{v0, v1} {
			x, y := f.Pixel(u, v)
			b = [4]float64{min(b[0], x), min(b[1], y), max(b[2], x), max(b[3], y)}
		}
	}
	return b
}
