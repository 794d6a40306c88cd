package text

import (
	"slices"
	"strings"
	"unicode"
)

// mark returns the canonical mark a code point stands for, "" for none.
func mark(r rune) string {
	switch r {
	case '。', '.', '｡', '।', '።':
		return "。"
	case '、', ',', '､', ';', ':', '…', '‥', '،':
		return "、"
	case '!', '！':
		return "！"
	case '?', '？', '؟':
		return "？"
	case '\n':
		return "\n"
	}
	return ""
}

func ends(m string) bool { return m == "。" || m == "！" || m == "？" || m == "\n" }

// closing reports whether r belongs to the sentence before it.
func closing(r rune) bool {
	switch r {
	case '」', '』', ')', '）', '】', '〉', '》', '］', ']', '"', '\'', '”', '’':
		return true
	}
	return false
}

// dotEnds reports whether the full stop at i ends a sentence rather than
// standing inside a number, a name or an abbreviation.
func dotEnds(c []cell, i int) bool {
	if i+1 == len(c) || c[i+1].r > 0x2E80 || closing(c[i+1].r) {
		return true
	}
	if !unicode.IsSpace(c[i+1].r) {
		return false
	}
	from := i
	for from > 0 && (unicode.IsLetter(c[from-1].r) || c[from-1].r == '.') {
		from--
	}
	word := strings.ToLower(str(c[from:i]))
	// "J. Smith", "e.g. this", "Dr. Who"
	return !(len([]rune(word)) == 1 && word != "i" || strings.Contains(word, ".") || abbreviations[word])
}

// abbreviations is read-only: words whose full stop does not end a sentence.
var abbreviations = map[string]bool{
	"mr": true, "mrs": true, "ms": true, "dr": true, "st": true, "prof": true, "jr": true, "sr": true, "vs": true, "no": true,
	"mme": true, "mlle": true, "sra": true, "hr": true, "fr": true, "nr": true, "bzw": true, "ca": true,
}

// sentences cuts after 。！？!? and newline; marks in a row and closing quotes
// stay with the sentence they end.
func sentences(c []cell) [][]cell {
	var out [][]cell
	start := 0
	for i := 0; i < len(c); i++ {
		m := mark(c[i].r)
		if !ends(m) || c[i].r == '.' && !dotEnds(c, i) {
			continue
		}
		j := i + 1
		for j < len(c) && (ends(mark(c[j].r)) || closing(c[j].r)) {
			j++
		}
		out = append(out, c[start:j])
		start, i = j, j-1
	}
	if start < len(c) {
		out = append(out, c[start:])
	}
	return out
}

// split cuts a sentence that is longer than limit, at the clause mark nearest
// the middle, else at the space or change of script nearest it, and only where
// there is neither in the middle itself.
func split(c []cell, limit int) [][]cell {
	if len(c) <= limit {
		return [][]cell{c}
	}
	at := cut(c)
	return append(split(c[:at], limit), split(c[at:], limit)...)
}

// cut returns a position in [1, len(c)-1].
func cut(c []cell) int {
	mid := len(c) / 2
	best, rank := mid, -2
	for i := 1; i < len(c); i++ {
		k := 0
		before, after := c[i-1].r, c[i].r
		switch {
		case unicode.Is(unicode.M, after) || after == 'ー' || small(after):
			continue // completes the letter before it
		case c[i-1].Span == c[i].Span:
			k = -1 // inside what one stretch of the original became
		case mark(before) == "、":
			k = 4
		case unicode.IsSpace(before):
			k = 3
		case unicode.Is(unicode.Hiragana, before) && unicode.In(after, unicode.Han, unicode.Katakana):
			k = 2 // a particle or ending, then a new word
		case script(before) != script(after):
			k = 1
		}
		// A cut that leaves crumbs is no better than one inside a word.
		if k > 0 && (i < len(c)/8 || i > len(c)-len(c)/8) {
			k = 0
		}
		if k > rank || k == rank && abs(i-mid) < abs(best-mid) {
			best, rank = i, k
		}
	}
	return best
}

// small reports kana that complete the one before them.
func small(r rune) bool {
	return strings.ContainsRune("ぁぃぅぇぉゃゅょゎっァィゥェォャュョヮッんンゝヽ々", r)
}

func abs(n int) int { return max(n, -n) }

