package prosody_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/dsp/prosody"
)

func TestParseParams(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     string // in the error; empty: succeeds
	}{
		{"nothing", ``, ""},
		{"null", `null`, ""},
		{"an empty object", `{}`, ""},
		{"everything", `{"pitch_shift":-12,"time_stretch":0.5,"energy_boost":1.5,"emotion":"celebration","intensity":0.5,"pauses":{"。":0.7,"\n":0}}`, ""},
		{"a pitch too high", `{"pitch_shift":12.01}`, "pitch_shift is 12.01, outside -12 to 12"},
		{"a rate of zero", `{"time_stretch":0}`, "time_stretch is 0, outside 0.5 to 2"},
		{"a boost too large", `{"energy_boost":2}`, "energy_boost is 2, outside 0.5 to 1.5"},
		{"a negative intensity", `{"intensity":-0.1}`, "intensity is -0.1, outside 0 to 1"},
		{"an unknown emotion", `{"emotion":"furious"}`, `emotion is "furious", not one of [neutral happy`},
		{"an empty emotion", `{"emotion":""}`, `emotion is "", not one of`},
		{"an unknown mark", `{"pauses":{"x":1}}`, "pauses.x is not one of the marks"},
		{"a pause too long", `{"pauses":{"、":11}}`, "pauses.、 is 11, outside 0 to 10"},
		{"an unknown field", `{"pitchshift":1}`, `unknown field "pitchshift"`},
		{"a number too large", `{"pitch_shift":1e999}`, "pitch_shift"},
		{"NaN", `{"pitch_shift":NaN}`, "invalid character"},
		{"text for a number", `{"pitch_shift":"3"}`, "pitch_shift"},
		{"a list", `[]`, "cannot unmarshal"},
		{"two values", `{} {}`, "after top-level value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := prosody.ParseParams([]byte(c.in))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if p.TimeStretch == 0 || p.Emotion == "" {
					t.Errorf("defaults are missing in %+v", p)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v does not say %q", err, c.want)
			}
		})
	}
}

func TestValidateNamesEveryField(t *testing.T) {
	p := prosody.Params{
		PitchShift: math.NaN(), TimeStretch: math.Inf(1), EnergyBoost: math.Inf(-1), Intensity: math.NaN(),
		Emotion: "x", Pauses: map[string]float64{"。": math.NaN()},
	}
	err := p.Validate()
	for _, field := range []string{"pitch_shift", "time_stretch", "energy_boost", "intensity", "emotion", "pauses.。"} {
		if err == nil || !strings.Contains(err.Error(), field+" is ") {
			t.Errorf("error %v does not name %s", err, field)
		}
	}
	if e, ok := errors.AsType[*prosody.FieldError](err); !ok || e.Field != "pitch_shift" {
		t.Errorf("the first is %v, not a FieldError on pitch_shift", e)
	}
	if _, err := p.Resolve(); err == nil {
		t.Error("Resolve accepted what Validate refuses")
	}
}

func TestResolveAddsManualAndEmotionalChange(t *testing.T) {
	params := func(e prosody.Emotion, change func(*prosody.Params)) prosody.Params {
		p := prosody.DefaultParams()
		p.Emotion = e
		if change != nil {
			change(&p)
		}
		return p
	}
	for _, c := range []struct {
		name      string
		in        prosody.Params
		st, rate  float64
		minGainDB float64
		maxGainDB float64
	}{
		{"neutral", params(prosody.Neutral, nil), 0, 1, 0, 0},
		{"happy", params(prosody.Happy, nil), 2, 1.1, 1, 1},
		{"sad", params(prosody.Sad, nil), -2, 0.9, -2, -2},
		{"angry", params(prosody.Angry, nil), 0.5, 1.08, 2.5, 2.5},
		{"excited", params(prosody.Excited, nil), 3, 1.25, 3, 3},
		{"calm", params(prosody.Calm, nil), -0.9, 0.9, -1.4, -1.4},
		{"celebration", params(prosody.Celebration, nil), 1.5, 1.1, 1.6, 1.6},
		{"encouraging", params(prosody.Encouraging, nil), 1, 1.15, 2, 2},
		{"grateful", params(prosody.Grateful, nil), 1, 1.05, 1, 1},
		{"happy at no intensity", params(prosody.Happy, func(p *prosody.Params) { p.Intensity = 0 }), 0, 1, 0, 0},
		{"happy at half intensity", params(prosody.Happy, func(p *prosody.Params) { p.Intensity = 0.5 }), 1, math.Sqrt(1.1), 0.5, 0.5},
		{"happy and high", params(prosody.Happy, func(p *prosody.Params) { p.PitchShift = 3 }), 5, 1.1, 1, 1},
		{"clamped above", params(prosody.Excited, func(p *prosody.Params) { p.PitchShift, p.TimeStretch, p.EnergyBoost = 12, 2, 1.5 }), 12, 2, 3.52, 3.53},
		{"clamped below", params(prosody.Sad, func(p *prosody.Params) { p.PitchShift, p.TimeStretch, p.EnergyBoost = -12, 0.5, 0.5 }), -12, 0.5, -6.03, -6.02},
		{"contradictory", params(prosody.Sad, func(p *prosody.Params) { p.PitchShift = 2; p.TimeStretch = 1 / 0.9 }), 0, 1, -2, -2},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.in.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			const eps = 1e-9
			if math.Abs(got.Semitones-c.st) > eps || math.Abs(got.Rate-c.rate) > eps ||
				got.GainDB < c.minGainDB-eps || got.GainDB > c.maxGainDB+eps {
				t.Errorf("got %+v", got)
			}
			if err := got.Validate(); err != nil {
				t.Errorf("the plan is not valid: %v", err)
			}
		})
	}
}

