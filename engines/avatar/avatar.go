// Package avatar makes a portrait speak: each engine turns a picture, a voice
// and what shall be heard into an MP4 file. The engines of this machine render
// the frames themselves and hand them to ffmpeg for encoding; the others ask a
// service.
package avatar

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/vision/face"
	"github.com/videomsg/videomsg/vision/portrait"
)

// A Job is one video to make.
type Job struct {
	Task       string      // names a remote job, so that a second try finds it again
	Image      image.Image // the portrait
	Alpha      *image.Alpha
	Background image.Image
	Voice      dsp.Audio // the voice alone: moves the mouth and sets the length
	Sound      string    // path of the WAV file to be heard, as long as Voice
	Phones     []portrait.Phone
	Emotion    string  // of the voice, as in events.Prosody; a service may show it on the face
	Intensity  float64 // of the emotion, 0..1
	Options    portrait.Options
	Label      string             // says that the video is synthetic; of [portrait.LabelGlyphs]; empty for none
	Corner     Corner             // where the label stands
	Subtitles  string             // path of an ASS file in Dir to burn in; empty for none
	Captions   string             // path of an SRT file for a track of its own; empty for none
	Language3  string             // of Captions, ISO 639-2
	Tags       [][2]string        // container metadata
	Dir        string             // private directory for files; the caller removes it
	Progress   func(done float64) // may be called from any goroutine
}

// A Video is a finished, verified file.
type Video struct {
	Path    string // MP4 in Job.Dir
	Poster  string // JPEG of the first frame in Job.Dir
	Style   portrait.Style
	Timing  string  // what moved the mouth: phones, sound or none
	Seconds float64 // of the picture track
	Remarks []string
}

// Chain is the avatar engines in order of preference.
type Chain = engines.Chain[Job, Video]

// progress says how far the job is.
func (j Job) progress(done float64) {
	if j.Progress != nil {
		j.Progress(done)
	}
}

// Portrait animates the face on this machine; it needs ffmpeg for the encoding.
func Portrait(faces *face.Detector, threads int) engines.Engine[Job, Video] {
	return local{faces: faces, threads: threads}.portrait()
}

// Still shows the portrait unmoved while the sound plays.
func Still(faces *face.Detector, threads int) engines.Engine[Job, Video] {
	return local{faces: faces, threads: threads}.still()
}

// local is what the engines of this machine run on.
type local struct {
	faces   *face.Detector
	threads int
	program string        // empty: ffmpeg
	stall   time.Duration // see encoder
}

func (l local) portrait() engines.Engine[Job, Video] {
	return engines.Engine[Job, Video]{Name: "portrait", Run: func(ctx context.Context, j Job) (Video, error) {
		v, err := l.render(ctx, j)
		return v, blameEncoder(err)
	}}
}

func (l local) still() engines.Engine[Job, Video] {
	return engines.Engine[Job, Video]{Name: "still", Run: func(ctx context.Context, j Job) (Video, error) {
		j.Options.Style = portrait.Static
		// What failed before may have been these.
		without := j.Subtitles != "" || j.Captions != ""
		j.Subtitles, j.Captions = "", ""
		v, err := l.render(ctx, j)
		if without {
			v.Remarks = append(v.Remarks, "The captions are not in the picture; they are a file of their own.")
		}
		return v, blameEncoder(err)
	}}
}

// render draws every frame into the encoder.
func (l local) render(ctx context.Context, j Job) (Video, error) {
	o := j.Options
	o.Threads = l.threads
	in := portrait.Input{
		Image: j.Image, Alpha: j.Alpha, Background: j.Background, Detector: l.faces, Voice: j.Voice, Phones: j.Phones,
	}
	enc := &encoder{job: j, program: l.program, threads: l.threads, stall: l.stall, seconds: j.Voice.Duration().Seconds()}
	defer enc.abort()
	report, err := portrait.Render(o, in, func(f *portrait.Frame) error { return enc.frame(ctx, f) })
	if err != nil {
		enc.abort()
		// When the encoder died, its own words say more than the broken pipe.
		return Video{}, classify(errors.Join(enc.err(), err))
	}
	path, err := enc.finish()
	if err != nil {
		return Video{}, fmt.Errorf("encode video: %w", err)
	}
	v := Video{Path: path, Poster: enc.poster, Style: report.Style, Timing: report.Timing, Remarks: remarks(report)}
	return j.verified(ctx, v, report.W, report.H)
}

func classify(err error) error {
	switch {
	case errors.Is(err, portrait.ErrInput), errors.Is(err, portrait.ErrOptions):
		return fmt.Errorf("%w: %w", engines.ErrInput, err)
	case errors.Is(err, portrait.ErrNoFace):
		return engines.WithReason(fmt.Errorf("%w: %w", engines.ErrPermanent, err), "no face that can be animated was found")
	default:
		return err
	}
}

// remarks puts the renderer's reasons in words.
func remarks(r portrait.Report) []string {
	var out []string
	for _, why := range r.Fallback {
		if s, ok := faceReasons[face.Reason(why)]; ok {
			why = s
		}
		out = append(out, "The "+string(r.Style)+" style was used: "+why+".")
	}
	if r.Style == portrait.Talking && r.Timing == "sound" {
		out = append(out, "The mouth follows the loudness of the voice: no phoneme times were available.")
	}
	return out
}

var faceReasons = map[face.Reason]string{
	face.NoFace:    "no face was found in the picture",
	face.TooSmall:  "the face is too small",
	face.Profile:   "the face is turned too far to the side",
	face.TooDark:   "the face is too dark",
	face.Blurred:   "the face is blurred",
	face.Doubtful:  "it is not certain that this is a face",
	face.Several:   "there are several faces",
	face.CutOff:    "the face is cut off by the edge of the picture",
	face.TooBright: "the face is overexposed",
}
