package background

import (
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/videomsg/videomsg/bench/vision/scenes"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/matting"
)

func TestComposeKeepsPersonAndBackground(t *testing.T) {
	cut := image.NewNRGBA(image.Rect(0, 0, 100, 100))
	for y := 40; y < 100; y++ {
		for x := 30; x < 70; x++ {
			cut.SetNRGBA(x, y, color.NRGBA{200, 100, 50, 255})
		}
	}
	back := uniform(100, 100, color.NRGBA{10, 20, 200, 255})
	got := Compose(cut, back, Look{})
	if c := got.NRGBAAt(50, 70); c != (color.NRGBA{200, 100, 50, 255}) {
		t.Errorf("person %v", c)
	}
	if c := got.NRGBAAt(5, 5); c != (color.NRGBA{10, 20, 200, 255}) {
		t.Errorf("background %v", c)
	}
	shaded := Compose(cut, back, Look{Shadow: 0.5})
	if near, far := shaded.NRGBAAt(28, 80).B, shaded.NRGBAAt(5, 5).B; near >= 195 || far != 200 {
		t.Errorf("shadow: %d beside the person, %d far away", near, far)
	}
	if c := Compose(cut, image.NewNRGBA(cut.Rect), Look{}).NRGBAAt(5, 5); c.A != 0 {
		t.Errorf("transparent background became %v", c)
	}
	// Other size, hostile numbers.
	if m := Compose(cut, uniform(30, 77, color.NRGBA{9, 9, 9, 255}), Look{math.NaN(), math.Inf(1), -3}); m.Rect != cut.Rect {
		t.Errorf("bounds %v", m.Rect)
	}
}

func TestComposeMixesInLinearLight(t *testing.T) {
	cut := uniform(40, 40, color.NRGBA{255, 255, 255, 128})
	got := Compose(cut, uniform(40, 40, color.NRGBA{0, 0, 0, 255}), Look{}).NRGBAAt(20, 20)
	if got.R < 186 || got.R > 190 { // half the light of white is level 188
		t.Errorf("half white over black = %v", got)
	}
}

func TestLightFollowsTheBackgroundGently(t *testing.T) {
	cut := uniform(40, 40, color.NRGBA{150, 120, 110, 255})
	for name, tt := range map[string]struct {
		back color.NRGBA
		ok   func(c color.NRGBA) bool
	}{
		"dark":  {color.NRGBA{10, 10, 10, 255}, func(c color.NRGBA) bool { return c.R < 150 && c.R > 125 }},
		"light": {color.NRGBA{250, 250, 250, 255}, func(c color.NRGBA) bool { return c.R > 150 && c.R < 172 }},
		"blue":  {color.NRGBA{60, 90, 220, 255}, func(c color.NRGBA) bool { return int(c.B)-110 > int(c.R)-150 }},
	} {
		if c := Compose(cut, uniform(40, 40, tt.back), Look{Light: 0.5}).NRGBAAt(20, 20); !tt.ok(c) {
			t.Errorf("%s: %v", name, c)
		}
	}
}

func TestDefocusRemovesThePerson(t *testing.T) {
	original := uniform(200, 200, color.NRGBA{40, 160, 60, 255})
	cut := image.NewNRGBA(original.Rect)
	for y := 60; y < 200; y++ {
		for x := 60; x < 140; x++ {
			original.SetNRGBA(x, y, color.NRGBA{230, 30, 30, 255})
			cut.SetNRGBA(x, y, color.NRGBA{230, 30, 30, 255})
		}
	}
	got := Defocus(original, cut)
	for _, p := range []image.Point{{20, 20}, {52, 150}, {100, 130}} {
		if c := got.NRGBAAt(p.X, p.Y); c.R > 60 || c.G < 145 {
			t.Errorf("%v: %v, want the wall", p, c)
		}
	}
	whole := uniform(200, 200, color.NRGBA{9, 9, 9, 255})
	if m := Defocus(original, whole); m.Rect != original.Rect { // nothing but person
		t.Errorf("bounds %v", m.Rect)
	}
}

// TestComposeSheet writes a person before several backgrounds, when asked to.
func TestComposeSheet(t *testing.T) {
	dir := os.Getenv("SHEETS")
	if dir == "" {
		t.Skip("SHEETS is not set to a folder")
	}
	s := scenes.Draw(1, 1000, 1000)
	r, err := matting.Cut(s.Image, matting.Options{Faces: s.Faces})
	if err != nil {
		t.Fatal(err)
	}
	f := vision.Framing{Aspect: vision.Square, Shot: vision.UpperBody, Face: s.Faces[0], Beyond: true}
	crop := f.Rect(1000, 1000)
	cut := vision.Resize(vision.Crop(r.Cutout, crop), 360, 360)
	ids := []string{"soft", "celebration", "birthday", "spring", "summer", "night", "office", "stage"}
	sheet := image.NewNRGBA(image.Rect(0, 0, 360*4, 360*3))
	for i, id := range ids {
		b, err := Render(Spec{Kind: Preset, ID: id}, 360, 360)
		if err != nil {
			t.Fatal(err)
		}
		paste(sheet, Compose(cut, b, Natural), i%4*360, i/4*360)
	}
	paste(sheet, vision.Resize(Compose(r.Cutout, Defocus(s.Image, r.Cutout), Natural), 360, 360), 0, 720)
	write(t, filepath.Join(dir, "compose.png"), sheet)
}
