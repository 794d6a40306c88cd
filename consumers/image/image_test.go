package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/cutout"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/face"
)

const task = "01kb0000000000000000000001"

// bench is an image stage with the local engines on a store of its own.
type bench struct {
	t              *testing.T
	blobs          consumers.Blobs
	faces          *face.Detector
	remove, refine cutout.Chain
}

// detector is shared: unpacking its cascades takes longer than most tests.
var detector = sync.OnceValues(face.NewDetector)

func newBench(t *testing.T) *bench {
	t.Helper()
	s, err := dirstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	d, err := detector()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{
		t: t, blobs: consumers.Blobs{Store: s, Temp: t.TempDir()}, faces: d,
		remove: cutout.Chain{cutout.Local(), cutout.Original()}, refine: cutout.Chain{cutout.LocalRefine()},
	}
}

func (b *bench) put(name string, content []byte) events.Blob {
	b.t.Helper()
	blob, err := b.blobs.Put(b.t.Context(), objectstore.Inputs, task, "request", name, "application/octet-stream", bytes.NewReader(content))
	if err != nil {
		b.t.Fatal(err)
	}
	return blob
}

func (b *bench) work(upload []byte, req events.Image) consumers.Work {
	b.t.Helper()
	return consumers.Work{
		Task: task, Attempt: 1, Progress: func(float64) {},
		Job: events.Job{
			Request: events.Request{Kind: events.KindImage, Image: req},
			Blobs:   map[string]events.Blob{events.BlobPortrait: b.put("portrait", upload)},
		},
	}
}

func (b *bench) stage() consumers.Stage { return Stage(b.blobs, b.faces, b.remove, b.refine) }

func (b *bench) run(w consumers.Work) (consumers.Result, analysis) {
	b.t.Helper()
	res, err := b.stage().Run(b.t.Context(), w)
	if err != nil {
		b.t.Fatal(err)
	}
	var a analysis
	if err := b.blobs.JSON(b.t.Context(), events.Job{Blobs: res.Blobs}, events.BlobAnalysis, &a); err != nil {
		b.t.Fatal(err)
	}
	return res, a
}

func (b *bench) picture(res consumers.Result, name string) image.Image {
	b.t.Helper()
	data, err := b.blobs.Bytes(b.t.Context(), events.Job{Blobs: res.Blobs}, name, 64<<20)
	if err != nil {
		b.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		b.t.Fatal(err)
	}
	return img
}

func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// cutOut is a drawn portrait without its background.
func cutOut(o drawn.Options) *image.NRGBA {
	img, truth := drawn.Portrait(o)
	for i := range truth.Alpha.Pix {
		img.Pix[4*i+3] = truth.Alpha.Pix[i]
	}
	return img
}

func alphaAt(img image.Image, x, y int) int {
	_, _, _, a := img.At(x, y).RGBA()
	return int(a >> 8)
}

func TestStepsMakeTheirArtefacts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	img, _ := drawn.Portrait(drawn.Options{W: 252, H: 312})
	upload := encoded(t, img)
	all := []string{events.BlobImage, events.BlobCutout, events.BlobMask, events.BlobBackground, events.BlobAnalysis}
	for _, c := range []struct {
		name string
		req  events.Image
		made []string
	}{
		{"everything", events.Image{Background: "office"}, all},
		{"cut-out only", events.Image{Steps: []string{Remove}}, []string{events.BlobImage, events.BlobCutout, events.BlobMask, events.BlobAnalysis}},
		{"with a refined mask", events.Image{Steps: []string{Remove, Refine, Background}, Background: "#ffffff"}, all},
		{"crop only", events.Image{Steps: []string{Crop}, Aspect: "9:16"}, []string{events.BlobImage, events.BlobAnalysis}},
		{"enhanced only", events.Image{Steps: []string{Enhance}}, []string{events.BlobImage, events.BlobAnalysis}},
		{"own background kept", events.Image{Background: "original"}, []string{events.BlobImage, events.BlobAnalysis}},
		{"blurred", events.Image{Background: "blur"}, all},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, a := b.run(b.work(upload, c.req))
			if len(res.Blobs) != len(c.made) || len(res.Fallback) > 0 {
				t.Errorf("made %v, fallback %v", res.Blobs, res.Fallback)
			}
			for _, name := range c.made {
				blob := res.Blobs[name]
				if blob.Key == "" || name != events.BlobAnalysis && blob.Type != "image/png" {
					t.Errorf("%s is %+v", name, blob)
					continue
				}
				if name == events.BlobAnalysis {
					continue
				}
				if got := b.picture(res, name).Bounds(); got.Dx() != a.Width || got.Dy() != a.Height {
					t.Errorf("%s is %v, the analysis says %d × %d", name, got, a.Width, a.Height)
				}
			}
			if a.Faces != 1 || !a.Usable || a.Face == [4]int{} {
				t.Errorf("analysis %+v", a)
			}
			if c.req.Aspect == "9:16" && math.Abs(float64(a.Width)/float64(a.Height)-9.0/16) > 0.01 {
				t.Errorf("%d × %d is not 9:16", a.Width, a.Height)
			}
		})
	}
}

