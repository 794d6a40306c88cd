package matting

import (
	"image"
	"sync"

	"github.com/videomsg/videomsg/vision"
)

const (
	edgeRadius  = 8    // pixels at midSide
	edgeEpsilon = 1e-4 // of the guide's variance, guide 0..1
	edgeSub     = 2    // coefficients are computed at half of midSide
)

// An edge predicts alpha from a pixel's own colour: alpha = a·rgb + b with
// coefficients that vary slowly over the picture. They are computed at a small
// size and applied to pixels at full size, which brings back single hairs.
type edge struct {
	coef    [4]field // a for red, green, blue (guide 0..1), b
	near    field    // mean of the mask: 0 or 1 away from its border
	colours colours
}

// newEdge filters the coarse mask (same size as mid) guided by mid.
func newEdge(mid *image.NRGBA, coarse field) *edge {
	sub := edgeSub
	if max(mid.Rect.Dx(), mid.Rect.Dy()) < midSide/2 {
		sub = 1
	}
	w, h := max(2, mid.Rect.Dx()/sub), max(2, mid.Rect.Dy()/sub)
	r := max(1, edgeRadius*max(mid.Rect.Dx(), mid.Rect.Dy())/midSide/sub)
	small := vision.Average(mid, w, h)
	q := resizeField(coarse, w, h)
	guide := planes(small, 1.0/255)
	e := &edge{near: box(q, 2*r), coef: guided(guide, q, r)}
	for i := range q.pix {
		q.pix[i] = e.alpha(e.near.pix[i], e.coef[0].pix[i]*guide[0].pix[i]+e.coef[1].pix[i]*guide[1].pix[i]+e.coef[2].pix[i]*guide[2].pix[i]+e.coef[3].pix[i])
	}
	e.colours = newColours(small, q, foundRidge)
	return e
}

// alpha turns the filter's value, which never quite reaches 0 and 1, into
// opacity, and keeps away from the border what the mask says.
func (e *edge) alpha(near, v float32) float32 {
	switch {
	case near < 0.002:
		return 0
	case near > 0.998:
		return 1
	}
	return clamp01((v - 0.06) / 0.88)
}

// planes splits a picture into three fields scaled by k.
func planes(img *image.NRGBA, k float32) [3]field {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := [3]field{newField(w, h), newField(w, h), newField(w, h)}
	for y := range h {
		for x := range w {
			p := img.Pix[y*img.Stride+4*x:]
			for c := range 3 {
				out[c].pix[y*w+x] = float32(p[c]) * k
			}
		}
	}
	return out
}

// guided is the colour guided filter's coefficients, already averaged.
func guided(g [3]field, p field, r int) [4]field {
	w, h := p.w, p.h
	n := w * h
	// Means of the guide, the mask and their products.
	type product struct{ a, b *field }
	jobs := []product{
		{&g[0], nil},
		{&g[1], nil},
		{&g[2], nil},
		{&p, nil},
		{&g[0], &p},
		{&g[1], &p},
		{&g[2], &p},
		{&g[0], &g[0]},
		{&g[0], &g[1]},
		{&g[0], &g[2]},
		{&g[1], &g[1]},
		{&g[1], &g[2]},
		{&g[2], &g[2]},
	}
	mean := make([]field, len(jobs))
	pair(len(jobs), func(i int, scratch field) {
		mean[i] = newField(w, h)
		if jobs[i].b == nil {
			boxInto(mean[i], *jobs[i].a, scratch, r)
			return
		}
		for k, v := range jobs[i].a.pix {
			mean[i].pix[k] = v * jobs[i].b.pix[k]
		}
		boxInto(mean[i], mean[i], scratch, r)
	}, w, h)
	var out [4]field
	for c := range out {
		out[c] = newField(w, h)
	}
	for i := range n {
		var m [13]float32
		for k := range m {
			m[k] = mean[k].pix[i]
		}
		c0, c1, c2 := m[4]-m[0]*m[3], m[5]-m[1]*m[3], m[6]-m[2]*m[3]
		a00, a01, a02 := m[7]-m[0]*m[0]+edgeEpsilon, m[8]-m[0]*m[1], m[9]-m[0]*m[2]
		a11, a12, a22 := m[10]-m[1]*m[1]+edgeEpsilon, m[11]-m[1]*m[2], m[12]-m[2]*m[2]+edgeEpsilon
		// Inverse of the symmetric 3 × 3 covariance by cofactors.
		i00, i01, i02 := a11*a22-a12*a12, a12*a02-a01*a22, a01*a12-a11*a02
		i11, i12, i22 := a00*a22-a02*a02, a01*a02-a00*a12, a00*a11-a01*a01
		d := a00*i00 + a01*i01 + a02*i02
		if d < 1e-16 {
			out[3].pix[i] = m[3]
			continue
		}
		d = 1 / d
		x, y, z := (i00*c0+i01*c1+i02*c2)*d, (i01*c0+i11*c1+i12*c2)*d, (i02*c0+i12*c1+i22*c2)*d
		out[0].pix[i], out[1].pix[i], out[2].pix[i] = x, y, z
		out[3].pix[i] = m[3] - x*m[0] - y*m[1] - z*m[2]
	}
	pair(4, func(i int, scratch field) { boxInto(out[i], out[i], scratch, r) }, w, h)
	return out
}

// pair runs n jobs on two goroutines, each with a scratch field of w × h.
func pair(n int, f func(i int, scratch field), w, h int) {
	var wg sync.WaitGroup
	for k := range 2 {
		wg.Go(func() {
			scratch := newField(w, h)
			for i := k; i < n; i += 2 {
				f(i, scratch)
			}
		})
	}
	wg.Wait()
}

// apply writes the cut-out at the picture's size.
func (e *edge) apply(img *image.NRGBA) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	cw, ch := e.near.w, e.near.h
	sx, sy := float32(cw)/float32(w), float32(ch)/float32(h)
	vision.Rows(h, func(from, to int) {
		// The coefficients of one row, interpolated downwards; one more column so
		// that the step to the right needs no test.
		var row [5][]float32
		for k := range row {
			row[k] = make([]float32, cw+1)
		}
		for y := from; y < to; y++ {
			j, t := tap(y, sy, ch)
			j1 := min(j+1, ch-1)
			for k := range row {
				f := &e.near
				if k < 4 {
					f = &e.coef[k]
				}
				a, b := f.pix[j*cw:(j+1)*cw], f.pix[j1*cw:(j1+1)*cw]
				for i, v := range a {
					row[k][i] = v + (b[i]-v)*t
				}
				row[k][cw] = row[k][cw-1]
			}
			src := img.Pix[y*img.Stride : y*img.Stride+4*w]
			dst := out.Pix[y*out.Stride : y*out.Stride+4*w]
			for x := range w {
				i, u := tap(x, sx, cw)
				at := func(k int) float32 { return row[k][i] + (row[k][i+1]-row[k][i])*u }
				near := at(4)
				if near < 0.002 {
					continue
				}
				s, d := src[4*x:4*x+4], dst[4*x:4*x+4]
				copy(d, s)
				if near > 0.998 {
					continue
				}
				r, g, b := float32(s[0]), float32(s[1]), float32(s[2])
				a := e.alpha(near, (at(0)*r+at(1)*g+at(2)*b)/255+at(3))
				e.colours.free(d, a, x, y, w, h)
				d[3] = uint8(float32(s[3])*a + 0.5)
				if d[3] == 0 {
					d[0], d[1], d[2] = 0, 0, 0
				}
			}
		}
	})
	return out
}
