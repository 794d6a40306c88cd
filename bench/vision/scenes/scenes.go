// Package scenes draws portraits over all kinds of backgrounds with the exact
// alpha of every pixel, and scores cut-outs against it. It is a measuring
// instrument for regressions and extremes: nothing should be tuned to it, since
// real hair and cloth are not in it.
package scenes

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"github.com/videomsg/videomsg/vision/drawn"
)

// A Scene is one picture with its truth.
type Scene struct {
	Name  string
	Image *image.NRGBA
	Alpha *image.Gray
	// Fore is the person's own colour where Alpha is above zero.
	Fore  *image.NRGBA
	Faces []image.Rectangle
}

// layer is a picture with premultiplied colours, 0..1 alpha.
type layer struct {
	w, h int
	c    [][4]float32
}

type recipe struct {
	name    string
	person  drawn.Options
	strands int
	motion  int // pixels at 512
	second  *drawn.Options
	noise   float64
	back    func(x, y float64) [3]float64 // x, y in 0..1 of the height
}

var (
	white = color.NRGBA{243, 243, 245, 255}
	dark  = color.NRGBA{30, 28, 34, 255}
)

func recipes() []recipe {
	plain := drawn.Options{}
	white2 := plain
	white2.Cloth = white
	dark2 := drawn.Options{Cloth: dark, Tone: 0.9, Seed: 3}
	left, right := drawn.Options{CenterX: 0.32, Size: 0.11, CenterY: 0.45}, drawn.Options{CenterX: 0.72, Size: 0.105, CenterY: 0.47, Hair: drawn.Short, Cloth: color.NRGBA{150, 60, 60, 255}, Tone: 0.4}
	return []recipe{
		{name: "plain wall", person: plain, noise: 2, back: shade(200, 205, 198)},
		{name: "hair strands", person: drawn.Options{Seed: 5}, strands: 260, noise: 2, back: shade(176, 190, 205)},
		{name: "glasses, shelves", person: drawn.Options{Glasses: true, Hair: drawn.Short, Cloth: color.NRGBA{70, 74, 120, 255}}, noise: 3, back: shelves},
		{name: "white on white", person: white2, noise: 1.5, back: shade(244, 244, 243)},
		{name: "dark on dark", person: dark2, noise: 3, back: shade(44, 42, 46)},
		{name: "busy and sharp", person: drawn.Options{Seed: 8, Cloth: color.NRGBA{190, 160, 60, 255}}, noise: 3, back: confetti},
		{name: "bokeh", person: drawn.Options{Seed: 9, Cloth: color.NRGBA{50, 60, 80, 255}}, strands: 120, noise: 2, back: bokeh()},
		{name: "motion blur", person: drawn.Options{Seed: 10}, motion: 14, noise: 2, back: shade(150, 170, 160)},
		{name: "two people", person: left, second: &right, noise: 2, back: shade(206, 200, 190)},
		{name: "green screen", person: drawn.Options{Seed: 12, Cloth: color.NRGBA{200, 190, 200, 255}}, strands: 200, noise: 2, back: shade(30, 190, 60)},
		{name: "beard, wood", person: drawn.Options{Beard: true, Hair: drawn.Short, Tone: 0.35, Cloth: color.NRGBA{90, 60, 45, 255}}, noise: 3, back: wood},
		{name: "grey picture", person: drawn.Options{Gray: true, Cloth: color.NRGBA{70, 70, 70, 255}}, noise: 5, back: shade(150, 150, 150)},
		{name: "close-up", person: drawn.Options{Size: 0.25, CenterY: 0.45, Seed: 14}, strands: 150, noise: 2, back: shade(120, 150, 190)},
		{name: "far away", person: drawn.Options{Size: 0.06, CenterY: 0.35, Cloth: color.NRGBA{160, 50, 70, 255}}, noise: 2, back: shelves},
	}
}

// Names lists the scenes in order.
func Names() []string {
	var out []string
	for _, r := range recipes() {
		out = append(out, r.name)
	}
	return out
}

