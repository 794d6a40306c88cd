// Package speech turns text into a voice with a timeline. An engine is a
// function from Request to Speech: a cloned voice by OpenVoice, a character of
// VOICEVOX, or the programs on this machine (Open JTalk for Japanese, espeak-ng
// for everything else), so that there is good speech with no service at all.
//
// Whatever the engine, the answer has one shape: mono PCM at 48 kHz and a
// [Timings] on the clock of that PCM, which later stages carry along through
// every change of time.
package speech

import (
	"errors"
	"fmt"
	"math"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// Rate is the sampling rate of every Speech, in hertz.
const Rate = 48000

// MaxCharacters is the longest text an engine accepts, in code points.
const MaxCharacters = 1000

// Errors a caller branches on. All are also [engines.ErrInput] or
// [engines.ErrPermanent], which says what a chain makes of them.
var (
	// ErrNotSpeakable: nothing in the text can be read aloud.
	ErrNotSpeakable = fmt.Errorf("text is not speakable: %w", engines.ErrInput)
	// ErrTooLong: the text has more than MaxCharacters code points.
	ErrTooLong = fmt.Errorf("text is too long: %w", engines.ErrInput)
	// ErrVoice: this engine has no such voice; another may.
	ErrVoice = fmt.Errorf("voice not found: %w", engines.ErrPermanent)
	// ErrProfile: this engine cannot use the cloned voice that was asked for.
	ErrProfile = fmt.Errorf("voice profile not usable: %w", engines.ErrPermanent)
	// ErrSamples: samples that no voice can be cloned from.
	ErrSamples = fmt.Errorf("voice samples not usable: %w", engines.ErrInput)
	// ErrLanguage: this engine does not speak the language.
	ErrLanguage = fmt.Errorf("language not spoken: %w", engines.ErrPermanent)
)

// A Request is a text and how to say it. The zero value of every field but Text
// is usable.
type Request struct {
	Text     string // 1 to MaxCharacters code points; {漢字|よみ} sets a reading
	Language string // BCP 47; "" is ja
	Voice    string // id of the catalogue; "" is the engine's default for Language
	Profile  string // id of a cloned voice; "" is none

	// Native prosody. What an engine cannot do it leaves to the prosody stage;
	// Speech.Native says what was done.
	Rate       float64 // 0.5 to 2, greater is faster; 0 is 1
	Pitch      float64 // semitones, -12 to 12
	Intonation float64 // 0 to 2, spread of the pitch; 0 is 1
	// Pauses are seconds of silence per mark ("、" "。" "！" "？" "\n" " "), 0 to 5.
	// They replace the engine's own pause and never add to it. Absent marks keep
	// the default.
	Pauses map[string]float64

	// Words is the speaker's own dictionary; it wins over the built-in readings
	// and loses against {漢字|よみ}.
	Words []text.Entry
}

// Check reports the first thing wrong with r, wrapped in engines.ErrInput.
func (r Request) Check() error {
	if n := len([]rune(r.Text)); n > MaxCharacters {
		return fmt.Errorf("%d characters, at most %d: %w", n, MaxCharacters, ErrTooLong)
	}
	if !text.Speakable(r.Text) {
		return ErrNotSpeakable
	}
	for _, p := range []struct {
		name      string
		v, lo, hi float64
		zero      bool
	}{
		{"rate", r.Rate, 0.5, 2, true},
		{"pitch", r.Pitch, -12, 12, true},
		{"intonation", r.Intonation, 0, 2, true},
	} {
		if p.zero && p.v == 0 {
			continue
		}
		if math.IsNaN(p.v) || p.v < p.lo || p.v > p.hi {
			return fmt.Errorf("%s %g is outside %g to %g: %w", p.name, p.v, p.lo, p.hi, engines.ErrInput)
		}
	}
	for mark, sec := range r.Pauses {
		if math.IsNaN(sec) || sec < 0 || sec > 5 {
			return fmt.Errorf("pause %q of %g s is outside 0 to 5: %w", mark, sec, engines.ErrInput)
		}
	}
	return nil
}

func (r Request) rate() float64 {
	if r.Rate == 0 {
		return 1
	}
	return r.Rate
}

func (r Request) intonation() float64 {
	if r.Intonation == 0 {
		return 1
	}
	return r.Intonation
}

// A Note tells the person something about the result; Code is stable.
type Note struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Codes of notes.
const (
	NoteProfileNotUsed = "VOICE_PROFILE_NOT_USED" // another voice than the cloned one speaks
	NoteVoiceNotUsed   = "VOICE_NOT_USED"         // another voice than the chosen one speaks
	NoteRobotic        = "VOICE_ROBOTIC"          // the makeshift voice was used
	NoteTextDropped    = "TEXT_DROPPED"           // parts of the text were left out
	NotePitchLimited   = "PITCH_LIMITED"          // the engine changed the pitch less than asked
)

// Speech is what an engine answers.
type Speech struct {
	Audio   dsp.Audio // mono, Rate hertz
	Timings Timings
	Credit  string // credit line the result must carry; "" when none is owed
	Voice   string // id of the voice that spoke
	Notes   []Note
	Native  Native
}

// Native is what of Request's prosody the engine did itself; the prosody stage
// does the rest. The zero value is nothing.
type Native struct {
	Rate  float64 // 0 and 1 are no change
	Pitch float64 // semitones
}

// Validate checks the promise of an engine: mono PCM at Rate, finite samples,
// and timings that lie on it.
func (s Speech) Validate() error {
	if s.Audio.Rate != Rate || len(s.Audio.Ch) != 1 {
		return fmt.Errorf("%d channels at %d Hz, want mono at %d", len(s.Audio.Ch), s.Audio.Rate, Rate)
	}
	if s.Audio.Len() == 0 {
		return errors.New("no samples")
	}
	for i, v := range s.Audio.Ch[0] {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("sample %d is %g", i, v)
		}
	}
	return s.Timings.Validate(seconds(s.Audio.Len()))
}

func seconds(samples int) float64 { return float64(samples) / Rate }
