package vision

import (
	"image"
	"math"
)

// Resize scales img to w × h with Catmull–Rom's cubic (Keys 1981, a = -0.5),
// widened when shrinking so that nothing aliases. Strong reductions are first
// averaged over areas. Colours are weighted by alpha. The result's bounds start
// at (0, 0); a side below 1 becomes 1.
func Resize(img *image.NRGBA, w, h int) *image.NRGBA {
	w, h = max(w, 1), max(h, 1)
	sw, sh := img.Rect.Dx(), img.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	if sw == 0 || sh == 0 {
		return out
	}
	if sw > 3*w || sh > 3*h {
		sw, sh = min(sw, 2*w), min(sh, 2*h)
		img = toNRGBA(img, sw, sh)
	}
	// Horizontal pass into premultiplied floats, then vertical.
	tmp := make([]float32, 4*w*sh)
	hx := kernels(sw, w)
	Rows(sh, func(a, b int) {
		line := make([]float32, 4*sw)
		for y := a; y < b; y++ {
			row := img.Pix[y*img.Stride : y*img.Stride+4*sw]
			for x := 0; x < len(row); x += 4 {
				al := float32(row[x+3])
				k := al / 255
				line[x], line[x+1], line[x+2], line[x+3] = float32(row[x])*k, float32(row[x+1])*k, float32(row[x+2])*k, al
			}
			for x := range hx {
				var s [4]float32
				for i, wt := range hx[x].weight {
					p := line[4*(hx[x].first+i):]
					s[0] += wt * p[0]
					s[1] += wt * p[1]
					s[2] += wt * p[2]
					s[3] += wt * p[3]
				}
				copy(tmp[4*(y*w+x):], s[:])
			}
		}
	})
	hy := kernels(sh, h)
	Rows(h, func(a, b int) {
		line := make([]float32, 4*w)
		for y := a; y < b; y++ {
			clear(line)
			for i, wt := range hy[y].weight {
				src := tmp[4*w*(hy[y].first+i) : 4*w*(hy[y].first+i+1)]
				for x, v := range src {
					line[x] += wt * v
				}
			}
			d := out.Pix[y*out.Stride : y*out.Stride+4*w]
			for x := 0; x < len(d); x += 4 {
				al := line[x+3]
				if al < 0.5 {
					continue
				}
				k := 255 / al
				for c := range 3 {
					d[x+c] = uint8(min(max(line[x+c]*k, 0), 255) + 0.5)
				}
				d[x+3] = uint8(min(al, 255) + 0.5)
			}
		}
	})
	return out
}

// A kernel is the weights of consecutive source samples for one result.
type kernel struct {
	first  int
	weight []float32
}

func kernels(from, to int) []kernel {
	out := make([]kernel, to)
	scale := float64(from) / float64(to)
	wide := max(scale, 1)
	for i := range out {
		centre := (float64(i)+0.5)*scale - 0.5
		lo := max(0, int(math.Ceil(centre-2*wide)))
		hi := min(from-1, int(math.Floor(centre+2*wide)))
		k := kernel{first: lo, weight: make([]float32, hi-lo+1)}
		var sum float64
		for j := lo; j <= hi; j++ {
			v := catmullRom((float64(j) - centre) / wide)
			k.weight[j-lo] = float32(v)
			sum += v
		}
		for j := range k.weight {
			k.weight[j] /= float32(sum)
		}
		out[i] = k
	}
	return out
}

func catmullRom(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return 1 + x*x*(1.5*x-2.5)
	case x < 2:
		return 2 + x*(-4+x*(2.5-0.5*x))
	}
	return 0
}

// Shrink scales img by area means so that its long side is at most side; a
// smaller picture is returned as it is. Faster than Resize, and meant for
// analysis.
func Shrink(img *image.NRGBA, side int) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if max(w, h) <= side || side < 1 {
		return img
	}
	k := float64(side) / float64(max(w, h))
	return toNRGBA(img, max(1, int(float64(w)*k+0.5)), max(1, int(float64(h)*k+0.5)))
}

// Average scales img down to w × h by area means; a size not smaller is left to
// Resize. Fast, slightly rough at odd ratios, and meant for analysis.
func Average(img *image.NRGBA, w, h int) *image.NRGBA {
	if w < 1 || h < 1 || w > img.Rect.Dx() || h > img.Rect.Dy() {
		return Resize(img, w, h)
	}
	return toNRGBA(img, w, h)
}

// Cover scales img so that it covers w × h and cuts off what is left over, never
// stretching it. focusX and focusY in 0..1 say which part to keep; 0.5 is the
// middle.
func Cover(img *image.NRGBA, w, h int, focusX, focusY float64) *image.NRGBA {
	w, h = max(w, 1), max(h, 1)
	sw, sh := img.Rect.Dx(), img.Rect.Dy()
	if sw == 0 || sh == 0 {
		return image.NewNRGBA(image.Rect(0, 0, w, h))
	}
	k := min(float64(sw)/float64(w), float64(sh)/float64(h))
	cw, ch := min(sw, max(1, int(float64(w)*k+0.5))), min(sh, max(1, int(float64(h)*k+0.5)))
	at := func(focus float64, room int) int {
		if !(focus >= 0) { // also NaN
			focus = 0
		}
		return int(min(focus, 1)*float64(room) + 0.5)
	}
	x, y := at(focusX, sw-cw), at(focusY, sh-ch)
	return Resize(Crop(img, image.Rect(x, y, x+cw, y+ch)), w, h)
}

// ResizeGray scales a mask to w × h as Resize does pictures.
func ResizeGray(m *image.Gray, w, h int) *image.Gray {
	sw, sh := m.Rect.Dx(), m.Rect.Dy()
	wide := image.NewNRGBA(image.Rect(0, 0, sw, sh))
	for y := range sh {
		for x, v := range m.Pix[y*m.Stride : y*m.Stride+sw] {
			p := wide.Pix[y*wide.Stride+4*x:]
			p[0], p[3] = v, 255
		}
	}
	wide = Resize(wide, w, h)
	out := image.NewGray(wide.Rect)
	for i := range out.Pix {
		out.Pix[i] = wide.Pix[4*i]
	}
	return out
}
