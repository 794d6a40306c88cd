package portrait

import (
	"github.com/videomsg/videomsg/vision/face"
)

// Frames are rendered in cells of 8×8 pixels. The corners know where in the
// texture they come from; inside a cell that is interpolated. Only cells around
// an open mouth or a blinking eye are evaluated pixel by pixel.
const cell = 8

// node is a corner of the grid: its texture point after the head's motion, and
// after the face's own as well.
type node struct{ hx, hy, sx, sy float32 }

// What a cell needs.
const (
	cellFine   = 1 << iota // per pixel
	cellEdge               // samples may leave the texture
	cellClear              // only background is seen
	cellOpaque             // only the person is seen
)

// camera is the slow zoom; the background follows it by less, which gives depth.
type camera struct {
	cx, cy, zoom  float64
	bx, by, bstep float64 // background: start and step per output pixel
}

func newCamera(o Options, motion float64, f face.Face, p *Pose) camera {
	c := camera{cx: float64(o.W) / 2, cy: float64(o.H) / 2}
	c.zoom = 1 + 0.03*motion*p.Zoom
	bz := 1 + (c.zoom-1)*0.4
	c.bstep = 1 / bz
	c.bx = c.cx - c.cx/bz + 0.35*p.SwayX*motion*f.Frame.IOD()*0.03
	c.by = c.cy - c.cy/bz
	return c
}

// blocks summarises an alpha plane in blocks of 8×8.
type blocks struct {
	w, h   int
	lo, hi []uint8
}

func newBlocks(a *plane) *blocks {
	b := &blocks{w: (a.w + 7) / 8, h: (a.h + 7) / 8}
	b.lo, b.hi = make([]uint8, b.w*b.h), make([]uint8, b.w*b.h)
	for j := range b.h {
		for i := range b.w {
			lo, hi := uint8(255), uint8(0)
			for y := j * 8; y < min(a.h, j*8+8); y++ {
				for _, v := range a.p[y*a.w+i*8 : y*a.w+min(a.w, i*8+8)] {
					lo, hi = min(lo, v), max(hi, v)
				}
			}
			b.lo[j*b.w+i], b.hi[j*b.w+i] = lo, hi
		}
	}
	return b
}

// span is the range of alpha in a texture box.
func (b *blocks) span(x0, y0, x1, y1 float32) (lo, hi uint8) {
	i0, j0 := max(0, min(b.w-1, int(x0)>>3)), max(0, min(b.h-1, int(y0)>>3))
	i1, j1 := max(0, min(b.w-1, int(x1)>>3)), max(0, min(b.h-1, int(y1)>>3))
	lo, hi = 255, 0
	for j := j0; j <= j1; j++ {
		for i := i0; i <= i1; i++ {
			lo, hi = min(lo, b.lo[j*b.w+i]), max(hi, b.hi[j*b.w+i])
		}
	}
	return lo, hi
}

func (t *talking) fillGrid(a, b int, p *Pose, j *jaw, c camera) {
	fr := t.face.Frame
	for row := a; row < b; row++ {
		for col := range t.gw {
			x, y := float64(col*cell), float64(row*cell)
			x, y = c.cx+(x-c.cx)/c.zoom, c.cy+(y-c.cy)/c.zoom
			if t.motion > 0 {
				u, v := fr.Canonical(x, y)
				du, dv := t.head(u, v, p)
				if t.alpha == nil && (du != 0 || dv != 0) {
					// nothing moves at the picture's border, so nothing tears
					w, h := t.inset[2]-t.inset[0], t.inset[3]-t.inset[1]
					e := step(0, 1, min(min(x-t.inset[0], t.inset[2]-x)/(0.10*w), (y-t.inset[1])/(0.10*h)))
					du *= e
					dv *= e * step(0, 1, (t.inset[3]-y)/(0.10*h))
				}
				if du != 0 || dv != 0 {
					x, y = fr.Pixel(u-du, v-dv)
				}
			}
			n := &t.grid[row*t.gw+col]
			n.hx, n.hy = float32(x), float32(y)
			sx, sy, _ := t.source(x, y, p, j)
			n.sx, n.sy = float32(sx), float32(sy)
		}
	}
}

