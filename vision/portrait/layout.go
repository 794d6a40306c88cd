package portrait

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	xdraw "golang.org/x/image/draw"

	"github.com/videomsg/videomsg/vision/face"
)

// scene is the picture as laid out for the frame.
type scene struct {
	tex   *image.NRGBA    // opaque, frame size
	alpha *image.Alpha    // nil without a mask
	back  *image.NRGBA    // nil without a mask
	face  face.Face       // in texture pixels
	inset image.Rectangle // part of the texture that is the picture itself
}

// framing bounds for the height of the crop, in pupil distances: the face is
// never smaller than 1/8 of the frame between the pupils, and the head must fit.
const (
	widest   = 8.0
	tightest = 4.7
)

// layOut crops the picture around the face for a w×h frame. When that aspect
// would cut through the head, the whole height is shown over its own blur.
func layOut(in Input, f face.Face, w, h int) scene {
	b := in.Image.Bounds()
	f = f.Map(float64(b.Min.X), float64(b.Min.Y), 1)
	sw, sh := float64(b.Dx()), float64(b.Dy())
	iod := f.Frame.IOD()
	aspect := float64(w) / float64(h)
	ch := min(sh, sw/aspect, widest*iod)
	full := min(sh, widest*iod)
	if ch < tightest*iod && full > 1.05*ch {
		ch = min(full, max(6*iod, ch))
	}
	cw := ch * aspect // may be wider than the picture
	fx, fy := f.Frame.Pixel(0, 0.55)
	x0, y0 := fx-cw/2, clamp(fy-ch*0.45, 0, sh-ch)
	if cw <= sw {
		x0 = clamp(x0, 0, sw-cw)
	} else {
		x0 = (sw - cw) / 2
	}
	// whole source pixels, so that the scale below is exact
	x0, y0 = math.Round(x0), math.Round(y0)
	k := float64(h) / ch
	s := scene{face: f.Map(x0, y0, k)}
	src := image.Rect(int(max(0, x0)), int(y0), int(min(sw, math.Ceil(x0+cw))), int(min(sh, math.Ceil(y0+ch))))
	at := func(v, o float64) int { return int(math.Round((v - o) * k)) }
	dst := image.Rect(at(float64(src.Min.X), x0), at(float64(src.Min.Y), y0), at(float64(src.Max.X), x0), at(float64(src.Max.Y), y0))
	s.inset = dst.Intersect(image.Rect(0, 0, w, h))

	mask := in.Alpha
	if mask == nil {
		mask = transparency(in.Image)
	}
	origin := image.Point{}
	if mask != nil {
		origin = mask.Bounds().Min
	}
	s.tex = image.NewNRGBA(image.Rect(0, 0, w, h))
	if !dst.Eq(s.tex.Rect) {
		copy(s.tex.Pix, backdropOf(in.Image, w, h).Pix)
	}
	xdraw.CatmullRom.Scale(s.tex, dst, in.Image, src.Add(b.Min), draw.Src, nil)
	if mask == nil {
		opaque(s.tex, color.NRGBA{128, 128, 128, 255})
		return s
	}
	s.alpha = image.NewAlpha(s.tex.Rect)
	xdraw.BiLinear.Scale(s.alpha, dst, mask, src.Add(origin), draw.Src, nil)
	switch {
	case in.Background != nil && !in.Background.Bounds().Empty():
		bb := in.Background.Bounds()
		s.back = scaled(in.Background, cover(bb, w, h), w, h)
		opaque(s.back, color.NRGBA{128, 140, 150, 255})
	case transparency(in.Image) != nil:
		s.back = gradient(w, h)
	default:
		s.back = behind(s.tex, s.alpha)
	}
	bleed(s.tex, s.alpha)
	return s
}

// gradient is the quiet background of a cut-out that came without one.
func gradient(w, h int) *image.NRGBA {
	im := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			d := math.Hypot(float64(x)/float64(w)-0.42, float64(y)/float64(h)-0.36)
			g := 1.1 - 0.4*step(0, 1, d)
			o := im.PixOffset(x, y)
			im.Pix[o], im.Pix[o+1], im.Pix[o+2], im.Pix[o+3] = byteOf(172*g), byteOf(188*g), byteOf(202*g), 255
		}
	}
	return im
}

