// Package matting cuts a person out of a photograph without a trained model,
// and turns the mask of one that has a model into a clean cut-out.
//
// The recipe: a face tells where a body probably is (a shape prior); colour and
// sharpness models learnt from this very picture and a graph cut find the
// person at a small size (GrabCut: Rother, Kolmogorov, Blake, "GrabCut", 2004);
// a colour guided filter carries the edge to full size with its hair (He, Sun,
// Tang, "Guided image filtering", 2013); and the foreground's own colour is
// estimated along the edge, so that no rim of the old background remains
// (Forte, "Approximate fast foreground colour estimation", 2021).
//
// It knows when it does not know: several cuts that start from different beliefs
// vote, and their vote leads the final one. Result.Confidence says how far they
// agree and whether the outcome looks like a person.
// All functions are deterministic, pure and safe for concurrent use.
package matting

import (
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/videomsg/videomsg/vision"
)

// ErrNoSeed: neither a usable face nor a prior says where the person is.
var ErrNoSeed = errors.New("no face to start from")

// Accept is the confidence from which a cut-out may replace the background.
const Accept = 0.9

// Options say where the person is.
type Options struct {
	// Faces holds squares from brow to chin in pixels of the picture, which may
	// reach beyond it. The first is the person to keep; others at least half as
	// large are kept too unless Only is set.
	Faces []image.Rectangle
	// Only keeps the first face's person alone.
	Only bool
	// Prior, if not nil, is a model's opinion: 255 for surely the person. It may
	// have any size and is stretched over the picture. It replaces the shape
	// prior; Faces are then optional.
	Prior *image.Gray
	// Quick makes one cut where else several vote: less work, a little less
	// accurate, and Confidence judges the mask's shape alone.
	Quick bool
}

// A Result is a cut-out with what is thought of it.
type Result struct {
	// Cutout has the picture's size, straight alpha and clean edge colours.
	Cutout *image.NRGBA
	// Confidence is 0..1; below Accept the original picture is the better choice.
	Confidence float64
	// Agreement is the mean pairwise overlap of the repeated cuts, 0 with Quick.
	Agreement float64
	// Reasons say what lowered the confidence; empty for a good cut.
	Reasons []Reason
}

// A Reason is a stable word for why a cut is not trusted.
type Reason string

// The reasons.
const (
	Unsure    Reason = "cuts_disagree"
	Tiny      Reason = "person_too_small"
	Huge      Reason = "person_fills_picture"
	FaceHole  Reason = "face_not_inside"
	Headless  Reason = "person_cut_at_top"
	SmallFace Reason = "face_too_small"
	Ragged    Reason = "outline_ragged"
	Sprawling Reason = "person_beyond_shape"
	InTheAir  Reason = "person_ends_in_the_air"
	Alike     Reason = "person_like_background"
)

const (
	midSide   = 1024 // long side at which the edge is refined
	workSide  = 320  // long side of the graph cut
	smallSide = 200  // long side of the repeated cuts
)

// Cut separates the person from the background. It returns ErrNoSeed when
// Options hold neither a face inside the picture nor a prior.
func Cut(img *image.NRGBA, o Options) (Result, error) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if w < 16 || h < 16 {
		return Result{}, fmt.Errorf("cut %d × %d pixels: %w", w, h, ErrNoSeed)
	}
	mid := vision.Shrink(img, midSide)
	mw, mh := mid.Rect.Dx(), mid.Rect.Dy()
	seeds := seedsOf(o, w, h)
	if len(seeds) == 0 && o.Prior == nil {
		return Result{}, fmt.Errorf("cut: %w", ErrNoSeed)
	}

	ww, wh := fit(mw, mh, workSide)
	work := newRaster(vision.Average(mid, ww, wh))
	prior := o.Prior
	r := Result{Confidence: 1}
	if !o.Quick {
		sw, sh := fit(mw, mh, smallSide)
		votes := r.judgeAgreement(newRaster(vision.Average(mid, sw, sh)), seeds, o.Prior)
		if prior == nil {
			// What several cuts found is a better guess than the shape alone.
			for i, v := range votes.pix {
				votes.pix[i] = 0.05 + 0.9*v
			}
			prior = votes.gray()
		}
	}
	m := segment(work, seeds, prior, variant{})
	clean(m, seeds)
	r.judgeShape(m, seeds)
	switch {
	case o.Prior == nil: // a model sees raised arms and ends at a table, colours seldom do
		r.lower(beyondShape(m, seeds) > 0.05, 0.8, Sprawling)
		r.lower(endsInTheAir(m, seeds[0]), 0.5, InTheAir)
		if !o.Quick {
			r.judgeColours(work, m, seeds[0])
		}
	case !o.Quick:
		r.lower(r.Agreement < Accept, r.Agreement, Unsure)
		r.Confidence = min(r.Confidence, r.Agreement)
	}

	coarse := resizeField(m.field(), mw, mh)
	edge := newEdge(mid, coarse)
	r.Cutout = edge.apply(img)
	return r, nil
}

