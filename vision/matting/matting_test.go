package matting_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/videomsg/videomsg/bench/vision/scenes"
	"github.com/videomsg/videomsg/vision/matting"
)

// draw paints a scene by its name.
func draw(t testing.TB, name string, w, h int) scenes.Scene {
	t.Helper()
	i := slices.Index(scenes.Names(), name)
	if i < 0 {
		t.Fatalf("no scene %q", name)
	}
	return scenes.Draw(i, w, h)
}

func TestCutOnDrawnScenes(t *testing.T) {
	t.Parallel()
	// Floors well below what is reached; they catch what breaks, not what varies.
	for _, tt := range []struct {
		name string
		want float64
	}{
		{"plain wall", 0.97},
		{"dark on dark", 0.95},
		{"hair strands", 0.92},
		{"busy and sharp", 0.93},
		{"bokeh", 0.93},
		{"motion blur", 0.92},
		{"two people", 0.95},
		{"close-up", 0.92},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := draw(t, tt.name, 208, 168)
			r, err := matting.Cut(s.Image, matting.Options{Faces: s.Faces, Quick: true})
			if err != nil {
				t.Fatal(err)
			}
			e := scenes.Evaluate(matting.Alpha(r.Cutout), s.Alpha)
			if e.IoU < tt.want || r.Confidence < matting.Accept {
				t.Errorf("IoU %.3f, want ≥ %.2f; confidence %.2f %v", e.IoU, tt.want, r.Confidence, r.Reasons)
			}
		})
	}
}

func TestRepeatedCutsAgreeOnAClearPicture(t *testing.T) {
	t.Parallel()
	s := draw(t, "plain wall", 160, 128)
	r, err := matting.Cut(s.Image, matting.Options{Faces: s.Faces})
	if err != nil || r.Agreement < 0.95 || r.Confidence < matting.Accept {
		t.Errorf("agreement %.2f, confidence %.2f, %v", r.Agreement, r.Confidence, err)
	}
}

