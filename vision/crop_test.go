package vision

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"
)

func TestFramingTalkingHead(t *testing.T) {
	face := image.Rect(1400, 800, 1800, 1200) // of a 12-megapixel photo
	for _, a := range []Aspect{Square, Portrait, Landscape} {
		t.Run(a.String(), func(t *testing.T) {
			r := Framing{Aspect: a, Face: face}.Rect(4000, 3000)
			if !r.In(image.Rect(0, 0, 4000, 3000)) || !face.In(r) {
				t.Fatalf("crop %v", r)
			}
			if share := float64(face.Dy()) / float64(r.Dy()); share < 0.395 || share > 0.6 {
				t.Errorf("the face takes %.2f of the height", share)
			}
			checkAspect(t, r, a)
			// Hair, one face side above the centre, is inside.
			if top := 1000 - 400; r.Min.Y > top {
				t.Errorf("hair at %d cut by %v", top, r)
			}
		})
	}
}

func checkAspect(t *testing.T, r image.Rectangle, a Aspect) {
	t.Helper()
	want := float64(a.W) / float64(a.H)
	if got := float64(r.Dx()) / float64(r.Dy()); math.Abs(got-want) > want*1.5/float64(min(r.Dx(), r.Dy())) {
		t.Errorf("aspect %.4f of %v, want %.4f", got, r, want)
	}
}

func TestFramingStaysInside(t *testing.T) {
	for _, size := range []image.Point{{640, 480}, {480, 640}, {64, 64}, {4000, 100}, {100, 4000}} {
		for _, face := range []image.Rectangle{{}, image.Rect(0, 0, 60, 60), image.Rect(-30, -40, 50, 40), image.Rect(size.X-20, size.Y-20, size.X+60, size.Y+60), image.Rect(-500, -500, 5000, 5000)} {
			for _, a := range []Aspect{Square, Portrait, Landscape, Source} {
				for _, shot := range []Shot{TalkingHead, UpperBody} {
					for _, hair := range []int{0, 5} {
						r := Framing{Aspect: a, Shot: shot, Face: face, HairTop: hair}.Rect(size.X, size.Y)
						name := fmt.Sprintf("%v face %v %v shot %d", size, face, a, shot)
						if r.Empty() || !r.In(image.Rectangle{Max: size}) {
							t.Errorf("%s: %v", name, r)
							continue
						}
						if a != Source {
							checkAspect(t, r, a)
						}
						b := Framing{Aspect: a, Shot: shot, Face: face, HairTop: hair, Beyond: true}.Rect(size.X, size.Y)
						if b.Empty() || b.Max.Y > size.Y {
							t.Errorf("%s: beyond below: %v", name, b)
						}
					}
				}
			}
		}
	}
	if r := (Framing{Aspect: Square}).Rect(0, 0); !r.Empty() {
		t.Errorf("nothing cropped to %v", r)
	}
}

func TestFramingKeepsHair(t *testing.T) {
	f := Framing{Aspect: Square, Face: image.Rect(400, 400, 600, 600), HairTop: 260}
	if r := f.Rect(1000, 1000); r.Min.Y > 260 {
		t.Errorf("hair at 260 cut by %v", r)
	}
}

func TestParseAspect(t *testing.T) {
	for _, s := range []string{"1:1", "9:16", "16:9", "source"} {
		if a, err := ParseAspect(s); err != nil || a.String() != s {
			t.Errorf("ParseAspect(%q) = %v, %v", s, a, err)
		}
	}
	if _, err := ParseAspect("4:3"); err == nil {
		t.Error("4:3 accepted")
	}
}

func TestOutputSizeNeverEnlarges(t *testing.T) {
	for _, tt := range [][5]int{{2000, 2000, 1280, 1280, 1280}, {701, 701, 1280, 700, 700}, {3999, 2251, 1280, 1280, 720}, {0, 0, 100, 2, 2}} {
		if w, h := OutputSize(tt[0], tt[1], tt[2]); w != tt[3] || h != tt[4] {
			t.Errorf("OutputSize(%d, %d, %d) = %d, %d", tt[0], tt[1], tt[2], w, h)
		}
	}
}

