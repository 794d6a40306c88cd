package prosody

import (
	"fmt"
	"math"
	"sort"

	"github.com/videomsg/videomsg/dsp"
)

// Track is what is known about the melody and the rhythm of a recording.
type Track struct {
	Rate     int     // hertz
	Samples  int     // length of the recording
	Hop      float64 // seconds between frames of F0; frame i is at i·Hop
	F0       []float32
	MedianF0 float64 // hertz; 0 when nothing is voiced
	// Marks are the glottal pulses in samples, to a fraction of one, ascending;
	// Runs groups them into stretches of uninterrupted voicing.
	Marks  []float64
	Runs   []Run
	Onsets []int // samples at which sound begins suddenly, ascending
	// Phrases are the stretches of sound between pauses of at least 0.2 s.
	Phrases []Span

	polarity float32 // +1 when the pulses point up, −1 when down
}

// Run is Marks[First:End].
type Run struct{ First, End int }

// Span is a stretch of time in seconds.
type Span struct{ Start, End float64 }

// Voiced is the part of the recording that is voiced, 0 to 1.
func (t *Track) Voiced() float64 {
	if len(t.F0) == 0 {
		return 0
	}
	n := 0
	for _, f := range t.F0 {
		if f > 0 {
			n++
		}
	}
	return float64(n) / float64(len(t.F0))
}

// Analyze tracks the pitch of a, its pulses and its onsets. Several channels are
// analysed as their mean. Errors: those of dsp.Audio.Check.
func Analyze(a dsp.Audio) (*Track, error) {
	if err := a.Check(); err != nil {
		return nil, fmt.Errorf("analyse speech: %w", err)
	}
	return analyze(a.Source(), func(float64) error { return nil })
}

func analyze(src dsp.Source, tick func(float64) error) (*Track, error) {
	t, err := analysisPass(src, func(f float64) error { return tick(0.7 * f) })
	if err != nil {
		return nil, err
	}
	if err := t.mark(src, func(f float64) error { return tick(0.7 + 0.3*f) }); err != nil {
		return nil, err
	}
	return t, nil
}

// contour is the pitch at pos samples, interpolated, 0 where unvoiced.
func (t *Track) contour(pos float64) float64 {
	x := pos / float64(t.Rate) / t.Hop
	i := int(math.Floor(x))
	if i < 0 || i >= len(t.F0) {
		return 0
	}
	a := float64(t.F0[i])
	if i+1 >= len(t.F0) || t.F0[i+1] == 0 || a == 0 {
		if x-float64(i) > 0.5 && i+1 < len(t.F0) {
			return float64(t.F0[i+1])
		}
		return a
	}
	return a + (x-float64(i))*(float64(t.F0[i+1])-a)
}

// phraseAt is the phrase that contains sec, and which it is.
func (t *Track) phraseAt(sec float64) (Span, int, bool) {
	i := sort.Search(len(t.Phrases), func(i int) bool { return t.Phrases[i].End >= sec })
	if i == len(t.Phrases) || t.Phrases[i].Start > sec {
		return Span{}, 0, false
	}
	return t.Phrases[i], i, true
}

// phrases finds the stretches louder than −40 dB of the loudest window and joins
// those less than pauseSeconds apart.
func (t *pitchTracker) phrases() []Span {
	const pauseSeconds = 0.2
	var out []Span
	for i, f := range t.frames {
		if float64(f.energy) <= 1e-4*t.loud || f.energy == 0 {
			continue
		}
		a, b := float64(i)*hopSeconds, float64(i+1)*hopSeconds
		if n := len(out); n > 0 && a-out[n-1].End < pauseSeconds {
			out[n-1].End = b
			continue
		}
		out = append(out, Span{a, b})
	}
	return out
}
