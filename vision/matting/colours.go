package matting

import (
	"image"

	"github.com/videomsg/videomsg/vision"
)

// colours are the local mean colours of person and background, from which the
// person's own colour of a half-covered pixel is estimated. Like blur fusion it
// goes from wide to narrow means: wide ones are sure, narrow ones are right
// where hair meets skin.
type colours struct {
	fore, back [3]field // 0..255
}

const (
	wideRadius   = 11 // at a quarter of midSide
	narrowRadius = 2  // at half of midSide
)

// newColours takes a picture of about half of midSide and its alpha.
func newColours(img *image.NRGBA, alpha field) colours {
	w, h := alpha.w, alpha.h
	qw, qh := max(2, w/2), max(2, h/2)
	wide := meanColours(planes(vision.Average(img, qw, qh), 1), [3]field{}, resizeField(alpha, qw, qh),
		max(1, wideRadius*max(qw, qh)*4/midSide))
	rgb := planes(img, 1)
	fore, back := [3]field{}, [3]field{}
	pair(3, func(c int, _ field) {
		f, b := resizeField(wide.fore[c], w, h), resizeField(wide.back[c], w, h)
		for i, a := range alpha.pix {
			if a > 0 {
				f.pix[i] = min(max(f.pix[i]+a*(rgb[c].pix[i]-a*f.pix[i]-(1-a)*b.pix[i]), 0), 255)
			}
		}
		fore[c], back[c] = f, b
	}, 1, 1)
	return meanColours(fore, back, alpha, narrowRadius)
}

// meanColours averages fore weighted by alpha and back (fore again when it is
// empty) weighted by the rest; where there is nothing to average, the value itself.
func meanColours(fore, back [3]field, alpha field, r int) colours {
	w, h := alpha.w, alpha.h
	if back[0].pix == nil {
		back = fore
	}
	mean := box(alpha, r)
	var c colours
	pair(6, func(i int, scratch field) {
		t := newField(w, h)
		isFore := i < 3
		src := &back[i%3]
		if isFore {
			src = &fore[i%3]
		}
		for k, v := range src.pix {
			if isFore {
				t.pix[k] = v * alpha.pix[k]
			} else {
				t.pix[k] = v * (1 - alpha.pix[k])
			}
		}
		boxInto(t, t, scratch, r)
		for k, v := range t.pix {
			d := mean.pix[k]
			if !isFore {
				d = 1 - d
			}
			if d < 0.02 { // nobody near
				t.pix[k] = src.pix[k]
			} else {
				t.pix[k] = v / d
			}
		}
		if isFore {
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
