package image

import (
	"image"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/vision"
)

// A shot is where the picture is cut. The person is separated in a part of the
// upload that holds every possible shot; which it will be depends on whether
// there is a cut-out, since only that may stand beside its own picture's edge.
type shot struct {
	aspect vision.Aspect
	long   int             // longer side of the result, at most
	region image.Rectangle // that part, in the upload
	scale  float64         // pixels of the portrait for one of the upload
	plain  image.Rectangle // the shot of a picture with its background, in the portrait
}

// approach keeps the part of the picture around the face that the shot needs, in
// about its final size. free says that a cut-out is to come.
func (p *portrait) approach(req events.Image, long int, free bool) error {
	aspect, err := vision.ParseAspect(req.Aspect)
	if req.Aspect == "" {
		aspect, err = vision.Square, nil
	}
	if err != nil {
		return consumers.Fail("PARAMETER_OUT_OF_RANGE", "The aspect is not known.", err)
	}
	size := p.img.Rect.Size()
	f := vision.Framing{Aspect: aspect, Face: p.face()}
	plain := f.Rect(size.X, size.Y)
	region := plain
	if free && !f.Face.Empty() {
		f.Beyond = true
		around := f.Rect(size.X, size.Y)
		side := max(f.Face.Dx(), f.Face.Dy())
		around.Min.Y -= side / 2 // the hair may be high
		around.Min.X, around.Max.X = around.Min.X-side/4, around.Max.X+side/4
		region = plain.Union(around.Intersect(p.img.Rect))
	}
	w, _ := vision.OutputSize(plain.Dx(), plain.Dy(), long)
	k := float64(w) / float64(plain.Dx())
	p.shot = &shot{aspect: aspect, long: long, region: region, scale: k}
	p.view(region, int(float64(region.Dx())*k+0.5), int(float64(region.Dy())*k+0.5))
	p.shot.plain = mapped(plain, region.Min, k).Intersect(p.img.Rect)
	return nil
}

// frame takes the shot.
func (p *portrait) frame() {
	s := p.shot
	r := s.plain
	if p.cut != nil && !p.face().Empty() {
		var soft bool
		if r, soft = p.beyond(); soft {
			given := p.cut == p.img
			p.cut = feather(p.cut)
			if given {
				p.img = p.cut
			}
		}
	}
	s.region = image.Rectangle{
		Min: s.region.Min.Add(shrunk(r.Min, s.scale)),
		Max: s.region.Min.Add(shrunk(r.Max, s.scale)),
	}
	p.report.Crop = [4]int{s.region.Min.X, s.region.Min.Y, s.region.Max.X, s.region.Max.Y}
	w, h := vision.OutputSize(r.Dx(), r.Dy(), s.long)
	p.view(r, w, h)
}

// tooClose is the share of the height from which a face is worse than a body whose
// sides fade out.
const tooClose = 0.75

// beyond is the shot of a cut-out: the face in its place even where the picture
// ends, as long as the person does not. Of a person who fills the picture from
// side to side the plain shot is taken, unless only a part of the face were seen:
// then the sides are to be made soft.
func (p *portrait) beyond() (r image.Rectangle, soft bool) {
	w, h := p.cut.Rect.Dx(), p.cut.Rect.Dy()
	e := edges(p.cut)
	free := vision.Framing{Aspect: p.shot.aspect, Face: p.face(), HairTop: e.hair, Beyond: true}.Rect(w, h)
	r = free
	if e.left && r.Min.X < 0 {
		r = r.Sub(image.Pt(r.Min.X, 0))
	}
	if e.right && r.Max.X > w {
		r = r.Sub(image.Pt(r.Max.X-w, 0))
	}
	if e.top && r.Min.Y < 0 {
		r = r.Sub(image.Pt(0, r.Min.Y))
	}
	switch {
	case !(e.left && r.Min.X < 0) && r.Max.Y <= h:
		return r, false
	case float64(p.face().Dy()) > tooClose*float64(p.shot.plain.Dy()):
		return free, true
	default:
		return p.shot.plain, false
	}
}

// feather fades a cut-out towards both sides of its picture.
func feather(cut *image.NRGBA) *image.NRGBA {
	out := vision.Crop(cut, cut.Rect)
	w, h := cut.Rect.Dx(), cut.Rect.Dy()
	n := max(w/5, 1)
	for x := range min(n, w/2) {
		t := (float64(x) + 0.5) / float64(n)
		k := t * t * (3 - 2*t)
		for y := range h {
			for _, i := range []int{x, w - 1 - x} {
				a := &out.Pix[y*out.Stride+4*i+3]
				*a = uint8(float64(*a)*k + 0.5)
			}
		}
	}
	return out
}

// edge says where a cut-out ends only because its picture does.
type edge struct {
	left, right, top bool
	hair             int // the highest row of the person
}

func edges(cut *image.NRGBA) edge {
	w, h := cut.Rect.Dx(), cut.Rect.Dy()
	solid := func(x, y int) bool { return cut.Pix[y*cut.Stride+4*x+3] > 127 }
	var left, right, top int
	e := edge{hair: -1}
	for y := range h {
		row := 0
		for x := range w {
			if solid(x, y) {
				row++
			}
		}
		if e.hair < 0 && row > w/200 {
			e.hair = y
		}
		if y == 0 {
			top = row
		}
		if solid(0, y) {
			left++
		}
		if solid(w-1, y) {
			right++
		}
	}
	e.hair = max(e.hair, 0)
	e.left, e.right, e.top = left > h/100, right > h/100, top > w/100
	return e
}

// view shows the part r of everything at w × h pixels.
func (p *portrait) view(r image.Rectangle, w, h int) {
	see := func(img *image.NRGBA) *image.NRGBA {
		if r == img.Rect && w == img.Rect.Dx() && h == img.Rect.Dy() {
			return img
		}
		return vision.Resize(vision.Crop(img, r), w, h)
	}
	same := p.cut == p.img
	p.img = see(p.img)
	switch {
	case same:
		p.cut = p.img
	case p.cut != nil:
		p.cut = see(p.cut)
	}
	k := float64(w) / float64(r.Dx())
	for i, f := range p.faces {
		p.faces[i] = mapped(f, r.Min, k)
	}
}

// mapped is r seen from origin, k times as large.
func mapped(r image.Rectangle, origin image.Point, k float64) image.Rectangle {
	at := func(v, o int) int { return int(float64(v-o)*k + 0.5) }
	return image.Rect(at(r.Min.X, origin.X), at(r.Min.Y, origin.Y), at(r.Max.X, origin.X), at(r.Max.Y, origin.Y))
}

func shrunk(p image.Point, k float64) image.Point {
	return image.Pt(int(float64(p.X)/k), int(float64(p.Y)/k))
}
