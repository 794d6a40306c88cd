// Package face finds faces in pictures: the pupils, the mouth, the nose and the
// brows, in a canonical upright frame, each face with a confidence.
//
// Finding is pigo's cascade of pixel comparisons (Markuš et al., "Object
// detection with pixel intensity comparisons organized in decision trees",
// 2013). The rough hit is then sampled again into an upright raster of 100
// pixels per pupil distance, and pupils and landmarks are located there, so
// that tilt and size of the face no longer matter and positions are finer than
// a pixel. Random starts come from a fixed seed: the same picture always gives
// the same answer.
package face

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"image"
	"io"
	"math"
	"math/rand/v2"
	"slices"

	pigo "github.com/esimov/pigo/core"
)

//go:embed cascade/*.gz
var cascades embed.FS

// Face is one face. Landmarks are in its canonical frame; "L" and "R" are
// sides of the picture, not of the person.
type Face struct {
	Frame          Frame
	Score          float64 // the detector's; people 100–500, hard cases 7–50
	Spread         float64 // widest interquartile range of the landmark searches, in pupil distances; below 0.15 is good
	Confidence     float64 // 0–1, from score, spread and proportions
	Yaw            float64 // rough turn of the head in radians, positive to the right of the picture
	MouthL, MouthR Point
	LipTop, LipBot Point // outer edges of the lips at the middle
	Nose           Point // below the tip
	InL, InR       Point // inner eye corners
	OutL, OutR     Point // outer eye corners
	BrowL, BrowR   Point // middle of the brows
}

// Box is the face's square from brow to chin in pixels; it may reach beyond
// the picture.
func (f Face) Box() image.Rectangle {
	x, y := f.Frame.Pixel(0, 0.5)
	r := 1.35 * f.Frame.IOD()
	return image.Rect(int(x-r), int(y-r), int(math.Ceil(x+r)), int(math.Ceil(y+r)))
}

// Map returns the face as seen after the picture's point (x, y) became the
// origin and everything was scaled by k.
func (f Face) Map(x, y, k float64) Face {
	f.Frame = f.Frame.Map(x, y, k)
	return f
}

// Detector holds the trained cascades, about 9 MB. It is safe for concurrent
// use; make one and keep it.
type Detector struct {
	finder *pigo.Pigo
	pupil  *regressor
	marks  map[string]*regressor
}

// NewDetector unpacks the embedded cascades, which takes some 0.1 s.
func NewDetector() (*Detector, error) {
	raw, err := cascade("facefinder")
	if err != nil {
		return nil, err
	}
	d := &Detector{marks: map[string]*regressor{}}
	if d.finder, err = pigo.NewPigo().Unpack(raw); err != nil {
		return nil, fmt.Errorf("unpack facefinder: %w", err)
	}
	for _, name := range []string{"puploc", "lp84", "lp81", "lp82", "lp93", "lp38", "lp312", "lp44"} {
		if raw, err = cascade(name); err != nil {
			return nil, err
		}
		if d.marks[name], err = parseRegressor(raw); err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
	}
	d.pupil = d.marks["puploc"]
	return d, nil
}

