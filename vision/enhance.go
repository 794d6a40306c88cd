package vision

import (
	"image"
	"math"
)

// Enhancement says how far a portrait is improved. The zero value changes
// nothing; Gentle is meant for people who just want to look right.
type Enhancement struct {
	Exposure     float64 // 0..1: brings a dark or pale face towards a middle brightness
	WhiteBalance float64 // 0..1: removes a colour cast
	Denoise      float64 // 0..1: smooths flat areas, keeping edges
	Sharpen      float64 // 0..1: mild unsharp masking of the luminance
}

// Gentle is the default enhancement.
var Gentle = Enhancement{Exposure: 0.6, WhiteBalance: 0.5, Denoise: 0.35, Sharpen: 0.35}

// Enhance returns an improved copy of the same size; it never enlarges. face is
// the square from brow to chin that exposure goes by, empty when unknown.
// Transparent pixels count for nothing and alpha is kept. A good picture comes
// back nearly unchanged.
func Enhance(img *image.NRGBA, e Enhancement, face image.Rectangle) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := Crop(img, image.Rect(0, 0, w, h))
	if w < 3 || h < 3 {
		return out
	}
	e.Exposure, e.WhiteBalance, e.Denoise, e.Sharpen = unit(e.Exposure), unit(e.WhiteBalance), unit(e.Denoise), unit(e.Sharpen)
	if e.Denoise > 0 || e.Sharpen > 0 {
		detail(out, e)
	}
	if e.Exposure > 0 || e.WhiteBalance > 0 {
		tone(out, e, face)
	}
	return out
}

func unit(v float64) float64 {
	if !(v > 0) { // also NaN
		return 0
	}
	return min(v, 1)
}

// tone applies one curve per channel: gains against a cast, then a gamma that
// moves the face's median brightness towards the middle without touching black
// and white.
func tone(img *image.NRGBA, e Enhancement, face image.Rectangle) {
	gain := castGains(img)
	median, ok := medianLuma(img, face)
	gamma := 1.0
	if ok {
		// Skin of every tone is welcome: only faces outside a wide range are moved,
		// and only to its border.
		target := min(max(median, 0.36), 0.70)
		if median > 0.02 && median < 0.98 {
			gamma = math.Log(median+(target-median)*e.Exposure) / math.Log(median)
		}
		gamma = min(max(gamma, 0.55), 1.6)
	}
	var table [3][256]uint8
	for c := range 3 {
		g := 1 + (gain[c]-1)*e.WhiteBalance
		for v := range 256 {
			x := min(float64(v)/255*g, 1)
			table[c][v] = uint8(255*math.Pow(x, gamma) + 0.5)
		}
	}
	for i := 0; i < len(img.Pix); i += 4 {
		for c := range 3 {
			img.Pix[i+c] = table[c][img.Pix[i+c]]
		}
	}
}

// castGains estimates the light's colour from the nearly neutral pixels: those
// that differ little from grey. A picture without them (a red curtain) has no
// measurable cast and is left alone.
func castGains(img *image.NRGBA) [3]float64 {
	one := [3]float64{1, 1, 1}
	var sum [3]float64
	var n, seen float64
	for i := 0; i < len(img.Pix); i += 4 * 7 {
		p := img.Pix[i : i+4]
		if p[3] < 128 {
			continue
		}
		hi, lo := max(p[0], p[1], p[2]), min(p[0], p[1], p[2])
		seen++
		if hi < 60 || hi > 250 || int(hi-lo)*100 > 28*int(hi) {
			continue
		}
		for c := range 3 {
			sum[c] += float64(p[c])
		}
		n++
	}
	if seen == 0 || n < 0.05*seen {
		return one
	}
	grey := (sum[0] + sum[1] + sum[2]) / 3
	var g [3]float64
	for c := range 3 {
		g[c] = min(max(grey/max(sum[c], 1), 0.85), 1.18)
	}
	return g
}

