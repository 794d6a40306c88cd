package portrait

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	xdraw "golang.org/x/image/draw"
)

func lerp(a, b, t float64) float64 { return a + (b-a)*t }

func clamp(x, lo, hi float64) float64 {
	if x < lo {
		return lo
	}
	if x > hi {
		return hi
	}
	return x
}

// step is Hermite's smooth step from 0 at a to 1 at b.
func step(a, b, x float64) float64 {
	t := (x - a) / (b - a)
	if t <= 0 {
		return 0
	}
	if t >= 1 {
		return 1
	}
	return t * t * (3 - 2*t)
}

// plane is one channel with 8 bits.
type plane struct {
	w, h int
	p    []uint8
}

// layer is a picture in the form that frames are sampled from: luma in full
// resolution, U and V interleaved in half resolution.
type layer struct {
	y, c plane // c.w counts pairs
}

// yuv converts R'G'B' 0–255 to BT.709 limited range.
func yuv(r, g, b float64) (y, u, v float64) {
	y = 0.2126*r + 0.7152*g + 0.0722*b
	u, v = (b-y)/1.8556, (r-y)/1.5748
	return 16 + y*219/255, 128 + u*224/255, 128 + v*224/255
}

func byteOf(x float64) uint8 { return uint8(clamp(x+0.5, 0, 255)) }

func newLayer(im *image.NRGBA) *layer {
	w, h := im.Rect.Dx(), im.Rect.Dy()
	l := &layer{plane{w, h, make([]uint8, w*h)}, plane{w / 2, h / 2, make([]uint8, w/2*(h/2)*2)}}
	for j := range h / 2 {
		for i := range w / 2 {
			var su, sv float64
			for k := range 4 {
				x, y := 2*i+k&1, 2*j+k>>1
				p := im.Pix[y*im.Stride+x*4:]
				a, u, v := yuv(float64(p[0]), float64(p[1]), float64(p[2]))
				l.y.p[y*w+x] = byteOf(a)
				su, sv = su+u, sv+v
			}
			o := 2 * (j*(w/2) + i)
			l.c.p[o], l.c.p[o+1] = byteOf(su/4), byteOf(sv/4)
		}
	}
	return l
}

// at samples bilinearly in units of 1/256; the border is repeated.
func (p *plane) at(x, y float32) float32 {
	x, y = x-0.5, y-0.5
	x = min(max(x, 0), float32(p.w)-1.01)
	y = min(max(y, 0), float32(p.h)-1.01)
	i, j := int(x), int(y)
	fx, fy := int(256*(x-float32(i))), int(256*(y-float32(j)))
	o := j*p.w + i
	q := p.p[o : o+p.w+2 : o+p.w+2]
	a := int(q[0])<<8 + fx*(int(q[1])-int(q[0]))
	b := int(q[p.w])<<8 + fx*(int(q[p.w+1])-int(q[p.w]))
	return float32(a<<8+fy*(b-a)) * (1.0 / 65536)
}

// pair is at for interleaved chroma.
func (p *plane) pair(x, y float32) (u, v float32) {
	x, y = x-0.5, y-0.5
	x = min(max(x, 0), float32(p.w)-1.01)
	y = min(max(y, 0), float32(p.h)-1.01)
	i, j := int(x), int(y)
	fx, fy := int(256*(x-float32(i))), int(256*(y-float32(j)))
	o, s := 2*(j*p.w+i), 2*p.w
	q := p.p[o : o+s+4 : o+s+4]
	one := func(k int) float32 {
		a := int(q[k])<<8 + fx*(int(q[k+2])-int(q[k]))
		b := int(q[s+k])<<8 + fx*(int(q[s+k+2])-int(q[s+k]))
		return float32(a<<8+fy*(b-a)) * (1.0 / 65536)
	}
	return one(0), one(1)
}