func TestFaceTakesItsShareOfTheHeight(t *testing.T) {
	t.Parallel()
	share := func(a analysis) float64 { return float64(a.Face[3]-a.Face[1]) / float64(a.Height) }
	for _, c := range []struct {
		name   string
		o      drawn.Options
		aspect string
		lo, hi float64
	}{
		{"in the middle", drawn.Options{W: 600, H: 600, Size: 0.12}, "1:1", 0.4, 0.6},
		{"wide from a tall picture", drawn.Options{W: 360, H: 640, Size: 0.26}, "16:9", 0.4, 0.6},
		{"at the side", drawn.Options{W: 640, H: 480, Size: 0.12, CenterX: 0.3}, "16:9", 0.4, 0.6},
		{"tall from a wide picture", drawn.Options{W: 640, H: 400, Size: 0.13, CenterY: 0.45}, "9:16", 0.4, 0.6},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			res, a := b.run(b.work(encoded(t, cutOut(c.o)), events.Image{Aspect: c.aspect, Background: "office"}))
			if res.Engine != "given" {
				t.Fatalf("engine %s", res.Engine)
			}
			if got := share(a); got < c.lo || got > c.hi {
				t.Errorf("the face takes %.2f of the height (%+v)", got, a)
			}
			mask := b.picture(res, events.BlobMask)
			w, h := a.Width, a.Height
			// The body goes down to the edge, wherever the crop reaches.
			if level(mask, (a.Face[0]+a.Face[2])/2, h-1) < 128 {
				t.Errorf("the body ends above the bottom: %+v", a)
			}
			for _, x := range []int{0, w - 1} {
				run := 0
				for y := range h {
					if level(mask, x, y) > 127 {
						run++
					}
				}
				if a.Crop[0] < 0 && x == 0 && run > h/20 {
					t.Errorf("%d rows of the person are cut off at the side beyond the picture", run)
				}
			}
			if os.Getenv("SHOW") != "" {
				data, _ := b.blobs.Bytes(t.Context(), events.Job{Blobs: res.Blobs}, events.BlobImage, 64<<20)
				_ = os.WriteFile(filepath.Join(os.Getenv("SHOW"), filepath.Base(t.Name())+".png"), data, 0o600)
			}
		})
	}
}

// level is the red, or grey, of a pixel.
func level(m image.Image, x, y int) int {
	g, _, _, _ := m.At(x, y).RGBA()
	return int(g >> 8)
}

func TestPersonAtTheEdgeIsNotCutOffInTheAir(t *testing.T) {
	t.Parallel()
	// A person whose shoulder is outside the picture, from which the crop for 16:9
	// would have to reach out on that side.
	cut := vision.Crop(cutOut(drawn.Options{W: 640, H: 500, Size: 0.15}), image.Rect(190, 0, 640, 500))
	b := newBench(t)
	res, a := b.run(b.work(encoded(t, cut), events.Image{Aspect: "16:9", Background: "#00ff00"}))
	mask := b.picture(res, events.BlobMask)
	if a.Crop[0] < 0 || a.Crop[2] <= 450 {
		t.Errorf("the crop %v of 450 × 500 does not spare the left side, where the person ends, and reach beyond the right one", a.Crop)
	}
	if level(mask, (a.Face[0]+a.Face[2])/2, a.Height-1) < 128 {
		t.Error("the body ends in the air")
	}
}

func TestTransparentResultIsTheCutOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const side = 240
	img, truth := drawn.Portrait(drawn.Options{W: side, H: side})
	res, _ := b.run(b.work(encoded(t, img), events.Image{Steps: []string{Remove, Background}, Background: "transparent"}))
	if res.Engine != "local" {
		t.Fatalf("engine %s, %v", res.Engine, res.Fallback)
	}
	got := b.picture(res, events.BlobImage)
	var in, un, wrong int
	for y := range side {
		for x := range side {
			a, want := alphaAt(got, x, y), int(truth.Alpha.AlphaAt(x, y).A)
			if a > 127 && want > 127 {
				in++
			}
			if a > 127 || want > 127 {
				un++
			}
			if max(a-want, want-a) > 128 {
				wrong++
			}
		}
	}
	if iou := float64(in) / float64(un); iou < 0.95 {
		t.Errorf("IoU %.3f, %d pixels wrong", iou, wrong)
	}
}