// medianLuma of the face, or of the whole picture when there is none.
func medianLuma(img *image.NRGBA, face image.Rectangle) (float64, bool) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	area := image.Rect(0, 0, w, h)
	if in := face.Intersect(area); !in.Empty() {
		area = in
	}
	var hist [256]int
	n := 0
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			p := img.Pix[y*img.Stride+4*x:]
			if p[3] < 128 {
				continue
			}
			hist[luma(p)]++
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	k := 0
	for v, c := range hist {
		if k += c; 2*k >= n {
			return float64(v) / 255, true
		}
	}
	return 1, true
}

func luma(p []uint8) int {
	return (299*int(p[0]) + 587*int(p[1]) + 114*int(p[2]) + 500) / 1000
}

// detail smooths noise and sharpens edges in one pass over 5 × 5 pixels. The
// smoothing is a sigma filter (Lee 1983): the mean of those neighbours whose
// brightness is within twice the measured noise. What differs by more is
// structure, and is lifted against the local mean.
func detail(img *image.NRGBA, e Enhancement) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	src := make([]uint8, len(img.Pix))
	copy(src, img.Pix)
	light := make([]uint8, w*h)
	for y := range h {
		for x := range w {
			light[y*w+x] = uint8(luma(src[y*img.Stride+4*x:]))
		}
	}
	noise := noiseLevel(img)
	limit := int(2*noise + 1)
	if noise < 0.8 { // clean already
		limit = 0
	}
	Rows(h, func(from, to int) {
		for y := from; y < to; y++ {
			for x := range w {
				at := y*img.Stride + 4*x
				p := src[at : at+4]
				if p[3] == 0 {
					continue
				}
				own := int(light[y*w+x])
				var mean [3]int
				var n, all, cnt int
				for j := max(y-2, 0); j <= min(y+2, h-1); j++ {
					row := src[j*img.Stride:]
					for i := max(x-2, 0); i <= min(x+2, w-1); i++ {
						q := row[4*i : 4*i+4]
						if q[3] == 0 {
							continue
						}
						l := int(light[j*w+i])
						all += l
						cnt++
						if d := l - own; d <= limit && d >= -limit {
							mean[0] += int(q[0])
							mean[1] += int(q[1])
							mean[2] += int(q[2])
							n++
						}
					}
				}
				// Contrast with the surroundings beyond the noise is structure.
				lift := float64(own) - float64(all)/float64(cnt)
				if math.Abs(lift) <= 1.5*noise {
					lift = 0
				}
				lift = min(max(lift*0.9*e.Sharpen, -14), 14)
				for c := range 3 {
					v := float64(p[c])
					if limit > 0 {
						v += (float64(mean[c])/float64(n) - v) * e.Denoise
					}
					img.Pix[at+c] = uint8(min(max(v+lift, 0), 255) + 0.5)
				}
			}
		}
	})
}

// noiseLevel is the standard deviation of the noise in levels, from the median
// of the absolute response to Immerkær's mask (1996), which cancels edges and
// gradients.
func noiseLevel(img *image.NRGBA) float64 {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	var hist [2048]int
	n := 0
	step := max(1, w*h/200_000)
	for k := 0; k < w*h; k += step {
		x, y := k%w, k/w
		if x == 0 || y == 0 || x == w-1 || y == h-1 {
			continue
		}
		at := func(dx, dy int) int { return luma(img.Pix[(y+dy)*img.Stride+4*(x+dx):]) }
		v := at(-1, -1) - 2*at(0, -1) + at(1, -1) - 2*at(-1, 0) + 4*at(0, 0) - 2*at(1, 0) + at(-1, 1) - 2*at(0, 1) + at(1, 1)
		hist[min(max(v, -v), len(hist)-1)]++
		n++
	}
	k := 0
	for v, c := range hist {
		if k += c; 2*k >= n {
			// The mask multiplies the deviation by 6; the median of |N(0,1)| is 0.6745.
			return float64(v) / 6 / 0.6745
		}
	}
	return 0
}
