package face_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/drawn"
)

// TestDamagedPictures reads a thousand damaged portraits and looks for faces in
// what can still be read: nothing panics, and a face that is found is finite and
// lies in the picture.
func TestDamagedPictures(t *testing.T) {
	if !measuring {
		t.Skip("the race detector makes it ten times slower")
	}
	d := newDetector(t)
	im, _ := drawn.Portrait(drawn.Options{W: 96, H: 96, Size: 0.28})
	var whole bytes.Buffer
	if err := jpeg.Encode(&whole, im, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var unread, faceless, found int
	for range 1000 {
		data := slices.Clone(whole.Bytes())
		switch r.IntN(3) {
		case 0: // single bytes
			for range 1 + r.IntN(8) {
				data[r.IntN(len(data))] = byte(r.Uint32())
			}
		case 1: // a piece from elsewhere
			n := r.IntN(len(data) / 4)
			copy(data[r.IntN(len(data)-n):], whole.Bytes()[r.IntN(len(data)-n):][:n])
		default: // a cut
			data = data[:r.IntN(len(data))]
		}
		p, err := vision.Read(data, vision.Limits{})
		if err != nil {
			unread++
			continue
		}
		faces := d.Analyze(p.Image).Faces
		if len(faces) == 0 {
			faceless++
			continue
		}
		found++
		b := p.Image.Bounds()
		for _, f := range faces {
			if c := f.Confidence; !(c >= 0 && c <= 1) {
				t.Errorf("confidence %v", c)
			}
			if x, y := f.Frame.Origin.X, f.Frame.Origin.Y; !(x >= 0 && x <= float64(b.Dx()) && y >= 0 && y <= float64(b.Dy())) {
				t.Errorf("a face at %v, %v of %v", x, y, b)
			}
		}
	}
	t.Logf("unreadable %d, without a face %d, with one %d", unread, faceless, found)
	if unread == 0 || found == 0 {
		t.Error("the damage is of one kind only")
	}
}

// BenchmarkAccept tells the share of frontal portraits that can be animated, and
// how long it takes to refuse a picture of the video's size without a face.
func BenchmarkAccept(b *testing.B) {
	d := newDetector(b)
	var usable, all int
	for b.Loop() {
		usable, all = 0, 0
		for _, tone := range []float64{0, 0.25, 0.5, 0.75, 1} {
			for _, size := range []float64{0.08, 0.14, 0.2} {
				for _, tilt := range []float64{-0.2, 0, 0.2} {
					for _, looks := range []drawn.Options{{}, {Smile: 0.8}, {Glasses: true}, {Beard: true}, {Noise: 8, Gray: true}} {
						o := looks
						o.W, o.H, o.Tone, o.Size, o.Tilt, o.Seed = 640, 640, tone, size, tilt, uint64(all)
						im, _ := drawn.Portrait(o)
						all++
						if d.Analyze(im).Usable {
							usable++
						}
					}
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	plain, _ := drawn.Portrait(drawn.Options{W: 1280, H: 1280, Size: 0.01}) // too small to be found
	noise := image.NewNRGBA(plain.Rect)
	for i := range noise.Pix {
		noise.Pix[i] = plain.Pix[i] ^ byte(r.Uint32()&63)
	}
	refuse := func(name string, im image.Image) {
		start := time.Now()
		if d.Analyze(im).Usable {
			b.Errorf("there is a face in the %s picture", name)
		}
		took := time.Since(start).Seconds()
		fmt.Printf("bench: face-refusal-%s ours=%.3fs goal=0.4s ratio=%.2f\n", name, took, took/0.4)
	}
	refuse("plain", plain)
	refuse("noisy", noise)
	fmt.Printf("bench: face-accepted ours=%.3f goal=0.95 ratio=%.2f pictures=%d\n", float64(usable)/float64(all), float64(usable)/float64(all)/0.95, all)
}