func (t *talking) classify(a, b int) {
	w, h := float32(t.fore.y.w), float32(t.fore.y.h)
	for row := a; row < b; row++ {
		for col := range t.gw - 1 {
			n00, n10 := &t.grid[row*t.gw+col], &t.grid[row*t.gw+col+1]
			n01, n11 := &t.grid[(row+1)*t.gw+col], &t.grid[(row+1)*t.gw+col+1]
			var c uint8
			x0, x1 := min(n00.hx, n01.hx), max(n10.hx, n11.hx)
			y0, y1 := min(n00.hy, n10.hy), max(n01.hy, n11.hy)
			for _, f := range t.fine {
				if x1 >= f[0] && x0 <= f[2] && y1 >= f[1] && y0 <= f[3] {
					c |= cellFine
				}
			}
			if c&cellFine == 0 {
				x0, x1 = min(n00.sx, n01.sx), max(n10.sx, n11.sx)
				y0, y1 = min(n00.sy, n10.sy), max(n01.sy, n11.sy)
			}
			if x0 < 2 || y0 < 2 || x1 > w-4 || y1 > h-4 {
				c |= cellEdge
			}
			if t.alpha != nil {
				lo, hi := t.opaque.span(x0-2, y0-2, x1+2, y1+2)
				switch {
				case hi <= 1:
					c |= cellClear
				case lo >= 254:
					c |= cellOpaque
				}
			} else {
				c |= cellOpaque
			}
			t.cells[row*t.gw+col] = c
		}
	}
}

// run is a walk through a texture in 16.16 fixed point.
type run struct{ x, y, dx, dy int32 }

func newRun(x, y, dx, dy float32) run {
	return run{int32((x - 0.5) * 65536), int32((y - 0.5) * 65536), int32(dx * 65536), int32(dy * 65536)}
}

// luma samples one channel into out.
func (p *plane) luma(out []uint8, r run) {
	w := p.w
	for n := range out {
		o := int(r.y>>16)*w + int(r.x>>16)
		a, b := (r.x>>8)&255, (r.y>>8)&255
		q := p.p[o : o+w+2 : o+w+2]
		t := int32(q[0])<<8 + a*(int32(q[1])-int32(q[0]))
		v := int32(q[w])<<8 + a*(int32(q[w+1])-int32(q[w]))
		out[n] = uint8((t<<8 + b*(v-t) + 32768) >> 16)
		r.x += r.dx
		r.y += r.dy
	}
}

// chroma samples interleaved U and V.
func (p *plane) chroma(us, vs []uint8, r run) {
	w := 2 * p.w
	vs = vs[:len(us)]
	for n := range us {
		o := int(r.y>>16)*w + int(r.x>>16)*2
		a, b := (r.x>>8)&255, (r.y>>8)&255
		q := p.p[o : o+w+4 : o+w+4]
		t := int32(q[0])<<8 + a*(int32(q[2])-int32(q[0]))
		v := int32(q[w])<<8 + a*(int32(q[w+2])-int32(q[w]))
		us[n] = uint8((t<<8 + b*(v-t) + 32768) >> 16)
		t = int32(q[1])<<8 + a*(int32(q[3])-int32(q[1]))
		v = int32(q[w+1])<<8 + a*(int32(q[w+3])-int32(q[w+1]))
		vs[n] = uint8((t<<8 + b*(v-t) + 32768) >> 16)
		r.x += r.dx
		r.y += r.dy
	}
}

