package background

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/videomsg/videomsg/vision"
)

func TestParse(t *testing.T) {
	for s, want := range map[string]Kind{
		"": Preset, "original": Original, "transparent": Transparent, "blur": Blur, "image": Image,
		"#fff": Colour, "#12ab9F": Colour, "gradient:#ffffff,#000": Gradient, "gradient:#fff,#000,#abc@45": Gradient,
		"gradient:#fff,#000@radial": Gradient, "birthday": Preset,
	} {
		if got, err := Parse(s); err != nil || got.Kind != want {
			t.Errorf("Parse(%q) = %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"#12345", "#gggggg", "#", "gradient:", "gradient:#fff", "gradient:#fff,#fff,#fff,#fff", "gradient:#fff,#000@NaN", "gradient:#fff,#000@1e9", "nowhere", "../etc"} {
		if got, err := Parse(s); !errors.Is(err, ErrUnknown) {
			t.Errorf("Parse(%q) = %+v, %v", s, got, err)
		}
	}
}

func TestCatalogueIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Catalogue() {
		if e.ID == "" || e.Ja == "" || e.En == "" || seen[e.ID] {
			t.Errorf("entry %+v", e)
		}
		seen[e.ID] = true
	}
	if len(seen) < 8 || !seen[Default] {
		t.Errorf("%d presets", len(seen))
	}
}

func TestPresetsDrawAtAnySize(t *testing.T) {
	for _, e := range Catalogue() {
		t.Run(e.ID, func(t *testing.T) {
			var last *image.NRGBA
			for _, size := range []image.Point{{1, 1}, {7, 3}, {90, 160}, {160, 90}, {120, 120}} {
				m, err := Render(Spec{Kind: Preset, ID: e.ID}, size.X, size.Y)
				if err != nil || m.Rect.Size() != size {
					t.Fatalf("Render %v: %v", size, err)
				}
				for i := 3; i < len(m.Pix); i += 4 {
					if m.Pix[i] != 255 {
						t.Fatalf("%v: pixel %d has opacity %d", size, i/4, m.Pix[i])
					}
				}
				last = m
			}
			// The same picture again, whatever the number of processors.
			old := runtime.GOMAXPROCS(1)
			again, err := Render(Spec{Kind: Preset, ID: e.ID}, 120, 120)
			runtime.GOMAXPROCS(old)
			if err != nil || !bytes.Equal(last.Pix, again.Pix) {
				t.Errorf("not reproducible: %v", err)
			}
		})
	}
	if _, err := Render(Spec{Kind: Colour}, 100_000, 100_000); err == nil {
		t.Error("drew 10 gigapixels")
	}
	if _, err := Render(Spec{Kind: Blur}, 10, 10); !errors.Is(err, ErrUnknown) {
		t.Errorf("blur without a picture: %v", err)
	}
}

func TestGradientEnds(t *testing.T) {
	s, err := Parse("gradient:#ff0000,#0000ff@0")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Render(s, 64, 64)
	if err != nil {
		t.Fatal(err)
	}
	if top, bottom := m.NRGBAAt(32, 0), m.NRGBAAt(32, 63); top.R < 250 || bottom.B < 250 {
		t.Errorf("top %v, bottom %v", top, bottom)
	}
}

// TestSheet writes all presets into one picture to look at, when asked to.
func TestSheet(t *testing.T) {
	dir := os.Getenv("SHEETS")
	if dir == "" {
		t.Skip("SHEETS is not set to a folder")
	}
	const w, h, cols = 480, 270, 3
	list := Catalogue()
	sheet := image.NewNRGBA(image.Rect(0, 0, w*cols, h*((len(list)+cols-1)/cols)))
	for i, e := range list {
		m, err := Render(Spec{Kind: Preset, ID: e.ID}, w*2, h*2)
		if err != nil {
			t.Fatal(err)
		}
		paste(sheet, vision.Resize(m, w, h), i%cols*w, i/cols*h)
	}
	write(t, filepath.Join(dir, "backgrounds.png"), sheet)
}

func paste(dst, src *image.NRGBA, x, y int) {
	for j := range src.Rect.Dy() {
		copy(dst.Pix[(y+j)*dst.Stride+4*x:], src.Pix[j*src.Stride:j*src.Stride+4*src.Rect.Dx()])
	}
}

func write(t *testing.T, path string, m image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
}

func uniform(w, h int, c color.NRGBA) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}
