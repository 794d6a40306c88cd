package portrait

import (
	"flag"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/face"
)

var update = flag.Bool("update", false, "write the golden pictures")

var detector = sync.OnceValues(face.NewDetector)

func testDetector(t testing.TB) *face.Detector {
	t.Helper()
	d, err := detector()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rgbOf converts a frame for looking at it.
func rgbOf(f *Frame) *image.NRGBA {
	im := image.NewNRGBA(image.Rect(0, 0, f.W, f.H))
	for y := range f.H {
		for x := range f.W {
			l := (float64(f.Y[y*f.W+x]) - 16) * 255 / 219
			o := y/2*(f.W/2) + x/2
			u, v := (float64(f.U[o])-128)*255/224, (float64(f.V[o])-128)*255/224
			im.SetNRGBA(x, y, color.NRGBA{byteOf(l + 1.5748*v), byteOf(l - 0.1873*u - 0.4681*v), byteOf(l + 1.8556*u), 255})
		}
	}
	return im
}

// posed makes a talking painter of a drawn portrait.
func posed(t testing.TB, do drawn.Options, o Options, edit func(*Input, drawn.Truth)) *talking {
	t.Helper()
	im, truth := drawn.Portrait(do)
	ph := speech("a")
	in := Input{Image: im, Detector: testDetector(t), Phones: ph, Voice: utter(ph, 16000)}
	if edit != nil {
		edit(&in, truth)
	}
	o.Style = Talking
	o, err := o.check(in)
	if err != nil {
		t.Fatal(err)
	}
	r := &Report{Style: Talking, Seconds: in.Voice.Duration().Seconds()}
	p, err := newPainter(o, in, r)
	if err != nil {
		t.Fatal(err)
	}
	return p.(*talking)
}

func blank(w, h int) *Frame {
	return &Frame{W: w, H: h, Y: make([]byte, w*h), U: make([]byte, w*h/4), V: make([]byte, w*h/4)}
}

// poseOf is a named still pose.
func poseOf(name string) Pose {
	p := Pose{Width: 1}
	switch name {
	case "rest":
	case "blink":
		p.Blink = 1
	case "half":
		p.Blink = 0.5
	case "left":
		p.Yaw, p.Roll, p.Brow = -1, -1, 1
	default:
		s, _ := shapesOf(name, "")
		v := s[0]
		p.Open, p.Width, p.Tongue, p.Teeth, p.Press = v.open, v.width, v.tongue, v.teeth, v.press()
	}
	return p
}

func strip(t testing.TB, tk *talking, names ...string) *image.NRGBA {
	t.Helper()
	f := blank(tk.o.W, tk.o.H)
	out := image.NewNRGBA(image.Rect(0, 0, f.W*len(names), f.H))
	for i, n := range names {
		p := poseOf(n)
		tk.pose(f, &p)
		im := rgbOf(f)
		for y := range f.H {
			copy(out.Pix[out.PixOffset(i*f.W, y):], im.Pix[y*im.Stride:(y+1)*im.Stride])
		}
	}
	return out
}

// TestGoldenPoses compares poses with pictures that were looked at. Rounding
// differs between architectures, hence the tolerance.
func TestGoldenPoses(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	for name, tt := range map[string]struct {
		do    drawn.Options
		poses []string
	}{
		"closed": {drawn.Options{Tone: 0.2}, []string{"rest", "a", "i", "o", "u", "blink", "left"}},
		"smile":  {drawn.Options{Tone: 1, Smile: 1}, []string{"rest", "a", "m", "o", "u", "blink", "left"}},
		"beard":  {drawn.Options{Tone: 0.4, Beard: true, Glasses: true, Hair: drawn.Short}, []string{"rest", "a", "i", "o", "s", "blink", "left"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := strip(t, posed(t, tt.do, Options{W: 224, H: 224, Motion: 1}, nil), tt.poses...)
			path := filepath.Join("testdata", "golden", name+".png")
			if *update {
				writePNG(t, path, got)
				return
			}
			want := readPNG(t, path)
			if got.Rect != want.Bounds() {
				t.Fatalf("got %v, want %v", got.Rect, want.Bounds())
			}
			var sum float64
			for y := range got.Rect.Dy() {
				for x := range got.Rect.Dx() {
					r, g, b, _ := want.At(x, y).RGBA()
					p := got.Pix[got.PixOffset(x, y):]
					for k, v := range []uint32{r, g, b} {
						d := float64(p[k]) - float64(v>>8)
						sum += d * d
					}
				}
			}
			if psnr := 10 * math.Log10(255*255/(sum/float64(3*got.Rect.Dx()*got.Rect.Dy())+1e-9)); psnr < 38 {
				writePNG(t, filepath.Join(t.ArtifactDir(), name+".png"), got)
				t.Errorf("PSNR against the golden picture is %.1f dB, want at least 38", psnr)
			}
		})
	}
}

func writePNG(t testing.TB, path string, im image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(f, im); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func readPNG(t testing.TB, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return im
}
