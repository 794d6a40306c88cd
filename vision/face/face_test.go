package face_test

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	xdraw "golang.org/x/image/draw"

	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/face"
)

var detector = sync.OnceValues(face.NewDetector)

func newDetector(t testing.TB) *face.Detector {
	t.Helper()
	d, err := detector()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDetectFindsLandmarks(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	d := newDetector(t)
	for name, tt := range map[string]struct {
		o          drawn.Options
		eye, mouth float64 // tolerance in pupil distances
	}{
		"very light":         {drawn.Options{Tone: 0}, 0.03, 0.06},
		"medium":             {drawn.Options{Tone: 0.5}, 0.03, 0.06},
		"very dark":          {drawn.Options{Tone: 1}, 0.03, 0.06},
		"dark, smiling":      {drawn.Options{Tone: 0.75, Smile: 1}, 0.03, 0.12},
		"half a smile":       {drawn.Options{Smile: 0.5}, 0.03, 0.06},
		"glasses":            {drawn.Options{Glasses: true}, 0.035, 0.06},
		"beard, short hair":  {drawn.Options{Beard: true, Hair: drawn.Short, Tone: 0.3}, 0.03, 0.16},
		"tilted right":       {drawn.Options{Tilt: 0.2}, 0.03, 0.06},
		"tilted far left":    {drawn.Options{Tilt: -0.35}, 0.03, 0.06},
		"three-quarter view": {drawn.Options{Yaw: 0.4}, 0.03, 0.06},
		"noise":              {drawn.Options{Noise: 15, Seed: 3}, 0.035, 0.06},
		"greyscale":          {drawn.Options{Gray: true}, 0.03, 0.06},
		"small in the frame": {drawn.Options{Size: 0.05}, 0.05, 0.08},
		"large in the frame": {drawn.Options{Size: 0.25}, 0.03, 0.06},
		"tall picture":       {drawn.Options{W: 300, H: 700, Size: 0.2}, 0.03, 0.06},
		"at the edge":        {drawn.Options{CenterX: 0.3, Size: 0.1}, 0.03, 0.06},
	} {
		t.Run(name, func(t *testing.T) {
			im, truth := drawn.Portrait(tt.o)
			fs := d.Detect(im)
			if len(fs) != 1 {
				t.Fatalf("got %d faces, want 1: %+v", len(fs), fs)
			}
			f := fs[0]
			check := func(what string, p face.Point, want drawn.Point, tol float64) {
				x, y := f.Frame.Pixel(p.X, p.Y)
				if e := math.Hypot(x-want.X, y-want.Y) / truth.IOD; !(e <= tol) {
					t.Errorf("%s is off by %.3f pupil distances, want at most %.3f", what, e, tol)
				}
			}
			check("left pupil", face.Point{X: -0.5}, truth.EyeL, tt.eye)
			check("right pupil", face.Point{X: 0.5}, truth.EyeR, tt.eye)
			check("left corner of the mouth", f.MouthL, truth.MouthL, tt.mouth)
			check("right corner of the mouth", f.MouthR, truth.MouthR, tt.mouth)
			check("nose", f.Nose, truth.Nose, 0.1)
			if got, want := f.Frame.Roll(), tt.o.Tilt; math.Abs(got-want) > 0.03 {
				t.Errorf("roll is %.3f, want %.3f", got, want)
			}
			if got, want := f.Yaw, tt.o.Yaw; math.Abs(got-want) > 0.2 {
				t.Errorf("yaw is %.2f, want %.2f", got, want)
			}
			if f.Confidence < 0.5 {
				t.Errorf("confidence is %.2f, want at least 0.5", f.Confidence)
			}
		})
	}
}

func TestDetectIsReproducibleAndConcurrent(t *testing.T) {
	d := newDetector(t)
	im, _ := drawn.Portrait(drawn.Options{W: 160, H: 160, Size: 0.18, Tilt: 0.1})
	want := d.Detect(im)
	if len(want) == 0 {
		t.Fatal("no face")
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if got := d.Detect(im); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	wg.Wait()
}

func TestDetectSeesThePictureNotItsRepresentation(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	d := newDetector(t)
	im, truth := drawn.Portrait(drawn.Options{W: 256, H: 256, Size: 0.18})
	want := d.Detect(im)[0].Frame
	shifted := image.NewRGBA(image.Rect(50, -20, 306, 236)) // another origin and type
	draw.Draw(shifted, shifted.Rect, im, image.Point{}, draw.Src)
	ycc := image.NewYCbCr(im.Rect, image.YCbCrSubsampleRatio420)
	for y := range 256 {
		for x := range 256 {
			c := color.YCbCrModel.Convert(im.At(x, y)).(color.YCbCr)
			ycc.Y[ycc.YOffset(x, y)] = c.Y
		}
	}
	deep := image.NewRGBA64(im.Rect)
	draw.Draw(deep, deep.Rect, im, image.Point{}, draw.Src)
	cut := image.NewNRGBA(im.Rect) // background removed
	for i, a := range truth.Alpha.Pix {
		copy(cut.Pix[4*i:], im.Pix[4*i:4*i+3])
		cut.Pix[4*i+3] = a
	}
	for name, tt := range map[string]struct {
		img    image.Image
		dx, dy float64
	}{"RGBA with an offset": {shifted, 50, -20}, "YCbCr": {ycc, 0, 0}, "16 bit": {deep, 0, 0}, "transparent background": {cut, 0, 0}} {
		t.Run(name, func(t *testing.T) {
			fs := d.Detect(tt.img)
			if len(fs) != 1 {
				t.Fatalf("got %d faces, want 1: %+v", len(fs), fs)
			}
			got := fs[0].Frame
			if math.Abs(got.Origin.X-tt.dx-want.Origin.X) > 1 || math.Abs(got.Origin.Y-tt.dy-want.Origin.Y) > 1 || math.Abs(got.IOD()-want.IOD()) > 1 {
				t.Errorf("got %+v, want %+v moved by (%v, %v)", got, want, tt.dx, tt.dy)
			}
		})
	}
}

// group puts portraits beside each other.
func group(opts ...drawn.Options) *image.NRGBA {
	w := 0
	for _, o := range opts {
		w += o.W
	}
	im := image.NewNRGBA(image.Rect(0, 0, w, opts[0].H))
	x := 0
	for _, o := range opts {
		p, _ := drawn.Portrait(o)
		draw.Draw(im, image.Rect(x, 0, x+o.W, o.H), p, image.Point{}, draw.Src)
		x += o.W
	}
	return im
}

func TestAnalyze(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	d := newDetector(t)
	small, _ := drawn.Portrait(drawn.Options{W: 300, H: 300, Size: 0.06})
	turned, _ := drawn.Portrait(drawn.Options{Yaw: 0.7})
	good, _ := drawn.Portrait(drawn.Options{})
	dark, _ := drawn.Portrait(drawn.Options{Tone: 1})
	night := image.NewNRGBA(good.Rect)
	for i, v := range good.Pix {
		night.Pix[i] = v
		if i%4 != 3 {
			night.Pix[i] = v / 6
		}
	}
	tiny := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	xdraw.BiLinear.Scale(tiny, tiny.Rect, good, good.Rect, xdraw.Src, nil)
	blurred := image.NewNRGBA(good.Rect)
	xdraw.BiLinear.Scale(blurred, blurred.Rect, tiny, tiny.Rect, xdraw.Src, nil)
	wall := image.NewNRGBA(image.Rect(0, 0, 500, 400))
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range wall.Pix {
		wall.Pix[i] = uint8(rng.IntN(256))
	}
	pair := group(drawn.Options{W: 300, H: 400, Size: 0.17}, drawn.Options{W: 300, H: 400, Size: 0.15, Tone: 0.7, Hair: drawn.Short}, drawn.Options{W: 300, H: 400, Size: 0.16, Tone: 0.4})
	for name, tt := range map[string]struct {
		img    image.Image
		usable bool
		faces  int
		want   []face.Reason
	}{
		"a good portrait":              {good, true, 1, nil},
		"very dark skin in good light": {dark, true, 1, nil},
		"a small face":                 {small, false, 1, []face.Reason{face.TooSmall}},
		"a face turned away":           {turned, false, -1, []face.Reason{face.Profile}},
		"a picture taken at night":     {night, false, 1, []face.Reason{face.TooDark}},
		"an unsharp picture":           {blurred, true, 1, []face.Reason{face.Blurred}},
		"three people":                 {pair, true, 3, []face.Reason{face.Several}},
		"noise":                        {wall, false, 0, []face.Reason{face.NoFace}},
		"one pixel wide":               {image.NewGray(image.Rect(0, 0, 1, 4000)), false, 0, []face.Reason{face.NoFace}},
		"empty":                        {image.NewGray(image.Rectangle{}), false, 0, []face.Reason{face.NoFace}},
		"all transparent":              {image.NewNRGBA(image.Rect(0, 0, 300, 300)), false, 0, []face.Reason{face.NoFace}},
	} {
		t.Run(name, func(t *testing.T) {
			r := d.Analyze(tt.img)
			if tt.faces >= 0 && len(r.Faces) != tt.faces {
				t.Errorf("got %d faces, want %d", len(r.Faces), tt.faces)
			}
			if r.Usable != tt.usable {
				t.Errorf("usable is %v (%v), want %v", r.Usable, r.Reasons, tt.usable)
			}
			for _, w := range tt.want {
				if !slices.Contains(r.Reasons, w) && !(w == face.Profile && slices.Contains(r.Reasons, face.NoFace)) {
					t.Errorf("reasons are %v, want %s among them (sharpness %.2f, bright %.0f)", r.Reasons, w, r.Sharpness, r.Bright)
				}
			}
			if tt.want == nil && len(r.Reasons) > 0 {
				t.Errorf("reasons are %v, want none (sharpness %.2f, bright %.0f)", r.Reasons, r.Sharpness, r.Bright)
			}
		})
	}
	t.Run("another face can be chosen", func(t *testing.T) {
		r := d.Analyze(pair)
		r.Check(pair, 2)
		if !r.Usable {
			t.Errorf("not usable: %v", r.Reasons)
		}
		r.Check(pair, 7)
		if r.Usable {
			t.Error("a face that does not exist is usable")
		}
	})
}

func FuzzDetect(f *testing.F) {
	d := newDetector(f)
	f.Add(uint16(100), uint16(80), []byte{1, 2, 3})
	f.Add(uint16(1), uint16(4000), []byte{255, 0})
	f.Add(uint16(17), uint16(17), []byte{})
	f.Fuzz(func(t *testing.T, w, h uint16, data []byte) {
		im := image.NewGray(image.Rect(0, 0, int(w%700), int(h%700)))
		for i := range im.Pix {
			if len(data) > 0 {
				im.Pix[i] = data[i%len(data)] + byte(i/len(data))
			}
		}
		for _, g := range d.Detect(im) {
			if c := g.Confidence; !(c >= 0 && c <= 1) || !(g.Frame.IOD() > 0) {
				t.Errorf("got confidence %v, frame %v", c, g.Frame)
			}
		}
	})
}

func BenchmarkDetect(b *testing.B) {
	d := newDetector(b)
	im, _ := drawn.Portrait(drawn.Options{W: 1024, H: 1024})
	for b.Loop() {
		d.Detect(im)
	}
}

func BenchmarkNewDetector(b *testing.B) {
	for b.Loop() {
		if _, err := face.NewDetector(); err != nil {
			b.Fatal(err)
		}
	}
}
