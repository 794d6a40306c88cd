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
	Sound dsp.Source
	// Seamless: the end runs into the beginning, to the sample, so it is repeated
	// without a crossfade. Otherwise silence at the edges is trimmed and
	// repetitions overlap where they fit best.
	Seamless bool
	// Ends: the music comes to its own end at its last sample; a mix of just that
	// length fades nothing out.
	Ends bool
}

// A Report says what mixing did.
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

// Stream is a mix of any length in little memory: it measures everything, reading
// the voice and the music several times piece by piece and keeping about 2 kB for
// every second, and returns a stream that makes the sound while it is read.
// The voice keeps its level relative to the whole; mono becomes both channels.
// With Volume 0 the result is the voice alone, without lead-in and tail. A silent
// or empty voice counts as one at the target loudness. Errors: those of
// Plan.Validate, Source.Check and Source.Read, ErrMusic, samples that are no
// plausible numbers, and a result longer than MaxLength.
func Stream(voice dsp.Source, m Music, p Plan) (dsp.Stream, Report, error) {
	var r Report
	if err := p.Validate(); err != nil {
		return dsp.Stream{}, r, err
	}
	voice, err := prepare(voice)
	if err != nil {
		return dsp.Stream{}, r, fmt.Errorf("mix voice: %w", err)
	}
	spoken := time.Duration(voice.Seconds() * float64(time.Second))
	if d := p.Length(spoken); d > MaxLength {
		return dsp.Stream{}, r, fmt.Errorf("mix of %s is longer than %s", d.Round(time.Second), MaxLength)
	}
	heard, err := listen(voice)
	if err != nil {
		return dsp.Stream{}, r, fmt.Errorf("mix voice: %w", err)
	}
	r.Voice, r.MusicGain = heard.stats, loudness.Floor
	whole := &sum{voice: voice, n: samples(p.Length(spoken))}
	if p.Volume > 0 {
		r.VoiceOffset = p.LeadIn
		whole.at = samples(p.LeadIn)
		if err := whole.lay(heard, m, p, &r); err != nil {
			return dsp.Stream{}, r, err
		}
	}
	before, gap, err := whole.measure(heard)
	if err != nil {
		return dsp.Stream{}, r, fmt.Errorf("mix: %w", err)
	}
	r.SpeechToMusic = gap
	fitted, err := loudness.Fit(whole.source(), before, p.Target)
	if err != nil {
		return dsp.Stream{}, r, fmt.Errorf("normalise mix: %w", err)
	}
	r.Out = fitted.Report
	return fitted.Stream(), r, nil
}

// Mix is Stream for a voice and a result that are held in memory.
func Mix(voice dsp.Audio, m Music, p Plan) (dsp.Audio, Report, error) {
	s, r, err := Stream(voice.Source(), m, p)
	if err != nil {
		return dsp.Audio{}, r, err
	}
	out, err := s.Audio()
	return out, r, err
}

// prepare brings the voice to Rate and one or two channels.
func prepare(voice dsp.Source) (dsp.Source, error) {
	if err := voice.Check(); err != nil {
		return dsp.Source{}, err
	}
	if s := voice.Seconds(); s > MaxLength.Seconds() {
		return dsp.Source{}, fmt.Errorf("%.0f s is longer than %s", s, MaxLength)
	}
	if voice.Channels > 2 {
		voice = voice.Mono()
	}
	return voice.Checked().Resample(Rate)
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
