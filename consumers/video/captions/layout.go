package captions

import (
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// mark is a displayed character and what is known about the place before it.
type mark struct {
	Char
	inside bool // of a word: no break here
	stop   bool // the text has a line break here
}

// cells is the width of a character in full-width characters.
func cells(r rune) float64 {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth, width.EastAsianAmbiguous:
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	return 0.5
}

func opens(r rune) bool {
	return strings.ContainsRune("「『（(【〈《［[“‘｛{¡¿", r)
}

// never begins a line: closing marks, small kana, what prolongs or repeats.
func trails(r rune) bool {
	return strings.ContainsRune("、。，．,.!！?？:：;；…‥・」』）)】〉》］]”’｝}ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々ゝゞヽヾ％%〜～", r) || unicode.Is(unicode.M, r)
}

// Costs of a break, in arbitrary units: the lower, the more a reader expects it.
const (
	never     = 1e6
	atEnd     = 0.0
	atComma   = 2.0
	atSpace   = 4.0
	atPhrase  = 5.0
	atWord    = 9.0
	anywhere  = 60.0
	insideOne = 400.0 // of a word: only where a word is longer than a line
)

// breakCost is what a break before m[i] costs.
func breakCost(m []mark, i int) float64 {
	switch {
	case i <= 0 || i >= len(m):
		return atEnd
	case m[i].stop:
		return atEnd
	}
	before, after := m[i-1].R, m[i].R
	if trails(after) || opens(before) || after == ' ' || after == '\u3000' {
		return never
	}
	switch {
	case strings.ContainsRune("。．！？!?", before), strings.ContainsRune("」』）)】”’\"", before) && i > 1 && strings.ContainsRune("。！？!?", m[i-2].R):
		return atEnd
	case before == '.' && after == ' ':
		return atEnd
	case before == ' ' && i > 1 && strings.ContainsRune(".!?", m[i-2].R):
		return atEnd
	case strings.ContainsRune("、，", before), before == ' ' && i > 1 && strings.ContainsRune(",;:", m[i-2].R):
		return atComma
	case before == ' ' || before == '\u3000':
		return atSpace
	case m[i].inside:
		return insideOne
	case opens(after):
		return atPhrase
	case letter(before) && letter(after):
		return insideOne // half of a Latin word
	case unicode.Is(unicode.Hiragana, before) && unicode.In(after, unicode.Han, unicode.Katakana):
		return atPhrase // a particle or ending, then a new word
	case unicode.Is(unicode.Hiragana, before) && unicode.Is(unicode.Hiragana, after), sameScript(before, after):
		return anywhere
	}
	return atWord
}

func letter(r rune) bool {
	return unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Nd)
}

func sameScript(a, b rune) bool {
	return unicode.Is(unicode.Han, a) && unicode.Is(unicode.Han, b) || unicode.Is(unicode.Katakana, a) && unicode.Is(unicode.Katakana, b)
}

// layout cuts the characters into cues of lines with the least cost in all, by
// dynamic programming over all places where a cue may end.
func layout(m []mark) [][]Line {
	n := len(m)
	if n == 0 {
		return nil
	}
	at := make([]float64, n+1) // width of m[:i]
	for i, c := range m {
		at[i+1] = at[i] + cells(c.R)
	}
	costs := make([]float64, n+1)
	for i := range costs {
		costs[i] = breakCost(m, i)
	}
	best, from, split := make([]float64, n+1), make([]int, n+1), make([]int, n+1)
	for j := 1; j <= n; j++ {
		best[j] = math.Inf(1)
		for i := j - 1; i >= 0; i-- {
			// Characters without width must not make a cue endless.
			if (at[j]-at[i] > MaxLines*MaxLine+1 || j-i > 4*MaxLines*MaxLine) && j-i > 1 {
				break
			}
			c, s, ok := cueCost(m, at, costs, i, j)
			if ok && best[i]+c < best[j] {
				best[j], from[j], split[j] = best[i]+c, i, s
			}
		}
	}
	var out [][]Line
	for j := n; j > 0; j = from[j] {
		var lines []Line
		for _, l := range [][]mark{m[from[j]:split[j]], m[split[j]:j]} {
			if l = trim(l); len(l) > 0 {
				lines = append(lines, line(l))
			}
		}
		if len(lines) > 0 {
			out = append(out, lines)
		}
	}
	for i, k := 0, len(out)-1; i < k; i, k = i+1, k-1 {
		out[i], out[k] = out[k], out[i]
	}
	return out
}

// cueCost is what the cue m[i:j] costs and where its second line begins, j for
// none; not ok when it does not fit on the screen.
func cueCost(m []mark, at, costs []float64, i, j int) (cost float64, split int, ok bool) {
	wide := func(a, b int) float64 {
		w := at[b] - at[a]
		if b > a && m[b-1].R == ' ' {
			w -= 0.5
		}
		return w
	}
	// Each cue costs: fewer and fuller ones are read more easily.
	cost = 6 + 2*costs[j]
	seconds := m[j-1].End - m[i].Start
	if seconds > Longest {
		cost += 40 * (seconds - Longest)
	}
	if seconds < Shortest {
		cost += 30 * (Shortest - seconds)
	}
	for k := i + 1; k < j; k++ {
		if m[k].stop || costs[k] == atEnd {
			cost += 7 // a new sentence is better a new cue
		}
	}
	if wide(i, j) <= MaxLine {
		return cost, j, true
	}
	least := math.Inf(1)
	for k := i + 1; k < j; k++ {
		a, b := wide(i, k), wide(k, j)
		if a > MaxLine || b > MaxLine {
			continue
		}
		if c := costs[k] + 0.4*math.Abs(a-b); c < least {
			least, split = c, k
		}
	}
	return cost + least + 2, split, !math.IsInf(least, 1)
}

func trim(m []mark) []mark {
	for len(m) > 0 && unicode.IsSpace(m[0].R) {
		m = m[1:]
	}
	for len(m) > 0 && unicode.IsSpace(m[len(m)-1].R) {
		m = m[:len(m)-1]
	}
	return m
}

func line(m []mark) Line {
	l := make(Line, len(m))
	for i, c := range m {
		l[i] = c.Char
	}
	return l
}
