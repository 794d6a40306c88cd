package portrait

import (
	"image"
	"math"
)

// card paints a round portrait in a ring of bars that follow the voice, for
// pictures without a face that can speak.
type card struct {
	base  Frame
	loud  []float64
	bands [][]float64
	level []float64
	fps   float64
	ring  []spot
}

const bars = 72

// spot is a pixel the ring may light.
type spot struct {
	i      int // luma index
	chroma int // −1 when the pixel does not carry chroma
	bar    int
	dist   float32 // beyond the portrait's edge, pixels
	across float32 // cover across the bar's width
}

func newCard(o Options, in Input, r *Report) *card {
	w, h := o.W, o.H
	voice := in.Voice.Mono()
	n := int(r.Seconds*trackRate) + 2
	c := &card{fps: float64(o.FPS), level: make([]float64, bars)}
	c.loud = hann(envelope(voice, n), 6)
	for _, f := range []float64{250, 500, 900, 1500, 2400, 4000} {
		e := bandEnergy(voice, f, n)
		ref := percentile(e, 0.95) + 1e-12
		for i, v := range e {
			e[i] = math.Sqrt(clamp(v/ref, 0, 1.5))
		}
		c.bands = append(c.bands, hann(e, 8))
	}
	base := backdropOf(in.Image, w, h)
	radius := 0.265 * float64(min(w, h))
	cx, cy := float64(w)/2, float64(h)*0.45
	pic := disc(in, r, int(2*radius))
	for y := range pic.Rect.Dy() {
		for x := range pic.Rect.Dx() {
			d := math.Hypot(float64(x)+0.5-radius, float64(y)+0.5-radius)
			a := clamp(radius-d+0.5, 0, 1)
			px, py := int(cx-radius)+x, int(cy-radius)+y
			if a <= 0 || !(image.Point{px, py}).In(base.Rect) {
				continue
			}
			o, q := base.PixOffset(px, py), pic.PixOffset(x, y)
			for k := range 3 {
				base.Pix[o+k] = byteOf(lerp(float64(base.Pix[o+k]), float64(pic.Pix[q+k]), a))
			}
		}
	}
	l := newLayer(base)
	c.base = Frame{W: w, H: h, Y: l.y.p, U: make([]byte, w*h/4), V: make([]byte, w*h/4)}
	for i := range c.base.U {
		c.base.U[i], c.base.V[i] = l.c.p[2*i], l.c.p[2*i+1]
	}
	c.spots(cx, cy, radius)
	return c
}

// disc is the square that the circle shows: the face, or the middle.
func disc(in Input, r *Report, side int) *image.NRGBA {
	b := in.Image.Bounds()
	crop := cover(b, 1, 1)
	if r.Face != nil {
		x, y := r.Face.Frame.Pixel(0, 0.35)
		s := min(r.Face.Frame.IOD()*2.7, x-float64(b.Min.X), float64(b.Max.X)-x, y-float64(b.Min.Y), float64(b.Max.Y)-y)
		if s > 8 {
			crop = image.Rect(int(x-s), int(y-s), int(x+s), int(y+s)).Intersect(b)
		}
	}
	whole := in
	if crop != b {
		if s, ok := in.Image.(interface {
			SubImage(image.Rectangle) image.Image
		}); ok {
			whole.Image = s.SubImage(crop)
			if in.Alpha != nil {
				whole.Alpha = in.Alpha.SubImage(crop.Sub(b.Min).Add(in.Alpha.Rect.Min)).(*image.Alpha)
			}
		}
	}
	return fit(whole, side&^1, side&^1)
}

func (c *card) spots(cx, cy, radius float64) {
	w, h := c.base.W, c.base.H
	k := radius / 190 // proportions were drawn at this radius
	for y := max(0, int(cy-radius-64*k)); y < min(h, int(cy+radius+64*k)); y++ {
		for x := max(0, int(cx-radius-64*k)); x < min(w, int(cx+radius+64*k)); x++ {
			dx, dy := float64(x)+0.5-cx, float64(y)+0.5-cy
			d := math.Hypot(dx, dy) - radius
			s := spot{i: y*w + x, chroma: -1, dist: float32(d / k)}
			if x&1 == 0 && y&1 == 0 {
				s.chroma = y/2*(w/2) + x/2
			}
			switch {
			case d > -3*k-1 && d < 3*k+1:
				s.bar, s.across = -1, float32(clamp(3*k-math.Abs(d)+0.5, 0, 1))
			case d > 8*k && d < 60*k:
				turn := (math.Atan2(dx, -dy)/(2*math.Pi) + 1) * bars // from the top, clockwise
				i := int(turn)
				off := math.Abs(turn-float64(i)-0.5) * 2 * math.Pi * (radius + d) / bars
				s.bar, s.across = i%bars, float32(clamp(4.2*k-off+0.5, 0, 1))
			default:
				continue
			}
			if s.across > 0 {
				c.ring = append(c.ring, s)
			}
		}
	}
}

func (c *card) paint(f *Frame) {
	t := (float64(f.Index) + 0.5) / c.fps
	loud := sample(c.loud, t+lead)
	for b := range c.level {
		// low bands at the top, high ones at the bottom, both sides alike
		p := float64(min(b, bars-1-b)) / (bars / 2) * float64(len(c.bands)-1)
		i := min(int(p), len(c.bands)-2)
		v := lerp(sample(c.bands[i], t+lead), sample(c.bands[i+1], t+lead), p-float64(i))
		ripple := 0.75 + 0.25*math.Sin(float64(b)*2.399+t*5)
		target := loud * (0.25 + 0.75*v) * ripple
		c.level[b] += (target - c.level[b]) * 0.5
	}
	copy(f.Y, c.base.Y)
	copy(f.U, c.base.U)
	copy(f.V, c.base.V)
	const cy, cu, cv = 178, 146, 84 // a light blue
	for _, s := range c.ring {
		a := s.across
		if s.bar >= 0 {
			a *= float32(clamp(10+46*c.level[s.bar]-float64(s.dist), 0, 1))
		}
		if a <= 0 {
			continue
		}
		f.Y[s.i] = uint8(float32(f.Y[s.i]) + (cy-float32(f.Y[s.i]))*a + 0.5)
		if s.chroma >= 0 {
			f.U[s.chroma] = uint8(float32(f.U[s.chroma]) + (cu-float32(f.U[s.chroma]))*a + 0.5)
			f.V[s.chroma] = uint8(float32(f.V[s.chroma]) + (cv-float32(f.V[s.chroma]))*a + 0.5)
		}
	}
}
