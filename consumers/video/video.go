// Package video is the video stage: the portrait speaks what was said, and the
// result is one MP4 file with a poster.
package video

import (
	"bytes"
	"context"
	"image"
	"image/draw"
	"image/png"
	"path/filepath"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/vision/portrait"
)

// Name is the stage's name.
const Name = "video"

type stage struct {
	blobs consumers.Blobs
	chain avatar.Chain
}

// Stage returns the video stage over the chain of engines; workers is how many
// videos this process makes at once.
func Stage(blobs consumers.Blobs, chain avatar.Chain, workers int) consumers.Stage {
	s := stage{blobs, chain}
	return consumers.Stage{Name: Name, Run: s.run, Timeout: 2 * time.Minute, Limit: 25 * time.Minute, Tries: 3, Workers: workers}
}

func (s stage) run(ctx context.Context, w consumers.Work) (consumers.Result, error) {
	dir, done, err := s.blobs.TempDir()
	if err != nil {
		return consumers.Result{}, err
	}
	defer done()
	job, err := s.job(ctx, w, dir)
	if err != nil {
		return consumers.Result{}, err
	}
	served, err := s.chain.Only(w.Job.Request.Require[Name]).Run(ctx, job)
	if err != nil {
		return consumers.Result{}, err
	}
	v := served.Out
	video, err := s.blobs.PutFile(ctx, objectstore.Outputs, w.Task, Name, "video.mp4", "video/mp4", v.Path)
	if err != nil {
		return consumers.Result{}, err
	}
	poster, err := s.blobs.PutFile(ctx, objectstore.Outputs, w.Task, Name, "poster.jpg", "image/jpeg", v.Poster)
	if err != nil {
		return consumers.Result{}, err
	}
	return consumers.Result{
		Blobs:  map[string]events.Blob{events.BlobVideo: video, events.BlobPoster: poster},
		Engine: served.Engine, Fallback: served.Skipped, Remarks: v.Remarks,
	}, nil
}

// job gathers what the engines need. Each stage before may have been skipped;
// then what it would have changed is taken as it was.
func (s stage) job(ctx context.Context, w consumers.Work, dir string) (avatar.Job, error) {
	j := avatar.Job{
		Task: w.Task, Dir: dir, Progress: w.Progress, Options: options(w.Job.Request.Video),
		Tags: [][2]string{{"title", "videomsg"}, {"comment", "AI generated"}},
	}
	if l := w.Job.Request.Video.Label; l != "off" {
		j.Label, j.Corner = "AI生成", avatar.Corner(l)
	}
	var err error
	if j.Image, err = s.picture(ctx, w.Job, first(w.Job, events.BlobImage, events.BlobPortrait)); err != nil {
		return j, err
	}
	if _, ok := w.Job.Blobs[events.BlobBackground]; ok { // then there is a mask, too
		if j.Background, err = s.picture(ctx, w.Job, events.BlobBackground); err != nil {
			return j, err
		}
		mask, err := s.picture(ctx, w.Job, events.BlobMask)
		if err != nil {
			return j, err
		}
		j.Alpha = alpha(mask)
	}
	voice := first(w.Job, events.BlobStem, events.BlobProsody, events.BlobSpeech)
	if j.Voice, err = s.blobs.Sound(ctx, w.Job, voice); err != nil {
		return j, err
	}
	j.Sound = filepath.Join(dir, "sound.wav")
	if err := s.blobs.File(ctx, w.Job, first(w.Job, events.BlobMix, events.BlobProsody, events.BlobSpeech), j.Sound); err != nil {
		return j, err
	}
	if name := first(w.Job, events.BlobMixTimings, events.BlobProsodyT, events.BlobTimings); name != "" {
		var t speech.Timings
		if err := s.blobs.JSON(ctx, w.Job, name, &t); err != nil {
			return j, err
		}
		j.Phones = phones(t)
	}
	return j, nil
}

// phones are what moves the mouth; guessed times are worse than the sound.
func phones(t speech.Timings) []portrait.Phone {
	if t.Source == speech.Approximate {
		return nil
	}
	out := make([]portrait.Phone, len(t.Phones))
	for i, p := range t.Phones {
		out[i] = portrait.Phone{Start: p.Start, End: p.End, P: p.P}
	}
	return out
}

func (s stage) picture(ctx context.Context, job events.Job, name string) (image.Image, error) {
	data, err := s.blobs.Bytes(ctx, job, name, 64<<20)
	if err != nil {
		return nil, err
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, consumers.Fail("IMAGE_UNREADABLE", "The picture cannot be read.", err)
	}
	return img, nil
}

// alpha is a grey mask as opacity.
func alpha(mask image.Image) *image.Alpha {
	b := mask.Bounds()
	a := image.NewAlpha(b)
	if g, ok := mask.(*image.Gray); ok {
		for y := range b.Dy() {
			copy(a.Pix[y*a.Stride:y*a.Stride+b.Dx()], g.Pix[y*g.Stride:])
		}
		return a
	}
	draw.Draw(a, b, mask, b.Min, draw.Src)
	return a
}

// first is the first of names that job has; empty when it has none.
func first(job events.Job, names ...string) string {
	for _, n := range names {
		if _, ok := job.Blobs[n]; ok {
			return n
		}
	}
	return ""
}

func options(v events.Video) portrait.Options {
	o := portrait.DefaultOptions()
	o.Style, o.Mouth, o.Seed = portrait.Style(v.Style), portrait.MouthMode(v.Mouth), v.Seed
	if v.Mouth == "auto" {
		o.Mouth = portrait.MouthAuto
	}
	if v.Motion != nil {
		o.Motion = *v.Motion
	}
	return o
}