func TestVideoIsNeverTransparent(t *testing.T) {
	t.Parallel()
	for _, bg := range []string{"transparent", "original", "blur", ""} {
		b := newBench(t)
		w := b.work(encoded(t, cutOut(drawn.Options{W: 200, H: 200})), events.Image{Background: bg})
		w.Job.Request.Kind = events.KindVideo
		res, a := b.run(w)
		img := b.picture(res, events.BlobImage)
		for _, p := range []image.Point{{0, 0}, {a.Width - 1, 0}, {a.Width / 2, a.Height / 2}, {0, a.Height - 1}} {
			if alphaAt(img, p.X, p.Y) != 255 {
				t.Errorf("%q: %v has opacity %d", bg, p, alphaAt(img, p.X, p.Y))
			}
		}
		if (bg == "") == (len(res.Remarks) > 0) {
			t.Errorf("%q: remarks %v", bg, res.Remarks)
		}
	}
}

// two is a picture with two people, the second one smaller.
func two() *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, 760, 420))
	one, _ := drawn.Portrait(drawn.Options{W: 420, H: 420, Size: 0.15, Flat: true})
	other, _ := drawn.Portrait(drawn.Options{W: 340, H: 420, Size: 0.13, Hair: drawn.Short, Flat: true, Cloth: color.NRGBA{150, 60, 60, 255}})
	draw.Draw(out, one.Rect, one, image.Point{}, draw.Src)
	draw.Draw(out, other.Rect.Add(image.Pt(420, 0)), other, image.Point{}, draw.Src)
	return out
}

func TestFaceIsChosenByNumber(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	upload := encoded(t, two())
	centre := func(a analysis) int { return (a.Crop[0] + a.Crop[2]) / 2 }
	_, first := b.run(b.work(upload, events.Image{Steps: []string{Crop}, Aspect: "9:16"}))
	_, second := b.run(b.work(upload, events.Image{Steps: []string{Crop}, Aspect: "9:16", Face: 2}))
	if first.Faces != 2 || centre(first) > 420 || centre(second) < 420 {
		t.Errorf("%d faces, crops %v and %v", first.Faces, first.Crop, second.Crop)
	}
	_, err := b.stage().Run(t.Context(), b.work(upload, events.Image{Face: 3}))
	if f, ok := errors.AsType[*consumers.Failure](err); !ok || f.Code != "FACE_NOT_DETECTED" {
		t.Errorf("face 3 of 2: %v", err)
	}
}

func TestFallbacksSayWhy(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	moody := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer moody.Close()
	late := engines.Engine[cutout.Input, cutout.Output]{Name: "mcp", Run: func(context.Context, cutout.Input) (cutout.Output, error) {
		return cutout.Output{}, context.DeadlineExceeded
	}}
	rembg := func(url string) cutout.Engine {
		return cutout.Rembg{URL: url, Wait: time.Millisecond}.RemoveEngine()
	}
	// Who serves at the end matters here, not how well.
	local := cutout.Engine{Name: "local", Run: func(_ context.Context, in cutout.Input) (cutout.Output, error) {
		return cutout.Output{Cutout: in.Image, Confidence: 1}, nil
	}}
	noise := image.NewNRGBA(image.Rect(0, 0, 200, 200))
	for i := range noise.Pix {
		noise.Pix[i] = uint8(i * 7919 >> 3)
		if i%4 == 3 {
			noise.Pix[i] = 255
		}
	}
	person, _ := drawn.Portrait(drawn.Options{W: 200, H: 200})
	for _, c := range []struct {
		name   string
		img    image.Image
		chain  cutout.Chain
		reason string
		used   string
	}{
		{"not there", person, cutout.Chain{rembg(gone.URL), local, cutout.Original()}, "could not be reached", "local"},
		{"out of order", person, cutout.Chain{rembg(moody.URL), local, cutout.Original()}, "failed", "local"},
		{"too late", person, cutout.Chain{late, local, cutout.Original()}, "did not answer in time", "local"},
		{"no face", noise, cutout.Chain{cutout.Local(), cutout.Original()}, "no face was found to start from", "original"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.remove = c.chain
			res, _ := b.run(b.work(encoded(t, c.img), events.Image{Background: "office"}))
			if res.Engine != c.used || len(res.Fallback) != 1 || engines.Reason(res.Fallback[0].Err) != c.reason {
				t.Errorf("by %s, because %v", res.Engine, res.Fallback)
			}
			if (c.used == "original") != (len(res.Remarks) == 1) {
				t.Errorf("remarks %v", res.Remarks)
			}
		})
	}
	t.Run("required", func(t *testing.T) {
		b := newBench(t)
		b.remove = cutout.Chain{rembg(gone.URL), cutout.Local()}
		w := b.work(encoded(t, person), events.Image{})
		w.Job.Request.Require = map[string]string{Name: "rembg"}
		_, err := b.stage().Run(t.Context(), w)
		if _, ok := errors.AsType[net.Error](err); !ok {
			t.Errorf("error %v", err)
		}
	})
}

