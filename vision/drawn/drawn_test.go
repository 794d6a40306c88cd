package drawn

import (
	"bytes"
	"image/color"
	"math"
	"testing"
)

func TestPortraitIsReproducible(t *testing.T) {
	o := Options{W: 160, H: 120, Tone: 0.4, Noise: 3, Seed: 9, Yaw: 0.2}
	a, ta := Portrait(o)
	b, tb := Portrait(o)
	if !bytes.Equal(a.Pix, b.Pix) || !bytes.Equal(ta.Alpha.Pix, tb.Alpha.Pix) {
		t.Error("the same options give other pixels")
	}
	o.Seed++
	if c, _ := Portrait(o); bytes.Equal(a.Pix, c.Pix) {
		t.Error("another seed gives the same pixels")
	}
}

func TestAlphaIsExact(t *testing.T) {
	back := color.NRGBA{10, 250, 30, 255}
	for name, o := range map[string]Options{"bob": {}, "short": {Hair: Short}, "tilted": {Tilt: 0.3}, "turned": {Yaw: -0.4}, "glasses": {Glasses: true, Hair: Short}} {
		o.W, o.H, o.Backdrop, o.Flat = 200, 200, back, true
		im, truth := Portrait(o)
		var person, backdrop int
		for y := range 200 {
			for x := range 200 {
				c, a := im.NRGBAAt(x, y), truth.Alpha.AlphaAt(x, y).A
				green := int(c.G) - int(max(c.R, c.B))
				switch {
				case a == 0:
					backdrop++
					if c != back {
						t.Fatalf("%s: (%d, %d) is %v outside the person, want %v", name, x, y, c, back)
					}
				case a == 255:
					person++
					if green > 120 {
						t.Fatalf("%s: the backdrop shines through at (%d, %d): %v", name, x, y, c)
					}
				}
			}
		}
		if person < 8000 || backdrop < 8000 {
			t.Errorf("%s: %d pixels of person and %d of backdrop", name, person, backdrop)
		}
	}
}

func TestTruthLiesOnTheDrawing(t *testing.T) {
	for name, o := range map[string]Options{"straight": {}, "tilted": {Tilt: -0.25}, "turned": {Yaw: 0.4}, "very dark": {Tone: 1}} {
		o.W, o.H, o.Size = 400, 400, 0.2
		im, truth := Portrait(o)
		lum := func(p Point, dx, dy float64) float64 {
			s, c := math.Sincos(o.Tilt)
			r := im.NRGBAAt(int(p.X+dx*c-dy*s), int(p.Y+dx*s+dy*c))
			return 0.3*float64(r.R) + 0.6*float64(r.G) + 0.1*float64(r.B)
		}
		for _, eye := range []Point{truth.EyeL, truth.EyeR} {
			if in, out := lum(eye, 0, 0), lum(eye, 0.17*truth.IOD, 0); in > 0.5*out {
				t.Errorf("%s: the pupil is %.0f bright, the white beside it %.0f", name, in, out)
			}
		}
		if d := math.Hypot(truth.EyeR.X-truth.EyeL.X, truth.EyeR.Y-truth.EyeL.Y) / truth.IOD; math.Abs(d-math.Cos(o.Yaw)) > 0.05 {
			t.Errorf("%s: pupils are %.3f of the unit apart, want %.3f", name, d, math.Cos(o.Yaw))
		}
	}
}

func TestFrameInvertsProject(t *testing.T) {
	for _, yaw := range []float64{0, 0.3, -0.6} {
		p := newPainter(Options{Yaw: yaw, Tilt: 0.2}.withDefaults())
		for _, c := range [][2]float64{{0, 0.6}, {0.5, 0}, {-0.4, 1.1}, {0, 1.7}, {2.5, 3}} {
			q := p.project(c[0], c[1], p.depth(c[0], c[1]))
			u, v := p.frame(q.X, q.Y)
			if math.Hypot(u-c[0], v-c[1]) > 0.03 {
				t.Errorf("yaw %v: (%v, %v) comes back as (%.3f, %.3f)", yaw, c[0], c[1], u, v)
			}
		}
	}
}

func TestHostileOptions(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, o := range []Options{
		{W: -1, H: 1}, {W: 1, H: 300}, {W: 30, H: 30, Size: nan, Tilt: inf, Yaw: -inf, Tone: nan, Smile: 99, Noise: inf, CenterX: inf, CenterY: nan},
	} {
		im, truth := Portrait(o)
		if im.Rect.Empty() || truth.Alpha.Rect != im.Rect || math.IsNaN(truth.EyeL.X+truth.MouthR.Y) {
			t.Errorf("%+v gives %v, %+v", o, im.Rect, truth.EyeL)
		}
	}
}
