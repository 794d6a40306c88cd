package portrait

import (
	"image"
	"math"

	"github.com/videomsg/videomsg/vision/face"
)

// mendCorners corrects the corners of a wide smile: bright teeth, most of all
// on dark skin, lead the landmark search astray. Where a row of teeth reaches
// beyond a corner, or lies at another height, the teeth are believed.
func mendCorners(im *image.NRGBA, f face.Face) face.Face {
	const (
		n, m   = 85, 45 // samples over u and v
		du, dv = 0.02, 0.02
		u0, v0 = -0.84, 0.66
	)
	var cl, cs, cr []float64
	for _, u := range []float64{-0.72, -0.64, -0.56, 0.56, 0.64, 0.72} {
		for _, v := range []float64{0.42, 0.5, 0.58} {
			r, g, b := faceRGB(im, f, u, v)
			cl, cs, cr = append(cl, luma(r, g, b)), append(cs, saturation(r, g, b)), append(cr, (r-g)/(r+g+b+1))
		}
	}
	skin, sat, red := percentile(cl, 0.5), percentile(cs, 0.5), percentile(cr, 0.5)
	if sat < 0.06 {
		return f // greyscale: no colour to tell teeth by
	}
	var white [m][n]bool
	for j := range m {
		for i := range n {
			r, g, b := faceRGB(im, f, u0+du*float64(i), v0+dv*float64(j))
			white[j][i] = luma(r, g, b) > 0.85*skin && saturation(r, g, b) < 0.55*sat && (r-g)/(r+g+b+1) < 0.55*red
		}
	}
	// the connected white region that starts between the lips
	type cell struct{ i, j int }
	var seen [m][n]bool
	var todo, region []cell
	for j := range m {
		v := v0 + dv*float64(j)
		for i := range n {
			if u := u0 + du*float64(i); white[j][i] && math.Abs(u) < 0.2 && v > f.LipTop.Y && v < f.LipBot.Y && !seen[j][i] {
				seen[j][i] = true
				todo = append(todo, cell{i, j})
			}
		}
	}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		region = append(region, c)
		for _, d := range []cell{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
			i, j := c.i+d.i, c.j+d.j
			if i >= 0 && j >= 0 && i < n && j < m && white[j][i] && !seen[j][i] {
				seen[j][i] = true
				todo = append(todo, cell{i, j})
			}
		}
	}
	left, right := n, -1
	for _, c := range region {
		left, right = min(left, c.i), max(right, c.i)
	}
	width, area := du*float64(right-left+1), du*dv*float64(len(region))
	if width < 0.45 || width > 1.2 || area < 0.05*width || area > 0.3*width {
		return f // no row of teeth
	}
	corner := func(old face.Point, end, out int) face.Point {
		var v, k float64
		for _, c := range region {
			if (c.i-end)*out >= -3 {
				v, k = v+v0+dv*float64(c.j), k+1
			}
		}
		p := face.Point{X: u0 + du*float64(end) + 0.05*float64(out), Y: v / k}
		if math.Hypot(p.X-old.X, p.Y-old.Y) < 0.10 {
			return old
		}
		return p
	}
	f.MouthL, f.MouthR = corner(f.MouthL, left, -1), corner(f.MouthR, right, 1)
	return f
}

func faceRGB(im *image.NRGBA, f face.Face, u, v float64) (r, g, b float64) {
	x, y := f.Frame.Pixel(u, v)
	return rgbAt(im, x, y)
}
