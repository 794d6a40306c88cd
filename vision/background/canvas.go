package background

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"github.com/videomsg/videomsg/vision"
)

// rgb is a colour in linear light, 0..1.
type rgb [3]float32

// canvas is a picture in linear light. u is its shorter side in pixels, the
// unit in which presets think.
type canvas struct {
	w, h int
	u    float64
	pix  []rgb
	rng  *rand.Rand
}

func newCanvas(w, h int, seed uint64) *canvas {
	return &canvas{w, h, float64(min(w, h)), make([]rgb, w*h), rand.New(rand.NewPCG(seed, 2))}
}

// linear is the inverse sRGB transfer function for every level.
var linear = func() (t [256]float32) {
	for i := range t {
		v := float64(i) / 255
		if v <= 0.04045 {
			t[i] = float32(v / 12.92)
		} else {
			t[i] = float32(math.Pow((v+0.055)/1.055, 2.4))
		}
	}
	return t
}()

const encodeSteps = 8192

// encode is the sRGB transfer function in levels of 255, by linear light.
var encode = func() (t [encodeSteps + 1]float32) {
	for i := range t {
		v := float64(i) / encodeSteps
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		t[i] = float32(255 * v)
	}
	return t
}()

func level(v float32) float32 {
	return encode[int(min(max(v, 0), 1)*encodeSteps+0.5)]
}

// hex is 0xrrggbb in linear light.
func hex(v uint32) rgb {
	return rgb{linear[v>>16&255], linear[v>>8&255], linear[v&255]}
}

func fromNRGBA(c color.NRGBA) rgb { return rgb{linear[c.R], linear[c.G], linear[c.B]} }

func mix(a, b rgb, t float64) rgb {
	k := float32(min(max(t, 0), 1))
	return rgb{a[0] + (b[0]-a[0])*k, a[1] + (b[1]-a[1])*k, a[2] + (b[2]-a[2])*k}
}

func (a rgb) scale(k float64) rgb {
	return rgb{a[0] * float32(k), a[1] * float32(k), a[2] * float32(k)}
}

// image converts to sRGB with half a level of ordered noise against banding.
func (c *canvas) image() *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, c.w, c.h))
	vision.Rows(c.h, func(from, to int) {
		for y := from; y < to; y++ {
			for x := range c.w {
				p := &c.pix[y*c.w+x]
				d := out.Pix[y*out.Stride+4*x:]
				// Interleaved gradient noise (Jimenez 2014), 0..1.
				n := math.Mod(52.9829189*math.Mod(0.06711056*float64(x)+0.00583715*float64(y), 1), 1)
				for k := range 3 {
					d[k] = uint8(min(level(p[k])+float32(n), 255))
				}
				d[3] = 255
			}
		}
	})
	return out
}

// fill sets every pixel to f of its position, x in 0..w/u and y in 0..h/u.
func (c *canvas) fill(f func(x, y float64) rgb) {
	vision.Rows(c.h, func(from, to int) {
		for y := from; y < to; y++ {
			for x := range c.w {
				c.pix[y*c.w+x] = f((float64(x)+0.5)/c.u, (float64(y)+0.5)/c.u)
			}
		}
	})
}

// size is the canvas in units of its shorter side.
func (c *canvas) size() (w, h float64) { return float64(c.w) / c.u, float64(c.h) / c.u }

// vertical fills with colours from top to bottom; mixing happens in a space
// close to perception, so that no stop looks dirty.
func (c *canvas) vertical(stops ...rgb) {
	_, h := c.size()
	c.fill(func(_, y float64) rgb { return along(stops, y/h) })
}

func along(stops []rgb, t float64) rgb {
	t = min(max(t, 0), 1) * float64(len(stops)-1)
	i := min(int(t), max(len(stops)-2, 0))
	if len(stops) == 1 {
		return stops[0]
	}
	f := t - float64(i)
	f = f * f * (3 - 2*f)
	a, b := stops[i], stops[i+1]
	var out rgb
	for k := range 3 {
		v := math.Sqrt(float64(a[k]))*(1-f) + math.Sqrt(float64(b[k]))*f
		out[k] = float32(v * v)
	}
	return out
}

func (c *canvas) gradient(s Spec) {
	var stops []rgb
	for _, v := range s.Stops {
		stops = append(stops, fromNRGBA(v))
	}
	w, h := c.size()
	sin, cos := math.Sincos(s.Angle * math.Pi / 180)
	dx, dy := -sin, cos
	reach := math.Abs(dx)*w + math.Abs(dy)*h
	c.fill(func(x, y float64) rgb {
		if s.Radial {
			return along(stops, math.Hypot(x-w/2, y-h/2)/math.Hypot(w/2, h/2))
		}
		return along(stops, ((x-w/2)*dx+(y-h/2)*dy)/reach+0.5)
	})
}

