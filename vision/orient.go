package vision

import "image"

// orient turns and mirrors img so that EXIF orientation o becomes 1. It may
// reuse img.
func orient(img *image.NRGBA, o int) *image.NRGBA {
	if o <= 1 || o > 8 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	dw, dh := w, h
	if o >= 5 {
		dw, dh = h, w
	}
	out := image.NewNRGBA(image.Rect(0, 0, dw, dh))
	for y := range dh {
		d := out.Pix[y*out.Stride : y*out.Stride+4*dw]
		// The source pixel of the row's first destination pixel, and the step to
		// the next: Exif 2.32, 4.6.4, table of row and column positions.
		var sx, sy, dx, dy int
		switch o {
		case 2:
			sx, sy, dx = w-1, y, -1
		case 3:
			sx, sy, dx = w-1, h-1-y, -1
		case 4:
			sx, sy, dx = 0, h-1-y, 1
		case 5:
			sx, sy, dy = y, 0, 1
		case 6:
			sx, sy, dy = y, h-1, -1
		case 7:
			sx, sy, dy = w-1-y, h-1, -1
		case 8:
			sx, sy, dy = w-1-y, 0, 1
		}
		s := sy*img.Stride + 4*sx
		step := dy*img.Stride + 4*dx
		for x := range dw {
			copy(d[4*x:4*x+4], img.Pix[s:s+4])
			s += step
		}
	}
	return out
}