func TestOnlyKeepsTheChosenFace(t *testing.T) {
	t.Parallel()
	s := draw(t, "two people", 192, 154)
	slices.Reverse(s.Faces)
	r, err := matting.Cut(s.Image, matting.Options{Faces: s.Faces, Only: true, Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	chosen, other := s.Faces[0], s.Faces[1]
	at := func(f image.Rectangle) uint8 {
		return r.Cutout.NRGBAAt((f.Min.X+f.Max.X)/2, (f.Min.Y+f.Max.Y)/2).A
	}
	if at(chosen) < 250 || at(other) > 5 {
		t.Errorf("opacity of the chosen face %d, of the other %d", at(chosen), at(other))
	}
}

func TestWhiteOnWhiteStaysOpaque(t *testing.T) {
	t.Parallel()
	s := draw(t, "white on white", 240, 192)
	r, err := matting.Cut(s.Image, matting.Options{Faces: s.Faces, Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	// The shirt, well inside its outline.
	var solid, all int
	for y := 165; y < 188; y++ {
		for x := 75; x < 165; x++ {
			if s.Alpha.GrayAt(x, y).Y == 255 {
				all++
				if r.Cutout.NRGBAAt(x, y).A > 240 {
					solid++
				}
			}
		}
	}
	if all == 0 || float64(solid) < 0.995*float64(all) {
		t.Errorf("%d of %d shirt pixels are opaque", solid, all)
	}
}

func TestPriorLeadsTheCut(t *testing.T) {
	t.Parallel()
	s := draw(t, "glasses, shelves", 240, 192)
	// A coarse model: the truth at a fifth of the size, hard.
	small := image.NewGray(image.Rect(0, 0, 48, 38))
	for y := range 38 {
		for x := range 48 {
			if s.Alpha.GrayAt(x*5+2, y*5+2).Y > 127 {
				small.SetGray(x, y, color.Gray{255})
			}
		}
	}
	with, err := matting.Cut(s.Image, matting.Options{Prior: small, Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	e := scenes.Evaluate(matting.Alpha(with.Cutout), s.Alpha)
	if e.IoU < 0.97 {
		t.Errorf("IoU with a prior %.3f", e.IoU)
	}
	refined := scenes.Evaluate(matting.Alpha(matting.Refine(s.Image, small)), s.Alpha)
	if refined.IoU < 0.95 {
		t.Errorf("IoU of the refined mask %.3f", refined.IoU)
	}
}

func TestEdgeColoursAreFreedOfTheBackground(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"green screen", "hair strands"} {
		s := draw(t, name, 320, 256)
		clean := scenes.Spill(matting.Clean(s.Image, s.Alpha), s)
		naive := scenes.Spill(s.Image, s)
		// The scenes have noise, which is not removed.
		if clean > naive/8 || clean > 7 {
			t.Errorf("%s: colour error %.1f of 255 on soft pixels, untreated %.1f", name, clean, naive)
		}
	}
}

func TestCutIsReproducible(t *testing.T) {
	s := draw(t, "bokeh", 144, 116)
	var first []byte
	for _, n := range []int{1, 8} {
		old := runtime.GOMAXPROCS(n)
		r, err := matting.Cut(s.Image, matting.Options{Faces: s.Faces})
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = r.Cutout.Pix
		} else if !bytes.Equal(first, r.Cutout.Pix) {
			t.Errorf("%d processors give other bytes", n)
		}
	}
}

func TestCutDeclines(t *testing.T) {
	t.Parallel()
	noise := image.NewNRGBA(image.Rect(0, 0, 90, 90))
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Pix {
		noise.Pix[i] = uint8(rng.Uint32()) | uint8(255*(i&3/3))
	}
	flat := image.NewNRGBA(image.Rect(0, 0, 90, 90))
	for i := range flat.Pix {
		flat.Pix[i] = 200
	}
	face := []image.Rectangle{image.Rect(36, 36, 54, 54)}
	for name, tt := range map[string]struct {
		img  *image.NRGBA
		o    matting.Options
		seed bool
	}{
		"no face":                   {img: flat},
		"face outside":              {img: flat, o: matting.Options{Faces: []image.Rectangle{image.Rect(400, 0, 500, 100)}}},
		"face of one pixel":         {img: flat, o: matting.Options{Faces: []image.Rectangle{image.Rect(10, 10, 11, 11)}}},
		"face larger than the moon": {img: flat, o: matting.Options{Faces: []image.Rectangle{image.Rect(-1<<30, -1<<30, 1<<30, 1<<30)}}},
		"tiny picture":              {img: image.NewNRGBA(image.Rect(0, 0, 3, 3)), o: matting.Options{Faces: []image.Rectangle{image.Rect(0, 0, 3, 3)}}},
		"noise":                     {img: noise, o: matting.Options{Faces: face}, seed: true},
		"one colour":                {img: flat, o: matting.Options{Faces: face}, seed: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := matting.Cut(tt.img, tt.o)
			if !tt.seed {
				if !errors.Is(err, matting.ErrNoSeed) {
					t.Errorf("Cut = %v", err)
				}
				return
			}
			if err != nil || r.Confidence < 0 || r.Confidence > 1 {
				t.Errorf("Cut: confidence %v, %v", r.Confidence, err)
			}
		})
	}
}

func TestJudgeKnowsNoise(t *testing.T) {
	t.Parallel()
	s := draw(t, "plain wall", 160, 128)
	if c, why := matting.Judge(s.Alpha, matting.Options{Faces: s.Faces}); c < matting.Accept {
		t.Errorf("true mask rated %.2f %v", c, why)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for name, f := range map[string]func(i int) uint8{
		"empty": func(int) uint8 { return 0 }, "full": func(int) uint8 { return 255 },
		"noise": func(int) uint8 { return uint8(rng.Uint32()) }, "inverted": func(i int) uint8 { return 255 - s.Alpha.Pix[i] },
	} {
		m := image.NewGray(s.Alpha.Rect)
		for i := range m.Pix {
			m.Pix[i] = f(i)
		}
		if c, _ := matting.Judge(m, matting.Options{Faces: s.Faces}); c >= matting.Accept {
			t.Errorf("%s mask rated %.2f", name, c)
		}
	}
}

func BenchmarkCut(b *testing.B) {
	for _, size := range []struct {
		name string
		w, h int
	}{{"1MP", 1152, 896}, {"4MP", 2304, 1792}, {"12MP", 4000, 3000}} {
		b.Run(size.name, func(b *testing.B) {
			s := draw(b, "plain wall", size.w, size.h)
			for b.Loop() {
				if _, err := matting.Cut(s.Image, matting.Options{Faces: s.Faces, Quick: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