// Refine makes a clean cut-out from somebody else's mask of the same picture:
// the mask is stretched to the picture and its edge follows the picture's own
// edge within a few pixels. 255 is the person.
func Refine(img *image.NRGBA, mask *image.Gray) *image.NRGBA {
	mid := vision.Shrink(img, midSide)
	coarse := resizeField(fieldOf(mask), mid.Rect.Dx(), mid.Rect.Dy())
	return newEdge(mid, coarse).apply(img)
}

// Clean gives a cut-out from an alpha that is already as fine as it will get:
// alpha is kept (stretched to the picture when its size differs) and only the
// colours along the edge are freed of the old background.
func Clean(img *image.NRGBA, alpha *image.Gray) *image.NRGBA {
	small := vision.Shrink(img, midSide/edgeSub)
	coarse := resizeField(fieldOf(alpha), small.Rect.Dx(), small.Rect.Dy())
	full := alpha
	if alpha.Rect.Dx() != img.Rect.Dx() || alpha.Rect.Dy() != img.Rect.Dy() {
		full = resizeField(fieldOf(alpha), img.Rect.Dx(), img.Rect.Dy()).gray()
	}
	return newColours(small, coarse, givenRidge).paint(img, full)
}

// Judge rates a mask made elsewhere by its shape alone: 0..1, with reasons. A
// model may answer noise for a picture without a subject.
func Judge(mask *image.Gray, o Options) (float64, []Reason) {
	f := fieldOf(mask)
	ww, wh := fit(f.w, f.h, workSide)
	f = resizeField(f, ww, wh)
	m := newMask(ww, wh)
	for i, v := range f.pix {
		if v > 0.5 {
			m.pix[i] = 1
		}
	}
	r := Result{Confidence: 1}
	r.judgeShape(m, seedsOf(o, mask.Rect.Dx(), mask.Rect.Dy()))
	return r.Confidence, r.Reasons
}

// Alpha copies the opacity of a cut-out.
func Alpha(img *image.NRGBA) *image.Gray {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		s := img.Pix[y*img.Stride : y*img.Stride+4*w]
		d := out.Pix[y*out.Stride : y*out.Stride+w]
		for x := range d {
			d[x] = s[4*x+3]
		}
	}
	return out
}

// fit scales w × h down so that the long side is at most side.
func fit(w, h, side int) (int, int) {
	s := float64(side) / float64(max(w, h))
	if s >= 1 {
		return w, h
	}
	return max(1, int(float64(w)*s+0.5)), max(1, int(float64(h)*s+0.5))
}

// A seed is a face in units of the picture: centre and side as shares of the
// width and of the height, so that it fits every working size.
type seed struct{ x, y, s, aspect float64 }

// at returns centre and side in pixels of a w × h picture.
func (s seed) at(w int) (x, y, side float64) {
	return s.x * float64(w), s.y * float64(w), s.s * float64(w)
}

func seedsOf(o Options, w, h int) []seed {
	var out []seed
	var first float64
	for i, r := range o.Faces {
		side := math.Max(float64(r.Dx()), float64(r.Dy()))
		if side < 4 || side > 4*float64(max(w, h)) || r.Intersect(image.Rect(0, 0, w, h)).Empty() {
			if i == 0 {
				return nil
			}
			continue
		}
		if i == 0 {
			first = side
		} else if o.Only || side < first/2 {
			continue
		}
		// Everything in units of the width: the working sizes keep the aspect.
		k := 1 / float64(w)
		out = append(out, seed{
			x: float64(r.Min.X+r.Max.X) / 2 * k, y: float64(r.Min.Y+r.Max.Y) / 2 * k,
			s: side * k, aspect: side / float64(min(w, h)),
		})
	}
	return out
}

// Blur is the mean of a mask over squares of radius r pixels.
func Blur(m *image.Gray, r int) *image.Gray { return box(fieldOf(m), max(r, 1)).gray() }

// Shape is the shape prior around the faces for a w × h picture: 255 where a
// person all but surely is. It is empty without a usable face.
func Shape(w, h int, faces []image.Rectangle) *image.Gray {
	seeds := seedsOf(Options{Faces: faces}, w, h)
	if len(seeds) == 0 {
		return image.NewGray(image.Rect(0, 0, w, h))
	}
	return shapePrior(w, h, seeds, 1).gray()
}
