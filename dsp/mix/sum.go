package mix

import (
	"fmt"
	"slices"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
)

// sum is voice and music together, before the whole is brought to its loudness.
type sum struct {
	voice dsp.Source // at Rate, one or two channels
	at    int        // sample at which the voice starts
	n     int        // samples
	music dsp.Source // without Read when there is none
	gain  float64    // dB, of the music
	curve *curve
	piece dsp.Audio // scratch
}

// lay puts the music under the voice, levelled, faded and ducked.
func (s *sum) lay(voice heard, m Music, p Plan, r *Report) error {
	seconds := float64(s.n) / Rate
	bed, err := newBed(m, seconds)
	if err != nil {
		return err
	}
	if s.music, err = bed.source(s.n); err != nil {
		return err
	}
	r.Loops = bed.loops(seconds)
	if r.MusicBefore, err = measure(s.music); err != nil {
		return fmt.Errorf("mix music: %w", err)
	}
	if s.n > 0 && r.MusicBefore.Integrated <= -70 {
		return fmt.Errorf("music at %.0f LUFS is silent: %w", r.MusicBefore.Integrated, ErrMusic)
	}
	r.MusicGain = musicGain(p, r.Voice, r.MusicBefore)
	s.gain = r.MusicGain
	s.curve = newCurve(p, s.n, bed.ends)
	if p.Duck {
		s.curve.duck(shift(voice.speech, s.at), raise(p))
		r.Ducked = s.curve.up + s.curve.down
	}
	return nil
}

// background is the music as it will be heard; silence without any.
func (s *sum) background(dst [][]float32, at int) error {
	if s.curve == nil {
		for c := range dst {
			clear(dst[c])
		}
		return nil
	}
	if err := s.music.Read(dst, at); err != nil {
		return err
	}
	s.curve.apply(dst, at, s.gain)
	return nil
}

// source is the whole.
func (s *sum) source() dsp.Source {
	return dsp.Source{Rate: Rate, Channels: 2, Samples: s.n, Read: func(dst [][]float32, at int) error {
		if err := s.background(dst, at); err != nil {
			return err
		}
		return s.speak(dst, at)
	}}
}

// speak adds the voice to dst, which begins at sample at.
func (s *sum) speak(dst [][]float32, at int) error {
	lo, hi := max(at, s.at), min(at+len(dst[0]), s.at+s.voice.Samples)
	if lo >= hi {
		return nil
	}
	if s.piece.Ch == nil {
		s.piece = dsp.New(Rate, s.voice.Channels, 0)
	}
	for c := range s.piece.Ch {
		s.piece.Ch[c] = slices.Grow(s.piece.Ch[c][:0], hi-lo)[:hi-lo]
	}
	if err := s.voice.Read(s.piece.Ch, lo-s.at); err != nil {
		return err
	}
	for c := range dst {
		out := dst[c][lo-at:]
		for i, v := range s.piece.Ch[min(c, len(s.piece.Ch)-1)] {
			out[i] += v
		}
	}
	return nil
}

// measure meters the whole, and compares the momentary loudness of voice and
// music every 100 ms during speech: gap is the 5th percentile of their distance
// in LU.
func (s *sum) measure(voice heard) (all loudness.Stats, gap float64, err error) {
	whole, err := loudness.NewMeter(Rate, 2)
	if err != nil {
		return all, 0, err
	}
	music, err := loudness.NewMeter(Rate, 2)
	if err != nil {
		return all, 0, err
	}
	var gaps []float64
	buf := dsp.New(Rate, 2, hop).Ch
	k := 0
	// Pieces start where those of the voice do.
	for at := s.at%hop - hop; at < s.n; at += hop {
		lo, hi := max(0, at), min(s.n, at+hop)
		if lo >= hi {
			continue
		}
		piece := [][]float32{buf[0][:hi-lo], buf[1][:hi-lo]}
		if err := s.background(piece, lo); err != nil {
			return all, 0, err
		}
		if s.curve != nil {
			music.Write(piece)
			i := (at - s.at) / hop
			for k < len(voice.speech) && voice.speech[k].to < (i+1)*hop {
				k++
			}
			// The whole 400 ms block must be speech.
			if at >= s.at && i < len(voice.momentary) && k < len(voice.speech) && voice.speech[k].from <= (i-3)*hop {
				gaps = append(gaps, float64(voice.momentary[i])-music.Momentary())
			}
		}
		if err := s.speak(piece, lo); err != nil {
			return all, 0, err
		}
		whole.Write(piece)
	}
	if len(gaps) > 0 {
		slices.Sort(gaps)
		gap = gaps[len(gaps)/20]
	}
	return whole.Stats(), gap, nil
}

// measure meters a source.
func measure(src dsp.Source) (loudness.Stats, error) {
	m, err := loudness.NewMeter(src.Rate, src.Channels)
	if err != nil {
		return loudness.Stats{}, err
	}
	err = src.Each(func(_ int, ch [][]float32) error { m.Write(ch); return nil })
	return m.Stats(), err
}
