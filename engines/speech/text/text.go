// Package text makes a written message speakable: it normalises characters,
// applies readings, reads numbers and signs the way a person would, drops what
// cannot be said, and cuts the rest into pieces an engine can take. Every code
// point of the result knows where in the original it came from, so that captions
// show what was written and not what was said.
package text

import (
	"fmt"
	"strings"
)

// MaxPiece is the default limit on a piece, in code points.
const MaxPiece = 200

// Options of Prepare; the zero value is Japanese with the built-in tables.
type Options struct {
	Language string // BCP 47, "" is ja
	Words    []Entry
	MaxPiece int // code points, 0 is MaxPiece
	// ReadsEnglish leaves English words that no table has to the engine, which
	// reads them better than letter by letter.
	ReadsEnglish bool
}

func (o Options) japanese() bool { return Japanese(o.Language) }

// Japanese reports whether a BCP 47 tag means Japanese; "" does.
func Japanese(tag string) bool { return tag == "" || Primary(tag) == "ja" }

// Primary returns the primary language subtag in lower case ("en" of "en-GB"),
// or "" for the empty tag.
func Primary(tag string) string {
	tag, _, _ = strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	return strings.ToLower(tag)
}

// A Piece is what an engine speaks at once: a sentence, or a part of a long one.
type Piece struct {
	Text     string // what to speak: NFKC, no controls, at most MaxPiece code points
	Source   []Span // per code point of Text, where it stands in the original
	Span            // what of the original it covers, its mark included
	Mark     string // the mark it ends with: 。 、 ！ ？ \n, or "" in the middle of a clause
	Sentence int    // index of its sentence
}

// A Span is a range of code points of the original, To exclusive.
type Span struct{ From, To int }

// A Script is a text ready to be spoken.
type Script struct {
	Pieces    []Piece
	Sentences []Span // of the original, marks included, surrounding space not
	Dropped   []Drop // what of the original is not spoken
}

// A Drop says what was left out and why.
type Drop struct {
	Span
	// Reason is "control" (also private use and unassigned), "invisible" (format
	// characters), "emoji", "url", "email", "encoding" or "symbol".
	Reason string
}

// String is "url at 3-20".
func (d Drop) String() string { return fmt.Sprintf("%s at %d-%d", d.Reason, d.From, d.To) }

// Speakable reports whether anything in s, a text in any language, can be read
// aloud. It is the check behind TEXT_NOT_SPEAKABLE: punctuation, spaces,
// controls and emoji alone are not speakable.
func Speakable(s string) bool {
	for _, c := range expand(s, Options{}, nil) {
		if speaks(c.r) {
			return true
		}
	}
	return false
}

// Prepare turns s into pieces. It never fails: what cannot be spoken is left out
// and listed in Dropped, and a text with nothing speakable has no pieces. Equal
// inputs give equal scripts.
func Prepare(s string, o Options) Script {
	var sc Script
	cells := expand(s, o, &sc.Dropped)
	limit := o.MaxPiece
	if limit <= 0 {
		limit = MaxPiece
	}
	for _, sent := range sentences(cells) {
		pieces := split(sent, limit)
		first := true
		for _, p := range pieces {
			pc := piece(p)
			if pc.Text == "" {
				continue
			}
			if first {
				sc.Sentences = append(sc.Sentences, span(sent))
				first = false
			}
			pc.Sentence = len(sc.Sentences) - 1
			sc.Pieces = append(sc.Pieces, pc)
		}
	}
	widen(sc.Sentences, []rune(s))
	return sc
}
