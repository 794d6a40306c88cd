package matting

import (
	"image"
	"math"

	"github.com/videomsg/videomsg/vision"
)

// A raster is a small picture with one feature vector per pixel: red, green,
// blue and local sharpness, all on a scale of about 0..255.
type raster struct {
	w, h int
	f    [][4]float32
}

// newRaster computes the features. Sharpness, 25·ln(1 + mean |Laplacian| over
// 9 × 9), separates a sharp person from a blurred background of like colour.
func newRaster(img *image.NRGBA) *raster {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	r := &raster{w, h, make([][4]float32, w*h)}
	luma := make([]float32, w*h)
	for y := range h {
		for x := range w {
			p := img.Pix[y*img.Stride+4*x:]
			f := &r.f[y*w+x]
			f[0], f[1], f[2] = float32(p[0]), float32(p[1]), float32(p[2])
			luma[y*w+x] = 0.299*f[0] + 0.587*f[1] + 0.114*f[2]
		}
	}
	lap := field{w, h, make([]float32, w*h)}
	for y := 1; y+1 < h; y++ {
		for x := 1; x+1 < w; x++ {
			i := y*w + x
			v := 4*luma[i] - luma[i-1] - luma[i+1] - luma[i-w] - luma[i+w]
			lap.pix[i] = float32(math.Abs(float64(v)))
		}
	}
	lap = box(lap, 4)
	for i, v := range lap.pix {
		r.f[i][3] = 25 * float32(math.Log1p(float64(v)))
	}
	return r
}

// colourDistance is the squared distance of two pixels' colours.
func (r *raster) colourDistance(i, j int) float32 {
	a, b := &r.f[i], &r.f[j]
	x, y, z := a[0]-b[0], a[1]-b[1], a[2]-b[2]
	return x*x + y*y + z*z
}

// A field is a plane of numbers, usually 0..1.
type field struct {
	w, h int
	pix  []float32
}

func newField(w, h int) field { return field{w, h, make([]float32, w*h)} }

func fieldOf(m *image.Gray) field {
	f := newField(m.Rect.Dx(), m.Rect.Dy())
	for y := range f.h {
		row := m.Pix[y*m.Stride : y*m.Stride+f.w]
		for x, v := range row {
			f.pix[y*f.w+x] = float32(v) / 255
		}
	}
	return f
}

func (f field) gray() *image.Gray {
	m := image.NewGray(image.Rect(0, 0, f.w, f.h))
	for i, v := range f.pix {
		m.Pix[i] = uint8(clamp01(v)*255 + 0.5)
	}
	return m
}

// A mask is a plane of zeros and ones.
type mask struct {
	w, h int
	pix  []uint8
}

func newMask(w, h int) mask { return mask{w, h, make([]uint8, w*h)} }

func (m mask) field() field {
	f := newField(m.w, m.h)
	for i, v := range m.pix {
		f.pix[i] = float32(v)
	}
	return f
}

// overlap is intersection over union.
func (m mask) overlap(o mask) float64 {
	var in, un int
	for i, v := range m.pix {
		in += int(v & o.pix[i])
		un += int(v | o.pix[i])
	}
	if un == 0 {
		return 1
	}
	return float64(in) / float64(un)
}

// box is the mean over a square of radius r, normalised at the borders.
func box(a field, r int) field {
	out := newField(a.w, a.h)
	boxInto(out, a, newField(a.w, a.h), r)
	return out
}

// boxInto writes to dst with t as scratch; dst may be a.
func boxInto(dst, a, t field, r int) {
	w, h := a.w, a.h
	for y := range h {
		row, o := a.pix[y*w:y*w+w], t.pix[y*w:y*w+w]
		var s float64
		for x := range min(r, w) {
			s += float64(row[x])
		}
		for x := range w {
			if x+r < w {
				s += float64(row[x+r])
			}
			if x-r-1 >= 0 {
				s -= float64(row[x-r-1])
			}
			o[x] = float32(s / float64(min(w-1, x+r)-max(0, x-r)+1))
		}
	}
	col := make([]float64, w)
	for y := range min(r, h) {
		for x, v := range t.pix[y*w : y*w+w] {
			col[x] += float64(v)
		}
	}
	for y := range h {
		if y+r < h {
			for x, v := range t.pix[(y+r)*w : (y+r+1)*w] {
				col[x] += float64(v)
			}
		}
		if y-r-1 >= 0 {
			for x, v := range t.pix[(y-r-1)*w : (y-r)*w] {
				col[x] -= float64(v)
			}
		}
		k := 1 / float64(min(h-1, y+r)-max(0, y-r)+1)
		o := dst.pix[y*w : y*w+w]
		for x, v := range col {
			o[x] = float32(v * k)
		}
	}
}

// resizeField scales to w × h: bilinearly when enlarging, by area means when
// shrinking.
func resizeField(f field, w, h int) field {
	if f.w == w && f.h == h {
		return f
	}
	out := newField(w, h)
	if f.w == 0 || f.h == 0 {
		return out
	}
	if w < f.w && h < f.h {
		for y := range h {
			y0, y1 := y*f.h/h, max(y*f.h/h+1, (y+1)*f.h/h)
			for x := range w {
				x0, x1 := x*f.w/w, max(x*f.w/w+1, (x+1)*f.w/w)
				var s float32
				for yy := y0; yy < y1; yy++ {
					for _, v := range f.pix[yy*f.w+x0 : yy*f.w+x1] {
						s += v
					}
				}
				out.pix[y*w+x] = s / float32((y1-y0)*(x1-x0))
			}
		}
		return out
	}
	sx, sy := float32(f.w)/float32(w), float32(f.h)/float32(h)
	vision.Rows(h, func(a, b int) {
		for y := a; y < b; y++ {
			j, t := tap(y, sy, f.h)
			r0 := f.pix[j*f.w : (j+1)*f.w]
			r1 := f.pix[min(j+1, f.h-1)*f.w:]
			for x := range w {
				i, u := tap(x, sx, f.w)
				i1 := min(i+1, f.w-1)
				top := r0[i] + (r0[i1]-r0[i])*u
				bot := r1[i] + (r1[i1]-r1[i])*u
				out.pix[y*w+x] = top + (bot-top)*t
			}
		}
	})
	return out
}

// tap finds the sample before pixel i of a raster scaled by step, and how far
// the pixel lies towards the next one.
func tap(i int, step float32, n int) (int, float32) {
	v := max(0, (float32(i)+0.5)*step-0.5)
	k := min(int(v), n-1)
	return k, min(v-float32(k), 1)
}

func clamp01(v float32) float32 { return min(max(v, 0), 1) }
