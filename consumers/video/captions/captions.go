// Package captions makes captions of a text and the timeline of its speech: cues
// of one or two lines that are on screen for one to six seconds and break where
// a reader would pause, written as SubRip, WebVTT, or Advanced SubStation Alpha
// with the spoken part highlighted.
package captions

import (
	"slices"
	"strings"
	"unicode"

	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// Limits of a cue. A full-width character counts 1, all others one half, so that
// a line has at most 20 Japanese or 40 Latin characters.
const (
	MaxLine  = 20.0
	MaxLines = 2
	Shortest = 1.0 // seconds, where the next cue leaves room
	Longest  = 6.0
	linger   = 0.4 // seconds that a cue stays after its last sound
)

// A Cue is what is on screen at once.
type Cue struct {
	Start, End float64 // seconds
	Lines      []Line
}

// A Line is the characters of a line in the order of speech.
type Line []Char

// A Char is one character and when it is spoken; marks take no time.
type Char struct {
	R          rune
	Start, End float64
}

// String is the line's text.
func (l Line) String() string {
	var b strings.Builder
	for _, c := range l {
		b.WriteRune(c.R)
	}
	return b.String()
}

// Text is the cue's text, with a line break between lines.
func (c Cue) Text() string {
	lines := make([]string, len(c.Lines))
	for i, l := range c.Lines {
		lines[i] = l.String()
	}
	return strings.Join(lines, "\n")
}

// Make makes the cues of a text as it was submitted, whose speech has the
// timeline t in a sound of the given length in seconds. The text is shown as
// written, {漢字|よみ} as 漢字. It never fails: without times, the text is spread
// over the sound. Equal inputs give equal cues, in order and without overlap.
func Make(written string, t speech.Timings, seconds float64) []Cue {
	if !(seconds > 0) {
		return nil
	}
	chars := timed(written, t, seconds)
	var cues []Cue
	for _, span := range layout(chars) {
		c := Cue{Lines: span}
		first, last := span[0], span[len(span)-1]
		c.Start, c.End = first[0].Start, last[len(last)-1].End
		cues = append(cues, c)
	}
	settle(cues, seconds)
	return slices.DeleteFunc(cues, func(c Cue) bool { return !(c.End > c.Start) })
}

// settle gives cues their time on screen.
func settle(cues []Cue, seconds float64) {
	for i := range cues {
		c := &cues[i]
		if i > 0 {
			c.Start = max(c.Start, cues[i-1].End)
		}
		room := seconds
		if i+1 < len(cues) {
			room = min(max(cues[i+1].Start, c.Start), seconds)
		}
		c.End = min(max(c.End+linger, c.Start+Shortest), c.Start+Longest, room)
	}
}

// piece is a displayed character before it has a time.
type piece struct {
	r    rune
	from int  // where it stands in the text, in code points
	stop bool // a line break of the text comes before it
}

// timed gives every displayed character its time.
func timed(written string, t speech.Timings, seconds float64) []mark {
	pieces := displayed([]rune(written))
	marks := make([]mark, len(pieces))
	words := t.Words
	if len(words) == 0 {
		words = t.Sentences
	}
	whole := len(t.Words) > 0
	if len(words) == 0 && len(pieces) > 0 {
		words = []speech.Word{{End: seconds, CharEnd: len([]rune(written))}}
		whole = false
	}
	at, w := 0.0, 0
	for i := 0; i < len(pieces); {
		for w < len(words) && words[w].CharEnd <= pieces[i].from {
			w++
		}
		if w == len(words) || pieces[i].from < words[w].CharStart { // a mark between words
			marks[i] = mark{Char: Char{pieces[i].r, at, at}, stop: pieces[i].stop}
			// What opens a word is seen with it.
			if opens(pieces[i].r) && w < len(words) {
				marks[i].Start, marks[i].End = clock(words[w].Start, at, seconds), clock(words[w].Start, at, seconds)
			}
			i++
			continue
		}
		n := i
		for n < len(pieces) && pieces[n].from < words[w].CharEnd {
			n++
		}
		from := clock(words[w].Start, at, seconds)
		to := clock(words[w].End, from, seconds)
		for k := i; k < n; k++ {
			a := from + (to-from)*float64(k-i)/float64(n-i)
			b := from + (to-from)*float64(k-i+1)/float64(n-i)
			marks[k] = mark{Char: Char{pieces[k].r, a, b}, stop: pieces[k].stop, inside: whole && k > i}
		}
		at, i = to, n
	}
	return marks
}

// clock keeps times in order and inside the sound, whatever a timeline says.
func clock(s, after, seconds float64) float64 {
	if !(s >= after) {
		s = after
	}
	return min(s, seconds)
}

// displayed is what of the text is seen: readings and control characters are
// not; line breaks become breaks of lines.
func displayed(r []rune) []piece {
	var out []piece
	stop := false
	put := func(i int) {
		c := r[i]
		switch {
		case c == '\n' || c == '\r' || c == '\u2028' || c == '\u2029':
			if len(out) > 0 && out[len(out)-1].r != ' ' {
				out = append(out, piece{r: ' ', from: i}) // parts what stays on one line
			}
			stop = true
			return
		case unicode.IsSpace(c):
			if len(out) == 0 || out[len(out)-1].r == ' ' || out[len(out)-1].r == '\u3000' {
				return
			}
			if c != '\u3000' {
				c = ' '
			}
		case unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == unicode.ReplacementChar || c == '\ufeff':
			return
		}
		out = append(out, piece{r: c, from: i, stop: stop && len(out) > 0})
		stop = false
	}
	for i := 0; i < len(r); i++ {
		if n, base := reading(r[i:]); n > 0 {
			for k := range base {
				put(i + 1 + k)
			}
			i += n - 1
			continue
		}
		put(i)
	}
	for len(out) > 0 && out[len(out)-1].r == ' ' {
		out = out[:len(out)-1]
	}
	return out
}

// reading is the length of a {漢字|よみ} that r begins with, and of its 漢字; 0
// when it begins with none.
func reading(r []rune) (n, base int) {
	if r[0] != '{' && r[0] != '｛' {
		return 0, 0
	}
	for i := 1; i < len(r) && i < 110; i++ {
		switch r[i] {
		case '\n', '{', '｛':
			return 0, 0
		case '}', '｝':
			whole := string(r[:i+1])
			if shown := text.Display(whole); shown != whole {
				return i + 1, len([]rune(shown))
			}
			return 0, 0
		}
	}
	return 0, 0
}
