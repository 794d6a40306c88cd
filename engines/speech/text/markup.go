package text

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxReading bounds both halves of {漢字|よみ}, in code points.
const maxReading = 50

// readings replaces {漢字|よみ} by the reading, which no later pass touches. The
// full-width braces of a Japanese keyboard count as well. Anything that does not
// have this form stays as it is.
func readings(c []cell) []cell {
	var out []cell
	for i := 0; i < len(c); i++ {
		bar, end, ok := braced(c[i:])
		if !ok {
			if out != nil {
				out = append(out, c[i])
			}
			continue
		}
		if out == nil {
			out = append(make([]cell, 0, len(c)), c[:i]...)
		}
		base := span(c[i+1 : i+bar])
		out = put(out, Katakana(str(c[i+bar+1:i+end])), base, true)
		i += end
	}
	if out == nil {
		return c
	}
	return out
}

// braced reports where the bar and the closing brace are when c begins with a
// reading.
func braced(c []cell) (bar, end int, ok bool) {
	if len(c) < 5 || c[0].r != '{' && c[0].r != '｛' {
		return 0, 0, false
	}
	for i := 1; i < len(c) && i <= 2*maxReading+2; i++ {
		switch c[i].r {
		case '{', '｛', '\n':
			return 0, 0, false
		case '|', '｜':
			if bar > 0 {
				return 0, 0, false
			}
			bar = i
		case '}', '｝':
			ok = bar > 1 && bar <= maxReading+1 && i-bar > 1 && i-bar <= maxReading+1 &&
				slices.ContainsFunc(c[bar+1:i], func(x cell) bool { return voice(x.r) })
			return bar, i, ok
		}
	}
	return 0, 0, false
}

// Display returns s as a person should see it: {漢字|よみ} is 漢字.
func Display(s string) string {
	if !strings.ContainsAny(s, "{｛") {
		return s
	}
	c := decode(s, func(Span, string) {})
	var b strings.Builder
	for i := 0; i < len(c); i++ {
		if bar, end, ok := braced(c[i:]); ok {
			b.WriteString(str(c[i+1 : i+bar]))
			i += end
			continue
		}
		b.WriteRune(c[i].r)
	}
	return b.String()
}

// Katakana brings a reading into the form an engine cannot misread: hiragana becomes
// katakana, because は and へ alone would be taken for particles.
func Katakana(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'ぁ' && r <= 'ゖ':
			return r + 'ァ' - 'ぁ'
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, norm.NFKC.String(s))
}

// maxEntries bounds a dictionary.
const maxEntries = 1000

// dictionary replaces the surfaces of words by their readings, the longest
// first, without regard to case or width. A surface in letters matches whole
// words only, one in digits whole numbers.
func dictionary(c []cell, words []Entry) []cell {
	if len(words) == 0 {
		return c
	}
	type entry struct {
		surface []rune
		reading string
	}
	var es []entry
	for _, w := range words[:min(len(words), maxEntries)] {
		s := []rune(strings.ToLower(norm.NFKC.String(w.Surface)))
		r := Katakana(w.Reading)
		if len(s) > 0 && len(s) <= maxReading && len([]rune(r)) <= 2*maxReading && strings.ContainsFunc(r, voice) {
			es = append(es, entry{s, r})
		}
	}
	slices.SortStableFunc(es, func(a, b entry) int { return len(b.surface) - len(a.surface) })
	first := map[rune][]entry{}
	for _, e := range es {
		first[e.surface[0]] = append(first[e.surface[0]], e)
	}
	out := make([]cell, 0, len(c))
next:
	for i := 0; i < len(c); {
		for _, e := range first[unicode.ToLower(c[i].r)] {
			n := len(e.surface)
			if i+n > len(c) || !same(c[i:i+n], e.surface) || i > 0 && joined(c[i-1].r, c[i].r) || i+n < len(c) && joined(c[i+n-1].r, c[i+n].r) {
				continue
			}
			out = put(out, e.reading, span(c[i:i+n]), true)
			i += n
			continue next
		}
		out = append(out, c[i])
		i++
	}
	return out
}

func same(c []cell, s []rune) bool {
	for i := range s {
		if c[i].fixed || unicode.ToLower(c[i].r) != s[i] {
			return false
		}
	}
	return true
}

// joined reports whether a and b, one after the other, stand in one word or number.
func joined(a, b rune) bool {
	return alphabetic(a) && alphabetic(b) || unicode.IsDigit(a) && unicode.IsDigit(b)
}

// alphabetic reports whether words of r's script are separated by spaces.
func alphabetic(r rune) bool {
	return unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic)
}
