package text

import "unicode"

// mark returns the canonical mark a code point stands for, "" for none.
func mark(r rune) string {
	switch r {
	case '。', '.', '｡', '…', '‥':
		return "。"
	case '、', ',', '､', ';', ':':
		return "、"
	case '!', '！':
		return "！"
	case '?', '？':
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
	return i+1 == len(c) || unicode.IsSpace(c[i+1].r) || closing(c[i+1].r) || c[i+1].r > 0x2E80
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
	at := cut(c, limit)
	return append(split(c[:at], limit), split(c[at:], limit)...)
}

// cut returns a position in [1, len(c)-1].
func cut(c []cell, limit int) int {
	mid := len(c) / 2
	best, rank := mid, 0
	for i := 1; i < len(c); i++ {
		k := 0
		switch before, after := c[i-1].r, c[i].r; {
		case c[i-1].Span == c[i].Span && c[i].To > c[i].From:
			continue // inside what one stretch of the original became
		case mark(before) == "、" && !digits(before, after):
			k = 4
		case unicode.IsSpace(before):
			k = 3
		case unicode.Is(unicode.Hiragana, before) && (unicode.Is(unicode.Han, after) || unicode.Is(unicode.Katakana, after)):
			k = 2 // a particle or ending, then a new word
		case script(before) != script(after):
			k = 1
		}
		// A cut that leaves crumbs is no better than one inside a word.
		if k > 0 && (i < len(c)/8 || i > len(c)-len(c)/8) {
			continue
		}
		if k > rank || k == rank && abs(i-mid) < abs(best-mid) {
			best, rank = i, k
		}
	}
	_ = limit
	return best
}

func digits(a, b rune) bool { return unicode.IsDigit(a) || unicode.IsDigit(b) }

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

// piece strips marks and space from both ends and keeps the last mark's kind.
func piece(c []cell) Piece {
	p := Piece{Span: span(c)}
	lo, hi := 0, len(c)
	for hi > lo && !speaks(c[hi-1].r) {
		hi--
		if m := mark(c[hi].r); m != "" && (p.Mark == "" || rank(m) > rank(p.Mark)) {
			p.Mark = m
		}
		if unicode.IsSpace(c[hi].r) && c[hi].r != '\n' && p.Mark == "" {
			p.Mark = " "
		}
	}
	for lo < hi && !speaks(c[lo].r) {
		lo++
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
