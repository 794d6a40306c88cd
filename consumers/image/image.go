// Package image is the image stage: the uploaded portrait becomes an upright
// picture of the wanted aspect with the face where a talking head has it, cut
// out and put on another background when that is asked for and can be done.
package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"slices"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/engines/cutout"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/background"
	"github.com/videomsg/videomsg/vision/face"
	"github.com/videomsg/videomsg/vision/matting"
)

// Name is the stage's name.
const Name = "image"

// The steps a client may choose from when it asks for this stage alone. A video
// takes all but Refine.
const (
	Crop       = "crop"
	Remove     = "background_removal"
	Refine     = "sam2_refinement"
	Background = "background"
	Enhance    = "enhance"
)

// The longer side of the result in pixels: what a video needs, and the most a
// client gets who wants the picture itself.
const (
	videoSide   = 1080
	pictureSide = 4096
)

// Stage returns the image stage: remove and refine are the chains of matting
// engines.
func Stage(blobs consumers.Blobs, faces *face.Detector, remove, refine cutout.Chain) consumers.Stage {
	s := stage{blobs: blobs, faces: faces, remove: remove, refine: refine, pool: vision.NewPool(64_000_000)}
	return consumers.Stage{Name: Name, Run: s.run, Content: s.content, Timeout: 15 * time.Minute, Limit: 15 * time.Minute, Tries: 3, Workers: 2}
}

// version changes when the same request gives another picture than before.
const version = "4"

// content is what the picture depends on.
func (s stage) content(job events.Job) string {
	r := job.Request
	b, err := json.Marshal([]any{
		version, s.remove.Names(), s.refine.Names(), r.Kind, r.Image, r.Require[Name],
		job.Blobs[events.BlobPortrait].SHA256, job.Blobs[events.BlobBackdrop].SHA256,
	})
	if err != nil {
		return "" // not cached
	}
	return string(b)
}

type stage struct {
	blobs          consumers.Blobs
	faces          *face.Detector
	remove, refine cutout.Chain
	pool           *vision.Pool // bounds the memory of decoding
}

// portrait is the picture on its way through the steps.
type portrait struct {
	img    *image.NRGBA
	cut    *image.NRGBA // the person, nil while nothing is cut out
	back   *image.NRGBA // what is behind the person, nil for nothing
	faces  []image.Rectangle
	shot   *shot // nil while nothing is cropped
	report analysis
}

func (s stage) run(ctx context.Context, w consumers.Work) (consumers.Result, error) {
	req := w.Job.Request.Image
	spec, err := background.Parse(req.Background)
	if err != nil {
		return consumers.Result{}, consumers.Fail("PARAMETER_OUT_OF_RANGE", "The background is not known.", err)
	}
	if _, ok := w.Job.Blobs[events.BlobBackdrop]; ok {
		spec = background.Spec{Kind: background.Image}
	}
	p, err := s.read(ctx, w.Job)
	if err != nil {
		return consumers.Result{}, err
	}
	w.Progress(0.2)
	res := consumers.Result{Engine: "original"}
	if spec, err = p.suit(spec, w.Job.Request, &res); err != nil {
		return consumers.Result{}, err
	}
	remove := p.has(req, Remove) && spec.Kind != background.Original
	if p.has(req, Crop) {
		if err := p.approach(req, side(w.Job.Request), remove || p.cut != nil); err != nil {
			return consumers.Result{}, err
		}
	}
	if p.has(req, Enhance) {
		p.enhance()
	}
	w.Progress(0.4)
	if remove {
		if err := s.cut(ctx, w.Job.Request, p, &res); err != nil {
			return consumers.Result{}, err
		}
	}
	scene, person := p.img, p.cut
	if p.shot != nil {
		p.frame()
	}
	w.Progress(0.7)
	if p.cut != nil && p.has(req, Background) {
		if err := s.putBehind(ctx, w.Job, spec, p, scene, person); err != nil {
			return consumers.Result{}, err
		}
	}
	w.Progress(0.8)
	res.Blobs, err = s.store(ctx, w, p)
	return res, err
}

// has reports whether a step is to be done.
func (p *portrait) has(req events.Image, step string) bool {
	if len(req.Steps) == 0 {
		return step != Refine
	}
	return slices.Contains(req.Steps, step)
}

func side(r events.Request) int {
	if r.Kind == events.KindImage {
		return pictureSide
	}
	return videoSide
}

