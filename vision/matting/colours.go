package matting

import (
	"image"

	"github.com/videomsg/videomsg/vision"
)

// colours are the local mean colours of person and background, from which the
// person's own colour of a half-covered pixel is estimated (blur fusion).
type colours struct {
	fore, back [3]field // 0..255, at a quarter of midSide
}

func newColours(mid *image.NRGBA, alpha field) colours {
	w, h := max(2, mid.Rect.Dx()/4), max(2, mid.Rect.Dy()/4)
	r := max(1, 11*max(w, h)/(midSide/4))
	rgb := planes(vision.Resize(mid, w, h), 1)
	q := resizeField(alpha, w, h)
	mean := box(q, r)
	var c colours
	pair(6, func(i int, scratch field) {
		t := newField(w, h)
		fore := i < 3
		for k, v := range rgb[i%3].pix {
			if fore {
				t.pix[k] = v * q.pix[k]
			} else {
				t.pix[k] = v * (1 - q.pix[k])
			}
		}
		boxInto(t, t, scratch, r)
		for k, v := range t.pix {
			d := mean.pix[k]
			if !fore {
				d = 1 - d
			}
			if d < 1e-3 { // nobody near: the pixel's own colour
				t.pix[k] = rgb[i%3].pix[k]
			} else {
				t.pix[k] = v / d
			}
		}
		if fore {
			c.fore[i] = t
		} else {
			c.back[i-3] = t
		}
	}, w, h)
	return c
}

// free replaces the colour of pixel (x, y) of a w × h picture by the person's:
// F = F̄ + α(I - αF̄ - (1-α)B̄).
func (c *colours) free(px []uint8, a float32, x, y, w, h int) {
	if a <= 0 || a >= 1 {
		return
	}
	f := &c.fore[0]
	k := y*f.h/h*f.w + x*f.w/w
	for i := range 3 {
		fore, back := c.fore[i].pix[k], c.back[i].pix[k]
		v := fore + a*(float32(px[i])-a*fore-(1-a)*back)
		px[i] = uint8(min(max(v, 0), 255) + 0.5)
	}
}

// paint makes a cut-out with the given alpha, which has the picture's size.
func (c colours) paint(img *image.NRGBA, alpha *image.Gray) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	vision.Rows(h, func(from, to int) {
		for y := from; y < to; y++ {
			src, dst := img.Pix[y*img.Stride:], out.Pix[y*out.Stride:]
			for x, v := range alpha.Pix[y*alpha.Stride : y*alpha.Stride+w] {
				if v == 0 {
					continue
				}
				d := dst[4*x : 4*x+4]
				copy(d, src[4*x:4*x+4])
				a := float32(v) / 255
				c.free(d, a, x, y, w, h)
				d[3] = uint8(float32(d[3])*a + 0.5)
			}
		}
	})
	return out
}
