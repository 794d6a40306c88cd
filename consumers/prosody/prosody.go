// Package prosody is the prosody stage: pitch, speed, melody, effort and pauses
// of the speech change, its timbre does not. When nothing is wished, or the
// change cannot be made, the speech goes on as it is and the task says so.
package prosody

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// Name is the stage's name.
const Name = "prosody"

type stage struct{ blobs consumers.Blobs }

// Stage returns the prosody stage.
func Stage(blobs consumers.Blobs) consumers.Stage {
	s := stage{blobs}
	return consumers.Stage{Name: Name, Run: s.run, Timeout: time.Minute, Limit: 10 * time.Minute, Tries: 3, Workers: 2}
}

func (s stage) run(ctx context.Context, w consumers.Work) (consumers.Result, error) {
	wish := w.Job.Request.Prosody
	whole, err := Params(wish).Resolve()
	if err != nil {
		return consumers.Result{}, consumers.Fail("PARAMETER_OUT_OF_RANGE", "A prosody parameter is out of range.", err)
	}
	plan := rest(whole, w.Job)
	var timings speech.Timings
	if err := s.blobs.JSON(ctx, w.Job, events.BlobTimings, &timings); err != nil {
		return consumers.Result{}, err
	}
	if err := s.breaks(ctx, w.Job, timings, Pauses(wish, whole), &plan); err != nil {
		return consumers.Result{}, err
	}
	switch {
	case !plan.Identity():
	case whole.Identity():
		return consumers.Result{Engine: "none", Skipped: true, Remarks: []string{"No change of prosody was asked for."}}, nil
	default:
		return consumers.Result{Engine: "voice", Skipped: true, Remarks: []string{"The voice itself spoke as it was asked for."}}, nil
	}
	sound, err := s.blobs.Sound(ctx, w.Job, events.BlobSpeech)
	if err != nil {
		return consumers.Result{}, err
	}
	out, times, report, err := prosody.Apply(sound, plan, func(done float64) error {
		w.Progress(done)
		return ctx.Err()
	})
	if ctx.Err() != nil {
		return consumers.Result{}, ctx.Err()
	}
	if err != nil {
		return consumers.Result{
			Engine: "original", Skipped: true,
			Fallback: []engines.Skip{{Engine: "dsp", Err: engines.WithReason(err, "the sound could not be changed")}},
			Remarks:  []string{"The speech could not be changed and is used as it is."},
		}, nil
	}
	res, err := s.store(ctx, w, out, carry(timings, times), report)
	res.Remarks = append(res.Remarks, shares(whole, plan)...)
	return res, err
}

func (s stage) store(ctx context.Context, w consumers.Work, out dsp.Audio, timings speech.Timings, report prosody.Report) (consumers.Result, error) {
	sound, err := s.blobs.PutSound(ctx, objectstore.Intermediates, w.Task, Name, "speech.wav", out)
	if err != nil {
		return consumers.Result{}, err
	}
	line, err := s.blobs.PutJSON(ctx, objectstore.Intermediates, w.Task, Name, "timings.json", timings)
	if err != nil {
		return consumers.Result{}, err
	}
	res := consumers.Result{
		Engine: "dsp",
		Blobs:  map[string]events.Blob{events.BlobProsody: sound, events.BlobProsodyT: line},
	}
	if report.PitchKept {
		res.Remarks = append(res.Remarks, "The recording has no voiced sound, so its pitch was kept.")
	}
	return res, nil
}

// Params are the wishes of a request with the defaults filled in.
func Params(p events.Prosody) prosody.Params {
	out := prosody.DefaultParams()
	for _, f := range []struct {
		to   *float64
		from *float64
	}{
		{&out.PitchShift, p.PitchShift},
		{&out.TimeStretch, p.TimeStretch},
		{&out.EnergyBoost, p.EnergyBoost},
		{&out.Intensity, p.Intensity},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if p.Emotion != "" {
		out.Emotion = prosody.Emotion(p.Emotion)
	}
	for mark, sec := range p.Pauses {
		if m := sign(mark); m != "" {
			if out.Pauses == nil {
				out.Pauses = map[string]float64{}
			}
			out.Pauses[m] = sec
		}
	}
	return out
}

// rest takes out of the plan what the voice itself has done, in the voice stage
// or in that of the task this one is a rerun of.
func rest(p prosody.Plan, job events.Job) prosody.Plan {
	n, ok := job.Note("voice")
	if !ok || n.Native == nil || n.Native.Rate <= 0 {
		return p
	}
	p.Rate = min(max(p.Rate/n.Native.Rate, prosody.MinTimeStretch), prosody.MaxTimeStretch)
	if math.Abs(p.Rate-1) < inaudible {
		p.Rate = 1
	}
	p.Semitones = min(max(p.Semitones-n.Native.Pitch, prosody.MinPitchShift), prosody.MaxPitchShift)
	return p
}

// inaudible is a change of rate not worth a pass over the sound: engines round.
const inaudible = 0.01

// shares says who did what of a change that was asked for.
func shares(whole, rest prosody.Plan) []string {
	var voice, here []string
	for _, c := range []struct {
		what         string
		wanted, left bool
	}{
		{"pitch", whole.Semitones != 0, rest.Semitones != 0},
		{"speed", whole.Rate != 1, rest.Rate != 1},
		{"melody", whole.Range != 1 || whole.FinalRise != 0 || whole.TremorCents != 0 || whole.Declination != 0 || whole.JitterPct != 0, true},
		{"timbre", whole.Formant != 1 || whole.TiltDB != 0 || whole.BreathDB != 0, true},
		{"loudness", whole.GainDB != 0 || whole.PhraseSlopeDB != 0 || whole.AttackDB != 0 || whole.Compression != 0, true},
		{"pauses", len(rest.Breaks) > 0, true},
	} {
		switch {
		case c.left && (c.wanted || rest.Semitones != 0 && c.what == "pitch" || rest.Rate != 1 && c.what == "speed"):
			here = append(here, c.what)
		case c.wanted:
			voice = append(voice, c.what)
		}
	}
	var out []string
	if len(voice) > 0 {
		out = append(out, "Done by the voice itself: "+strings.Join(voice, ", ")+".")
	}
	if len(here) > 0 {
		out = append(out, "Done afterwards: "+strings.Join(here, ", ")+".")
	}
	return out
}
