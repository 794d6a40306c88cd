package face

import "math"

// Point is a position. In pixels, pixel (i, j) covers [i, i+1)×[j, j+1); in the
// canonical frame the unit is the distance between the pupils.
type Point struct{ X, Y float64 }

func (p Point) add(q Point) Point     { return Point{p.X + q.X, p.Y + q.Y} }
func (p Point) sub(q Point) Point     { return Point{p.X - q.X, p.Y - q.Y} }
func (p Point) scale(k float64) Point { return Point{p.X * k, p.Y * k} }
func (p Point) len() float64          { return math.Hypot(p.X, p.Y) }
func (p Point) dist(q Point) float64  { return p.sub(q).len() }
func mid(p, q Point) Point            { return p.add(q).scale(0.5) }
func clamp(x, lo, hi float64) float64 { return max(lo, min(hi, x)) }
func ramp(lo, hi, x float64) float64  { return clamp((x-lo)/(hi-lo), 0, 1) }

// Frame is a similarity between the canonical face frame and pixels. In the
// canonical frame the point midway between the pupils is the origin, the pupils
// lie at (∓0.5, 0), and v points to the chin.
type Frame struct {
	Origin Point   // pixels
	C, S   float64 // pixels per unit times cosine and sine of the roll
}

// frameOf puts the pupils where the canonical frame wants them.
func frameOf(left, right Point) Frame {
	d := right.sub(left)
	return Frame{Origin: mid(left, right), C: d.X, S: d.Y}
}

// Pixel takes canonical coordinates to pixels.
func (f Frame) Pixel(u, v float64) (x, y float64) {
	return f.Origin.X + u*f.C - v*f.S, f.Origin.Y + u*f.S + v*f.C
}

// Canonical takes pixels to canonical coordinates. A zero frame gives (0, 0).
func (f Frame) Canonical(x, y float64) (u, v float64) {
	d := f.C*f.C + f.S*f.S
	if d == 0 {
		return 0, 0
	}
	x, y = x-f.Origin.X, y-f.Origin.Y
	return (x*f.C + y*f.S) / d, (-x*f.S + y*f.C) / d
}

// IOD is the inter-ocular distance: pixels per canonical unit.
func (f Frame) IOD() float64 { return math.Hypot(f.C, f.S) }

// Roll is the rotation of the face in radians, clockwise on the screen.
func (f Frame) Roll() float64 { return math.Atan2(f.S, f.C) }

// Map moves the frame along with its picture: first the picture's point (x, y)
// becomes the origin, then everything is scaled by k.
func (f Frame) Map(x, y, k float64) Frame {
	return Frame{Origin: Point{(f.Origin.X - x) * k, (f.Origin.Y - y) * k}, C: f.C * k, S: f.S * k}
}