func TestOwnBackgroundCoversWithoutStretching(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	back := image.NewNRGBA(image.Rect(0, 0, 400, 100))
	for y := range 100 {
		for x := range 400 {
			back.SetNRGBA(x, y, color.NRGBA{uint8(x / 2), 40, uint8(2 * y), 255})
		}
	}
	w := b.work(encoded(t, cutOut(drawn.Options{W: 300, H: 300})), events.Image{Background: "image"})
	w.Job.Blobs[events.BlobBackdrop] = b.put("backdrop", encoded(t, back))
	res, a := b.run(w)
	got := b.picture(res, events.BlobBackground)
	// 400 × 100 covers a square by its middle quarter.
	if l, r := level(got, 1, a.Height/2), level(got, a.Width-2, a.Height/2); l < 65 || r > 135 {
		t.Errorf("red goes from %d to %d", l, r)
	}
}

func TestBadWork(t *testing.T) {
	t.Parallel()
	person, _ := drawn.Portrait(drawn.Options{W: 200, H: 200})
	good := encoded(t, person)
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, person, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, code string
		upload     []byte
		req        events.Image
		spoil      func(b *bench, w consumers.Work)
	}{
		{"unknown background", "PARAMETER_OUT_OF_RANGE", good, events.Image{Background: "moon"}, nil},
		{"unknown aspect", "PARAMETER_OUT_OF_RANGE", good, events.Image{Aspect: "3:7"}, nil},
		{"half a PNG", "IMAGE_UNREADABLE", good[:len(good)/2], events.Image{}, nil},
		{"half a JPEG", "IMAGE_UNREADABLE", photo.Bytes()[:photo.Len()/2], events.Image{}, nil},
		{"a web page", "UNSUPPORTED_MEDIA_TYPE", []byte("<html><body></body></html>"), events.Image{}, nil},
		{"nothing", "IMAGE_UNREADABLE", nil, events.Image{}, nil},
		{"1 × 1", "IMAGE_TOO_LARGE", encoded(t, image.NewNRGBA(image.Rect(0, 0, 1, 1))), events.Image{}, nil},
		{"no portrait", "INPUT_MISSING", good, events.Image{}, func(_ *bench, w consumers.Work) { delete(w.Job.Blobs, events.BlobPortrait) }},
		{"portrait is gone", "INPUT_GONE", good, events.Image{}, func(b *bench, w consumers.Work) {
			if err := b.blobs.Store.Delete(b.t.Context(), w.Job.Blobs[events.BlobPortrait].Key); err != nil {
				b.t.Fatal(err)
			}
		}},
		{"backdrop is damaged", "IMAGE_UNREADABLE", good, events.Image{}, func(b *bench, w consumers.Work) {
			w.Job.Blobs[events.BlobBackdrop] = b.put("backdrop", good[:200])
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			w := b.work(c.upload, c.req)
			if c.spoil != nil {
				c.spoil(b, w)
			}
			_, err := b.stage().Run(t.Context(), w)
			f, ok := errors.AsType[*consumers.Failure](err)
			if !ok || f.Code != c.code {
				t.Errorf("error %v, want %s", err, c.code)
			}
		})
	}
}

func TestContentNamesEverythingThatDecides(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.work([]byte("x"), events.Image{Background: "office"})
	first := b.stage().Content(w.Job)
	seen := map[string]string{first: "the first"}
	for name, change := range map[string]func(*events.Job){
		"background": func(j *events.Job) { j.Request.Image.Background = "studio" },
		"face":       func(j *events.Job) { j.Request.Image.Face = 2 },
		"kind":       func(j *events.Job) { j.Request.Kind = events.KindVideo },
		"engine":     func(j *events.Job) { j.Request.Require = map[string]string{Name: "local"} },
		"portrait":   func(j *events.Job) { j.Blobs[events.BlobPortrait] = b.put("portrait", []byte("y")) },
		"backdrop":   func(j *events.Job) { j.Blobs[events.BlobBackdrop] = b.put("backdrop", []byte("z")) },
	} {
		job := w.Job.Clone()
		change(&job)
		c := b.stage().Content(job)
		if other, ok := seen[c]; ok {
			t.Errorf("%s gives the content of %s", name, other)
		}
		seen[c] = name
	}
	if again := b.stage().Content(w.Job.Clone()); again != first {
		t.Error("equal jobs differ")
	}
	if !json.Valid([]byte(first)) {
		t.Errorf("content %q", first)
	}
}

func TestCancelEndsTheStage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	person, _ := drawn.Portrait(drawn.Options{W: 300, H: 300})
	w := b.work(encoded(t, person), events.Image{Background: "office"})
	w.Progress = func(float64) { cancel() }
	if _, err := b.stage().Run(ctx, w); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
