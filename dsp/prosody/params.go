package prosody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Ranges of Params, also those to which the sum of manual and emotional change
// is clamped.
const (
	MinPitchShift, MaxPitchShift   = -12.0, 12.0 // semitones
	MinTimeStretch, MaxTimeStretch = 0.5, 2.0    // rate: above 1 is faster
	MinEnergyBoost, MaxEnergyBoost = 0.5, 1.5    // gain
	MaxPause                       = 10.0        // seconds
)

// Params are the wishes of a user, as they travel in prosody_params. Make them
// by DefaultParams or by unmarshalling JSON, which fills what is absent with the
// defaults and refuses fields it does not know; the zero value is not valid.
type Params struct {
	PitchShift  float64 `json:"pitch_shift"`  // semitones, −12..12
	TimeStretch float64 `json:"time_stretch"` // rate, 0.5..2; above 1 is faster
	EnergyBoost float64 `json:"energy_boost"` // gain, 0.5..1.5
	Emotion     Emotion `json:"emotion"`
	Intensity   float64 `json:"intensity"` // how much of the emotion, 0..1
	// Pauses are seconds per mark. A mark that is absent keeps the natural
	// pause of DefaultPauses. The marks are those of PauseMarks.
	Pauses map[string]float64 `json:"pauses,omitempty"`
}

// DefaultParams change nothing.
func DefaultParams() Params {
	return Params{TimeStretch: 1, EnergyBoost: 1, Emotion: Neutral, Intensity: 1}
}

// ParseParams decodes and validates JSON. Empty input and null mean
// DefaultParams.
func ParseParams(data []byte) (Params, error) {
	p := DefaultParams()
	if len(bytes.TrimSpace(data)) > 0 {
		if err := json.Unmarshal(data, &p); err != nil {
			return Params{}, fmt.Errorf("parse prosody_params: %w", err)
		}
	}
	if err := p.Validate(); err != nil {
		return Params{}, err
	}
	return p, nil
}

// UnmarshalJSON starts from DefaultParams and refuses unknown fields.
func (p *Params) UnmarshalJSON(data []byte) error {
	type plain Params // without this method
	v := plain(DefaultParams())
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return err
	}
	*p = Params(v)
	return nil
}

// FieldError is one parameter that cannot be used.
type FieldError struct {
	Field  string // as in JSON, "pauses.。" for one mark
	Detail string
}

func (e *FieldError) Error() string { return e.Field + " " + e.Detail }

// Validate returns nil or all that is wrong, joined: every part is a *FieldError.
func (p Params) Validate() error {
	errs := []error{
		inRange("pitch_shift", p.PitchShift, MinPitchShift, MaxPitchShift),
		inRange("time_stretch", p.TimeStretch, MinTimeStretch, MaxTimeStretch),
		inRange("energy_boost", p.EnergyBoost, MinEnergyBoost, MaxEnergyBoost),
		inRange("intensity", p.Intensity, 0, 1),
	}
	if _, ok := presetOf(p.Emotion); !ok {
		errs = append(errs, &FieldError{"emotion", fmt.Sprintf("is %q, not one of %v", p.Emotion, Emotions())})
	}
	for _, mark := range slices.Sorted(maps.Keys(p.Pauses)) {
		if !slices.Contains(PauseMarks(), mark) {
			errs = append(errs, &FieldError{"pauses." + mark, fmt.Sprintf("is not one of the marks %q", PauseMarks())})
			continue
		}
		errs = append(errs, inRange("pauses."+mark, p.Pauses[mark], 0, MaxPause))
	}
	return errors.Join(errs...)
}

// inRange refuses NaN too, since it compares false to everything.
func inRange(field string, v, lo, hi float64) error {
	if v >= lo && v <= hi {
		return nil
	}
	return &FieldError{field, fmt.Sprintf("is %g, outside %g to %g", v, lo, hi)}
}

// Resolve turns wishes into numbers: the manual change and the emotion's, scaled
// by Intensity, added up in the order pitch, time, energy, emotion, and clamped
// to the ranges. It is pure; the error is that of Validate.
func (p Params) Resolve() (Plan, error) {
	if err := p.Validate(); err != nil {
		return Plan{}, err
	}
	e, _ := presetOf(p.Emotion)
	k := p.Intensity
	plan := NeutralPlan()
	plan.Semitones = min(max(p.PitchShift+k*e.semitones, MinPitchShift), MaxPitchShift)
	plan.Rate = min(max(p.TimeStretch*math.Pow(e.rate, k), MinTimeStretch), MaxTimeStretch)
	gain := p.EnergyBoost * math.Pow(10, k*e.gainDB/20)
	plan.GainDB = 20 * math.Log10(min(max(gain, MinEnergyBoost), MaxEnergyBoost))
	plan.Range = math.Pow(e.pitchRange, k)
	plan.Formant = math.Pow(e.formant, k)
	// Louder speech is brighter: 1.5 dB per octave at the full boost.
	plan.TiltDB = k*e.tiltDB + effortTiltDB*plan.GainDB/(20*math.Log10(MaxEnergyBoost))
	if k > 0 {
		plan.TremorHz, plan.TremorCents = e.tremorHz, k*e.tremorCents
		plan.FinalRise, plan.PhraseSlopeDB = k*e.finalRise, k*e.phraseSlopeDB
		plan.Declination, plan.JitterPct, plan.AttackDB, plan.Compression = k*e.declination, k*e.jitter, k*e.attackDB, k*e.compression
		if e.breathDB != 0 {
			plan.BreathDB = max(-80, e.breathDB+20*math.Log10(k))
		}
	}
	plan.Pauses = make(map[string]float64, len(p.Pauses))
	// A natural pause shrinks less than the speech around it.
	natural := math.Pow(e.pauses, k) * math.Pow(plan.Rate, -0.7)
	for mark, seconds := range DefaultPauses() {
		plan.Pauses[mark] = seconds * natural
	}
	maps.Copy(plan.Pauses, p.Pauses)
	return plan, nil
}

// effortTiltDB is the tilt in dB per octave that goes with the largest boost.
const effortTiltDB = 1.5