// read decodes the upload and finds the faces; the chosen one comes first.
func (s stage) read(ctx context.Context, job events.Job) (*portrait, error) {
	data, err := s.blobs.Bytes(ctx, job, events.BlobPortrait, 16<<20)
	if err != nil {
		return nil, err
	}
	pic, err := s.pool.Read(ctx, data, vision.Limits{})
	if err != nil {
		return nil, unreadable(err)
	}
	found := s.faces.Analyze(pic.Image)
	p := &portrait{img: pic.Image, report: analysis{
		Faces: len(found.Faces), Usable: found.Usable, Reasons: found.Reasons, Notes: pic.Notes,
	}}
	for _, f := range found.Faces {
		p.faces = append(p.faces, f.Box())
	}
	n := job.Request.Image.Face
	if n > len(p.faces) {
		return nil, consumers.Fail("FACE_NOT_DETECTED", fmt.Sprintf("The picture has no face number %d.", n), fmt.Errorf("face %d of %d", n, len(p.faces)))
	}
	if n > 1 {
		p.faces[0], p.faces[n-1] = p.faces[n-1], p.faces[0]
		found.Check(pic.Image, n-1)
		p.report.Usable, p.report.Reasons = found.Usable, found.Reasons
	}
	if vision.AlreadyCutOut(pic.Image) {
		p.cut = pic.Image
	}
	return p, nil
}

// face is the square of the person to show; empty when there is none.
func (p *portrait) face() image.Rectangle {
	if len(p.faces) == 0 {
		return image.Rectangle{}
	}
	return p.faces[0]
}

// suit chooses another background where the one asked for cannot be shown: a
// video is not transparent, and what came cut out has no background of its own.
func (p *portrait) suit(spec background.Spec, r events.Request, res *consumers.Result) (background.Spec, error) {
	switch {
	case r.Kind == events.KindImage:
		return spec, nil
	case spec.Kind == background.Transparent:
		res.Remarks = append(res.Remarks, "A video cannot be transparent: the default background is used.")
	case p.cut != nil && (spec.Kind == background.Original || spec.Kind == background.Blur):
		res.Remarks = append(res.Remarks, "The picture came without a background: the default one is used.")
	default:
		return spec, nil
	}
	return background.Parse(background.Default)
}

func (p *portrait) enhance() {
	given := p.cut == p.img
	p.img = vision.Enhance(p.img, vision.Gentle, p.face())
	if given {
		p.cut = p.img
	}
}

// cut separates the person, by whichever engine is sure of it. A picture that
// came cut out stays as it is.
func (s stage) cut(ctx context.Context, req events.Request, p *portrait, res *consumers.Result) error {
	if p.cut != nil {
		res.Engine = "given"
		return nil
	}
	in := cutout.Input{Image: p.img, Faces: visible(p.faces, p.img.Rect)}
	served, err := s.remove.Only(req.Require[Name]).Run(ctx, in)
	if err != nil {
		return err
	}
	res.Engine, res.Fallback = served.Engine, served.Skipped
	p.report.Confidence = served.Out.Confidence
	if served.Out.Original {
		res.Remarks = append(res.Remarks, "The original background was kept.")
		return nil
	}
	p.cut = served.Out.Cutout
	if !p.has(req.Image, Refine) {
		return nil
	}
	in.Mask = matting.Alpha(p.cut)
	refined, err := s.refine.Run(ctx, in)
	if err != nil {
		return err
	}
	p.cut = refined.Out.Cutout
	res.Engine += "+" + refined.Engine
	res.Fallback = append(res.Fallback, refined.Skipped...)
	return nil
}

// visible is the faces that lie on the picture; the first stays the first.
func visible(faces []image.Rectangle, on image.Rectangle) (out []image.Rectangle) {
	for i, f := range faces {
		if i == 0 || f.Overlaps(on) {
			out = append(out, f)
		}
	}
	return out
}

// putBehind draws the background and sets the person before it. scene and person
// are the picture and the cut-out before they were framed.
func (s stage) putBehind(ctx context.Context, job events.Job, spec background.Spec, p *portrait, scene, person *image.NRGBA) (err error) {
	w, h := p.img.Rect.Dx(), p.img.Rect.Dy()
	switch spec.Kind {
	case background.Transparent:
		p.img = p.cut
		return nil
	case background.Original:
		return nil
	case background.Blur:
		p.back = vision.Cover(background.Defocus(scene, person), w, h, 0.5, 0.5)
	case background.Image:
		data, err := s.blobs.Bytes(ctx, job, events.BlobBackdrop, 16<<20)
		if err != nil {
			return err
		}
		pic, err := s.pool.Read(ctx, data, vision.Limits{})
		if err != nil {
			return unreadable(err)
		}
		p.back = vision.Cover(pic.Image, w, h, 0.5, 0.5)
	default:
		if p.back, err = background.Render(spec, w, h); err != nil {
			return fmt.Errorf("draw background: %w", err)
		}
	}
	p.img = background.Compose(p.cut, p.back, background.Natural)
	return nil
}

// unreadable says why a picture cannot be read.
func unreadable(err error) error {
	switch {
	case errors.Is(err, vision.ErrUnsupported):
		return consumers.Fail("UNSUPPORTED_MEDIA_TYPE", "The picture is of a kind that is not supported.", err)
	case errors.Is(err, vision.ErrTooLarge), errors.Is(err, vision.ErrTooSmall):
		return consumers.Fail("IMAGE_TOO_LARGE", "The picture's size is not supported.", err)
	case errors.Is(err, vision.ErrUnreadable), errors.Is(err, vision.ErrFileTooLarge):
		return consumers.Fail("IMAGE_UNREADABLE", "The picture is damaged.", err)
	default:
		return err
	}
}