func TestIntensityZeroIsNeutral(t *testing.T) {
	for _, e := range prosody.Emotions() {
		p := prosody.DefaultParams()
		p.Emotion, p.Intensity = e, 0
		got, err := p.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		got.Pauses = nil
		want, err := json.Marshal(prosody.NeutralPlan())
		if err != nil {
			t.Fatal(err)
		}
		if have, err := json.Marshal(got); err != nil || string(have) != string(want) {
			t.Errorf("%s at 0 is %s (%v)", e, have, err)
		}
	}
}

func TestExplicitPausesWinOverNaturalOnes(t *testing.T) {
	p := prosody.DefaultParams()
	p.TimeStretch = 2
	p.Pauses = map[string]float64{"。": 0.9}
	got, err := p.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	if got.Pauses["。"] != 0.9 {
		t.Errorf("the pause at 。 is %g, not what was asked for", got.Pauses["。"])
	}
	if want := 0.3 * math.Pow(2, -0.7); math.Abs(got.Pauses["、"]-want) > 1e-12 {
		t.Errorf("the natural pause at 、 is %g, want %g", got.Pauses["、"], want)
	}
	for m := range prosody.DefaultPauses() {
		if !slices.Contains(prosody.PauseMarks(), m) {
			t.Errorf("the mark %q has a pause but is not in PauseMarks", m)
		}
	}
}

func TestPlanValidation(t *testing.T) {
	for want, change := range map[string]func(*prosody.Plan){
		"semitones is NaN":       func(p *prosody.Plan) { p.Semitones = math.NaN() },
		"rate is +Inf":           func(p *prosody.Plan) { p.Rate = math.Inf(1) },
		"rate is 0":              func(p *prosody.Plan) { p.Rate = 0 },
		"gain_db is 13":          func(p *prosody.Plan) { p.GainDB = 13 },
		"range is -1":            func(p *prosody.Plan) { p.Range = -1 },
		"formant is 0":           func(p *prosody.Plan) { p.Formant = 0 },
		"tilt_db is -Inf":        func(p *prosody.Plan) { p.TiltDB = math.Inf(-1) },
		"declination is 3":       func(p *prosody.Plan) { p.Declination = 3 },
		"jitter_pct is NaN":      func(p *prosody.Plan) { p.JitterPct = math.NaN() },
		"attack_db is -1":        func(p *prosody.Plan) { p.AttackDB = -1 },
		"compression is 1.5":     func(p *prosody.Plan) { p.Compression = 1.5 },
		"breath_db is 1":         func(p *prosody.Plan) { p.BreathDB = 1 },
		"breaks[0] is 2 to 1":    func(p *prosody.Plan) { p.Breaks = []prosody.Break{{Mark: "。", Start: 2, End: 1}} },
		"breaks[0] is NaN":       func(p *prosody.Plan) { p.Breaks = []prosody.Break{{Mark: "。", Start: math.NaN(), End: 1}} },
		"breaks[0] is 0 to +Inf": func(p *prosody.Plan) { p.Breaks = []prosody.Break{{Mark: "。", End: math.Inf(1)}} },
		"breaks[1] is 1 to 3 after 2": func(p *prosody.Plan) {
			p.Breaks = []prosody.Break{{Mark: "。", Start: 1, End: 2}, {Mark: "。", Start: 1, End: 3}}
		},
		"pauses.。 is NaN": func(p *prosody.Plan) {
			p.Breaks = []prosody.Break{{Mark: "。", Start: 1, End: 2}}
			p.Pauses = map[string]float64{"。": math.NaN()}
		},
	} {
		if err := plan(change).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func FuzzParseParams(f *testing.F) {
	for _, s := range []string{
		`{}`, `null`, `{"pitch_shift":2,"time_stretch":1.1}`, `{"emotion":"happy","intensity":0.3}`,
		`{"pauses":{"。":0.5," ":0.2}}`, `{"pitch_shift":1e400}`, `{"energy_boost":-0}`, `{"pauses":null}`, `[1]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := prosody.ParseParams(data)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		plan, err := p.Resolve()
		if err != nil {
			t.Fatalf("parsed, but does not resolve: %v", err)
		}
		if err := plan.Validate(); err != nil {
			t.Fatalf("resolved, but is not valid: %v", err)
		}
		out, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := prosody.ParseParams(out); err != nil {
			t.Fatalf("does not come back from %s: %v", out, err)
		}
	})
}
