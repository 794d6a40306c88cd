package loudness

import (
	"fmt"
	"math"

	"github.com/videomsg/videomsg/dsp"
)

// A Target is where Normalize takes a programme.
type Target struct {
	LUFS     float64 // integrated loudness, −40 to −5
	TruePeak float64 // ceiling in dBTP, −20 to 0
	MaxGain  float64 // dB; how far a quiet recording and its noise may be raised, 0 to 60
}

// The usual targets: messages and podcasts on phones, streaming services, and
// European broadcasting (R 128).
var (
	Message   = Target{LUFS: -16, TruePeak: -1, MaxGain: 20}
	Streaming = Target{LUFS: -14, TruePeak: -1, MaxGain: 20}
	Broadcast = Target{LUFS: -23, TruePeak: -1, MaxGain: 20}
)

// Validate reports a field out of range or not a number.
func (t Target) Validate() error {
	for _, f := range []struct {
		name        string
		v, from, to float64
	}{
		{"loudness target", t.LUFS, -40, -5},
		{"true-peak ceiling", t.TruePeak, -20, 0},
		{"maximum gain", t.MaxGain, 0, 60},
	} {
		if !(f.v >= f.from && f.v <= f.to) {
			return fmt.Errorf("%s %g is outside %g to %g", f.name, f.v, f.from, f.to)
		}
	}
	return nil
}

// A Report says what normalising did.
type Report struct {
	Before, After Stats
	Gain          float64 // dB, before the limiter
	MaxReduction  float64 // dB, deepest reduction by the limiter, ≥ 0
	// Capped: MaxGain, or nothing but silence, kept the target out of reach.
	Capped bool
}

const (
	closeEnough = 0.02 // LU
	maxPasses   = 6    // through the limiter
)

// Normalize returns a copy of a at the target loudness and under its ceiling,
// as Fit finds it. Errors: those of dsp.Audio.Check and Target.Validate.
func Normalize(a dsp.Audio, t Target) (dsp.Audio, Report, error) {
	before, err := Measure(a)
	if err != nil {
		return dsp.Audio{}, Report{}, err
	}
	f, err := Fit(a.Source(), before, t)
	if err != nil {
		return dsp.Audio{}, Report{}, err
	}
	out, err := f.Stream().Audio()
	return out, f.Report, err
}

// Fitted is a programme with what takes it to its target.
type Fitted struct {
	Report  Report
	src     dsp.Source
	limit   bool
	ceiling float64 // dBTP
}

// Fit finds the gain that takes src, which measures before, to the target and
// under its ceiling. Where peaks must be limited, which costs loudness, the gain
// is raised until the result is within 0.02 LU; src is read up to 6 times for
// that. A programme below the absolute gate (−70 LUFS) is left as it is. Errors:
// those of Source.Check, Target.Validate and src.Read.
func Fit(src dsp.Source, before Stats, t Target) (*Fitted, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if err := src.Check(); err != nil {
		return nil, err
	}
	f := &Fitted{Report: Report{Before: before, After: before}, src: src, ceiling: t.TruePeak}
	r := &f.Report
	if before.Integrated <= absoluteGate {
		r.Capped = true
		return f, nil
	}
	r.Gain = t.LUFS - before.Integrated
	lastGain, lastLoudness := 0.0, before.Integrated
	for pass := 1; ; pass++ {
		if r.Capped = r.Gain > t.MaxGain; r.Capped {
			r.Gain = t.MaxGain
		}
		f.limit = before.TruePeak+r.Gain > t.TruePeak-safety
		m, err := NewMeter(src.Rate, src.Channels)
		if err != nil {
			return nil, err
		}
		if r.MaxReduction, err = f.play(func(ch [][]float32) error { m.Write(ch); return nil }); err != nil {
			return nil, err
		}
		r.After = m.Stats()
		miss := t.LUFS - r.After.Integrated
		if math.Abs(miss) < closeEnough || pass == maxPasses || (r.Capped && miss > 0) {
			return f, nil
		}
		// The more the limiter takes, the less of each decibel arrives: secant.
		slope := (r.After.Integrated - lastLoudness) / (r.Gain - lastGain)
		if !(slope >= 0.1 && slope <= 1) {
			slope = 1
		}
		lastGain, lastLoudness = r.Gain, r.After.Integrated
		r.Gain += miss / slope
	}
}

// Stream is the result, as many samples as the source has.
func (f *Fitted) Stream() dsp.Stream {
	return dsp.Stream{Rate: f.src.Rate, Channels: f.src.Channels, Samples: f.src.Samples, Each: func(emit func([][]float32) error) error {
		_, err := f.play(emit)
		return err
	}}
}

// play reads the source through gain and limiter, and returns the deepest gain
// reduction in dB.
func (f *Fitted) play(emit func(ch [][]float32) error) (float64, error) {
	g := amplitude(f.Report.Gain)
	var l *Limiter
	skip := 0 // samples that the limiter is behind
	if f.limit {
		var err error
		if l, err = NewLimiter(f.src.Rate, f.src.Channels, f.ceiling); err != nil {
			return 0, err
		}
		skip = l.Latency()
	}
	left := f.src.Samples
	through := func(ch [][]float32) error {
		if l != nil {
			l.Process(ch, ch)
		}
		from := min(skip, len(ch[0]))
		skip -= from
		to := min(len(ch[0]), from+left)
		left -= to - from
		if from == to {
			return nil
		}
		out := make([][]float32, len(ch))
		for c := range ch {
			out[c] = ch[c][from:to]
		}
		return emit(out)
	}
	if err := f.src.Each(func(_ int, ch [][]float32) error {
		for c := range ch {
			for i, v := range ch[c] {
				ch[c][i] = float32(g * float64(v))
			}
		}
		return through(ch)
	}); err != nil {
		return 0, err
	}
	if l == nil {
		return 0, nil
	}
	if err := through(dsp.New(f.src.Rate, f.src.Channels, l.Latency()).Ch); err != nil {
		return 0, err
	}
	return l.MaxReduction(), nil
}
