package text

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A cell is a code point on its way to the voice, with the range of the
// original that it stands for. Passes turn slices of cells into slices of cells.
type cell struct {
	r rune
	Span
	fixed bool // a reading somebody chose: later passes leave it alone
}

// decode splits s into cells; bytes that are not UTF-8 are dropped.
func decode(s string, drop func(Span, string)) []cell {
	cells := make([]cell, 0, len(s))
	n := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		at := Span{n, n + 1}
		if r == utf8.RuneError && size == 1 {
			drop(at, "encoding")
		} else {
			cells = append(cells, cell{r: r, Span: at})
		}
		i += size
		n++
	}
	return cells
}

// normalise applies NFKC to every stretch that is not fixed. Where a stretch
// keeps its length each code point keeps its own place; else all of its result
// stands for all of the stretch.
func normalise(in []cell) []cell {
	out := make([]cell, 0, len(in))
	for i := 0; i < len(in); {
		if in[i].fixed || keep(in[i].r) {
			out = append(out, in[i])
			i++
			continue
		}
		// A stretch is a starter with everything that combines with it.
		j := i + 1
		for j < len(in) && !in[j].fixed && !norm.NFKC.PropertiesString(string(in[j].r)).BoundaryBefore() {
			j++
		}
		// Half-width kana carry their sound marks as separate letters.
		for j < len(in) && !in[j].fixed && (in[j].r == 'ﾞ' || in[j].r == 'ﾟ') {
			j++
		}
		src := make([]rune, 0, j-i)
		for _, c := range in[i:j] {
			src = append(src, c.r)
		}
		res := []rune(norm.NFKC.String(string(src)))
		for k, r := range res {
			at := Span{in[i].From, in[j-1].To}
			if len(res) == len(src) {
				at = in[i+k].Span
			}
			out = append(out, cell{r: r, Span: at})
		}
		i = j
	}
	return out
}

// keep lists signs whose compatibility form would lose their meaning.
func keep(r rune) bool {
	switch r {
	case '…', '‥', '～', '〜', '￥', '™', '®', '©', '　', '．':
		return true
	}
	return false
}

// put appends the code points of s, all standing for at.
func put(out []cell, s string, at Span, fixed bool) []cell {
	for _, r := range s {
		out = append(out, cell{r: r, Span: at, fixed: fixed})
	}
	return out
}

func span(cells []cell) Span {
	if len(cells) == 0 {
		return Span{}
	}
	s := cells[0].Span
	for _, c := range cells {
		s.From, s.To = min(s.From, c.From), max(s.To, c.To)
	}
	return s
}

func str(cells []cell) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteRune(c.r)
	}
	return b.String()
}

// expand runs all passes.
func expand(s string, o Options, dropped *[]Drop) []cell {
	drop := func(at Span, reason string) {
		if dropped == nil {
			return
		}
		if n := len(*dropped); n > 0 && (*dropped)[n-1].Reason == reason && (*dropped)[n-1].To == at.From {
			(*dropped)[n-1].To = at.To
			return
		}
		*dropped = append(*dropped, Drop{at, reason})
	}
	cells := decode(s, drop)
	cells = readings(cells)
	cells = normalise(cells)
	cells = unspeakable(cells, drop)
	cells = dictionary(cells, o.Words)
	if o.japanese() {
		cells = numbers(cells)
		cells = latin(cells, o.ReadsEnglish)
		cells = signs(cells, drop)
	} else {
		if Primary(o.Language) == "en" {
			cells = english(cells, o.Language)
		}
		cells = brackets(titles(cells))
	}
	return cells
}
