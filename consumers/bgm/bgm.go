// Package bgm is the music stage: music is laid under the speech and both are
// brought to the loudness that phones expect. Besides the mix it makes the stem,
// the voice alone on the same clock, which moves the mouth.
package bgm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/mix"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// Name is the stage's name.
const Name = "bgm"

// None asks for no music; Default is played when nothing is asked for.
const (
	None    = "none"
	Default = "calm"
)

// quiet is the silence before and after speech without music: a face at rest
// before it speaks, and no clipped last syllable.
const quiet = 250 * time.Millisecond

// A Track is music that was found.
type Track struct {
	Music  mix.Music
	Credit string // line that its use demands; empty when none is owed
}

// A Library finds the music of job by its id, made or cut to about the length
// wanted. engines.Reason says in words for people why there is none.
type Library func(ctx context.Context, job events.Job, id string, length time.Duration) (Track, error)

type stage struct {
	blobs consumers.Blobs
	music Library
}

// Stage returns the bgm stage.
func Stage(blobs consumers.Blobs, music Library) consumers.Stage {
	s := stage{blobs, music}
	return consumers.Stage{Name: Name, Run: s.run, Timeout: 2 * time.Minute, Limit: 10 * time.Minute, Tries: 3, Workers: 2}
}

func (s stage) run(ctx context.Context, w consumers.Work) (consumers.Result, error) {
	name, line := events.BlobProsody, events.BlobProsodyT
	if _, ok := w.Job.Blobs[name]; !ok {
		name, line = events.BlobSpeech, events.BlobTimings
	}
	voice, err := s.blobs.Sound(ctx, w.Job, name)
	if err != nil {
		return consumers.Result{}, err
	}
	var timings speech.Timings
	if err := s.blobs.JSON(ctx, w.Job, line, &timings); err != nil {
		return consumers.Result{}, err
	}
	w.Progress(0.1)
	res := consumers.Result{Engine: "dsp"}
	out, offset, err := s.mix(ctx, w, voice, &res)
	if ctx.Err() != nil {
		return consumers.Result{}, ctx.Err()
	}
	if err != nil {
		// The voice as it is is better than no message.
		return consumers.Result{
			Engine: "original", Skipped: true, Fallback: append(res.Fallback, engines.Skip{Engine: "dsp", Err: err}),
			Remarks: append(res.Remarks, "The voice is used as it is."),
		}, nil
	}
	w.Progress(0.7)
	res.Blobs, err = s.store(ctx, w, out, stem(voice, out, offset), timings.Shift(offset.Seconds()), &res)
	return res, err
}

// mix lays the music under the voice and says by how much the voice starts
// later. Without music, wanted or not, the voice is alone.
func (s stage) mix(ctx context.Context, w consumers.Work, voice dsp.Audio, res *consumers.Result) (dsp.Stream, time.Duration, error) {
	req := w.Job.Request.BGM
	plan := mix.Default()
	plan.Duck, plan.Accessible = req.Duck, req.Accessible
	if req.Volume != nil {
		plan.Volume = *req.Volume
	}
	for _, d := range []struct {
		to  *time.Duration
		sec *float64
		max time.Duration
	}{{&plan.LeadIn, req.LeadIn, mix.MaxAlone}, {&plan.Tail, req.Tail, mix.MaxAlone}, {&plan.FadeOut, req.FadeOut, mix.MaxFade}} {
		if d.sec != nil {
			*d.to = time.Duration(min(max(*d.sec, 0), d.max.Seconds()) * float64(time.Second))
		}
	}
	if _, ok := w.Job.Blobs[events.BlobTitle]; ok { // the card stands over music
		plan.LeadIn = max(plan.LeadIn, time.Duration(events.CardSeconds*float64(time.Second)))
	}
	id := cmp.Or(req.Type, Default)
	if id == None || plan.Volume == 0 {
		res.Remarks = append(res.Remarks, "No music was asked for.")
		return alone(ctx, voice, plan)
	}
	track, err := s.music(ctx, w.Job, id, plan.Length(voice.Duration()))
	if err == nil {
		var out dsp.Stream
		var report mix.Report
		if out, report, err = mix.Stream(stoppable(ctx, voice.Source()), track.Music, plan); err == nil {
			res.Credit = track.Credit
			return out, report.VoiceOffset, nil
		}
		if errors.Is(err, mix.ErrMusic) {
			err = engines.WithReason(err, "the music is silent or too short")
		}
	}
	if ctx.Err() != nil {
		return dsp.Stream{}, 0, err
	}
	res.Fallback = append(res.Fallback, engines.Skip{Engine: "dsp", Err: fmt.Errorf("music %s: %w", id, err)})
	res.Engine = "voice"
	res.Remarks = append(res.Remarks, "Music could not be added; the voice is alone.")
	return alone(ctx, voice, plan)
}