// Draw paints scene i of Names with the given size. Equal arguments give equal
// pixels.
func Draw(i, w, h int) Scene {
	r := recipes()[i]
	rng := rand.New(rand.NewPCG(uint64(i)+1, 77))
	l, face := person(r.person, w, h)
	s := Scene{Name: r.name, Faces: []image.Rectangle{face}}
	strands(l, face, r.strands, rng)
	if r.second != nil {
		l2, face2 := person(*r.second, w, h)
		over(l2, l) // the second stands behind
		l = l2
		s.Faces = append(s.Faces, face2)
	}
	if r.motion > 0 {
		blurX(l, max(1, r.motion*min(w, h)/512/2))
	}
	s.compose(l, r.back, r.noise, rng)
	return s
}

// person renders the figure alone: over black it is α·F, over white the same
// plus (1-α)·white.
func person(o drawn.Options, w, h int) (*layer, image.Rectangle) {
	o.W, o.H, o.Flat = w, h, true
	o.Noise = 0
	o.Backdrop = color.NRGBA{0, 0, 0, 255}
	black, truth := drawn.Portrait(o)
	l := &layer{w, h, make([][4]float32, w*h)}
	for y := range h {
		for x := range w {
			p := black.Pix[y*black.Stride+4*x:]
			a := float32(truth.Alpha.Pix[y*truth.Alpha.Stride+x]) / 255
			l.c[y*w+x] = [4]float32{min(float32(p[0])/255, a), min(float32(p[1])/255, a), min(float32(p[2])/255, a), a}
		}
	}
	cx := (truth.EyeL.X + truth.EyeR.X) / 2
	cy := (truth.EyeL.Y+truth.EyeR.Y)/2 + 0.5*truth.IOD
	d := 1.35 * truth.IOD
	return l, image.Rect(int(cx-d), int(cy-d), int(cx+d), int(cy+d))
}

// strands draws single hairs flying off the head.
func strands(l *layer, face image.Rectangle, n int, rng *rand.Rand) {
	s := float64(face.Dx())
	cx, cy := float64(face.Min.X)+s/2, float64(face.Min.Y)+0.42*s
	for range n {
		t := math.Pi + rng.Float64()*math.Pi // upper half
		if rng.Float64() < 0.3 {             // some beside the cheeks
			t = math.Pi*1.5 + (rng.Float64()*2-1)*2
		}
		x, y := cx+0.5*s*math.Cos(t), cy+0.62*s*math.Sin(t)
		dir := t + (rng.Float64()*2-1)*0.9
		bend := (rng.Float64()*2 - 1) * 3 / s
		long := s * (0.08 + 0.3*rng.Float64())
		width := s * 0.0035 * (0.6 + rng.Float64())
		tint := float32(0.10 + 0.08*rng.Float64())
		for d := 0.0; d < long; d += 0.5 {
			dir += bend * 0.5
			x, y = x+0.5*math.Cos(dir), y+0.5*math.Sin(dir)
			dot(l, x, y, width*(1-d/long*0.6), [3]float32{tint * 1.5, tint * 1.05, tint * 0.8})
		}
	}
}

// dot covers the pixels around (x, y) with an antialiased disc.
func dot(l *layer, x, y, r float64, c [3]float32) {
	for j := int(y - r - 1); j <= int(y+r+1); j++ {
		for i := int(x - r - 1); i <= int(x+r+1); i++ {
			if i < 0 || j < 0 || i >= l.w || j >= l.h {
				continue
			}
			d := math.Hypot(float64(i)+0.5-x, float64(j)+0.5-y)
			a := float32(min(max(r+0.5-d, 0), 1) * min(1, 2*r) * 0.6)
			p := &l.c[j*l.w+i]
			for k := range 3 {
				p[k] = p[k]*(1-a) + c[k]*a
			}
			p[3] = p[3]*(1-a) + a
		}
	}
}

// over puts top onto l.
func over(l, top *layer) {
	for i := range l.c {
		a := top.c[i][3]
		for k := range 4 {
			l.c[i][k] = l.c[i][k]*(1-a) + top.c[i][k]
		}
	}
}