func TestResizeKeepsWhatItShould(t *testing.T) {
	flat := image.NewNRGBA(image.Rect(0, 0, 50, 40))
	for i := range flat.Pix {
		flat.Pix[i] = []uint8{10, 120, 250, 255}[i%4]
	}
	for _, size := range []image.Point{{1, 1}, {13, 7}, {49, 39}, {50, 40}, {200, 300}} {
		m := Resize(flat, size.X, size.Y)
		for i := range m.Pix {
			if d := int(m.Pix[i]) - int(flat.Pix[i%4]); d < -1 || d > 1 {
				t.Fatalf("%v: channel %d is %d", size, i%4, m.Pix[i])
			}
		}
	}
	// A smooth picture comes back after shrinking and enlarging.
	ramp := image.NewNRGBA(image.Rect(0, 0, 256, 64))
	for y := range 64 {
		for x := range 256 {
			ramp.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(255 - x), 80, 255})
		}
	}
	back := Resize(Resize(ramp, 64, 16), 256, 64)
	for x := 8; x < 248; x++ {
		if d := int(back.NRGBAAt(x, 32).R) - x; d < -3 || d > 3 {
			t.Errorf("ramp at %d is %v", x, back.NRGBAAt(x, 32))
		}
	}
	// Hidden colours do not bleed into visible ones.
	edge := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			c := color.NRGBA{0, 255, 0, 0}
			if x >= 32 {
				c = color.NRGBA{200, 0, 0, 255}
			}
			edge.SetNRGBA(x, y, c)
		}
	}
	for _, m := range []*image.NRGBA{Resize(edge, 23, 23), Shrink(edge, 13), Resize(edge, 9, 9)} {
		for i := 0; i < len(m.Pix); i += 4 {
			if m.Pix[i+3] > 0 && m.Pix[i+1] > 2 {
				t.Fatalf("green from a hidden pixel: %v", m.Pix[i:i+4])
			}
		}
	}
}

func TestCoverNeverStretches(t *testing.T) {
	// A circle stays one.
	src := image.NewNRGBA(image.Rect(0, 0, 400, 200))
	for y := range 200 {
		for x := range 400 {
			c := color.NRGBA{255, 255, 255, 255}
			if (x-200)*(x-200)+(y-100)*(y-100) < 60*60 {
				c = color.NRGBA{0, 0, 0, 255}
			}
			src.SetNRGBA(x, y, c)
		}
	}
	m := Cover(src, 100, 100, 0.5, 0.5)
	var wide, high int
	for i := range 100 {
		if m.NRGBAAt(i, 50).R < 128 {
			wide++
		}
		if m.NRGBAAt(50, i).R < 128 {
			high++
		}
	}
	if wide < 58 || wide > 62 || high < 58 || high > 62 {
		t.Errorf("circle of 60 became %d × %d", wide, high)
	}
	if c := Cover(src, 100, 100, 0, 0.5).NRGBAAt(40, 50); c.R < 200 {
		t.Errorf("focus at the left shows %v", c)
	}
	if b := Cover(src, 30, 90, math.NaN(), math.Inf(1)).Rect; b != image.Rect(0, 0, 30, 90) {
		t.Errorf("bounds %v", b)
	}
}

func TestBeyondStaysAroundTheFace(t *testing.T) {
	for _, a := range []Aspect{Square, Portrait, Landscape} {
		for _, face := range []image.Rectangle{image.Rect(249, 136, 391, 278), image.Rect(0, 200, 90, 290), image.Rect(560, 150, 640, 230)} {
			r := Framing{Aspect: a, Face: face, Beyond: true}.Rect(640, 400)
			if !face.In(r) {
				t.Errorf("%v: the crop %v misses the face %v", a, r, face)
			}
			if share := float64(face.Dy()) / float64(r.Dy()); share < 0.4 || share > 0.6 {
				t.Errorf("%v: the face takes %.2f of the height of %v", a, share, r)
			}
			if off := (r.Min.X + r.Max.X - face.Min.X - face.Max.X) / 2; off < -1 || off > 1 {
				t.Errorf("%v: the face %v is %d beside the middle of %v", a, face, off, r)
			}
		}
	}
}