// rgbAt samples a picture bilinearly.
func rgbAt(im *image.NRGBA, x, y float64) (r, g, b float64) {
	w, h := im.Rect.Dx(), im.Rect.Dy()
	x = clamp(x-0.5, 0, float64(w-1)-1e-3)
	y = clamp(y-0.5, 0, float64(h-1)-1e-3)
	i, j := int(x), int(y)
	fx, fy := x-float64(i), y-float64(j)
	p := im.Pix[j*im.Stride+i*4:]
	q := im.Pix[min(j+1, h-1)*im.Stride+i*4:]
	n := 4
	if i+1 >= w {
		n = 0
	}
	f := func(c int) float64 {
		a := float64(p[c]) + fx*(float64(p[c+n])-float64(p[c]))
		b := float64(q[c]) + fx*(float64(q[c+n])-float64(q[c]))
		return a + fy*(b-a)
	}
	return f(0), f(1), f(2)
}

func luma(r, g, b float64) float64 { return 0.299*r + 0.587*g + 0.114*b }

func saturation(r, g, b float64) float64 {
	hi := max(r, g, b)
	if hi < 1 {
		return 0
	}
	return (hi - min(r, g, b)) / hi
}

// scaled resamples the crop of src to w×h.
func scaled(src image.Image, crop image.Rectangle, w, h int) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	xdraw.CatmullRom.Scale(out, out.Rect, src, crop, draw.Src, nil)
	return out
}

// cover is the largest centred crop of b with the aspect w:h.
func cover(b image.Rectangle, w, h int) image.Rectangle {
	cw, ch := float64(b.Dx()), float64(b.Dx())*float64(h)/float64(w)
	if ch > float64(b.Dy()) {
		ch = float64(b.Dy())
		cw = ch * float64(w) / float64(h)
	}
	x, y := float64(b.Min.X)+(float64(b.Dx())-cw)/2, float64(b.Min.Y)+(float64(b.Dy())-ch)/2
	r := image.Rect(int(x), int(y), int(math.Ceil(x+cw)), int(math.Ceil(y+ch))).Intersect(b)
	if r.Empty() {
		return b
	}
	return r
}

// backdropOf is a dim blur of a picture, for the space around it.
func backdropOf(src image.Image, w, h int) *image.NRGBA {
	k := 14 / float64(max(w, h))
	small := scaled(src, cover(src.Bounds(), w, h), max(2, int(float64(w)*k)), max(2, int(float64(h)*k)))
	opaque(small, color.NRGBA{96, 104, 112, 255})
	out := scaled(small, small.Rect, w, h)
	for i := range out.Pix {
		if i%4 != 3 {
			out.Pix[i] = uint8(int(out.Pix[i]) * 58 / 100)
		}
	}
	return out
}

// opaque lays a picture over a colour.
func opaque(im *image.NRGBA, c color.NRGBA) {
	bg := [3]int{int(c.R), int(c.G), int(c.B)}
	for i := 0; i < len(im.Pix); i += 4 {
		if a := int(im.Pix[i+3]); a < 255 {
			for k, v := range bg {
				im.Pix[i+k] = uint8((int(im.Pix[i+k])*a + v*(255-a)) / 255)
			}
			im.Pix[i+3] = 255
		}
	}
}

// transparency returns a picture's own alpha, nil if it is opaque everywhere.
func transparency(im image.Image) *image.Alpha {
	if o, ok := im.(interface{ Opaque() bool }); ok && o.Opaque() {
		return nil
	}
	b := im.Bounds()
	a := image.NewAlpha(image.Rect(0, 0, b.Dx(), b.Dy()))
	seen := false
	for y := range b.Dy() {
		for x := range b.Dx() {
			_, _, _, v := im.At(b.Min.X+x, b.Min.Y+y).RGBA()
			a.Pix[y*a.Stride+x] = uint8(v >> 8)
			seen = seen || v < 0xF000
		}
	}
	if !seen {
		return nil
	}
	return a
}
