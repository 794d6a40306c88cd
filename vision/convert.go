package vision

import (
	"image"
	"image/color"
	"runtime"
	"sync"
)

// rowReader writes row y of a picture as straight 8-bit RGBA.
type rowReader func(y int, dst []uint8)

// toNRGBA converts any decoder's output to w × h straight RGBA, averaging areas
// when that is smaller, without a full-size copy in between.
func toNRGBA(src image.Image, w, h int) *image.NRGBA {
	b := src.Bounds()
	sw, sh := b.Dx(), b.Dy()
	read := rows(src)
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	if w == sw && h == sh {
		Rows(h, func(y0, y1 int) {
			for y := y0; y < y1; y++ {
				read(y, out.Pix[y*out.Stride:y*out.Stride+4*w])
			}
		})
		return out
	}
	boxShrink(out, sw, sh, read)
	return out
}

// boxShrink averages source areas with premultiplied colour, so that the
// colours under transparent pixels do not bleed.
func boxShrink(out *image.NRGBA, sw, sh int, read rowReader) {
	w, h := out.Rect.Dx(), out.Rect.Dy()
	Rows(h, func(a, b int) {
		row := make([]uint8, 4*sw)
		sum := make([]uint64, 5*w) // r·a, g·a, b·a, a, count
		for y := a; y < b; y++ {
			clear(sum)
			y0, y1 := y*sh/h, max(y*sh/h+1, (y+1)*sh/h)
			for sy := y0; sy < y1; sy++ {
				read(sy, row)
				for x := range w {
					x0, x1 := x*sw/w, max(x*sw/w+1, (x+1)*sw/w)
					var r, g, b, al uint64
					for cell := row[4*x0 : 4*x1]; len(cell) >= 4; cell = cell[4:] {
						w := uint64(cell[3])
						r += uint64(cell[0]) * w
						g += uint64(cell[1]) * w
						b += uint64(cell[2]) * w
						al += w
					}
					s := sum[5*x : 5*x+5]
					s[0] += r
					s[1] += g
					s[2] += b
					s[3] += al
					s[4] += uint64(x1 - x0)
				}
			}
			d := out.Pix[y*out.Stride : y*out.Stride+4*w]
			for x := range w {
				s := sum[5*x : 5*x+5]
				if s[3] == 0 {
					continue
				}
				half := s[3] / 2
				d[4*x] = uint8((s[0] + half) / s[3])
				d[4*x+1] = uint8((s[1] + half) / s[3])
				d[4*x+2] = uint8((s[2] + half) / s[3])
				d[4*x+3] = uint8((s[3] + s[4]/2) / s[4])
			}
		}
	})
}

// rows knows the concrete types that the three decoders return.
func rows(src image.Image) rowReader {
	b := src.Bounds()
	w := b.Dx()
	switch m := src.(type) {
	case *image.NRGBA:
		return func(y int, d []uint8) {
			copy(d[:4*w], m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):])
		}
	case *image.YCbCr:
		return func(y int, d []uint8) { ycbcrRow(m, y, d) }
	case *image.NYCbCrA:
		return func(y int, d []uint8) {
			ycbcrRow(&m.YCbCr, y, d)
			a := m.A[m.AOffset(b.Min.X, b.Min.Y+y):]
			for x := range w {
				d[4*x+3] = a[x]
			}
		}
	case *image.Gray:
		return func(y int, d []uint8) {
			s := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range w {
				d[4*x], d[4*x+1], d[4*x+2], d[4*x+3] = s[x], s[x], s[x], 255
			}
		}
	case *image.CMYK:
		return func(y int, d []uint8) {
			s := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range w {
				d[4*x], d[4*x+1], d[4*x+2] = color.CMYKToRGB(s[4*x], s[4*x+1], s[4*x+2], s[4*x+3])
				d[4*x+3] = 255
			}
		}
	case *image.Paletted:
		var table [256][4]uint8
		for i := range min(len(m.Palette), 256) {
			c := color.NRGBAModel.Convert(m.Palette[i]).(color.NRGBA)
			table[i] = [4]uint8{c.R, c.G, c.B, c.A}
		}
		return func(y int, d []uint8) {
			s := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range w {
				copy(d[4*x:4*x+4], table[s[x]][:])
			}
		}
	case *image.NRGBA64:
		return func(y int, d []uint8) { // big endian, 8 bytes per pixel
			s := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
			for i := range 4 * w {
				d[i] = to8(s[2*i], s[2*i+1])
			}
		}
	}
	return func(y int, d []uint8) {
		for x := range w {
			c := color.NRGBAModel.Convert(src.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			d[4*x], d[4*x+1], d[4*x+2], d[4*x+3] = c.R, c.G, c.B, c.A
		}
	}
}

// to8 rounds a big-endian 16-bit sample to 8 bits.
func to8(hi, lo uint8) uint8 {
	v := uint32(hi)<<8 | uint32(lo)
	return uint8((v*255 + 32767) / 65535)
}

func ycbcrRow(m *image.YCbCr, y int, d []uint8) {
	b := m.Rect
	yo := m.YOffset(b.Min.X, b.Min.Y+y)
	for x := range b.Dx() {
		co := m.COffset(b.Min.X+x, b.Min.Y+y)
		d[4*x], d[4*x+1], d[4*x+2] = color.YCbCrToRGB(m.Y[yo+x], m.Cb[co], m.Cr[co])
		d[4*x+3] = 255
	}
}

// Rows calls f with consecutive parts of [0, n) on all processors and waits for
// them. The result of f must not depend on how the parts are cut.
func Rows(n int, f func(from, to int)) {
	parts := min(runtime.GOMAXPROCS(0), max(1, n/16))
	if parts <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() { f(n*i/parts, n*(i+1)/parts) })
	}
	wg.Wait()
}
