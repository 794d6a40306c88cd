package video

import (
	"bytes"
	"context"
	"image"
	"image/draw"
	"image/png"
	"path/filepath"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/video/captions"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/vision/portrait"
)

// material is what a video is made of.
type material struct {
	job      avatar.Job
	timings  speech.Timings // on the clock of the sound
	cues     []captions.Cue
	card     captions.Card
	language string // BCP 47
	remarks  []string
}

// sound, voice and timings are what the last stage before has left: each may
// have been skipped, then what it would have changed is taken as it was.
var (
	sounds    = []string{events.BlobMix, events.BlobProsody, events.BlobSpeech}
	voices    = []string{events.BlobStem, events.BlobProsody, events.BlobSpeech}
	timelines = []string{events.BlobMixTimings, events.BlobProsodyT, events.BlobTimings}
)

// label is what is written on a video.
const label = "AI生成"

// material gathers what the engines need.
func (s stage) material(ctx context.Context, w consumers.Work, dir string) (m material, err error) {
	req := w.Job.Request
	m.language = req.Language
	if m.language == "" {
		m.language = "ja"
	}
	j := &m.job
	*j = avatar.Job{
		Task: w.Task, Dir: dir, Progress: w.Progress, Options: options(req.Video), Language3: iso639(m.language),
		Tags: [][2]string{
			{"title", "videomsg"},
			{"comment", "AI generated: the face was animated and the voice may be synthetic. AI生成"},
			{"description", "Made with " + s.conf.Generator},
		},
	}
	j.Emotion, j.Intensity = req.Prosody.Emotion, 1
	if req.Prosody.Intensity != nil {
		j.Intensity = *req.Prosody.Intensity
	}
	if req.Video.Label != "off" {
		j.Label, j.Corner = label, avatar.Corner(req.Video.Label)
	}
	if j.Image, err = s.picture(ctx, w.Job, first(w.Job, events.BlobImage, events.BlobPortrait)); err != nil {
		return m, err
	}
	if _, ok := w.Job.Blobs[events.BlobBackground]; ok { // then there is a mask, too
		if j.Background, err = s.picture(ctx, w.Job, events.BlobBackground); err != nil {
			return m, err
		}
		mask, err := s.picture(ctx, w.Job, events.BlobMask)
		if err != nil {
			return m, err
		}
		j.Alpha = alpha(mask)
	}
	if j.Voice, err = s.blobs.Sound(ctx, w.Job, first(w.Job, voices...)); err != nil {
		return m, err
	}
	j.Sound = filepath.Join(dir, "sound.wav")
	if err := s.blobs.File(ctx, w.Job, first(w.Job, sounds...), j.Sound); err != nil {
		return m, err
	}
	if name := first(w.Job, timelines...); name != "" {
		if err := s.blobs.JSON(ctx, w.Job, name, &m.timings); err != nil {
			return m, err
		}
		j.Phones = phones(m.timings)
	}
	return m, nil
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
