// Package drawn paints synthetic portraits whose ground truth is known exactly:
// where the pupils, mouth corners, nose and chin are, and which pixels belong
// to the person. Tests of face detection, cut-out and animation measure
// themselves against it, and the demo portrait is one of its pictures, so the
// repository needs no photograph of anybody.
//
// The head is a height field over the canonical face frame (origin midway
// between the pupils, unit = distance between the pupils, v down). Skin is
// shaded from the field's normals; turning the head moves every point by its
// height, so a three-quarter view also has an exact truth.
package drawn

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
)

// Hair selects a hairstyle.
type Hair int

// The hairstyles.
const (
	Bob   Hair = iota // shoulder length with a side parting
	Short             // short, ears visible
)

// Options describe one portrait. The zero value is a calm, light-skinned,
// front-facing portrait of 512×512 pixels.
type Options struct {
	W, H     int         // pixels; 0 means 512. At most 4096 each; larger values are cut down.
	Size     float64     // pupil distance as a share of the shorter side; 0 means 0.14, kept in 0.01–0.4
	CenterX  float64     // centre between the pupils as a share of W; 0 means 0.5
	CenterY  float64     // the same as a share of H; 0 means 0.41
	Tilt     float64     // radians, clockwise on the screen
	Yaw      float64     // radians, positive turns the face to the right of the picture; kept in ±0.7
	Tone     float64     // skin from 0 (very light) to 1 (very dark)
	Smile    float64     // 0 closed mouth … 1 wide smile showing teeth
	Glasses  bool        //
	Beard    bool        //
	Hair     Hair        //
	Noise    float64     // standard deviation of Gaussian noise, grey levels
	Backdrop color.NRGBA // zero value means a soft blue-grey; painted with a gentle gradient
	Flat     bool        // paint Backdrop without gradient
	Cloth    color.NRGBA // zero value means a muted teal
	Gray     bool        // remove colour
	Seed     uint64      // of the noise and of the hair strands
}

// Point is a position in pixels; pixel (i, j) covers [i, i+1)×[j, j+1).
type Point struct{ X, Y float64 }

// Truth is what the painter knows about its picture. "L" and "R" are sides of
// the picture, not of the person.
type Truth struct {
	EyeL, EyeR     Point // pupil centres
	MouthL, MouthR Point
	Nose           Point // tip
	LipTop, LipBot Point // outer edges at the middle
	Chin           Point
	IOD            float64 // pupil distance before turning the head, pixels
	// Alpha is the share of each pixel that belongs to the person.
	Alpha *image.Alpha
}

const maxSide = 4096

func (o Options) withDefaults() Options {
	def := func(v *float64, d, lo, hi float64) {
		if *v == 0 || math.IsNaN(*v) {
			*v = d
		}
		*v = clamp(*v, lo, hi)
	}
	if o.W <= 0 {
		o.W = 512
	}
	if o.H <= 0 {
		o.H = 512
	}
	o.W, o.H = min(o.W, maxSide), min(o.H, maxSide)
	def(&o.Size, 0.14, 0.01, 0.4)
	def(&o.CenterX, 0.5, -1, 2)
	def(&o.CenterY, 0.41, -1, 2)
	def(&o.Tilt, 0, -math.Pi, math.Pi)
	def(&o.Yaw, 0, -0.7, 0.7)
	def(&o.Tone, 0, 0, 1)
	def(&o.Smile, 0, 0, 1)
	def(&o.Noise, 0, 0, 100)
	if o.Backdrop == (color.NRGBA{}) {
		o.Backdrop = color.NRGBA{172, 190, 204, 255}
	}
	if o.Cloth == (color.NRGBA{}) {
		o.Cloth = color.NRGBA{62, 108, 118, 255}
	}
	return o
}

// Portrait paints the picture that o describes. The same options give the same
// pixels on one architecture, whatever the number of processors.
func Portrait(o Options) (*image.NRGBA, Truth) {
	o = o.withDefaults()
	p := newPainter(o)
	im := image.NewNRGBA(image.Rect(0, 0, o.W, o.H))
	alpha := image.NewAlpha(im.Rect)
	var wg sync.WaitGroup
	n := min(runtime.GOMAXPROCS(0), o.H)
	for k := range n {
		wg.Go(func() {
			for y := k * o.H / n; y < (k+1)*o.H/n; y++ {
				p.row(im, alpha, y)
			}
		})
	}
	wg.Wait()
	if o.Noise > 0 {
		rng := rand.New(rand.NewPCG(o.Seed, 1))
		for i := range im.Pix {
			if i%4 != 3 {
				im.Pix[i] = level(float64(im.Pix[i]) + rng.NormFloat64()*o.Noise)
			}
		}
	}
	if o.Gray {
		for i := 0; i < len(im.Pix); i += 4 {
			l := level(0.299*float64(im.Pix[i]) + 0.587*float64(im.Pix[i+1]) + 0.114*float64(im.Pix[i+2]))
			im.Pix[i], im.Pix[i+1], im.Pix[i+2] = l, l, l
		}
	}
	return im, p.truth(alpha)
}