func cascade(name string) ([]byte, error) {
	b, err := cascades.ReadFile("cascade/" + name + ".gz")
	if err != nil {
		return nil, fmt.Errorf("read cascade %s: %w", name, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("unpack cascade %s: %w", name, err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("unpack cascade %s: %w", name, err)
	}
	return raw, nil
}

// Detect returns the plausible faces of a picture, the most prominent (large
// and certain) first; none is an empty slice. It looks at a copy of at most
// 640 pixels, so its cost (30–300 ms) hardly depends on the picture's size.
func (d *Detector) Detect(img image.Image) []Face {
	found := d.detect(img)
	return found
}

const (
	coarseSide = 320 // longer side of the raster that is searched first
	fineSide   = 640 // and when that gives no certain face
	minFace    = 24  // smallest face there, pixels
	minScore   = 5
	certain    = 50 // score at which the search stops
	maxFaces   = 24
)

// detect finds faces, the most prominent first.
func (d *Detector) detect(img image.Image) (found []Face) {
	b := img.Bounds()
	if b.Dx() < 16 || b.Dy() < 16 {
		return nil
	}
	pyr := newPyramid(img)
	for _, h := range d.search(pyr, b.Dx(), b.Dy()) {
		if len(found) == maxFaces {
			break
		}
		f, ok := d.refine(pyr, h)
		if !ok {
			continue
		}
		again := slices.ContainsFunc(found, func(g Face) bool {
			return f.Frame.Origin.dist(g.Frame.Origin) < 0.8*max(f.Frame.IOD(), g.Frame.IOD())
		})
		if !again {
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b Face) int {
		return -compare(a.prominence(), b.prominence())
	})
	// beside a certain face, doubtful ones are folds and shadows
	if len(found) > 1 && found[0].Confidence >= 0.45 {
		found = append(found[:1], slices.DeleteFunc(found[1:], func(f Face) bool { return f.Confidence < 0.45 })...)
	}
	for i := range found {
		found[i].Frame.Origin = found[i].Frame.Origin.add(Point{float64(b.Min.X), float64(b.Min.Y)})
	}
	return found
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (f Face) prominence() float64 { return f.Confidence * math.Sqrt(f.Frame.IOD()) }

// hit is a square that looks like a face, in pixels of the original.
type hit struct {
	x, y, size, turn float64 // turn in radians
	score            float64
}

// search slides the face finder over the picture: coarse before fine, upright
// before tilted, until there is a certain face.
func (d *Detector) search(pyr pyramid, w, h int) []hit {
	long := max(w, h)
	var hits []hit
	best := 0.0
	for _, side := range []int{min(coarseSide, long), min(fineSide, long)} {
		if best >= certain {
			break
		}
		pass := d.pass(pyr, w, h, side)
		for _, h := range pass {
			best = max(best, h.score)
		}
		hits = append(hits, pass...)
		if side == long {
			break // the finer raster would be the same
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return -compare(a.score*math.Sqrt(a.size), b.score*math.Sqrt(b.size))
	})
	return hits[:min(len(hits), 4*maxFaces)]
}

// pass searches one raster of the given side.
func (d *Detector) pass(pyr pyramid, w, h, side int) (hits []hit) {
	k := float64(side) / float64(max(w, h)) // original to raster
	src, s := pyr.level(1, k)
	// A square raster, because pigo's rotated test confuses rows and columns at the border.
	pix := make([]uint8, side*side)
	rows, cols := min(side, int(float64(h)*k+0.5)), min(side, int(float64(w)*k+0.5))
	for y := range side {
		for x := range side {
			pix[y*side+x] = uint8(src.at((float64(min(x, cols-1))+0.5)/k*s, (float64(min(y, rows-1))+0.5)/k*s) + 0.5)
		}
	}
	best := 0.0
	for _, turn := range []float64{0, 1, -1, 2, -2} {
		if turn != 0 && best >= certain {
			break
		}
		// 1/32 of a turn is pigo's step; the value must lie a little above it
		a := turn / 32
		if a < 0 {
			a++
		}
		if a > 0 {
			a += 0.001
		}
		p := pigo.CascadeParams{
			MinSize: minFace, MaxSize: side, ShiftFactor: 0.08, ScaleFactor: 1.1,
			ImageParams: pigo.ImageParams{Pixels: pix, Rows: rows, Cols: cols, Dim: side},
		}
		if a > 0 {
			p.Rows, p.Cols, p.MinSize = side, side, 2*minFace
		}
		for _, c := range d.finder.ClusterDetections(d.finder.RunCascade(p, a), 0.2) {
			if c.Q < minScore || c.Row >= rows || c.Col >= cols {
				continue
			}
			hits = append(hits, hit{
				x: float64(c.Col) / k, y: float64(c.Row) / k, size: float64(c.Scale) / k,
				turn: -turn / 16 * math.Pi, score: float64(c.Q),
			})
			best = max(best, float64(c.Q))
		}
	}
	return hits
}

// The canonical raster: 100 pixels per pupil distance.
const (
	rasterN    = 100
	rasterW    = 400
	rasterH    = 420
	rasterEyeY = 140
)

func raster(pyr pyramid, f Frame) plane {
	src, s := pyr.level(f.IOD(), rasterN)
	p := plane{rasterW, rasterH, make([]uint8, rasterW*rasterH)}
	for y := range rasterH {
		for x := range rasterW {
			q := canonical(Point{float64(x) + 0.5, float64(y) + 0.5})
			sx, sy := f.Pixel(q.X, q.Y)
			p.pix[y*rasterW+x] = uint8(src.at(sx*s, sy*s) + 0.5)
		}
	}
	return p
}

// canonical takes pixels of the raster to the canonical frame.
func canonical(p Point) Point {
	return Point{(p.X - rasterW/2) / rasterN, (p.Y - rasterEyeY) / rasterN}
}

// refine locates pupils and landmarks; ok tells whether they form a face.
func (d *Detector) refine(pyr pyramid, h hit) (f Face, ok bool) {
	rng := rand.New(rand.NewPCG(0x66616365, 1))
	sn, cs := math.Sincos(h.turn)
	off := func(x, y float64) Point { return Point{h.x + (x*cs-y*sn)*h.size, h.y + (x*sn+y*cs)*h.size} }
	f.Frame = frameOf(off(-0.18, -0.075), off(0.18, -0.075))
	f.Score = h.score
	start := f.Frame
	var r plane
	for i := range 6 {
		r = raster(pyr, f.Frame)
		l, sl := d.pupil.locate(r, Point{rasterW/2 - 50, rasterEyeY}, 55, false, 61, rng)
		q, sr := d.pupil.locate(r, Point{rasterW/2 + 50, rasterEyeY}, 55, false, 61, rng)
		l, q = canonical(l), canonical(q)
		move := max(l.dist(Point{-0.5, 0}), q.dist(Point{0.5, 0}))
		f.Spread = max(sl, sr) / rasterN
		if move < 0.012 || i == 5 {
			break
		}
		px := func(p Point) Point { x, y := f.Frame.Pixel(p.X, p.Y); return Point{x, y} }
		f.Frame = frameOf(px(l), px(q))
	}
	if k := f.Frame.IOD() / start.IOD(); k < 0.55 || k > 1.6 || math.Abs(f.Frame.Roll()-h.turn) > 0.6 {
		return f, false
	}
	mark := func(name string, mirror bool) Point {
		// where landmark cascades were trained to start
		p, s := d.marks[name].locate(r, Point{rasterW/2 + 15, rasterEyeY + 25}, 3*rasterN, mirror, 61, rng)
		f.Spread = max(f.Spread, s/rasterN)
		return canonical(p)
	}
	f.MouthL, f.MouthR = mark("lp84", false), mark("lp84", true)
	f.LipTop, f.LipBot, f.Nose = mark("lp81", false), mark("lp82", false), mark("lp93", false)
	f.InL, f.InR = mark("lp38", false), mark("lp38", true)
	f.OutL, f.OutR = mark("lp312", false), mark("lp312", true)
	f.BrowL, f.BrowR = mark("lp44", false), mark("lp44", true)
	f.judge()
	return f, f.plausible()
}

// plausible is the gate that keeps animals, clothes and wallpaper out.
func (f Face) plausible() bool {
	w := f.MouthR.sub(f.MouthL)
	m := mid(f.MouthL, f.MouthR)
	return w.X >= 0.45 && w.X <= 1.5 && math.Abs(w.Y) <= 0.3 &&
		m.Y >= 0.7 && m.Y <= 1.7 && math.Abs(m.X) <= 0.45 &&
		f.Nose.Y > 0.15 && f.Nose.Y < m.Y && f.LipBot.Y > f.LipTop.Y &&
		f.Spread < 0.6
}

func (f *Face) judge() {
	m := mid(f.MouthL, f.MouthR)
	// The nose stands out of the plane of eyes and mouth, so its offset from
	// their middle line tells the turn.
	f.Yaw = math.Atan(clamp((f.Nose.X-0.5*m.X)*2.6, -2, 2))
	f.Confidence = (0.35 + 0.65*ramp(5, 60, f.Score)) * (1 - 0.8*ramp(0.15, 0.5, f.Spread)) * (1 - 0.7*ramp(0.5, 0.9, math.Abs(f.Yaw)))
}