// behind completes the picture's own background where the person stands.
func behind(tex *image.NRGBA, alpha *image.Alpha) *image.NRGBA {
	w, h := tex.Rect.Dx(), tex.Rect.Dy()
	known := make([]float32, w*h)
	d := max(2, w/100)
	// known is what is transparent within d pixels: two passes of a running count
	rows := make([]uint8, w*h)
	for y := range h {
		last := -d - 1
		for x := range w {
			if alpha.Pix[y*alpha.Stride+x] > 12 {
				last = x
			}
			if x-last <= d {
				rows[y*w+x] = 1
			}
		}
		last = w + d + 1
		for x := w - 1; x >= 0; x-- {
			if alpha.Pix[y*alpha.Stride+x] > 12 {
				last = x
			}
			if last-x <= d {
				rows[y*w+x] = 1
			}
		}
	}
	for x := range w {
		last := -d - 1
		for y := range h {
			if rows[y*w+x] != 0 {
				last = y
			}
			if y-last > d {
				known[y*w+x] = 1
			}
		}
		last = h + d + 1
		for y := h - 1; y >= 0; y-- {
			if rows[y*w+x] != 0 {
				last = y
			}
			if last-y <= d {
				known[y*w+x] = 0
			}
		}
	}
	return pushPull(tex, known)
}

// bleed replaces the colours of transparent pixels by those of the person
// nearby, so that sampling along the edge brings in no halo.
func bleed(tex *image.NRGBA, alpha *image.Alpha) {
	w, h := tex.Rect.Dx(), tex.Rect.Dy()
	known := make([]float32, w*h)
	for y := range h {
		for x := range w {
			if a := alpha.Pix[y*alpha.Stride+x]; a > 200 {
				known[y*w+x] = 1
			}
		}
	}
	fill := pushPull(tex, known)
	for y := range h {
		for x := range w {
			a := int(alpha.Pix[y*alpha.Stride+x])
			if a > 200 {
				continue
			}
			// partly covered pixels keep their colour in proportion
			o := tex.PixOffset(x, y)
			for c := range 3 {
				tex.Pix[o+c] = uint8((int(tex.Pix[o+c])*a + int(fill.Pix[o+c])*(255-a)) / 255)
			}
			tex.Pix[o+3] = 255
		}
	}
}

// pushPull fills what is not known (weight 0) from ever coarser averages of
// what is (Gortler et al., "The Lumigraph", 1996).
func pushPull(im *image.NRGBA, known []float32) *image.NRGBA {
	type level struct {
		w, h int
		c    []float32 // r, g, b, weight
	}
	w, h := im.Rect.Dx(), im.Rect.Dy()
	base := level{w, h, make([]float32, w*h*4)}
	for i, k := range known {
		if k > 0 {
			for c := range 3 {
				base.c[i*4+c] = float32(im.Pix[i*4+c])
			}
			base.c[i*4+3] = 1
		}
	}
	levels := []level{base}
	for p := base; p.w > 1 || p.h > 1; {
		n := level{(p.w + 1) / 2, (p.h + 1) / 2, nil}
		n.c = make([]float32, n.w*n.h*4)
		for y := range n.h {
			for x := range n.w {
				var s [4]float32
				for k := range 4 {
					q := p.c[(min(2*y+k>>1, p.h-1)*p.w+min(2*x+k&1, p.w-1))*4:]
					for c := range 3 {
						s[c] += q[c] * q[3]
					}
					s[3] += q[3]
				}
				if s[3] > 0 {
					o := n.c[(y*n.w+x)*4:]
					o[0], o[1], o[2], o[3] = s[0]/s[3], s[1]/s[3], s[2]/s[3], min(1, s[3])
				}
			}
		}
		levels = append(levels, n)
		p = n
	}
	for k := len(levels) - 2; k >= 0; k-- {
		n, p := levels[k], levels[k+1]
		for y := range n.h {
			fy := clamp(float64(y)/2-0.25, 0, float64(p.h-1))
			y0 := int(fy)
			y1, ay := min(y0+1, p.h-1), float32(fy-float64(y0))
			for x := range n.w {
				q := n.c[(y*n.w+x)*4:]
				if q[3] >= 1 {
					continue
				}
				fx := clamp(float64(x)/2-0.25, 0, float64(p.w-1))
				x0 := int(fx)
				x1, ax := min(x0+1, p.w-1), float32(fx-float64(x0))
				for c := range 3 {
					v := (p.c[(y0*p.w+x0)*4+c]*(1-ax)+p.c[(y0*p.w+x1)*4+c]*ax)*(1-ay) +
						(p.c[(y1*p.w+x0)*4+c]*(1-ax)+p.c[(y1*p.w+x1)*4+c]*ax)*ay
					q[c] = q[c]*q[3] + v*(1-q[3])
				}
				q[3] = 1
			}
		}
	}
	out := image.NewNRGBA(im.Rect)
	for i := range w * h {
		for c := range 3 {
			out.Pix[i*4+c] = uint8(levels[0].c[i*4+c] + 0.5)
		}
		out.Pix[i*4+3] = 255
	}
	return out
}