// script folds code points to the classes between which words rarely continue.
func script(r rune) int {
	switch {
	case r == 'ー':
		return 1
	case unicode.Is(unicode.Katakana, r):
		return 1
	case unicode.Is(unicode.Hiragana, r):
		return 2
	case unicode.Is(unicode.Han, r):
		return 3
	case unicode.IsLetter(r):
		return 4
	case unicode.IsDigit(r):
		return 5
	}
	return 0
}

// brackets drops what espeak-ng would take for phonemes or commands and turns
// the rest of the brackets into spaces.
func brackets(c []cell) []cell {
	out := c[:0:0]
	for _, x := range c {
		if !x.fixed && strings.ContainsRune("[]{}<>|_^~*\\`", x.r) {
			x.r = ' '
		}
		out = append(out, x)
	}
	return out
}

// piece strips marks and space from both ends and keeps the last mark's kind.
func piece(c []cell) Piece {
	p := Piece{Span: span(c)}
	lo, hi := 0, len(c)
	for hi > lo && !voice(c[hi-1].r) {
		hi--
		if m := mark(c[hi].r); m != "" && (p.Mark == "" || rank(m) > rank(p.Mark)) {
			p.Mark = m
		}
		if unicode.IsSpace(c[hi].r) && c[hi].r != '\n' && p.Mark == "" {
			p.Mark = " "
		}
	}
	for lo < hi && !voice(c[lo].r) {
		lo++
	}
	if !slices.ContainsFunc(c[lo:hi], func(x cell) bool { return speaks(x.r) }) {
		return Piece{}
	}
	for _, x := range c[lo:hi] {
		p.Text += string(x.r)
		p.Source = append(p.Source, x.Span)
	}
	return p
}

// rank orders marks by how much they decide the end of a sentence: the question
// is heard, the length of a pause is only felt.
func rank(m string) int {
	switch m {
	case " ":
		return 1
	case "、":
		return 2
	case "\n":
		return 3
	case "。":
		return 4
	case "！":
		return 5
	case "？":
		return 6
	}
	return 0
}

// MarkOf names the mark that decides the pause in a stretch between two words:
// one of 。 、 ！ ？ \n and space, or "" when there is none.
func MarkOf(between string) string {
	best := ""
	for _, r := range between {
		m := mark(r)
		if m == "" && unicode.IsSpace(r) {
			m = " "
		}
		if rank(m) > rank(best) {
			best = m
		}
	}
	return best
}

// widen lets sentences cover what is written between them but not spoken: an
// opening quote belongs to the sentence it opens, all else to the one before.
// Space stays outside.
func widen(ss []Span, original []rune) {
	at := 0
	for i := range ss {
		from := at
		if i > 0 {
			for from < ss[i].From && !opening(original[from]) {
				from++
			}
			ss[i-1].To = max(ss[i-1].To, tight(Span{ss[i-1].From, from}, original).To)
		}
		ss[i].From = min(from, ss[i].From)
		at = ss[i].To
	}
	if n := len(ss); n > 0 {
		ss[n-1].To = len(original)
		for i := range ss {
			ss[i] = tight(ss[i], original)
		}
	}
}

// tight strips space from both ends of a span.
func tight(s Span, original []rune) Span {
	for s.From < s.To && blank(original[s.From]) {
		s.From++
	}
	for s.From < s.To && blank(original[s.To-1]) {
		s.To--
	}
	return s
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Zs) }

func opening(r rune) bool {
	switch r {
	case '「', '『', '（', '(', '【', '〈', '《', '［', '“', '‘', '{', '｛', '¡', '¿':
		return true
	}
	return false
}

// Halve cuts p after the clause mark nearest its middle, with at least least code
// points on either side; ok is false when there is no such mark.
func (p Piece) Halve(least int) (a, b Piece, ok bool) {
	r := []rune(p.Text)
	at := -1
	for i := least; i+1+least <= len(r); i++ {
		if mark(r[i]) == "、" && voice(r[i-1]) && voice(r[i+1]) && (at < 0 || abs(2*i-len(r)) < abs(2*at-len(r))) {
			at = i
		}
	}
	if at < 0 {
		return p, Piece{}, false
	}
	a = Piece{Text: string(r[:at]), Source: p.Source[:at:at], Span: Span{p.From, p.Source[at].To}, Mark: "、", Sentence: p.Sentence}
	b = Piece{Text: string(r[at+1:]), Source: p.Source[at+1:], Span: Span{p.Source[at].To, p.To}, Mark: p.Mark, Sentence: p.Sentence}
	return a, b, true
}