func (t *talking) rows(f *Frame, y0, y1 int, p *Pose, j *jaw, cam camera) {
	w := f.W
	for y := y0; y < y1; y++ {
		row := y / cell
		fy := (float32(y%cell) + 0.5) / cell
		upper, lower := t.grid[row*t.gw:(row+1)*t.gw], t.grid[(row+1)*t.gw:(row+2)*t.gw]
		cells := t.cells[row*t.gw : row*t.gw+t.gw-1]
		for col := 0; col < len(cells); col++ {
			c := cells[col]
			x0, x1 := col*cell, min(w, col*cell+cell)
			if c&cellClear != 0 { // the background moves as a whole: one long line
				for col+1 < len(cells) && cells[col+1]&cellClear != 0 {
					col++
				}
				t.background(f, segment{y: y, x0: x0, x1: min(w, col*cell+cell)}, cam)
				continue
			}
			a, b, d, e := &upper[col], &upper[col+1], &lower[col], &lower[col+1]
			var lx, ly, rx, ry float32
			if c&cellFine != 0 {
				lx, ly = a.hx+(d.hx-a.hx)*fy, a.hy+(d.hy-a.hy)*fy
				rx, ry = b.hx+(e.hx-b.hx)*fy, b.hy+(e.hy-b.hy)*fy
			} else {
				lx, ly = a.sx+(d.sx-a.sx)*fy, a.sy+(d.sy-a.sy)*fy
				rx, ry = b.sx+(e.sx-b.sx)*fy, b.sy+(e.sy-b.sy)*fy
			}
			s := segment{y: y, x0: x0, x1: x1, dx: (rx - lx) / cell, dy: (ry - ly) / cell}
			s.sx, s.sy = lx+s.dx*0.5, ly+s.dy*0.5
			// texture rows of the chroma line, half a pixel further down
			if c&cellFine != 0 {
				s.cx, s.cy = lx+(d.hx-a.hx)*0.5/cell, ly+(d.hy-a.hy)*0.5/cell
			} else {
				s.cx, s.cy = lx+(d.sx-a.sx)*0.5/cell, ly+(d.sy-a.sy)*0.5/cell
			}
			switch {
			case c&(cellFine|cellEdge) == 0 && c&cellOpaque != 0:
				t.foreground(f, s)
			case c&(cellFine|cellEdge) == 0:
				t.blend(f, s, cam)
			default:
				t.slow(f, s, c, p, j, cam)
			}
		}
	}
}

// segment is one line of one cell: its output pixels and its walk through the
// texture, for luma from (sx, sy), for chroma (even lines only) along (cx, cy).
type segment struct {
	y, x0, x1      int
	sx, sy, dx, dy float32
	cx, cy         float32
}

func (s *segment) lumaRun() run { return newRun(s.sx, s.sy, s.dx, s.dy) }

// chromaRun samples at the middle of 2×2 output pixels, in half resolution.
func (s *segment) chromaRun() run {
	return newRun((s.cx+s.dx)*0.5, (s.cy+s.dy)*0.5, s.dx, s.dy)
}

func (s *segment) chromaOut(f *Frame) (us, vs []uint8) {
	o := (s.y>>1)*(f.W>>1) + s.x0>>1
	n := (s.x1 - s.x0) / 2
	return f.U[o : o+n : o+n], f.V[o : o+n : o+n]
}

func (t *talking) foreground(f *Frame, s segment) {
	o := s.y * f.W
	t.fore.y.luma(f.Y[o+s.x0:o+s.x1:o+s.x1], s.lumaRun())
	if s.y&1 == 0 {
		us, vs := s.chromaOut(f)
		t.fore.c.chroma(us, vs, s.chromaRun())
	}
}

func (c camera) segment(y, x0, x1 int) segment {
	k := float32(c.bstep)
	s := segment{y: y, x0: x0, x1: x1, dx: k}
	s.sx, s.sy = float32(c.bx+(float64(x0)+0.5)*c.bstep), float32(c.by+(float64(y)+0.5)*c.bstep)
	s.cx, s.cy = s.sx-0.5*k, s.sy+0.5*k
	return s
}

// inPlane tells whether a walk of n steps stays where sampling needs no clamp.
func (p *plane) inPlane(r run, n int) bool {
	ex, ey := r.x+r.dx*int32(n-1), r.y+r.dy*int32(n-1)
	return min(r.x, ex) >= 0 && min(r.y, ey) >= 0 && int(max(r.x, ex)>>16) < p.w-2 && int(max(r.y, ey)>>16) < p.h-2
}

func (t *talking) background(f *Frame, s segment, cam camera) {
	g := cam.segment(s.y, s.x0, s.x1)
	o := s.y * f.W
	out := f.Y[o+s.x0 : o+s.x1 : o+s.x1]
	var us, vs []uint8
	if s.y&1 == 0 {
		us, vs = s.chromaOut(f)
	}
	t.backLine(out, us, vs, &g)
}

