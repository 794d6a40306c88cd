// Package mix puts music under a voice. Levels are loudness, not peaks: the
// music stands a chosen number of loudness units under the voice, whatever the
// recordings were like, and the result is at the wanted loudness and under the
// wanted true peak. The voice itself is never turned down for the music.
package mix

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
)

// Rate is the sampling rate of every mix, in hertz; mixes are stereo.
const Rate = 48000

// Bounds of a Plan and of what Mix takes.
const (
	MaxAlone  = 5 * time.Second  // LeadIn and Tail
	MaxFade   = 10 * time.Second // FadeIn and FadeOut
	MaxLength = 30 * time.Minute // the result
	MinMusic  = 500 * time.Millisecond
)

// ErrMusic: the music is silent or too short to be looped.
var ErrMusic = errors.New("music not usable")

// A Plan says how to mix. Its zero value is not useful; start from Default.
type Plan struct {
	// Volume is 0 to 1: music stands 20·(1−Volume) LU under the voice, 0 is
	// silence.
	Volume float64
	LeadIn time.Duration // music alone before the voice, 0 to 5 s
	// Tail is how long music goes on after the voice, 0 to 5 s; never less than
	// FadeOut.
	Tail    time.Duration
	FadeIn  time.Duration // 0 to 10 s
	FadeOut time.Duration // 0 to 10 s; ends with the mix
	// Duck keeps the music 2 dB under its level while somebody speaks and raises
	// it up to 4 dB above in pauses; it is down before the voice returns.
	Duck bool
	// Accessible keeps the music at least 20 LU under the voice (WCAG 1.4.7).
	Accessible bool
	Target     loudness.Target
}

// Default is volume 0.3 (−14 LU), a second of music before and after the voice,
// and the loudness of messages on phones.
func Default() Plan {
	return Plan{
		Volume: 0.3, LeadIn: time.Second, Tail: time.Second, FadeIn: 500 * time.Millisecond, FadeOut: 2 * time.Second,
		Target: loudness.Message,
	}
}

// Validate reports every field that is out of range or not a number.
func (p Plan) Validate() error {
	var errs []error
	if !(p.Volume >= 0 && p.Volume <= 1) {
		errs = append(errs, fmt.Errorf("volume %g is outside 0 to 1", p.Volume))
	}
	for _, f := range []struct {
		name   string
		v, max time.Duration
	}{{"lead-in", p.LeadIn, MaxAlone}, {"tail", p.Tail, MaxAlone}, {"fade-in", p.FadeIn, MaxFade}, {"fade-out", p.FadeOut, MaxFade}} {
		if f.v < 0 || f.v > f.max {
			errs = append(errs, fmt.Errorf("%s %s is outside 0 to %s", f.name, f.v, f.max))
		}
	}
	return errors.Join(append(errs, p.Target.Validate())...)
}

// Length is how long the mix of a voice of that length will be: what a piece of
// music that ends with it must last.
func (p Plan) Length(voice time.Duration) time.Duration {
	if p.Volume == 0 {
		return voice
	}
	return p.LeadIn + voice + max(p.Tail, p.FadeOut)
}

// Music is what is put under the voice.
type Music struct {
	Audio dsp.Audio
	// Seamless: the end runs into the beginning, to the sample, so it is repeated
	// without a crossfade. Otherwise silence at the edges is trimmed and
	// repetitions overlap where they fit best.
	Seamless bool
	// Ends: the music comes to its own end at its last sample; a mix of just that
	// length fades nothing out.
	Ends bool
}

// A Report says what Mix did.
type Report struct {
	Voice       loudness.Stats // as it came
	MusicBefore loudness.Stats // as it came, looped and cut
	MusicGain   float64        // dB; loudness.Floor when muted
	// VoiceOffset is by how much the voice starts later in the mix: timelines of
	// phonemes and captions are shifted by it.
	VoiceOffset time.Duration
	Loops       int     // repetitions of the music beyond the first
	Ducked      float64 // dB between music in pauses and under speech; 0 without ducking
	// SpeechToMusic is the 5th percentile, over the blocks of 400 ms in which
	// somebody speaks, of how far the voice stands above the music, in LU; 0
	// without music or speech.
	SpeechToMusic float64
	Out           loudness.Report // normalising and limiting; Out.After is the mix
}

