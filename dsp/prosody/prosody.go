// Package prosody changes how speech is spoken and leaves who speaks: pitch,
// speed, melody, pauses, effort. The voice keeps its formants, consonants keep
// their attack, and everything is done in one pass.
//
// The way through it: Params are a user's wishes; Params.Resolve makes a Plan;
// Apply changes a recording in memory, Stream one of any length in bounded
// memory. Both return a TimeMap, which carries phoneme times along. The method
// is described at synth, pitchTracker and marker.
//
// Everything is a pure function of its arguments and safe for concurrent use.
// Long work is stopped by an error from the callbacks, which run at least every
// few hundred milliseconds of sound.
package prosody

import (
	"fmt"
	"math"

	"github.com/videomsg/videomsg/dsp"
)

// Report is what Apply found and did.
type Report struct {
	Bypassed    bool    `json:"bypassed"`     // the samples are those of the input
	Voiced      float64 `json:"voiced"`       // part of the recording, 0..1
	MedianF0    float64 `json:"median_f0"`    // hertz, of the input; 0: nothing voiced
	Onsets      int     `json:"onsets"`       // locked in time
	ReductionDB float64 `json:"reduction_db"` // the most the limiter took away
	PitchKept   bool    `json:"pitch_kept"`   // a pitch change was asked for but nothing is voiced
	Seconds     float64 `json:"seconds"`      // length of the output
}

// Apply changes a by p. The result has a's rate and channels and, without
// breaks, exactly round(a.Len()/p.Rate) samples. A plan that changes nothing
// returns a copy of a. Sound without voice (whisper, music, noise) is stretched
// and keeps its pitch; the report says so.
//
// progress, if not nil, is called with the part done, 0 to 1; an error from it
// ends the work and is returned wrapped. Other errors: those of Plan.Validate
// and dsp.Audio.Check.
func Apply(a dsp.Audio, p Plan, progress func(done float64) error) (dsp.Audio, TimeMap, Report, error) {
	if err := a.Check(); err != nil {
		return dsp.Audio{}, nil, Report{}, fmt.Errorf("change prosody: %w", err)
	}
	out := dsp.Audio{Rate: a.Rate, Ch: make([][]float32, len(a.Ch))}
	guess := int(float64(a.Len())/max(p.Rate, MinTimeStretch)) + a.Rate
	for c := range out.Ch {
		out.Ch[c] = make([]float32, 0, guess)
	}
	tm, rep, err := Stream(a.Source(), p, progress, func(b dsp.Audio) error {
		for c := range b.Ch {
			out.Ch[c] = append(out.Ch[c], b.Ch[c]...)
		}
		return nil
	})
	if err != nil {
		return dsp.Audio{}, nil, Report{}, err
	}
	return out, tm, rep, nil
}

// Stream is Apply for sound that does not fit in memory: it reads src three
// times from start to end (pitch, pulses, synthesis) and hands the result to
// emit in blocks of about 100 ms, whose samples are reused afterwards. Beside
// the blocks it keeps about 50 bytes for every 5 ms. Errors from src.Read, emit
// and progress end the work and are returned wrapped.
func Stream(src dsp.Source, p Plan, progress func(done float64) error, emit func(dsp.Audio) error) (TimeMap, Report, error) {
	if err := src.Check(); err != nil {
		return nil, Report{}, fmt.Errorf("change prosody: %w", err)
	}
	if err := p.Validate(); err != nil {
		return nil, Report{}, fmt.Errorf("change prosody: %w", err)
	}
	tick := func(f float64) error {
		if progress == nil {
			return nil
		}
		return progress(f)
	}
	send := func(ch [][]float32) error { return emit(dsp.Audio{Rate: src.Rate, Ch: ch}) }
	if p.Identity() && !p.NoBypass || src.Samples == 0 {
		err := copyThrough(src, send, tick)
		return nil, Report{Bypassed: true, Seconds: float64(src.Samples) / float64(src.Rate)}, err
	}
	t, err := analyze(src, func(f float64) error { return tick(0.5 * f) })
	if err != nil {
		return nil, Report{}, fmt.Errorf("change prosody: %w", err)
	}
	w := newWarp(t, p)
	onsets := make([]float64, len(t.Onsets))
	for i, o := range t.Onsets {
		onsets[i] = w.fwd(float64(o))
	}
	fin := newFinisher(src.Rate, src.Channels, p, onsets, send)
	s := newSynth(src, t, p, w, fin.block)
	if err := s.layAll(func(f float64) error { return tick(0.5 + 0.5*f) }); err != nil {
		return nil, Report{}, fmt.Errorf("change prosody: %w", err)
	}
	if err := s.out.finish(); err != nil {
		return nil, Report{}, fmt.Errorf("change prosody: %w", err)
	}
	if err := fin.finish(); err != nil {
		return nil, Report{}, fmt.Errorf("change prosody: %w", err)
	}
	rep := Report{
		Voiced: t.Voiced(), MedianF0: t.MedianF0, Onsets: len(t.Onsets),
		ReductionDB: -20 * math.Log10(fin.limit.least),
		PitchKept:   p.changesPitch() && len(t.Runs) == 0,
		Seconds:     float64(w.length()) / float64(src.Rate),
	}
	return w.timeMap(src.Rate), rep, nil
}

// copyThrough emits the source as it is.
func copyThrough(src dsp.Source, send func([][]float32) error, tick func(float64) error) error {
	block := src.Rate
	buf := make([][]float32, src.Channels)
	for at := 0; at < src.Samples; at += block {
		n := min(block, src.Samples-at)
		for c := range buf {
			if buf[c] == nil {
				buf[c] = make([]float32, block)
			}
			buf[c] = buf[c][:n]
		}
		if err := src.Read(buf, at); err != nil {
			return fmt.Errorf("read audio at sample %d: %w", at, err)
		}
		if err := send(buf); err != nil {
			return err
		}
		if err := tick(float64(at+n) / float64(src.Samples)); err != nil {
			return err
		}
	}
	return nil
}

func newSynth(src dsp.Source, t *Track, p Plan, w *warp, emit func([][]float32) error) *synth {
	f := float64(src.Rate)
	s := &synth{
		track: t, plan: p, warp: w, win: newWindow(src, p.changesTime()), rate: f, hop: unvoicedHop * f,
		keep: !p.changesPitch() && p.Formant == 1,
		seed: 1, entered: -1,
		out: newMixer(src.Rate, src.Channels, w.length(), emit),
	}
	if p.changesPitch() {
		s.ratio = t.melody(p)
	}
	s.level = t.levels(p)
	return s
}