// alone is the voice with the quiet around it, at the loudness of the plan.
func alone(ctx context.Context, voice dsp.Audio, plan mix.Plan) (dsp.Stream, time.Duration, error) {
	plan.Volume = 0
	n := int(quiet.Seconds() * float64(voice.Rate))
	src := at(voice, n, voice.Len()+2*n).Source()
	out, _, err := mix.Stream(stoppable(ctx, src), mix.Music{}, plan)
	return out, quiet, err
}

// at is n samples of silence with a from sample from.
func at(a dsp.Audio, from, n int) dsp.Audio {
	out := dsp.New(a.Rate, len(a.Ch), n)
	for c := range a.Ch {
		copy(out.Ch[c][min(from, n):], a.Ch[c])
	}
	return out
}

// stem is the voice on the clock of the mix.
func stem(voice dsp.Audio, mixed dsp.Stream, offset time.Duration) dsp.Audio {
	mono := voice.Mono()
	n := int(float64(mixed.Samples) * float64(mono.Rate) / float64(mixed.Rate))
	return at(mono, int(offset.Seconds()*float64(mono.Rate)), n)
}

// stoppable is src until ctx is done: whatever reads it ends as well.
func stoppable(ctx context.Context, src dsp.Source) dsp.Source {
	read := src.Read
	src.Read = func(dst [][]float32, from int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return read(dst, from)
	}
	return src
}

func (s stage) store(ctx context.Context, w consumers.Work, mixed dsp.Stream, voice dsp.Audio, timings speech.Timings, res *consumers.Result) (map[string]events.Blob, error) {
	sound, err := s.blobs.PutStream(ctx, objectstore.Intermediates, w.Task, Name, "mix.wav", mixed)
	if err != nil {
		return nil, err
	}
	alone, err := s.blobs.PutSound(ctx, objectstore.Intermediates, w.Task, Name, "stem.wav", voice)
	if err != nil {
		return nil, err
	}
	line, err := s.blobs.PutJSON(ctx, objectstore.Intermediates, w.Task, Name, "timings.json", timings)
	if err != nil {
		return nil, err
	}
	blobs := map[string]events.Blob{events.BlobMix: sound, events.BlobStem: alone, events.BlobMixTimings: line}
	if w.Job.Request.Kind == events.KindBGM {
		mp3, err := s.mp3(ctx, w, mixed)
		switch {
		case err == nil:
			blobs[events.BlobMP3] = mp3
		case errors.Is(err, engines.ErrUnavailable) && ctx.Err() == nil:
			res.Fallback = append(res.Fallback, engines.Skip{Engine: "ffmpeg", Err: err})
			res.Remarks = append(res.Remarks, "The sound is a WAV file: there is no MP3 encoder on this service.")
		default:
			return nil, err
		}
	}
	return blobs, nil
}

// mp3 is what a client who asked for the mix alone downloads.
func (s stage) mp3(ctx context.Context, w consumers.Work, mixed dsp.Stream) (events.Blob, error) {
	return s.blobs.PutMade(ctx, objectstore.Outputs, w.Task, Name, "mix.mp3", "audio/mpeg", func(out io.Writer) error {
		return ffmpeg.EncodeMP3(ctx, out, mixed)
	})
}
