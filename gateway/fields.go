package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/events"
)

// fields reads the text fields of a form one by one, keeps the first problem,
// and in the end refuses what nobody asked for.
type fields struct {
	values map[string]string
	used   []string
	err    *Problem
}

func (f *fields) text(name string) (string, bool) {
	f.used = append(f.used, name)
	v, ok := f.values[name]
	return v, ok
}

func (f *fields) fail(p *Problem) {
	if f.err == nil {
		f.err = p
		return
	}
	f.err.Errors = append(f.err.Errors, p.Errors...)
}

// short is an optional field of at most n characters without control characters.
func (f *fields) short(name string, n int) string {
	v, _ := f.text(name)
	v = strings.TrimSpace(v)
	if len([]rune(v)) > n {
		f.fail(badField(codeRange, name, fmt.Sprintf("has more than %d characters", n)))
		return ""
	}
	if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }) {
		f.fail(badField(codeRange, name, "has control characters"))
		return ""
	}
	return v
}

// must is short for a field that has to be there.
func (f *fields) must(name string, n int) string {
	v, _ := f.text(name)
	if strings.TrimSpace(v) == "" {
		f.fail(badField(codeMissing, name, "is missing"))
		return ""
	}
	return f.short(name, n)
}

// one is an optional field that takes one of the values.
func (f *fields) one(name, def string, values ...string) string {
	v := f.short(name, 64)
	if v == "" {
		return def
	}
	if !slices.Contains(values, v) {
		f.fail(badField(codeRange, name, "must be one of "+strings.Join(values, ", ")))
		return def
	}
	return v
}

// number is an optional number between lo and hi; nil when it was not given.
func (f *fields) number(name string, lo, hi float64) *float64 {
	v := f.short(name, 64)
	if v == "" {
		return nil
	}
	x, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsNaN(x) || x < lo || x > hi {
		f.fail(badField(codeRange, name, fmt.Sprintf("must be a number from %g to %g", lo, hi)))
		return nil
	}
	return &x
}

func (f *fields) flag(name string) bool {
	return f.one(name, "false", "true", "false") == "true"
}

// done refuses fields that nobody read: a misspelt option must not be ignored.
func (f *fields) done() error {
	for name := range f.values {
		if !slices.Contains(f.used, name) {
			f.fail(badField(codeUnknownField, clipName(name), "is not a field of this request"))
		}
	}
	if f.err != nil {
		return f.err
	}
	return nil
}

var emotions = []string{"neutral", "happy", "sad", "angry", "excited", "calm", "celebration", "encouraging", "grateful"}

// prosody reads prosody_params, a JSON object with known members only.
func (f *fields) prosody() (p events.Prosody) {
	const name = "prosody_params"
	v, ok := f.text(name)
	if !ok || strings.TrimSpace(v) == "" {
		return p
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(v)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil || dec.More() {
		f.fail(badField(codeRange, name, "must be a JSON object with the members pitch_shift, time_stretch, energy_boost, emotion, intensity, pauses"))
		return events.Prosody{}
	}
	if err := checkMembers([]byte(v)); err != nil {
		f.fail(badField(codeRange, name, "names a member twice or is nested too deeply"))
		return events.Prosody{}
	}
	f.checkProsody(p)
	return p
}

// checkProsody refuses values out of range.
func (f *fields) checkProsody(p events.Prosody) {
	const name = "prosody_params"
	for _, c := range []struct {
		name   string
		v      *float64
		lo, hi float64
	}{
		{"pitch_shift", p.PitchShift, -12, 12},
		{"time_stretch", p.TimeStretch, 0.5, 2},
		{"energy_boost", p.EnergyBoost, 0.5, 1.5},
		{"intensity", p.Intensity, 0, 1},
	} {
		if c.v != nil && !(*c.v >= c.lo && *c.v <= c.hi) {
			f.fail(badField(codeRange, name+"."+c.name, fmt.Sprintf("must be from %g to %g", c.lo, c.hi)))
		}
	}
	if p.Emotion != "" && !slices.Contains(emotions, p.Emotion) {
		f.fail(badField(codeRange, name+".emotion", "must be one of "+strings.Join(emotions, ", ")))
	}
	if len(p.Pauses) > 16 {
		f.fail(badField(codeRange, name+".pauses", "has more than 16 marks"))
	}
	for mark, sec := range p.Pauses {
		if !slices.Contains(prosody.PauseMarks(), mark) && mark != "newline" && mark != "space" {
			f.fail(badField(codeRange, name+".pauses", "each mark is newline, space, or one of 、 。 ！ ？ , . ! ? … — ・ ; :"))
		}
		if !(sec >= 0 && sec <= 5) {
			f.fail(badField(codeRange, name+".pauses", "each pause is from 0 to 5 seconds"))
		}
	}
}

// require reads "video=d-id,voice=voicevox".
func (f *fields) require() map[string]string {
	v := f.short("require", 200)
	if v == "" {
		return nil
	}
	req := map[string]string{}
	for part := range strings.SplitSeq(v, ",") {
		stage, engine, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || events.CheckToken(stage) != nil || events.CheckToken(engine) != nil {
			f.fail(badField(codeRange, "require", "must be a comma list of STAGE=ENGINE"))
			return nil
		}
		req[stage] = engine
	}
	return req
}

// language is a BCP 47 tag in its usual spelling: letters, digits, hyphens.
func (f *fields) language() string {
	v := f.short("language", 35)
	if v == "" {
		return "ja"
	}
	for i, part := range strings.Split(v, "-") {
		if part == "" || len(part) > 8 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" || i == 0 && len(part) < 2 {
			f.fail(badField(codeRange, "language", "must be a language tag such as ja or en-GB"))
			return "ja"
		}
	}
	return v
}

// background is original, transparent, blur, #rrggbb or the id of a preset.
func (f *fields) background() string {
	v := strings.ToLower(f.short("background", 64))
	if hex, ok := strings.CutPrefix(v, "#"); ok {
		if len(hex) != 6 || strings.Trim(hex, "0123456789abcdef") != "" {
			f.fail(badField(codeRange, "background", "a colour is # and six hexadecimal digits"))
		}
		return v
	}
	if v != "" && events.CheckToken(v) != nil {
		f.fail(badField(codeRange, "background", "must be original, blur, #rrggbb or the id of a background"))
	}
	return v
}
