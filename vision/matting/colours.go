package matting

import (
	"image"

	"github.com/videomsg/videomsg/vision"
)

// colours are the local colours of person and background, from which the
// person's own colour of a half-covered pixel is estimated. Like blur fusion it
// goes from wide to narrow windows: wide ones are sure, narrow ones are right
// where hair meets skin. Unlike a weighted mean, least squares are not misled by
// hair so thin that no pixel of it is opaque.
type colours struct {
	fore, back [3]field // 0..255
}

const (
	wideRadius   = 11 // at a quarter of midSide
	narrowRadius = 2  // at half of midSide

	// How much the windows of both sizes are held back: a given alpha is believed
	// more than one that was found here.
	wideRidge  = 0.002
	givenRidge = 0.02
	foundRidge = 0.2
)

// newColours takes a picture of about half of midSide, its alpha and the ridge of
// the narrow windows.
func newColours(img *image.NRGBA, alpha field, ridge float32) colours {
	w, h := alpha.w, alpha.h
	qw, qh := max(2, w/2), max(2, h/2)
	wide := unmix(planes(vision.Average(img, qw, qh), 1), resizeField(alpha, qw, qh), nil,
		max(1, wideRadius*max(qw, qh)*4/midSide), wideRidge)
	var guess colours
	pair(6, func(i int, _ field) {
		if i < 3 {
			guess.fore[i] = resizeField(wide.fore[i], w, h)
		} else {
			guess.back[i-3] = resizeField(wide.back[i-3], w, h)
		}
	}, 1, 1)
	return unmix(planes(img, 1), alpha, &guess, narrowRadius, ridge)
}

// unmix finds for every square window of radius r the two colours F and B that
// explain its pixels best: the least of Σ (I - αF - (1-α)B)², held with weight
// ridge to a guess, without one to the means weighted by α and 1-α.
func unmix(rgb [3]field, alpha field, guess *colours, r int, ridge float32) colours {
	w, h := alpha.w, alpha.h
	square := newField(w, h)
	for i, a := range alpha.pix {
		square.pix[i] = a * a
	}
	mean, meanSquare := box(alpha, r), box(square, r)
	var c colours
	pair(3, func(k int, scratch field) {
		all, fore := newField(w, h), newField(w, h)
		boxInto(all, rgb[k], scratch, r)
		for i, v := range rgb[k].pix {
			fore.pix[i] = v * alpha.pix[i]
		}
		boxInto(fore, fore, scratch, r)
		for i, sum := range all.pix {
			f, b := fore.pix[i], sum-fore.pix[i]
			m, aa := mean.pix[i], meanSquare.pix[i]
			var f0, b0 float32
			if guess == nil {
				f0, b0 = (f+0.001*sum)/(m+0.001), (b+0.001*sum)/(1-m+0.001)
			} else {
				f0, b0 = guess.fore[k].pix[i], guess.back[k].pix[i]
			}
			ab, bb := m-aa, 1-2*m+aa+ridge
			aa += ridge
			f, b = f+ridge*f0, b+ridge*b0
			d := 1 / (aa*bb - ab*ab)
			fore.pix[i] = min(max((bb*f-ab*b)*d, 0), 255)
			all.pix[i] = min(max((aa*b-ab*f)*d, 0), 255)
		}
		c.fore[k], c.back[k] = fore, all
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
