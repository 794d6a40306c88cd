package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/voice"
	"github.com/videomsg/videomsg/dsp/loudness"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/cutout"
	"github.com/videomsg/videomsg/engines/shadow"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/vision/matting"
)

// shadowConfig names the engine that runs in the shadow of each stage's chain.
type shadowConfig struct {
	Image, Voice, Video string
	Percent             int
}

func (s shadowConfig) any() bool { return s.Image != "" || s.Voice != "" || s.Video != "" }

// shadowEngine is a setting that names an engine which costs nothing by the call.
func shadowEngine(f func(*config) *string, free ...string) func(*config, string) error {
	return func(c *config, v string) error {
		if err := oneOf(f, free...)(c, v); err != nil {
			return fmt.Errorf("%w: an engine that may cost money by the call never runs in the shadow", err)
		}
		return nil
	}
}

// check says which services in the shadow have no address.
func (s shadowConfig) check(c config) error {
	var errs []error
	for _, e := range []struct{ setting, chosen, engine, name, url string }{
		{"SHADOW_IMAGE", s.Image, "rembg", "REMBG_URL", c.Cutout.RembgURL},
		{"SHADOW_VOICE", s.Voice, "voicevox", "VOICEVOX_URL", c.Speech.VoicevoxURL},
		{"SHADOW_VIDEO", s.Video, "lipsync", "LIPSYNC_URL", c.Avatar.LipsyncURL},
	} {
		if e.chosen == e.engine && e.url == "" {
			errs = append(errs, fmt.Errorf("%s=%q: %s is empty", e.setting, e.chosen, e.name))
		}
	}
	return errors.Join(errs...)
}

// serving is c without the services that run in the shadow: those serve nobody. The
// engines of this machine go on serving when they come after others.
func (c config) serving() config {
	if c.Shadow.Image == "rembg" {
		c.Cutout.RembgURL = ""
	}
	if c.Shadow.Voice == "voicevox" {
		c.Speech.VoicevoxURL = ""
	}
	if c.Shadow.Video == "lipsync" {
		c.Avatar.LipsyncURL = ""
	}
	return c
}

// shadows is what runs in the shadow of each stage; nil where nothing does.
type shadows struct {
	runner *shadow.Runner
	image  *shadow.Pair[cutout.Input, cutout.Output]
	voice  *shadow.Pair[speech.Request, speech.Speech]
	video  *shadow.Pair[avatar.Job, avatar.Video]

	studio  *speech.Studio        // of the voice in the shadow
	lipsync *avatar.LipsyncEngine // of the video in the shadow
}

// openShadows builds the engines in the shadow. They share nothing with those that
// serve: no breaker, no cache, no ledger's key.
func (a *app) openShadows(c config) error {
	if !c.Shadow.any() {
		return nil
	}
	s := &a.shadows
	counted := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "engine_shadow_total", Help: "Runs of engines in the shadow by outcome: compared, failed, busy, lost.",
	}, []string{"stage", "engine", "outcome"})
	a.metrics.MustRegister(counted)
	s.runner = &shadow.Runner{
		Log: a.log, Percent: c.Shadow.Percent, Limit: 10 * time.Minute, Keep: keepRecord(a.blobs),
		Observe: func(stage, engine, outcome string) { counted.WithLabelValues(stage, engine, outcome).Inc() },
	}
	if c.Shadow.Image != "" && c.Roles.has("image") {
		c.Cutout.Order = c.Shadow.Image
		chain, _, err := c.Cutout.Chains()
		if err != nil || len(chain) != 1 {
			return errors.Join(err, fmt.Errorf("matting engine %s: %w", c.Shadow.Image, engines.ErrUnavailable))
		}
		s.image = &shadow.Pair[cutout.Input, cutout.Output]{Stage: "image", Engine: chain[0], Hold: holdPortrait, Compare: compareMasks}
	}
	if c.Shadow.Voice != "" && c.Roles.has("voice") {
		var err error
		if s.studio, err = speech.New(speechEngines(c, a.mayUse)); err != nil {
			return fmt.Errorf("speech engines in the shadow: %w", err)
		}
		s.voice = &shadow.Pair[speech.Request, speech.Speech]{Stage: "voice", Engine: lone(s.studio, c.Shadow.Voice), Measure: measureSpeech}
	}
	if c.Shadow.Video != "" && c.Roles.has("video") {
		behind, err := openAvatars(a.log, c.Avatar, a.faces, a.broker)
		if err != nil {
			return fmt.Errorf("avatar engines in the shadow: %w", err)
		}
		chain := behind.chain().Only(c.Shadow.Video)
		if len(chain) != 1 {
			return fmt.Errorf("avatar engine %s: %w", c.Shadow.Video, engines.ErrUnavailable)
		}
		s.video = &shadow.Pair[avatar.Job, avatar.Video]{Stage: "video", Engine: chain[0], Hold: a.holdVideo, Measure: measureVideo}
	}
	if c.Shadow.Video == "lipsync" && a.broker.Orders != nil {
		var err error
		s.lipsync, err = avatar.Lipsync{URL: c.Avatar.LipsyncURL, Ledger: orderBook{a.broker.Orders}}.New()
		return err
	}
	return nil
}

