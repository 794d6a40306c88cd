// Package image is the image stage: the uploaded portrait becomes an upright
// picture of the wanted aspect with the face where a talking head has it, cut
// out and put on another background when that is asked for and can be done.
package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/face"
)

// Name is the stage's name.
const Name = "image"

// longSide is the longer side of the picture that is animated, in pixels.
const longSide = 1080

type stage struct {
	blobs consumers.Blobs
	faces *face.Detector
}

// Stage returns the image stage.
func Stage(blobs consumers.Blobs, faces *face.Detector) consumers.Stage {
	s := stage{blobs, faces}
	return consumers.Stage{Name: Name, Run: s.run, Timeout: 2 * time.Minute, Limit: 5 * time.Minute, Tries: 3, Workers: 2}
}

func (s stage) run(ctx context.Context, w consumers.Work) (consumers.Result, error) {
	data, err := s.blobs.Bytes(ctx, w.Job, events.BlobPortrait, 16<<20)
	if err != nil {
		return consumers.Result{}, err
	}
	pic, err := vision.Read(data, vision.Limits{})
	if err != nil {
		return consumers.Result{}, unreadable(err)
	}
	w.Progress(0.3)
	req := w.Job.Request
	report := s.faces.Analyze(pic.Image)
	chosen, err := choose(report.Faces, req.Image.Face)
	if err != nil {
		return consumers.Result{}, err
	}
	aspect, err := vision.ParseAspect(req.Image.Aspect)
	if err != nil {
		return consumers.Result{}, consumers.Fail("PARAMETER_OUT_OF_RANGE", "The aspect is not known.", err)
	}
	size := pic.Image.Bounds().Size()
	frame := vision.Framing{Aspect: aspect, Face: chosen}.Rect(size.X, size.Y)
	out := vision.Crop(pic.Image, frame)
	width, height := vision.OutputSize(out.Rect.Dx(), out.Rect.Dy(), longSide)
	out = vision.Resize(out, width, height)
	w.Progress(0.7)
	return s.store(ctx, w, out, analysis{
		Width: width, Height: height, Crop: [4]int{frame.Min.X, frame.Min.Y, frame.Max.X, frame.Max.Y},
		Faces: len(report.Faces), Usable: report.Usable, Reasons: report.Reasons, Notes: pic.Notes,
	})
}

// analysis is what the stage found out, for people and for later stages.
type analysis struct {
	Width   int           `json:"width"`
	Height  int           `json:"height"`
	Crop    [4]int        `json:"crop"` // left, top, right, bottom in the upright upload
	Faces   int           `json:"faces"`
	Usable  bool          `json:"usable"` // the face can be animated
	Reasons []face.Reason `json:"reasons"`
	Notes   []vision.Note `json:"notes"`
}

func (s stage) store(ctx context.Context, w consumers.Work, img *image.NRGBA, a analysis) (consumers.Result, error) {
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&buf, img); err != nil {
		return consumers.Result{}, fmt.Errorf("encode picture: %w", err)
	}
	picture, err := s.blobs.Put(ctx, objectstore.Intermediates, w.Task, Name, "image.png", "image/png", &buf)
	if err != nil {
		return consumers.Result{}, err
	}
	report, err := s.blobs.PutJSON(ctx, objectstore.Intermediates, w.Task, Name, "analysis.json", a)
	if err != nil {
		return consumers.Result{}, err
	}
	res := consumers.Result{
		Engine: "original",
		Blobs:  map[string]events.Blob{events.BlobImage: picture, events.BlobAnalysis: report},
	}
	if bg := w.Job.Request.Image.Background; bg != "original" {
		res.Fallback = []engines.Skip{{Engine: "local", Err: errNoCutout}}
	}
	return res, nil
}

// errNoCutout is why the original background stays.
var errNoCutout = fmt.Errorf("no engine cuts people out: %w", engines.ErrUnavailable)

// choose returns the square of the n-th face, or of the most prominent one; an
// empty rectangle when there is none.
func choose(faces []face.Face, n int) (image.Rectangle, error) {
	if n > len(faces) {
		return image.Rectangle{}, consumers.Fail("FACE_NOT_DETECTED", fmt.Sprintf("The picture has no face number %d.", n), fmt.Errorf("face %d of %d", n, len(faces)))
	}
	if len(faces) == 0 {
		return image.Rectangle{}, nil
	}
	return faces[max(n, 1)-1].Box(), nil
}

// unreadable says why a picture cannot be read.
func unreadable(err error) error {
	switch {
	case errors.Is(err, vision.ErrUnsupported):
		return consumers.Fail("UNSUPPORTED_MEDIA_TYPE", "The picture is of a kind that is not supported.", err)
	case errors.Is(err, vision.ErrTooLarge):
		return consumers.Fail("IMAGE_TOO_LARGE", "The picture has too many pixels.", err)
	default:
		return consumers.Fail("IMAGE_UNREADABLE", "The picture is damaged.", err)
	}
}
