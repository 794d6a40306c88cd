package vision

import (
	"fmt"
	"image"
	"math"
)

// Crop copies the part r of img. What lies outside the picture is transparent.
func Crop(img *image.NRGBA, r image.Rectangle) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, max(r.Dx(), 0), max(r.Dy(), 0)))
	in := r.Intersect(image.Rect(0, 0, img.Rect.Dx(), img.Rect.Dy()))
	for y := in.Min.Y; y < in.Max.Y; y++ {
		s := img.Pix[y*img.Stride+4*in.Min.X : y*img.Stride+4*in.Max.X]
		copy(out.Pix[(y-r.Min.Y)*out.Stride+4*(in.Min.X-r.Min.X):], s)
	}
	return out
}

// An Aspect is a ratio of width to height; the zero value keeps the picture's.
type Aspect struct{ W, H int }

// The aspects that the API knows.
var (
	Square    = Aspect{1, 1}
	Portrait  = Aspect{9, 16}
	Landscape = Aspect{16, 9}
	Source    = Aspect{}
)

// ParseAspect knows "1:1", "9:16", "16:9" and "source".
func ParseAspect(s string) (Aspect, error) {
	switch s {
	case "1:1":
		return Square, nil
	case "9:16":
		return Portrait, nil
	case "16:9":
		return Landscape, nil
	case "source":
		return Source, nil
	}
	return Aspect{}, fmt.Errorf("aspect %q: not one of 1:1, 9:16, 16:9, source", s)
}

func (a Aspect) String() string {
	if a.W <= 0 || a.H <= 0 {
		return "source"
	}
	return fmt.Sprintf("%d:%d", a.W, a.H)
}

// A Shot says how much of the person is framed.
type Shot int

// The shots.
const (
	// TalkingHead: the face takes 40 to 60 % of the height.
	TalkingHead Shot = iota
	// UpperBody: head and shoulders.
	UpperBody
)

// Framing describes a crop around a face.
type Framing struct {
	Aspect Aspect
	Shot   Shot
	// Face is the square from brow to chin; empty means unknown, and the crop is
	// then the largest of the aspect, kept towards the top where heads are.
	Face image.Rectangle
	// HairTop is the y of the highest pixel of the person when a trusted mask
	// knows it: it is not cut off if the picture allows. 0 means unknown.
	HairTop int
	// Beyond lets the crop reach past the picture at the sides and the top, for a
	// cut-out whose new background fills that space. It never reaches below, where
	// the body would end in the air.
	Beyond bool
}

// Rect returns the crop in pixels of a w × h picture. It has the aspect to
// within a pixel, and lies inside the picture unless Beyond is set. With the
// source aspect it is the whole picture.
func (f Framing) Rect(w, h int) image.Rectangle {
	if f.Aspect.W <= 0 || f.Aspect.H <= 0 || w <= 0 || h <= 0 {
		return image.Rect(0, 0, max(w, 0), max(h, 0))
	}
	ratio := float64(f.Aspect.W) / float64(f.Aspect.H)
	whole := float64(h)
	if float64(w)/whole < ratio {
		whole = float64(w) / ratio
	}
	if f.Face.Empty() {
		y := (float64(h) - whole) * 0.2
		return place((float64(w)-whole*ratio)/2, y, whole, ratio, w, h)
	}
	s := float64(max(f.Face.Dx(), f.Face.Dy()))
	cx, cy := float64(f.Face.Min.X+f.Face.Max.X)/2, float64(f.Face.Min.Y+f.Face.Max.Y)/2

	// Height and the top's distance above the face's centre in face sides. Hair
	// ends about one side above the centre.
	high, top := 2.3, 1.05
	switch {
	case f.Shot == UpperBody && ratio < 0.8:
		high, top = 3.4/ratio, 1+0.12*3.4/ratio
	case f.Shot == UpperBody && ratio > 1.2:
		high, top = 3.0, 1.3
	case f.Shot == UpperBody:
		high, top = 3.2, 1.4
	case ratio < 0.8: // narrow: as much height as the 40 % allow, for the ears' sake
		high, top = 2.5, 1.15
	}
	y0 := cy - top*s
	height := high * s
	if f.HairTop > 0 && float64(f.HairTop) < y0+0.03*height {
		y0 = float64(f.HairTop) - 0.03*height
		if f.Shot == TalkingHead { // keep the chin: grow, but only while the face stays 40 %
			height = max(height, min(2.5*s, cy+1.1*s-y0))
		} else {
			height = max(height, cy+1.4*s-y0)
		}
	}
	// Nothing is below the picture: frame closer rather than leave more room above
	// the head, but not closer than a talking head.
	if over := y0 + height - float64(h); over > 0 {
		height = max(height-over, min(height, 2.3*s))
	}
	if f.Beyond {
		y0 = min(y0, float64(h)-height)
		x0 := cx - height*ratio/2
		r := image.Rectangle{Min: image.Pt(int(math.Floor(x0)), int(math.Floor(y0)))}
		r.Max = r.Min.Add(image.Pt(max(2, int(height*ratio+0.5)), max(2, int(height+0.5))))
		if r.Max.Y > h {
			r = r.Sub(image.Pt(0, r.Max.Y-h))
		}
		return r
	}
	height = min(height, whole)
	return place(cx-height*ratio/2, y0, height, ratio, w, h)
}

// place moves a crop of the given height into the picture.
func place(x, y, height, ratio float64, w, h int) image.Rectangle {
	ch := min(h, max(1, int(height+0.5)))
	cw := min(w, max(1, int(height*ratio+0.5)))
	x0 := min(max(0, int(math.Round(x))), w-cw)
	y0 := min(max(0, int(math.Round(y))), h-ch)
	return image.Rect(x0, y0, x0+cw, y0+ch)
}

// OutputSize is the size in which to deliver a crop of w × h: even sides, the
// long one at most long, and never larger than the crop.
func OutputSize(w, h, long int) (int, int) {
	k := min(1, float64(long)/float64(max(w, h, 1)))
	even := func(v int) int { return max(2, int(float64(v)*k+0.5)&^1) }
	return even(w), even(h)
}
