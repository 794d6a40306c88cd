package speech

import (
	"slices"

	"github.com/videomsg/videomsg/engines/speech/text"
)

// Open JTalk needs a processor for as long as a seventeenth of what it says, and
// uses one. A long sentence is therefore cut at its pauses and the clauses are
// spoken side by side. Its models look no further than one phrase across a pause:
// with a short word in place of the clause that was cut off, every phoneme is as
// long as in the whole sentence, and 97 in 100 states of the pitch are the same.
// Without it, each clause would end like a sentence.
const (
	standIn    = "はい"
	longClause = 40 // code points from which it is worth another process
	maxClauses = 4
)

// standInPhones are the phonemes of standIn.
var standInPhones = [...]string{"h", "a", "i"} // read-only

// clauses cuts long pieces until there are maxClauses.
func clauses(in []text.Piece) []text.Piece {
	out := slices.Clone(in)
	for len(out) < maxClauses {
		at, longest := -1, longClause
		for i, p := range out {
			if n := len(p.Source); n > longest {
				at, longest = i, n
			}
		}
		if at < 0 {
			break
		}
		a, b, ok := out[at].Halve(longClause / 4)
		if !ok {
			break
		}
		out = slices.Replace(out, at, at+1, a, b)
	}
	return out
}

// surroundings say on which sides of a piece its sentence goes on.
type surroundings struct{ before, after bool }

// surroundingsOf are those of pieces[i].
func surroundingsOf(pieces []text.Piece, i int) (c surroundings) {
	joined := func(a, b int) bool {
		return a >= 0 && b < len(pieces) && pieces[a].Sentence == pieces[b].Sentence && pieces[a].Mark == "、"
	}
	return surroundings{joined(i-1, i), joined(i, i+1)}
}

// around is a line with stand-ins for what is cut off.
func (c surroundings) around(line string) string {
	if c.before {
		line = standIn + "、" + line
	}
	if c.after {
		line += "、" + standIn
	}
	return line
}

// within takes the stand-ins out of a trace again. What is left begins and ends
// with the pauses beside them and lies between from and to, in seconds, of the
// sound; ok is false when the stand-ins are not where they must be.
func (c surroundings) within(t trace) (inner trace, from, to float64, ok bool) {
	n := len(standInPhones)
	isStandIn := func(ps []Phone) bool {
		return slices.EqualFunc(ps, standInPhones[:], func(p Phone, name string) bool { return p.P == name })
	}
	if len(t.phones) == 0 {
		return t, 0, 0, false
	}
	to = t.phones[len(t.phones)-1].End
	if c.before { // sil, the stand-in, pau
		if len(t.phones) < n+3 || len(t.words) < 3 || !isStandIn(t.phones[1:n+1]) || !t.phones[n+1].Silent() || t.words[0].surface != standIn {
			return t, 0, 0, false
		}
		t.phones, t.words = t.phones[n+1:], t.words[2:]
		from = t.phones[0].Start
	}
	if c.after { // pau, the stand-in, sil
		end, last := len(t.phones)-1-n, len(t.words)-1
		if end < 2 || last < 2 || !isStandIn(t.phones[end:end+n]) || !t.phones[end-1].Silent() || t.words[last].surface != standIn {
			return t, 0, 0, false
		}
		t.phones, t.words = t.phones[:end], t.words[:last-1]
		to = t.phones[end-1].End
	}
	inner = trace{words: t.words, phones: slices.Clone(t.phones)}
	for i := range inner.phones {
		inner.phones[i].Start -= from
		inner.phones[i].End -= from
	}
	return inner, from, to, true
}
