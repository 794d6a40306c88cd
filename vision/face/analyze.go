package face

import (
	"image"
	"math"
	"slices"
)

// Reason says what is wrong with a portrait. The values are stable and may be
// sent to clients.
type Reason string

// The reasons, worst first.
const (
	NoFace    Reason = "no_face"        // nothing was found that could speak
	TooSmall  Reason = "face_too_small" // pupil distance below MinIOD pixels
	Profile   Reason = "profile"        // turned too far to the side
	TooDark   Reason = "too_dark"       // even the brightest parts of the face are dark
	Blurred   Reason = "blurred"        // no sharp edges around the eyes
	Doubtful  Reason = "doubtful"       // landmarks disagree: a drawing, an animal, sunglasses
	Several   Reason = "several_faces"  // the caller may want to choose
	CutOff    Reason = "cut_off"        // the face reaches beyond the picture
	TooBright Reason = "too_bright"     // overexposed
)

// MinIOD is the pupil distance in pixels below which a mouth cannot be
// animated in a way that looks good.
const MinIOD = 24

// Report is what a caller should know before it animates a picture.
type Report struct {
	Faces []Face // the most prominent first
	// Usable tells whether the first face can be animated.
	Usable  bool
	Reasons []Reason // why not, and warnings; empty for a good portrait
	// Measures of the first face, 0 without one.
	Sharpness float64 // steepest edges around the eyes, 0 (blurred) … 1
	Bright    float64 // luminance of the brightest 3 % of the face, 0–255
}

// Analyze looks at a picture as an upload check would: is there a face that can
// be animated, and if not, why. It never fails; a picture without a face gives
// the reason NoFace.
func (d *Detector) Analyze(img image.Image) Report {
	faces := d.detect(img)
	r := Report{Faces: faces}
	if len(faces) == 0 {
		r.Reasons = []Reason{NoFace}
		return r
	}
	r.Check(img, 0)
	return r
}

// Check judges the face with the given index, for a caller who lets a person
// choose one of several.
func (r *Report) Check(img image.Image, index int) {
	r.Usable, r.Reasons, r.Sharpness, r.Bright = false, nil, 0, 0
	if index < 0 || index >= len(r.Faces) {
		r.Reasons = []Reason{NoFace}
		return
	}
	f := r.Faces[index]
	b := img.Bounds()
	local := f.Map(float64(b.Min.X), float64(b.Min.Y), 1)
	p := raster(newPyramid(img), local.Frame)
	r.Sharpness, r.Bright = sharpness(p), brightness(p)
	fatal := false
	add := func(bad, stop bool, why Reason) {
		if bad {
			r.Reasons = append(r.Reasons, why)
			fatal = fatal || stop
		}
	}
	add(f.Frame.IOD() < MinIOD, true, TooSmall)
	add(math.Abs(f.Yaw) > 0.75 || math.Abs(f.Yaw) > 0.4 && f.Confidence < 0.3, true, Profile)
	add(r.Bright < 55, true, TooDark)
	add(r.Sharpness < 0.18 && f.Frame.IOD() >= MinIOD, false, Blurred)
	add(f.Confidence < 0.3, true, Doubtful)
	add(len(r.Faces) > 1, false, Several)
	add(!inner(f).In(b), false, CutOff)
	add(r.Bright > 252 && flat(p) > 0.35, false, TooBright)
	r.Usable = !fatal
}

// inner is the part that must be visible: brows to chin.
func inner(f Face) image.Rectangle {
	lo, hi := Point{math.Inf(1), math.Inf(1)}, Point{math.Inf(-1), math.Inf(-1)}
	for _, c := range []Point{{-0.9, -0.4}, {0.9, -0.4}, {-0.5, 1.7}, {0.5, 1.7}} {
		x, y := f.Frame.Pixel(c.X, c.Y)
		lo, hi = Point{min(lo.X, x), min(lo.Y, y)}, Point{max(hi.X, x), max(hi.Y, y)}
	}
	return image.Rect(int(lo.X), int(lo.Y), int(hi.X), int(hi.Y))
}

// sharpness is the steepness of the steepest 2 % of pixels around the eyes
// against the contrast there: an ideal edge of the raster gives about 0.5.
func sharpness(p plane) float64 {
	var slope, level []float64
	for y := rasterEyeY - 35; y < rasterEyeY+25; y++ {
		for x := rasterW/2 - 85; x < rasterW/2+85; x++ {
			i := y*p.w + x
			dx := float64(p.pix[i+1]) - float64(p.pix[i-1])
			dy := float64(p.pix[i+p.w]) - float64(p.pix[i-p.w])
			slope = append(slope, math.Hypot(dx, dy)/2)
			level = append(level, float64(p.pix[i]))
		}
	}
	slices.Sort(slope)
	slices.Sort(level)
	n := len(level)
	contrast := level[n*98/100] - level[n*2/100]
	if contrast < 4 {
		return 0
	}
	return clamp(2*slope[n*98/100]/contrast, 0, 1)
}

func faceLevels(p plane) []float64 {
	var l []float64
	for y := rasterEyeY - 40; y < rasterEyeY+130; y += 2 {
		for x := rasterW/2 - 75; x < rasterW/2+75; x += 2 {
			l = append(l, float64(p.pix[y*p.w+x]))
		}
	}
	slices.Sort(l)
	return l
}

func brightness(p plane) float64 {
	l := faceLevels(p)
	return l[len(l)*97/100]
}

// flat is the share of the face that is burnt out.
func flat(p plane) float64 {
	l := faceLevels(p)
	i, _ := slices.BinarySearch(l, 251)
	return float64(len(l)-i) / float64(len(l))
}