// backLine samples the background; us is empty on odd lines.
func (t *talking) backLine(out, us, vs []uint8, g *segment) {
	if r := g.lumaRun(); t.back.y.inPlane(r, len(out)) {
		t.back.y.luma(out, r)
	} else {
		for n := range out {
			out[n] = uint8(t.back.y.at(g.sx+float32(n)*g.dx, g.sy) + 0.5)
		}
	}
	if len(us) == 0 {
		return
	}
	if r := g.chromaRun(); t.back.c.inPlane(r, len(us)) {
		t.back.c.chroma(us, vs, r)
		return
	}
	for n := range us {
		u, v := t.back.c.pair((g.cx+(float32(2*n)+1)*g.dx)*0.5, g.cy*0.5)
		us[n], vs[n] = uint8(u+0.5), uint8(v+0.5)
	}
}

// blend composes a line over the background where the person's edge runs.
func (t *talking) blend(f *Frame, s segment, cam camera) {
	var bg, bu, bv, al [cell]uint8
	n := s.x1 - s.x0
	g := cam.segment(s.y, s.x0, s.x1)
	chroma := s.y&1 == 0
	m := 0
	if chroma {
		m = n / 2
	}
	t.backLine(bg[:n], bu[:m], bv[:m], &g)
	t.foreground(f, s)
	t.alpha.luma(al[:n], s.lumaRun())
	o := s.y * f.W
	mix(f.Y[o+s.x0:o+s.x1], bg[:n], al[:n])
	if chroma {
		us, vs := s.chromaOut(f)
		t.alpha.luma(al[:m], newRun(s.cx+s.dx, s.cy+s.dy, 2*s.dx, 2*s.dy))
		mix(us, bu[:m], al[:m])
		mix(vs, bv[:m], al[:m])
	}
}

// mix is out = bg + (out − bg)·al/255, rounded.
func mix(out, bg, al []uint8) {
	bg, al = bg[:len(out)], al[:len(out)]
	for n, v := range out {
		a, b := int32(al[n]), int32(bg[n])
		d := (int32(v)-b)*a + 128
		out[n] = uint8(b + (d+d>>8)>>8)
	}
}

// slow evaluates every pixel.
func (t *talking) slow(f *Frame, s segment, c uint8, p *Pose, j *jaw, cam camera) {
	var bg, bu, bv [cell]uint8
	masked := c&cellOpaque == 0
	chroma := s.y&1 == 0
	n := s.x1 - s.x0
	if masked {
		g := cam.segment(s.y, s.x0, s.x1)
		m := 0
		if chroma {
			m = n / 2
		}
		t.backLine(bg[:n], bu[:m], bv[:m], &g)
	}
	over := func(v, b, a float32) uint8 { return uint8(min(max(b+(v-b)*a+0.5, 0), 255)) }
	for i := range n {
		x, y := s.sx+float32(i)*s.dx, s.sy+float32(i)*s.dy
		var in ink
		if c&cellFine != 0 {
			sx, sy, k := t.source(float64(x), float64(y), p, j)
			x, y, in = float32(sx), float32(sy), k
		}
		v := t.fore.y.at(x, y)
		v += (in.y - v) * in.a
		a := float32(1)
		if masked {
			a = t.alpha.at(x, y) * (1.0 / 255)
		}
		f.Y[s.y*f.W+s.x0+i] = over(v, float32(bg[i]), a)
		if !chroma || i&1 != 0 {
			continue
		}
		// between this pixel, its right neighbour and the line below
		x, y = s.cx+(float32(i)+1)*s.dx, s.cy+(float32(i)+1)*s.dy
		if c&cellFine != 0 {
			sx, sy, k := t.source(float64(x), float64(y), p, j)
			x, y, in = float32(sx), float32(sy), k
		}
		u, w := t.fore.c.pair(x*0.5, y*0.5)
		u += (in.u - u) * in.a
		w += (in.v - w) * in.a
		o := (s.y>>1)*(f.W>>1) + (s.x0+i)>>1
		f.U[o], f.V[o] = over(u, float32(bu[i/2]), a), over(w, float32(bv[i/2]), a)
	}
}