func blurX(l *layer, r int) {
	row := make([][4]float32, l.w)
	for y := range l.h {
		line := l.c[y*l.w : (y+1)*l.w]
		for x := range line {
			var s [4]float32
			for d := -r; d <= r; d++ {
				p := line[min(max(x+d, 0), l.w-1)]
				for k := range 4 {
					s[k] += p[k]
				}
			}
			for k := range 4 {
				row[x][k] = s[k] / float32(2*r+1)
			}
		}
		copy(line, row)
	}
}

func (s *Scene) compose(l *layer, back func(x, y float64) [3]float64, noise float64, rng *rand.Rand) {
	r := image.Rect(0, 0, l.w, l.h)
	s.Image, s.Fore, s.Alpha = image.NewNRGBA(r), image.NewNRGBA(r), image.NewGray(r)
	for y := range l.h {
		for x := range l.w {
			p := l.c[y*l.w+x]
			b := back(float64(x)/float64(l.h), float64(y)/float64(l.h))
			s.Alpha.Pix[y*l.w+x] = uint8(p[3]*255 + 0.5)
			d, f := s.Image.Pix[4*(y*l.w+x):], s.Fore.Pix[4*(y*l.w+x):]
			for k := range 3 {
				v := 255*float64(p[k]) + (1-float64(p[3]))*b[k] + rng.NormFloat64()*noise
				d[k] = uint8(min(max(v, 0), 255) + 0.5)
				if p[3] > 0 {
					f[k] = uint8(min(255*p[k]/p[3], 255) + 0.5)
				}
			}
			d[3], f[3] = 255, 255
		}
	}
}

func shade(r, g, b float64) func(x, y float64) [3]float64 {
	return func(x, y float64) [3]float64 {
		k := 1.04 - 0.1*math.Hypot(x-0.3, y-0.2)
		return [3]float64{r * k, g * k, b * k}
	}
}

func shelves(x, y float64) [3]float64 {
	if f := math.Mod(y, 0.17); f < 0.02 {
		return [3]float64{110, 84, 60}
	}
	i := math.Floor(x * 26)
	h := math.Mod(math.Abs(math.Sin(i*12.99+math.Floor(y/0.17)*78.2)*43758.5), 1)
	if math.Mod(y, 0.17) < 0.04+0.05*h {
		return [3]float64{60, 52, 48}
	}
	return [3]float64{60 + 160*h, 60 + 140*math.Mod(h*7, 1), 60 + 130*math.Mod(h*13, 1)}
}

func confetti(x, y float64) [3]float64 {
	i, j := math.Floor(x*18), math.Floor(y*18)
	h := math.Mod(math.Abs(math.Sin(i*127.1+j*311.7)*43758.5453), 1)
	if math.Hypot(math.Mod(x*18, 1)-0.5, math.Mod(y*18, 1)-0.5) < 0.25+0.2*h {
		return [3]float64{255 * h, 255 * math.Mod(h*5, 1), 255 * math.Mod(h*11, 1)}
	}
	return [3]float64{190, 196, 200}
}

// bokeh is a dark garden full of out-of-focus lamps.
func bokeh() func(x, y float64) [3]float64 {
	type lamp struct {
		x, y, r float64
		c       [3]float64
	}
	var lamps [40]lamp
	for k := range lamps {
		a := math.Mod(math.Abs(math.Sin(float64(k)*91.7)*4375.5), 1)
		b := math.Mod(math.Abs(math.Sin(float64(k)*37.3)*9175.5), 1)
		lamps[k] = lamp{1.6 * a, b, 0.04 + 0.06*math.Mod(a*7, 1), [3]float64{230, 180 + 60*b, 90 + 120*a}}
	}
	return func(x, y float64) [3]float64 {
		c := [3]float64{46, 62, 58}
		for _, l := range lamps {
			dx, dy := x-l.x, y-l.y
			d2 := (dx*dx + dy*dy) / (l.r * l.r)
			if d2 > 3 {
				continue
			}
			w := 0.5 / (1 + math.Exp((math.Sqrt(d2)-1)*10))
			for i := range 3 {
				c[i] += (l.c[i] - c[i]) * w
			}
		}
		return c
	}
}

func wood(x, y float64) [3]float64 {
	v := math.Sin(90*x+6*math.Sin(5*y)+2*math.Sin(17*y)) * 0.5
	return [3]float64{128 + 24*v, 92 + 20*v, 62 + 14*v}
}
