package portrait

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"

	xdraw "golang.org/x/image/draw"
)

// still paints a picture that does not speak: fixed, or under a slow camera.
type still struct {
	pic    *layer
	frames int
	o      Options
	move   bool
	fixed  *Frame // of a camera that does not move
}

func newStill(o Options, in Input, frames int, move bool) *still {
	return &still{pic: newLayer(fit(in, o.W, o.H)), frames: frames, o: o, move: move}
}

// fit lays a whole picture into the frame: filled when the aspects are close,
// else in full over its own blur. Transparency shows the background.
func fit(in Input, w, h int) *image.NRGBA {
	b := in.Image.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	mask := in.Alpha
	if mask == nil {
		mask = transparency(in.Image)
	}
	switch {
	case mask != nil && in.Background != nil && !in.Background.Bounds().Empty():
		copy(out.Pix, scaled(in.Background, cover(in.Background.Bounds(), w, h), w, h).Pix)
		opaque(out, color.NRGBA{128, 140, 150, 255})
	case mask != nil:
		copy(out.Pix, gradient(w, h).Pix)
	default:
		copy(out.Pix, backdropOf(in.Image, w, h).Pix)
	}
	k := min(float64(w)/float64(b.Dx()), float64(h)/float64(b.Dy()))
	if r := max(float64(w)/float64(b.Dx()), float64(h)/float64(b.Dy())); r < 1.25*k {
		k = r
	}
	dw, dh := max(1, int(math.Round(float64(b.Dx())*k))), max(1, int(math.Round(float64(b.Dy())*k)))
	dst := image.Rect((w-dw)/2, (h-dh)/2, (w-dw)/2+dw, (h-dh)/2+dh)
	pic := image.NewNRGBA(dst)
	xdraw.CatmullRom.Scale(pic, dst, in.Image, b, draw.Src, nil)
	if mask == nil {
		opaque(pic, color.NRGBA{128, 128, 128, 255})
		draw.Draw(out, dst, pic, dst.Min, draw.Src)
		return out
	}
	m := image.NewAlpha(dst)
	xdraw.BiLinear.Scale(m, dst, mask, mask.Bounds(), draw.Src, nil)
	for i := 3; i < len(pic.Pix); i += 4 {
		pic.Pix[i] = 255
	}
	draw.DrawMask(out, dst, pic, dst.Min, m, dst.Min, draw.Over)
	return out
}

func (s *still) paint(f *Frame) {
	if !s.move || s.o.Motion == 0 {
		if s.fixed == nil {
			s.camera(f, 1, 0, 0)
			s.fixed = &Frame{Y: slices.Clone(f.Y), U: slices.Clone(f.U), V: slices.Clone(f.V)}
			return
		}
		copy(f.Y, s.fixed.Y)
		copy(f.U, s.fixed.U)
		copy(f.V, s.fixed.V)
		return
	}
	u := (float64(f.Index) + 0.5) / float64(s.frames)
	e := u * u * (3 - 2*u)
	zoom := 1 + 0.10*s.o.Motion*e
	// drifts towards the upper third, where faces are
	s.camera(f, zoom, 0, -0.25*(zoom-1)*float64(s.o.H)/2)
}

// camera samples the picture zoomed about its middle, moved by (px, py).
func (s *still) camera(f *Frame, zoom, px, py float64) {
	k := 1 / zoom
	x0 := float64(f.W)/2*(1-k) + px
	y0 := float64(f.H)/2*(1-k) + py
	y0 = clamp(y0, 0, float64(f.H)*(1-k))
	for y := range f.H {
		out := f.Y[y*f.W : (y+1)*f.W]
		r := newRun(float32(x0+0.5*k), float32(y0+(float64(y)+0.5)*k), float32(k), 0)
		s.pic.y.clampedLuma(out, r)
	}
	for y := range f.H / 2 {
		n := f.W / 2
		r := newRun(float32((x0+k)*0.5), float32((y0+(float64(y)*2+1)*k)*0.5), float32(k), 0)
		s.pic.c.clampedChroma(f.U[y*n:(y+1)*n], f.V[y*n:(y+1)*n], r)
	}
}

// clampedLuma is luma for horizontal walks that may touch the border.
func (p *plane) clampedLuma(out []uint8, r run) {
	if p.inPlane(r, len(out)) {
		p.luma(out, r)
		return
	}
	y := (float32(r.y)/65536 + 0.5)
	for n := range out {
		out[n] = uint8(p.at(float32(r.x+int32(n)*r.dx)/65536+0.5, y) + 0.5)
	}
}

func (p *plane) clampedChroma(us, vs []uint8, r run) {
	if p.inPlane(r, len(us)) {
		p.chroma(us, vs, r)
		return
	}
	y := (float32(r.y)/65536 + 0.5)
	for n := range us {
		u, v := p.pair(float32(r.x+int32(n)*r.dx)/65536+0.5, y)
		us[n], vs[n] = uint8(u+0.5), uint8(v+0.5)
	}
}
