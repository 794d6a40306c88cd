package background

import (
	"image"
	"math"

	"github.com/videomsg/videomsg/vision"
)

// Look says how the person is fitted into the new surroundings.
type Look struct {
	// Shadow is the darkness of a soft contact shadow, 0..1; 0.35 looks natural.
	Shadow float64
	// Light is how far the person's overall brightness and tint follow the
	// background, 0..1. 0.3 is gentle; the face's own colours stay recognisable.
	Light float64
	// Wrap is how much of the background's light spills over the person's edge,
	// 0..1; 0.15 hides small mistakes of the mask.
	Wrap float64
}

// Natural is what looks right for most portraits.
var Natural = Look{Shadow: 0.35, Light: 0.3, Wrap: 0.15}

// Compose lays a cut-out over a background of the same size, mixing in linear
// light. The result is opaque where the background is. When the sizes differ
// the background is scaled to cover the cut-out.
func Compose(cutout, back *image.NRGBA, look Look) *image.NRGBA {
	w, h := cutout.Rect.Dx(), cutout.Rect.Dy()
	if back.Rect.Dx() != w || back.Rect.Dy() != h {
		back = vision.Cover(back, w, h, 0.5, 0.5)
	}
	// Shadow, surrounding light and its tint are slow changes: computed small.
	const small = 320
	bs := vision.Shrink(back, small)
	sw, sh := bs.Rect.Dx(), bs.Rect.Dy()
	cs := vision.Resize(cutout, sw, sh)
	alpha := make([]float32, sw*sh)
	for i := range alpha {
		alpha[i] = float32(cs.Pix[4*i+3]) / 255
	}
	shadow := shadowOf(alpha, sw, sh)
	gain := lightGain(cs, bs, alpha, clampUnit(look.Light))
	around := newCanvas(sw, sh, 1)
	for i := range around.pix {
		p := bs.Pix[4*i:]
		around.pix[i] = rgb{linear[p[0]], linear[p[1]], linear[p[2]]}
	}
	around.blurred(0.03*float64(max(sw, sh)), nil)

	dark, wrap := float32(clampUnit(look.Shadow)), float32(clampUnit(look.Wrap))
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	vision.Rows(h, func(from, to int) {
		for y := from; y < to; y++ {
			fy := max((float32(y)+0.5)*float32(sh)/float32(h)-0.5, 0)
			j := min(int(fy), sh-1)
			j1, ty := min(j+1, sh-1), min(fy-float32(j), 1)
			for x := range w {
				o, b := out.Pix[y*out.Stride+4*x:], back.Pix[y*back.Stride+4*x:]
				f := cutout.Pix[y*cutout.Stride+4*x:]
				fx := max((float32(x)+0.5)*float32(sw)/float32(w)-0.5, 0)
				i := min(int(fx), sw-1)
				i1, tx := min(i+1, sw-1), min(fx-float32(i), 1)
				s00, s10, s01, s11 := shadow[j*sw+i], shadow[j*sw+i1], shadow[j1*sw+i], shadow[j1*sw+i1]
				top, bot := s00+(s10-s00)*tx, s01+(s11-s01)*tx
				k := 1 - dark*(top+(bot-top)*ty)

				a, ba := float32(f[3])/255, float32(b[3])/255
				oa := a + ba*(1-a)
				if oa == 0 {
					continue
				}
				env := &around.pix[j*sw+i]
				// Light wraps where the edge begins to be transparent.
				wr := float32(0)
				if a < 1 && a > 0.02 {
					wr = wrap * (1 - a) * ba
				}
				for c := range 3 {
					fore := linear[f[c]] * gain[c]
					fore += (env[c] - fore) * wr
					v := (fore*a + linear[b[c]]*k*ba*(1-a)) / oa
					o[c] = uint8(level(v) + 0.5)
				}
				o[3] = uint8(oa*255 + 0.5)
			}
		}
	})
	return out
}

func clampUnit(v float64) float64 {
	if !(v > 0) { // also NaN
		return 0
	}
	return min(v, 1)
}

// shadowOf is a tight and a wide blur of the outline, moved down a little.
func shadowOf(alpha []float32, w, h int) []float32 {
	long := max(w, h)
	shift := max(1, long*15/1000)
	tight, wide := make([]float32, w*h), make([]float32, w*h)
	for y := range h {
		copy(tight[y*w:(y+1)*w], alpha[max(y-shift, 0)*w:])
		copy(wide[y*w:(y+1)*w], alpha[max(y-2*shift, 0)*w:])
	}
	for range 3 {
		boxBlur(tight, w, h, max(1, long*12/1000))
		boxBlur(wide, w, h, max(1, long*40/1000))
	}
	for i := range tight {
		tight[i] = 0.55*tight[i] + 0.45*wide[i]
	}
	return tight
}

// lightGain compares the mean linear colours of person and background and
// moves the person's a part of the way, never by more than a quarter: a night
// scene shall dim a face, not hide it.
func lightGain(cut, back *image.NRGBA, alpha []float32, strength float64) [3]float32 {
	var fore, behind [3]float64
	var fw, bw float64
	for i, a := range alpha {
		f, b := cut.Pix[4*i:], back.Pix[4*i:]
		wb := float64(b[3]) / 255
		for c := range 3 {
			fore[c] += float64(a) * float64(linear[f[c]])
			behind[c] += wb * float64(linear[b[c]])
		}
		fw += float64(a)
		bw += wb
	}
	if fw < 1 || bw < 1 {
		return [3]float32{1, 1, 1}
	}
	var lf, lb float64
	weights := [3]float64{0.2126, 0.7152, 0.0722}
	for c := range 3 {
		fore[c] = fore[c]/fw + 0.02
		behind[c] = behind[c]/bw + 0.02
		lf += weights[c] * fore[c]
		lb += weights[c] * behind[c]
	}
	var gain [3]float32
	for c := range 3 {
		bright := math.Pow(lb/lf, 0.35*strength)
		// The tint is the background's, whatever the person wears.
		tint := math.Pow(behind[c]/lb, 0.35*strength)
		gain[c] = float32(min(max(bright*tint, 0.75), 1.25))
	}
	return gain
}
