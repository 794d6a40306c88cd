package face

import (
	"image"
	"image/color"
)

// plane is a luminance picture.
type plane struct {
	w, h int
	pix  []uint8
}

// maxPlane bounds the longer side of the finest level that is looked at.
// Larger pictures are averaged down while they are read, so memory stays small
// whatever the upload.
const maxPlane = 1600

// luminance reads an image into a plane whose longer side is at most maxPlane
// and returns by how much it was divided. Transparent parts are seen over grey.
func luminance(img image.Image) (plane, int) {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	div := (max(w, h) + maxPlane - 1) / maxPlane
	div = max(div, 1)
	pw, ph := (w+div-1)/div, (h+div-1)/div
	p := plane{pw, ph, make([]uint8, pw*ph)}
	at := reader(img)
	for y := range ph {
		for x := range pw {
			var s, n int
			for j := y * div; j < min(h, (y+1)*div); j++ {
				for i := x * div; i < min(w, (x+1)*div); i++ {
					s += at(b.Min.X+i, b.Min.Y+j)
					n++
				}
			}
			p.pix[y*pw+x] = uint8((s + n/2) / n)
		}
	}
	return p, div
}

// reader returns the luminance (Rec. 601 weights) of a pixel, without the
// allocations of image.Image.At for the types that decoders produce.
func reader(img image.Image) func(x, y int) int {
	over := func(l, a int) int { return (l*a + 128*(255-a)) / 255 }
	switch m := img.(type) {
	case *image.Gray:
		return func(x, y int) int { return int(m.Pix[m.PixOffset(x, y)]) }
	case *image.YCbCr:
		return func(x, y int) int { return int(m.Y[m.YOffset(x, y)]) }
	case *image.NRGBA:
		return func(x, y int) int {
			p := m.Pix[m.PixOffset(x, y):]
			return over((299*int(p[0])+587*int(p[1])+114*int(p[2]))/1000, int(p[3]))
		}
	case *image.RGBA:
		return func(x, y int) int {
			p := m.Pix[m.PixOffset(x, y):]
			return (299*int(p[0])+587*int(p[1])+114*int(p[2]))/1000 + 128*(255-int(p[3]))/255
		}
	}
	return func(x, y int) int {
		c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
		return over((299*int(c.R)+587*int(c.G)+114*int(c.B))/1000, int(c.A))
	}
}

// half averages 2×2 pixels.
func (p plane) half() plane {
	q := plane{max(1, p.w/2), max(1, p.h/2), nil}
	q.pix = make([]uint8, q.w*q.h)
	for y := range q.h {
		a, b := p.pix[2*y*p.w:], p.pix[min(2*y+1, p.h-1)*p.w:]
		for x := range q.w {
			i, j := 2*x, min(2*x+1, p.w-1)
			q.pix[y*q.w+x] = uint8((int(a[i]) + int(a[j]) + int(b[i]) + int(b[j]) + 2) / 4)
		}
	}
	return q
}

// at samples bilinearly; outside, the border is repeated.
func (p plane) at(x, y float64) float64 {
	x, y = clamp(x-0.5, 0, float64(p.w-1)), clamp(y-0.5, 0, float64(p.h-1))
	i, j := int(x), int(y)
	fx, fy := x-float64(i), y-float64(j)
	i1, j1 := min(i+1, p.w-1), min(j+1, p.h-1)
	a := float64(p.pix[j*p.w+i])*(1-fx) + float64(p.pix[j*p.w+i1])*fx
	b := float64(p.pix[j1*p.w+i])*(1-fx) + float64(p.pix[j1*p.w+i1])*fx
	return a*(1-fy) + b*fy
}

// pyramid is a picture and its successive halves; level k is divided by
// div·2^k against the original.
type pyramid struct {
	div    int
	levels []plane
}

func newPyramid(img image.Image) pyramid {
	p, div := luminance(img)
	y := pyramid{div: div, levels: []plane{p}}
	for p.w > 64 && p.h > 64 {
		p = p.half()
		y.levels = append(y.levels, p)
	}
	return y
}

// level picks the coarsest plane that still has at least density pixels per
// unit, when the original has perUnit, and the factor from original pixels to it.
func (y pyramid) level(perUnit, density float64) (plane, float64) {
	k, s := 0, 1/float64(y.div)
	for k+1 < len(y.levels) && perUnit*s/2 >= density {
		k, s = k+1, s/2
	}
	return y.levels[k], s
}