// glow screens light around (x, y) that fades over r (units), like a lamp; what
// is bright already does not burn out.
func (c *canvas) glow(x, y, r float64, col rgb, strength float64) {
	vision.Rows(c.h, func(from, to int) {
		for j := from; j < to; j++ {
			dy := (float64(j)+0.5)/c.u - y
			for i := range c.w {
				dx := (float64(i)+0.5)/c.u - x
				k := float32(strength * math.Exp(-(dx*dx+dy*dy)/(r*r)))
				p := &c.pix[j*c.w+i]
				for n := range 3 {
					p[n] += col[n] * k * max(0, 1.05-p[n])
				}
			}
		}
	})
}

// vignette darkens towards the corners.
func (c *canvas) vignette(strength float64) {
	w, h := c.size()
	far := (w*w + h*h) / 4
	vision.Rows(c.h, func(from, to int) {
		for j := from; j < to; j++ {
			dy := (float64(j)+0.5)/c.u - h/2
			for i := range c.w {
				dx := (float64(i)+0.5)/c.u - w/2
				d := (dx*dx + dy*dy) / far
				k := float32(1 - strength*d*d)
				p := &c.pix[j*c.w+i]
				p[0], p[1], p[2] = p[0]*k, p[1]*k, p[2]*k
			}
		}
	})
}

// A shape is a signed distance, negative inside, for a figure of about unit
// radius.
type shape func(x, y float64) float64

// A mark is one figure on the canvas; lengths are in units of the shorter side.
type mark struct {
	x, y, r float64
	angle   float64
	soft    float64 // width of the edge; 0 is one pixel
	col     rgb
	alpha   float64
	add     bool                       // add light instead of covering
	tint    func(x, y float64) float64 // brightness inside, by shape coordinates; nil is 1
}

func (c *canvas) stamp(s shape, m mark) {
	px, py, r := m.x*c.u, m.y*c.u, m.r*c.u
	if r <= 0 {
		return
	}
	soft := max(1, m.soft*c.u)
	reach := 1.5*r + soft
	sin, cos := math.Sincos(m.angle)
	for j := max(0, int(py-reach)); j <= min(c.h-1, int(py+reach)); j++ {
		for i := max(0, int(px-reach)); i <= min(c.w-1, int(px+reach)); i++ {
			dx, dy := (float64(i)+0.5-px)/r, (float64(j)+0.5-py)/r
			u, v := dx*cos+dy*sin, -dx*sin+dy*cos
			a := 0.5 - s(u, v)*r/soft
			if a <= 0 {
				continue
			}
			a = min(a, 1)
			a = a * a * (3 - 2*a) * m.alpha
			col := m.col
			if m.tint != nil {
				col = col.scale(m.tint(u, v))
			}
			p := &c.pix[j*c.w+i]
			for k := range 3 {
				if m.add {
					p[k] += col[k] * float32(a)
				} else {
					p[k] += (col[k] - p[k]) * float32(a)
				}
			}
		}
	}
}

// blur is a Gaussian blur of sigma units.
func (c *canvas) blur(sigma float64) { c.blurred(sigma*c.u, nil) }

// blurred blurs by sigma pixels with three box passes. With weights the pixels
// are taken as already multiplied by them, and the result is normalised: what
// has no weight is filled from around it.
func (c *canvas) blurred(sigma float64, weight []float32) {
	// Three boxes of width d have the variance of a Gaussian when
	// d = sqrt(4σ² + 1).
	r := int((math.Sqrt(4*sigma*sigma+1)-1)/2 + 0.5)
	if r < 1 && weight == nil {
		return
	}
	planes := [][]float32{make([]float32, c.w*c.h), make([]float32, c.w*c.h), make([]float32, c.w*c.h)}
	for i, p := range c.pix {
		planes[0][i], planes[1][i], planes[2][i] = p[0], p[1], p[2]
	}
	if weight != nil {
		planes = append(planes, weight)
	}
	fill := make([][]float32, 0, len(planes))
	if weight != nil { // a far wider blur fills what the narrow one does not reach
		for _, p := range planes {
			q := append([]float32(nil), p...)
			for range 2 {
				boxBlur(q, c.w, c.h, max(r*6, max(c.w, c.h)/3))
			}
			fill = append(fill, q)
		}
	}
	for _, p := range planes {
		for range 3 {
			boxBlur(p, c.w, c.h, r)
		}
	}
	for i := range c.pix {
		n := float32(1)
		for k := range 3 {
			v := planes[k][i]
			if weight != nil {
				const eps = 0.02
				v += eps * fill[k][i]
				n = planes[3][i] + eps*fill[3][i]
			}
			c.pix[i][k] = v / max(n, 1e-6)
		}
	}
}

// boxBlur averages over 2r+1 pixels in both directions, repeating the border.
func boxBlur(p []float32, w, h, r int) {
	if r < 1 {
		return
	}
	line := make([]float32, max(w, h))
	run := func(start, step, n int) {
		for i := range n {
			line[i] = p[start+i*step]
		}
		at := func(i int) float64 { return float64(line[min(max(i, 0), n-1)]) }
		var s float64
		for i := -r; i <= r; i++ {
			s += at(i)
		}
		k := 1 / float64(2*r+1)
		for i := range n {
			p[start+i*step] = float32(s * k)
			s += at(i+r+1) - at(i-r)
		}
	}
	for y := range h {
		run(y*w, 1, w)
	}
	for x := range w {
		run(x, w, h)
	}
}