func (s shadows) close() error {
	if s.runner != nil {
		s.runner.Close()
	}
	if s.studio != nil {
		return s.studio.Close()
	}
	return nil
}

// stage lets the engines know for whom they are called.
func (s shadows) stage(st consumers.Stage) consumers.Stage {
	if s.runner == nil {
		return st
	}
	run := st.Run
	st.Run = func(ctx context.Context, w consumers.Work) (consumers.Result, error) {
		return run(shadow.WithTask(ctx, w.Task), w)
	}
	return st
}

// speaker is speak with a shadow.
func (s shadows) speaker(speak voice.Speaker) voice.Speaker {
	if s.voice == nil {
		return speak
	}
	return func(ctx context.Context, r speech.Request, require string) (engines.Served[speech.Speech], error) {
		started := time.Now()
		served, err := speak(ctx, r, require)
		if err == nil {
			s.voice.Saw(ctx, s.runner, r, served, time.Since(started), nil)
		}
		return served, err
	}
}

// erase removes what a service in the shadow has of a task.
func (s shadows) erase() []func(context.Context, string) error {
	if s.lipsync == nil {
		return nil
	}
	return []func(context.Context, string) error{func(ctx context.Context, task string) error { return s.lipsync.Erase(ctx, behind(task)) }}
}

// behind names a task's job in the shadow at a service outside, so that it is not
// taken for one that serves.
func behind(task string) string { return task + "-shadow" }

// lone is one engine of a studio, with its own voice where another's was asked for.
func lone(s *speech.Studio, name string) engines.Engine[speech.Request, speech.Speech] {
	return engines.Engine[speech.Request, speech.Speech]{Name: name, Run: func(ctx context.Context, r speech.Request) (speech.Speech, error) {
		r.Profile = ""
		if engine, _, _ := strings.Cut(r.Voice, ":"); !strings.HasPrefix(name, engine) {
			r.Voice = ""
		}
		served, err := s.Speak(ctx, r, name)
		return served.Out, err
	}}
}

// holdPortrait copies the picture: the stage goes on to change its own.
func holdPortrait(_ string, in cutout.Input) (cutout.Input, func(), error) {
	own := *in.Image
	own.Pix = append([]uint8(nil), in.Image.Pix...)
	in.Image = &own
	return in, func() {}, nil
}

// compareMasks measures how far two cut-outs agree about the person: the overlap of
// the halves above 1/2 (intersection over union), and the mean difference of alpha.
func compareMasks(served, other cutout.Output) map[string]float64 {
	if served.Original || other.Original || served.Cutout.Rect.Size() != other.Cutout.Rect.Size() {
		return nil
	}
	iou, difference := overlap(matting.Alpha(served.Cutout), matting.Alpha(other.Cutout))
	return map[string]float64{"iou": iou, "mean_alpha_difference": difference}
}

// overlap compares masks of one size.
func overlap(a, b *image.Gray) (iou, difference float64) {
	var both, either, sum int
	w, h := a.Rect.Dx(), a.Rect.Dy()
	for y := range h {
		for x := range w {
			p, q := int(a.Pix[y*a.Stride+x]), int(b.Pix[y*b.Stride+x])
			sum += max(p-q, q-p)
			if p > 127 && q > 127 {
				both++
			}
			if p > 127 || q > 127 {
				either++
			}
		}
	}
	if either == 0 {
		return 1, float64(sum) / 255 / float64(max(w*h, 1)) // two empty masks agree
	}
	return float64(both) / float64(either), float64(sum) / 255 / float64(w*h)
}

// measureSpeech gives how long and how loud it is.
func measureSpeech(s speech.Speech) map[string]float64 {
	m := map[string]float64{"length_s": s.Audio.Duration().Seconds()}
	if st, err := loudness.Measure(s.Audio); err == nil {
		m["loudness_lufs"] = st.Integrated
	}
	return m
}

// holdVideo links the job's files into a directory of their own.
func (a *app) holdVideo(task string, j avatar.Job) (own avatar.Job, done func(), err error) {
	dir, done, err := consumers.Blobs{Temp: a.temp}.TempDir()
	if err != nil {
		return j, nil, err
	}
	for _, path := range []*string{&j.Sound, &j.Subtitles, &j.Captions} {
		if *path == "" {
			continue
		}
		to := filepath.Join(dir, filepath.Base(*path))
		if err := os.Link(*path, to); err != nil {
			done()
			return j, nil, err
		}
		*path = to
	}
	j.Task, j.Dir, j.Progress = behind(task), dir, nil
	return j, done, nil
}

// measureVideo gives how long and how large it is.
func measureVideo(v avatar.Video) map[string]float64 {
	m := map[string]float64{"length_s": v.Seconds}
	if st, err := os.Stat(v.Path); err == nil {
		m["megabytes"] = float64(st.Size()) / 1e6
	}
	return m
}
