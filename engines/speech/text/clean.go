package text

import (
	"regexp"
	"unicode"
)

// link matches what nobody wants to hear: web and mail addresses.
var link = regexp.MustCompile(`(?i)(https?://|www\.)[!-~]+|[a-z0-9._%+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+`)

// unspeakable drops controls, addresses and emoji. An emoji between two phrases
// is how people end the first one, so it leaves a comma there.
func unspeakable(c []cell, drop func(Span, string)) []cell {
	c = replace(c, link, func(m match) (string, bool) {
		if m.group[0] == "" {
			drop(m.Span, "email")
		} else {
			drop(m.Span, "url")
		}
		return "、", true
	})
	out := c[:0:0]
	for i, x := range c {
		switch {
		case x.fixed:
			out = append(out, x)
		case x.r == '\r':
			if i+1 == len(c) || c[i+1].r != '\n' {
				x.r = '\n'
				out = append(out, x)
			}
		case x.r == '\n', x.r == '\u2028', x.r == '\u2029', x.r == '\v', x.r == '\f', x.r == '\u0085':
			x.r = '\n'
			out = append(out, x)
		case unicode.IsSpace(x.r):
			x.r = ' '
			out = append(out, x)
		case invisible(x.r):
			switch {
			case selector(x.r):
			case unicode.Is(unicode.Cf, x.r):
				drop(x.Span, "invisible")
			default:
				drop(x.Span, "control")
			}
		case emoji(x.r):
			drop(x.Span, "emoji")
			next := rune(0)
			for _, y := range c[i+1:] {
				if !selector(y.r) {
					next = y.r
					break
				}
			}
			if n := len(out); n > 0 && voice(out[n-1].r) && voice(next) && !unicode.Is(unicode.Hiragana, next) {
				x.r = '、'
				out = append(out, x)
			}
		default:
			out = append(out, x)
		}
	}
	return out
}

// invisible reports controls, format characters, private use and unassigned.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs) || selector(r) || !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z)
}

// selector reports the characters that only shape the emoji before them.
func selector(r rune) bool {
	return r == 0x200D || r == 0x20E3 || r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0000 && r <= 0xE01EF
}

// emoji covers pictographs, dingbats, flags, arrows and drawn shapes.
func emoji(r rune) bool {
	switch {
	case r >= 0x1F000 && r <= 0x1FAFF, // pictographs, flags, cards, tiles
		r >= 0x2600 && r <= 0x27BF, // weather, hearts, dingbats
		r >= 0x2B00 && r <= 0x2BFF,
		r >= 0x2300 && r <= 0x23FF,
		r >= 0x2500 && r <= 0x25FF, // lines, boxes, circles
		r >= 0x2190 && r <= 0x21FF, r >= 0x2900 && r <= 0x297F,
		r == 0x303D, r == 0x3030, r == 0x2122, r == 0xA9, r == 0xAE:
		return true
	}
	return false
}

// A match is one place where a pattern was found.
type match struct {
	Span                   // in the original
	text          string   // what matched
	group         []string // its groups, "" where one took no part
	before, after rune
}

// replace runs a pattern over the cells and puts what f answers in place of each
// match; every code point of the answer stands for all of the match. f declines
// with false. Matches that touch a fixed cell are passed over.
func replace(c []cell, re *regexp.Regexp, f func(match) (string, bool)) []cell {
	s := str(c)
	all := re.FindAllStringSubmatchIndex(s, -1)
	if all == nil {
		return c
	}
	at := make([]int, len(s)+1) // byte → cell
	n := 0
	for i := range s {
		at[i] = n
		n++
	}
	at[len(s)] = n
	out := make([]cell, 0, len(c))
	done := 0
next:
	for _, loc := range all {
		from, to := at[loc[0]], at[loc[1]]
		if to <= from {
			continue
		}
		for _, x := range c[from:to] {
			if x.fixed {
				continue next
			}
		}
		m := match{Span: span(c[from:to]), text: s[loc[0]:loc[1]]}
		for g := 2; g < len(loc); g += 2 {
			if loc[g] < 0 {
				m.group = append(m.group, "")
			} else {
				m.group = append(m.group, s[loc[g]:loc[g+1]])
			}
		}
		if from > 0 {
			m.before = c[from-1].r
		}
		if to < len(c) {
			m.after = c[to].r
		}
		with, ok := f(m)
		if !ok {
			continue
		}
		out = append(out, c[done:from]...)
		out = put(out, with, m.Span, false)
		done = to
	}
	return append(out, c[done:]...)
}
