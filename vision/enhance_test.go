package vision

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"
)

// portraitLike has a grey wall, a skin patch and an edge.
func portraitLike(k float64, cast [3]float64, noise float64) (*image.NRGBA, image.Rectangle) {
	rng := rand.New(rand.NewPCG(1, 1))
	m := image.NewNRGBA(image.Rect(0, 0, 160, 160))
	face := image.Rect(50, 40, 110, 110)
	for y := range 160 {
		for x := range 160 {
			c := [3]float64{150, 150, 150}
			if image.Pt(x, y).In(face) {
				c = [3]float64{205, 150, 125}
			}
			var p [3]uint8
			for i := range 3 {
				p[i] = uint8(min(max(c[i]*k*cast[i]+rng.NormFloat64()*noise, 0), 255))
			}
			m.SetNRGBA(x, y, color.NRGBA{p[0], p[1], p[2], 255})
		}
	}
	return m, face
}

func meanOf(m *image.NRGBA, r image.Rectangle) (c [3]float64) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p := m.NRGBAAt(x, y)
			c[0] += float64(p.R)
			c[1] += float64(p.G)
			c[2] += float64(p.B)
		}
	}
	for i := range c {
		c[i] /= float64(r.Dx() * r.Dy())
	}
	return c
}

var neutral = [3]float64{1, 1, 1}

func TestEnhanceOffChangesNothing(t *testing.T) {
	m, face := portraitLike(1, neutral, 3)
	if got := Enhance(m, Enhancement{}, face); !bytes.Equal(got.Pix, m.Pix) || &got.Pix[0] == &m.Pix[0] {
		t.Error("the switched-off enhancement changed the picture or shares its memory")
	}
	bad := Enhancement{math.NaN(), math.NaN(), math.Inf(-1), -1}
	if got := Enhance(m, bad, face); !bytes.Equal(got.Pix, m.Pix) {
		t.Error("NaN changed the picture")
	}
}

func TestEnhanceLeavesAGoodPictureAlone(t *testing.T) {
	m, face := portraitLike(1, neutral, 0)
	got := Enhance(m, Gentle, face)
	a, b := meanOf(m, face), meanOf(got, face)
	for c := range 3 {
		if math.Abs(a[c]-b[c]) > 4 {
			t.Errorf("face %v became %v", a, b)
		}
	}
}

func TestEnhanceBrightensADarkFace(t *testing.T) {
	m, face := portraitLike(0.3, neutral, 0)
	a, b := meanOf(m, face), meanOf(Enhance(m, Gentle, face), face)
	if b[1] < a[1]*1.25 || b[1] > a[1]*2.4 {
		t.Errorf("face %v became %v", a, b)
	}
}

func TestEnhanceReducesACast(t *testing.T) {
	m, face := portraitLike(1, [3]float64{1.1, 1, 0.88}, 0)
	wall := image.Rect(0, 120, 160, 160)
	spread := func(c [3]float64) float64 { return max(c[0], c[1], c[2]) - min(c[0], c[1], c[2]) }
	a, b := meanOf(m, wall), meanOf(Enhance(m, Enhancement{WhiteBalance: 1}, face), wall)
	if spread(b) > 0.55*spread(a) {
		t.Errorf("grey wall %v became %v", a, b)
	}
}

func TestDenoiseKeepsTheEdge(t *testing.T) {
	m, face := portraitLike(0.8, neutral, 6)
	got := Enhance(m, Enhancement{Denoise: 1}, face)
	wall := image.Rect(5, 120, 155, 155)
	if a, b := deviation(m, wall), deviation(got, wall); b > 0.6*a {
		t.Errorf("noise %.2f became %.2f", a, b)
	}
	in, out := meanOf(got, image.Rect(52, 60, 54, 100)), meanOf(got, image.Rect(46, 60, 48, 100))
	if math.Abs(in[0]-164) > 4 || math.Abs(out[0]-120) > 4 {
		t.Errorf("beside the edge: %v and %v", in, out)
	}
}

func deviation(m *image.NRGBA, r image.Rectangle) float64 {
	mean := meanOf(m, r)
	var s float64
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			d := float64(m.NRGBAAt(x, y).G) - mean[1]
			s += d * d
		}
	}
	return math.Sqrt(s / float64(r.Dx()*r.Dy()))
}

func TestSharpenSteepensWithoutRinging(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 80, 40))
	for y := range 40 {
		for x := range 80 {
			v := uint8(80 + 100/(1+math.Exp(-(float64(x)-40)/2)))
			m.SetNRGBA(x, y, color.NRGBA{v, v, v, 255})
		}
	}
	got := Enhance(m, Enhancement{Sharpen: 1}, image.Rectangle{})
	slope := func(m *image.NRGBA) int { return int(m.NRGBAAt(42, 20).R) - int(m.NRGBAAt(37, 20).R) }
	if slope(got) <= slope(m) {
		t.Errorf("slope %d, before %d", slope(got), slope(m))
	}
	for x := range 80 {
		if v := got.NRGBAAt(x, 20).R; v < 80-14 || v > 180+14 {
			t.Errorf("ringing: %d at %d", v, x)
		}
	}
}

func TestEnhanceKeepsAlphaAndOddPictures(t *testing.T) {
	m, face := portraitLike(0.4, neutral, 2)
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = uint8(i / 4)
	}
	got := Enhance(m, Gentle, face)
	for i := 3; i < len(m.Pix); i += 4 {
		if got.Pix[i] != m.Pix[i] {
			t.Fatal("alpha changed")
		}
	}
	for _, size := range []image.Point{{0, 0}, {1, 1}, {2, 300}, {3, 3}} {
		if m := Enhance(image.NewNRGBA(image.Rectangle{Max: size}), Gentle, face); m.Rect.Size() != size {
			t.Errorf("%v became %v", size, m.Rect)
		}
	}
	if black := Enhance(image.NewNRGBA(image.Rect(0, 0, 20, 20)), Gentle, image.Rectangle{}); black.Rect.Dx() != 20 {
		t.Error("a transparent picture")
	}
}