// Mix mixes. The voice keeps its level relative to the whole; mono becomes
// both channels. With Volume 0 the result is the voice alone, without lead-in
// and tail. A silent or empty voice counts as one at the target loudness.
// Errors: those of Plan.Validate and dsp.Audio.Check, ErrMusic, and a result
// longer than MaxLength.
func Mix(voice dsp.Audio, m Music, p Plan) (dsp.Audio, Report, error) {
	var r Report
	if err := p.Validate(); err != nil {
		return dsp.Audio{}, r, err
	}
	voice, err := prepare(voice)
	if err != nil {
		return dsp.Audio{}, r, fmt.Errorf("mix voice: %w", err)
	}
	if d := p.Length(voice.Duration()); d > MaxLength {
		return dsp.Audio{}, r, fmt.Errorf("mix of %s is longer than %s", d.Round(time.Second), MaxLength)
	}
	if r.Voice, err = loudness.Measure(voice); err != nil {
		return dsp.Audio{}, r, fmt.Errorf("mix voice: %w", err)
	}
	out := dsp.New(Rate, 2, samples(p.Length(voice.Duration())))
	r.MusicGain = loudness.Floor
	at := 0
	if p.Volume > 0 {
		r.VoiceOffset = p.LeadIn
		at = samples(p.LeadIn)
		if err := lay(out, at, voice, m, p, &r); err != nil {
			return dsp.Audio{}, r, err
		}
	}
	for c := range out.Ch {
		from := voice.Ch[min(c, len(voice.Ch)-1)]
		dst := out.Ch[c][min(at, out.Len()):]
		for i := range min(len(from), len(dst)) {
			dst[i] += from[i]
		}
	}
	out, r.Out, err = loudness.Normalize(out, p.Target)
	if err != nil {
		return dsp.Audio{}, r, fmt.Errorf("normalise mix: %w", err)
	}
	return out, r, nil
}

// lay fills out with the music, levelled, faded and ducked; the voice will start
// at sample at.
func lay(out dsp.Audio, at int, voice dsp.Audio, m Music, p Plan, r *Report) error {
	bed, err := newBed(m, out.Len())
	if err != nil {
		return err
	}
	bed.fill(out)
	r.Loops = bed.loops(out.Len())
	if r.MusicBefore, err = loudness.Measure(out); err != nil {
		return fmt.Errorf("mix music: %w", err)
	}
	if out.Len() > 0 && r.MusicBefore.Integrated <= -70 {
		return fmt.Errorf("music at %.0f LUFS is silent: %w", r.MusicBefore.Integrated, ErrMusic)
	}
	r.MusicGain = musicGain(p, r.Voice, r.MusicBefore)
	curve := newCurve(p, out.Len(), bed.ends)
	speech := speechSpans(voice)
	if p.Duck {
		curve.duck(shift(speech, at), raise(p))
		r.Ducked = curve.up + curve.down
	}
	curve.apply(out, r.MusicGain)
	r.SpeechToMusic = speechToMusic(voice, out, at, speech)
	return nil
}

// prepare checks the voice and brings it to Rate and one or two channels.
func prepare(voice dsp.Audio) (dsp.Audio, error) {
	if err := voice.Check(); err != nil {
		return dsp.Audio{}, err
	}
	if len(voice.Ch) > 2 {
		voice = voice.Mono()
	}
	if d := voice.Duration(); d > MaxLength {
		return dsp.Audio{}, fmt.Errorf("%s is longer than %s", d.Round(time.Second), MaxLength)
	}
	return dsp.Resample(voice, Rate)
}

const (
	maxMusicGain  = 30.0 // dB; hiss of a nearly silent upload is not raised further
	accessibleGap = 20.0 // LU
)

// musicGain is the volume law on loudness.
func musicGain(p Plan, voice, music loudness.Stats) float64 {
	ref := voice.Integrated
	if ref <= -70 {
		ref = p.Target.LUFS
	}
	g := ref - 20*(1-p.Volume) - music.Integrated
	if p.Accessible {
		// The loudest passage keeps the distance, not only the mean.
		g = min(g, ref-accessibleGap-max(music.Integrated, music.MaxShort))
	}
	return min(g, maxMusicGain)
}

func samples(d time.Duration) int { return int(math.Round(d.Seconds() * Rate)) }
