package text

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	slashDate = regexp.MustCompile(`\b(\d{1,2})/(\d{1,2})/(\d{4})\b`)
	isoDate   = regexp.MustCompile(`\b(\d{4})-(\d{2})-(\d{2})\b`)
)

var months = [...]string{ // read-only
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
}

// english reads dates in figures, which espeak-ng would read sign by sign. The
// month comes first in American English, and wherever it cannot be the other.
func english(c []cell, language string) []cell {
	american := !strings.Contains(language, "-") || strings.HasPrefix(strings.ToLower(language), "en-us")
	c = replace(c, slashDate, func(m match) (string, bool) {
		a, b := m.group[0], m.group[1]
		if !american {
			a, b = b, a
		}
		if !day(a, b) {
			a, b = b, a
		}
		return written(m, m.group[2], a, b)
	})
	return replace(c, isoDate, func(m match) (string, bool) { return written(m, m.group[0], m.group[1], m.group[2]) })
}

// written is a date with the name of its month.
func written(m match, year, month, dayOf string) (string, bool) {
	n, err := strconv.Atoi(month)
	if err != nil || !day(month, dayOf) || m.before == '/' || m.after == '/' || m.before == '-' || m.after == '-' {
		return "", false
	}
	return months[n-1] + " " + strings.TrimLeft(dayOf, "0") + " " + year, true
}

var title = regexp.MustCompile(`(?i)\b(mr|mrs|ms|dr|prof|st|jr|sr|mme|mlle|sra)\.`)

// titles drops the full stop of short titles before a name: to espeak-ng it is the
// end of a sentence.
func titles(c []cell) []cell {
	return replace(c, title, func(m match) (string, bool) { return m.group[0], m.after == ' ' })
}
