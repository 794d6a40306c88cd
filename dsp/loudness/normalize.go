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

// A Report says what Normalize did.
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

// Normalize returns a copy of a at the target loudness and under its ceiling.
// Where peaks must be limited, which costs loudness, the gain is raised until
// the result is within 0.02 LU, in at most 6 passes. Audio below the absolute
// gate (−70 LUFS) is returned as it is. Errors: those of dsp.Audio.Check and
// Target.Validate.
func Normalize(a dsp.Audio, t Target) (dsp.Audio, Report, error) {
	if err := t.Validate(); err != nil {
		return dsp.Audio{}, Report{}, err
	}
	before, err := Measure(a)
	if err != nil {
		return dsp.Audio{}, Report{}, err
	}
	r := Report{Before: before, After: before}
	if before.Integrated <= absoluteGate {
		r.Capped = true
		return scaled(a, 0), r, nil
	}
	r.Gain = t.LUFS - before.Integrated
	lastGain, lastLoudness := 0.0, before.Integrated
	for pass := 1; ; pass++ {
		if r.Capped = r.Gain > t.MaxGain; r.Capped {
			r.Gain = t.MaxGain
		}
		out := scaled(a, r.Gain)
		if before.TruePeak+r.Gain > t.TruePeak-safety {
			if out, r.MaxReduction, err = Limit(out, t.TruePeak); err != nil {
				return dsp.Audio{}, Report{}, err
			}
		}
		if r.After, err = Measure(out); err != nil {
			return dsp.Audio{}, Report{}, err
		}
		miss := t.LUFS - r.After.Integrated
		if math.Abs(miss) < closeEnough || pass == maxPasses || (r.Capped && miss > 0) {
			return out, r, nil
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

// scaled is a copy of a with gain in dB.
func scaled(a dsp.Audio, gain float64) dsp.Audio {
	out := dsp.New(a.Rate, len(a.Ch), a.Len())
	g := amplitude(gain)
	for c := range a.Ch {
		for i, v := range a.Ch[c] {
			out.Ch[c][i] = float32(g * float64(v))
		}
	}
	return out
}
