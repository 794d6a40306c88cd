package speech

import (
	"fmt"
	"slices"

	"github.com/videomsg/videomsg/engines/speech/text"
)

// audible drops parts in which an engine found nothing to say, and notes what of
// the text they were.
func audible(parts []part, original []rune, notes []Note) ([]part, []Note) {
	out := parts[:0]
	for _, p := range parts {
		if len(p.samples) > 0 {
			out = append(out, p)
			continue
		}
		said := []rune(slice(original, p.piece.From, p.piece.To))
		if len(said) > 20 {
			said = append(said[:20:20], '…')
		}
		notes = append(notes, Note{NoteTextDropped, fmt.Sprintf("This voice cannot say %q.", string(said))})
	}
	return out, notes
}

func notUsed(voice string) Note {
	return Note{NoteVoiceNotUsed, fmt.Sprintf("The voice %q was not used.", voice)}
}

// dropped tells, once per kind, what of a text is not spoken. Emoji and format
// characters are left out without a word: nobody expects to hear them.
func dropped(sc text.Script) []Note {
	var notes []Note
	for _, d := range sc.Dropped {
		said := map[string]string{
			"url":      "Web addresses are not read aloud.",
			"email":    "Mail addresses are not read aloud.",
			"control":  "Control characters were left out.",
			"encoding": "Damaged characters were left out.",
			"symbol":   "Some symbols are not read aloud.",
		}[d.Reason]
		if n := (Note{NoteTextDropped, said}); said != "" && !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	return notes
}
