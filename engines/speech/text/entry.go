package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// An Entry of a dictionary: Surface is read as Reading.
type Entry struct {
	Surface string `json:"surface"`
	Reading string `json:"reading"` // kana, or plain text in languages without kana
	// Accent is the mora after which the pitch falls, counted from 1; 0 is never
	// (heiban), nil leaves it to the engine. It is for Japanese only; VOICEVOX and
	// Open JTalk follow it, engines that cannot set an accent pass over it.
	Accent *int `json:"accent,omitempty"`
}

// Longest halves of an Entry, in code points.
const (
	MaxSurface = 30
	MaxReading = 50
)

// An EntryError is what is wrong with a member of an Entry.
type EntryError struct{ Field, Detail string }

func (e *EntryError) Error() string { return e.Field + " " + e.Detail }

// Check reports the first thing wrong with e for texts in a language, as an
// *EntryError. An entry that passes is used; what does not is ignored by Prepare.
func (e Entry) Check(language string) error {
	bad := func(field, format string, args ...any) error {
		return &EntryError{field, fmt.Sprintf(format, args...)}
	}
	for _, f := range []struct {
		name, s string
		most    int
	}{{"surface", e.Surface, MaxSurface}, {"reading", e.Reading, MaxReading}} {
		switch {
		case !utf8.ValidString(f.s) || strings.ContainsFunc(f.s, unicode.IsControl):
			return bad(f.name, "has control characters")
		case strings.TrimSpace(f.s) == "":
			return bad(f.name, "is missing")
		case utf8.RuneCountInString(norm.NFKC.String(f.s)) > f.most:
			return bad(f.name, "has more than %d characters", f.most)
		case strings.ContainsAny(f.s, "{}|｛｝｜"):
			return bad(f.name, "must not hold { } or |")
		case !Speakable(f.s):
			return bad(f.name, "has nothing that can be spoken")
		}
	}
	if !Japanese(language) {
		if e.Accent != nil {
			return bad("accent", "is for Japanese only")
		}
		return nil
	}
	n := 0 // moras
	for i, r := range Katakana(e.Reading) {
		if !(r >= 'ァ' && r <= 'ヶ' || r == 'ー') || i == 0 && (r == 'ー' || Moras(r) == 0) {
			return bad("reading", "must be in kana")
		}
		n += int(Moras(r))
	}
	if e.Accent != nil && (*e.Accent < 0 || *e.Accent > n) {
		return bad("accent", "must be from %d to %d", 0, n)
	}
	return nil
}
