package background

import "math"

func disc(x, y float64) float64 { return math.Hypot(x, y) - 1 }

// ring is a bright-rimmed lens disc.
func ring(x, y float64) float64 { return math.Abs(math.Hypot(x, y)-0.93) - 0.07 }

// slab is a rounded rectangle of the given half-sizes.
func slab(a, b, round float64) shape {
	return func(x, y float64) float64 {
		dx, dy := math.Abs(x)-a+round, math.Abs(y)-b+round
		return math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - round
	}
}

// balloon is an egg whose narrow end points down, with a knot.
func balloon(x, y float64) float64 {
	k := 1.0
	if y > 0 {
		k = 1.22
	}
	d := math.Hypot(x*(1+0.16*y), y/k) - 0.82
	knot := max(math.Abs(x)-0.09*(y-0.9)/0.12, max(y-1.08, 0.95-y))
	return min(d, knot)
}

// petal is a cherry petal: round with a notch at the tip (up).
func petal(x, y float64) float64 {
	t := (y + 1) / 2 // 0 at the tip, 1 at the base
	half := 0.62 * math.Pow(max(math.Sin(math.Pi*min(max(t*0.93+0.07, 0), 1)), 0), 0.75) * (1.05 - 0.35*t)
	d := math.Abs(x) - half
	notch := 0.34 - math.Abs(x)*1.6 - (y + 1) // a wedge cut from the tip
	return max(d, max(notch, math.Abs(y)-1))
}

// blossom is five petals around a middle.
func blossom(x, y float64) float64 {
	best := math.Inf(1)
	for i := range 5 {
		s, c := math.Sincos(float64(i) * 2 * math.Pi / 5)
		u, v := x*c+y*s, -x*s+y*c
		best = min(best, petal(u/0.52, (v+0.5)/0.52)*0.52)
	}
	return best
}

// maple is a leaf with seven points and a stalk, in polar form.
func maple(x, y float64) float64 {
	r, t := math.Hypot(x, y), math.Atan2(x, -y) // 0 is up
	lobe := math.Abs(math.Cos(3.5 * t * 0.9))
	edge := 0.30 + 0.62*math.Pow(lobe, 1.7)*(1-0.22*math.Abs(t)/math.Pi) + 0.03*math.Cos(27*t)
	if math.Abs(t) > 2.6 {
		edge *= 0.62
	}
	stalk := max(math.Abs(x)-0.035, max(0.1-y, y-0.95))
	return min((r-edge)*0.7, stalk)
}

// ginkgo is a fan with a slit.
func ginkgo(x, y float64) float64 {
	v := 0.75 - y
	r, t := math.Hypot(x, v), math.Atan2(x, v)
	fan := max(r-1.25-0.05*math.Cos(14*t), (math.Abs(t)-1.05)*r*0.8)
	slit := 0.06*(r-0.55) - math.Abs(x)
	stalk := max(math.Abs(x)-0.035, max(0.72-y, y-1.15))
	return min(max(fan, slit), stalk)
}

// star has five points.
func star(x, y float64) float64 {
	r, t := math.Hypot(x, y), math.Atan2(x, -y)
	const k = 2 * math.Pi / 5
	t = math.Abs(math.Mod(t+5*k+k/2, k) - k/2)
	// Edge from the point (1, 0) to the inner corner at radius 0.42.
	px, py := r*math.Cos(t), r*math.Sin(t)
	ix, iy := 0.42*math.Cos(k/2), 0.42*math.Sin(k/2)
	nx, ny := iy, 1-ix
	n := math.Hypot(nx, ny)
	return ((px-1)*nx + py*ny) / n
}

// flake is a six-armed snow crystal.
func flake(x, y float64) float64 {
	best := math.Inf(1)
	for i := range 3 {
		s, c := math.Sincos(float64(i) * math.Pi / 3)
		u, v := math.Abs(x*c+y*s), math.Abs(-x*s+y*c)
		arm := max(v-0.05, u-1)
		twig := max(math.Abs(v-(u-0.55)*1.2)-0.05, max(u-0.85, 0.55-u))
		best = min(best, arm, twig)
	}
	return best
}

// flag is a triangle hanging from its upper edge.
func flag(x, y float64) float64 {
	return max(-y-0.8, math.Abs(x)*0.9+(y-0.9)*0.42)
}

// sphere shades a shape like a ball lit from above left.
func sphere(x, y float64) float64 {
	d := (x+0.35)*(x+0.35) + (y+0.4)*(y+0.4)
	return 0.72 + 0.55*math.Exp(-d*2.2) - 0.16*(x+y)
}

func flat(k float64) func(x, y float64) float64 {
	return func(_, y float64) float64 { return 1 + k*y }
}
