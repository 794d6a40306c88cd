package dsp

import (
	"fmt"
	"math"
)

// Source is sound that is read piece by piece, possibly more than once, so that
// a recording of any length takes little memory.
//
// Read fills every dst[c] with samples [at, at+len(dst[c])) of channel c; the
// range lies inside [0, Samples). Readers go through a source in pieces of up to
// about a second, mostly forward. An error from Read ends the work and is
// returned wrapped: this is where a caller stops it. Read need not be safe for
// concurrent use.
type Source struct {
	Rate     int // hertz
	Channels int
	Samples  int // per channel
	Read     func(dst [][]float32, at int) error
}

// maxSamples bounds the length so that what is kept about a source, a few
// kilobytes a minute, cannot fill memory: three hours at 48 kHz.
const maxSamples = 3 * 3600 * 48000

// pieceSeconds is how much Each reads at a time.
const pieceSeconds = 0.25

// Source reads a. The caller must not change a meanwhile.
func (a Audio) Source() Source {
	return Source{
		Rate: a.Rate, Channels: len(a.Ch), Samples: a.Len(),
		Read: func(dst [][]float32, at int) error {
			for c := range dst {
				copy(dst[c], a.Ch[c][at:])
			}
			return nil
		},
	}
}

// Check reports why s cannot be processed: as Audio.Check without looking at
// the samples, and more than three hours at 48 kHz.
func (s Source) Check() error {
	if err := CheckRate(s.Rate); err != nil {
		return err
	}
	if s.Channels < 1 || s.Channels > MaxChannels {
		return fmt.Errorf("audio has %d channels, not 1 to %d", s.Channels, MaxChannels)
	}
	if s.Samples < 0 || s.Samples > maxSamples {
		return fmt.Errorf("audio has %d samples, not 0 to %d", s.Samples, maxSamples)
	}
	if s.Read == nil {
		return fmt.Errorf("audio source has no Read function")
	}
	return nil
}

// Checked is s with every sample looked at: what Audio.Check would refuse is an
// error of Read.
func (s Source) Checked() Source {
	read := s.Read
	s.Read = func(dst [][]float32, at int) error {
		if err := read(dst, at); err != nil {
			return err
		}
		for c, x := range dst {
			if i := firstBad(x); i >= 0 {
				return fmt.Errorf("audio channel %d sample %d is %g", c, at+i, x[i])
			}
		}
		return nil
	}
	return s
}

// Mono is the mean of the channels of s.
func (s Source) Mono() Source {
	if s.Channels == 1 {
		return s
	}
	read, all := s.Read, New(s.Rate, s.Channels, 0)
	g := 1 / float32(s.Channels)
	s.Channels = 1
	s.Read = func(dst [][]float32, at int) error {
		all.fit(len(dst[0]))
		if err := read(all.Ch, at); err != nil {
			return err
		}
		clear(dst[0])
		for _, ch := range all.Ch {
			for i, v := range ch {
				dst[0][i] += g * v
			}
		}
		return nil
	}
	return s
}

// Resample is s at rate hertz, as the function Resample makes it; each range is
// converted when it is read.
func (s Source) Resample(rate int) (Source, error) {
	if err := s.Check(); err != nil {
		return Source{}, fmt.Errorf("resample to %d Hz: %w", rate, err)
	}
	if err := CheckRate(rate); err != nil {
		return Source{}, fmt.Errorf("resample from %d Hz: %w", s.Rate, err)
	}
	if rate == s.Rate {
		return s, nil
	}
	p := newPolyphase(s.Rate, rate)
	in := New(s.Rate, s.Channels, 0)
	var x []float64
	out := Source{Rate: rate, Channels: s.Channels, Samples: int((int64(s.Samples)*int64(p.up) + int64(p.down) - 1) / int64(p.down))}
	out.Read = func(dst [][]float32, at int) error {
		for start := 0; start < len(dst[0]); start += resampleBlock {
			end := min(start+resampleBlock, len(dst[0]))
			first, n := p.needs(at+start, at+end)
			lo, hi := max(0, first), min(s.Samples, first+n)
			in.fit(max(0, hi-lo))
			if hi > lo {
				if err := s.Read(in.Ch, lo); err != nil {
					return err
				}
			}
			if cap(x) < n {
				x = make([]float64, n)
			}
			x = x[:n]
			for c := range dst {
				clear(x)
				for i, v := range in.Ch[c] {
					x[lo-first+i] = float64(v)
				}
				p.run(dst[c][start:end], at+start, x)
			}
		}
		return nil
	}
	return out, nil
}

// Each reads s from start to end in pieces of a quarter of a second. The
// samples are used again for the next piece.
func (s Source) Each(f func(at int, ch [][]float32) error) error {
	piece := max(1, int(pieceSeconds*float64(s.Rate)))
	buf := New(s.Rate, s.Channels, min(piece, s.Samples))
	for at := 0; at < s.Samples; at += piece {
		buf.fit(min(piece, s.Samples-at))
		if err := s.Read(buf.Ch, at); err != nil {
			return fmt.Errorf("read audio at sample %d: %w", at, err)
		}
		if err := f(at, buf.Ch); err != nil {
			return err
		}
	}
	return nil
}

// Seconds is how long s lasts.
func (s Source) Seconds() float64 { return float64(s.Samples) / math.Max(1, float64(s.Rate)) }

// Stream is s from start to end.
func (s Source) Stream() Stream {
	return Stream{Rate: s.Rate, Channels: s.Channels, Samples: s.Samples, Each: func(emit func([][]float32) error) error {
		return s.Each(func(_ int, ch [][]float32) error { return emit(ch) })
	}}
}

// Stream is sound that is made from start to end, again for every call of Each,
// in blocks whose samples are used again afterwards. An error from emit ends the
// work and is returned wrapped.
type Stream struct {
	Rate     int // hertz
	Channels int
	Samples  int // per channel
	Each     func(emit func(ch [][]float32) error) error
}

// Audio is all of s in memory.
func (s Stream) Audio() (Audio, error) {
	a, at := New(s.Rate, s.Channels, s.Samples), 0
	err := s.Each(func(ch [][]float32) error {
		for c := range ch {
			copy(a.Ch[c][at:], ch[c])
		}
		at += len(ch[0])
		return nil
	})
	return a, err
}

// fit gives every channel of a n samples of any value.
func (a *Audio) fit(n int) {
	for c := range a.Ch {
		if cap(a.Ch[c]) < n {
			a.Ch[c] = make([]float32, n)
		}
		a.Ch[c] = a.Ch[c][:n]
	}
}