// painter holds what every pixel needs.
type painter struct {
	o                                       Options
	iod, px                                 float64 // pixels per unit, units per pixel
	ox, oy                                  float64 // pixel position of the frame's origin
	ct, st                                  float64 // cos, sin of the tilt
	sy, cy                                  float64 // sin, cos of the yaw
	skin                                    rgb
	hairTint                                rgb
	face, cap, front, back, neck, body, ear shape
	m                                       mouth
}

func newPainter(o Options) *painter {
	p := &painter{o: o}
	p.iod = o.Size * float64(min(o.W, o.H))
	p.px = 1 / p.iod
	p.ox, p.oy = o.CenterX*float64(o.W), o.CenterY*float64(o.H)
	p.st, p.ct = math.Sincos(o.Tilt)
	p.sy, p.cy = math.Sincos(o.Yaw)
	p.skin = skinTone(o.Tone)
	p.hairTint = mix(rgb{66, 42, 30}, rgb{26, 20, 18}, smooth(0, 0.6, o.Tone))
	p.m = newMouth(o.Smile)
	p.shapes()
	return p
}

// project takes a point of the canonical frame with its height to pixels.
func (p *painter) project(u, v, z float64) Point {
	u = u*p.cy + z*p.sy
	return Point{p.ox + (u*p.ct-v*p.st)*p.iod, p.oy + (u*p.st+v*p.ct)*p.iod}
}

// frame is the inverse of project. Where the head is turned the height at the
// answer decides the answer, hence the fixed-point iteration.
func (p *painter) frame(x, y float64) (u, v float64) {
	x, y = (x-p.ox)*p.px, (y-p.oy)*p.px
	a, v := x*p.ct+y*p.st, -x*p.st+y*p.ct
	u = a
	if p.sy == 0 {
		return u, v
	}
	for range 12 {
		u += 0.6 * ((a-p.depth(u, v)*p.sy)/p.cy - u)
	}
	return u, v
}

func (p *painter) truth(alpha *image.Alpha) Truth {
	at := func(u, v float64) Point { return p.project(u, v, p.depth(u, v)) }
	return Truth{
		EyeL: at(-0.5, 0), EyeR: at(0.5, 0),
		MouthL: at(-p.m.w, p.m.corner), MouthR: at(p.m.w, p.m.corner),
		Nose: at(0, 0.62), LipTop: at(0, p.m.top(0)), LipBot: at(0, p.m.bottom(0)), Chin: at(0, 1.79),
		IOD: p.iod, Alpha: alpha,
	}
}

func (p *painter) row(im *image.NRGBA, alpha *image.Alpha, y int) {
	for x := range p.o.W {
		u, v := p.frame(float64(x)+0.5, float64(y)+0.5)
		c := p.backdrop(float64(x)/float64(p.o.W), float64(y)/float64(p.o.H))
		free := 1.0 // share of the pixel not yet covered by the person
		over := func(col rgb, a float64) {
			if a > 0 {
				c = mix(c, col, a)
				free *= 1 - a
			}
		}
		p.person(u, v, over)
		i := im.PixOffset(x, y)
		im.Pix[i], im.Pix[i+1], im.Pix[i+2], im.Pix[i+3] = level(c[0]), level(c[1]), level(c[2]), 255
		alpha.Pix[alpha.PixOffset(x, y)] = level((1 - free) * 255)
	}
}

func (p *painter) backdrop(x, y float64) rgb {
	b := rgb{float64(p.o.Backdrop.R), float64(p.o.Backdrop.G), float64(p.o.Backdrop.B)}
	if p.o.Flat {
		return b
	}
	d := math.Hypot(x-0.42, y-0.36)
	g := 1.12 - 0.42*smooth(0, 1, d)
	return rgb{b[0] * g, b[1] * g, b[2] * (g + 0.02)}
}
