package prosody

import (
	"errors"
	"fmt"
	"math"
)

// Plan is what Apply does to a recording, in numbers. NeutralPlan is the start;
// the zero value is not valid. Everything is done in one pass.
type Plan struct {
	Semitones float64 `json:"semitones"` // pitch, −12..12; formants stay
	Rate      float64 `json:"rate"`      // speed, 0.5..2; above 1 is faster
	GainDB    float64 `json:"gain_db"`   // −12..12, followed by a limiter
	Range     float64 `json:"range"`     // factor of pitch excursions about the median, 0..3
	Formant   float64 `json:"formant"`   // factor of formant frequencies in voiced sound, 0.7..1.4
	TiltDB    float64 `json:"tilt_db"`   // dB per octave above 1 kHz, −6..6

	TremorHz    float64 `json:"tremor_hz"`    // 0..20
	TremorCents float64 `json:"tremor_cents"` // peak deviation, 0..200

	FinalRise     float64 `json:"final_rise"`      // semitones gained over the last 0.3 s of a phrase, −6..6
	PhraseSlopeDB float64 `json:"phrase_slope_db"` // level change from start to end of a phrase, −12..12

	Declination float64 `json:"declination"` // how much more the pitch falls over a phrase, −1..2; −1 is level
	JitterPct   float64 `json:"jitter_pct"`  // random deviation of each period, standard deviation in percent, 0..5
	AttackDB    float64 `json:"attack_db"`   // gain of the 20 ms after a sudden beginning, 0..6
	// Compression takes away this part of the decibels by which a passage is
	// louder than the speech of the second before, 0..1; 0.5 is 2:1.
	Compression float64 `json:"compression"`
	BreathDB    float64 `json:"breath_db"` // noise that follows the voice, relative to it, −80..−20; 0 is none

	// Pauses are seconds per mark for the gaps in Breaks.
	Pauses map[string]float64 `json:"pauses,omitempty"`
	// Breaks are the gaps of the recording that belong to marks, ascending.
	// They get exactly the length of Pauses, whatever the engine left there; a
	// mark without an entry keeps its gap, stretched like everything else.
	Breaks []Break `json:"breaks,omitempty"`

	// NoBypass runs the synthesis even when the plan changes nothing; without
	// it such a plan returns the samples untouched.
	NoBypass bool `json:"-"`
}

// Break is a gap in a recording: the sound before Mark ends at Start and the
// sound after it begins at End, in seconds. Start equals End when the engine
// left no gap.
type Break struct {
	Mark  string  `json:"mark"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
}

// NeutralPlan changes nothing.
func NeutralPlan() Plan { return Plan{Rate: 1, Range: 1, Formant: 1} }

// Validate returns nil or all that is wrong, joined: every part is a *FieldError.
func (p Plan) Validate() error {
	errs := []error{
		inRange("semitones", p.Semitones, MinPitchShift, MaxPitchShift),
		inRange("rate", p.Rate, MinTimeStretch, MaxTimeStretch),
		inRange("gain_db", p.GainDB, -12, 12),
		inRange("range", p.Range, 0, 3),
		inRange("formant", p.Formant, 0.7, 1.4),
		inRange("tilt_db", p.TiltDB, -6, 6),
		inRange("tremor_hz", p.TremorHz, 0, 20),
		inRange("tremor_cents", p.TremorCents, 0, 200),
		inRange("final_rise", p.FinalRise, -6, 6),
		inRange("phrase_slope_db", p.PhraseSlopeDB, -12, 12),
		inRange("declination", p.Declination, -1, 2),
		inRange("jitter_pct", p.JitterPct, 0, 5),
		inRange("attack_db", p.AttackDB, 0, 6),
		inRange("compression", p.Compression, 0, 1),
	}
	if p.BreathDB != 0 {
		errs = append(errs, inRange("breath_db", p.BreathDB, -80, -20))
	}
	last := 0.0
	for i, b := range p.Breaks {
		field := fmt.Sprintf("breaks[%d]", i)
		if !(b.Start >= last && b.End >= b.Start) || math.IsInf(b.End, 0) {
			errs = append(errs, &FieldError{field, fmt.Sprintf("is %g to %g after %g", b.Start, b.End, last)})
			break
		}
		last = b.End
		if s, ok := p.Pauses[b.Mark]; ok {
			errs = append(errs, inRange("pauses."+b.Mark, s, 0, 3*MaxPause))
		}
	}
	return errors.Join(errs...)
}

// changesPitch reports whether voiced sound keeps its own periods.
func (p Plan) changesPitch() bool {
	return p.Semitones != 0 || p.Range != 1 || p.TremorHz > 0 && p.TremorCents > 0 || p.FinalRise != 0 ||
		p.Declination != 0 || p.JitterPct > 0
}

// changesTime reports whether anything moves in time.
func (p Plan) changesTime() bool {
	if p.Rate != 1 {
		return true
	}
	for _, b := range p.Breaks {
		if _, ok := p.Pauses[b.Mark]; ok {
			return true
		}
	}
	return false
}

// Identity reports whether the output is the input.
func (p Plan) Identity() bool {
	return !p.changesPitch() && !p.changesTime() && p.GainDB == 0 && p.TiltDB == 0 &&
		p.Formant == 1 && p.PhraseSlopeDB == 0 && p.AttackDB == 0 && p.Compression == 0 && p.BreathDB == 0
}
