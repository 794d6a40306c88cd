package speech

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// languageSwitch is how espeak-ng announces words of another language:
// (en)…(fr).
var languageSwitch = regexp.MustCompile(`\([a-z-]+\)`)

// readIPA turns the output of espeak-ng --ipa --sep=_ into words of phonemes in
// the set of Phone. A line is a clause; between clauses stands an empty word.
func readIPA(out string) [][]string {
	var words [][]string
	out = languageSwitch.ReplaceAllString(out, "_")
	for line := range strings.SplitSeq(out, "\n") {
		clause := false
		for w := range strings.FieldsSeq(line) {
			var phones []string
			for token := range strings.SplitSeq(w, "_") {
				phones = append(phones, fold(token)...)
			}
			if len(phones) == 0 {
				continue
			}
			if !clause && len(words) > 0 {
				words = append(words, nil)
			}
			clause = true
			words = append(words, phones)
		}
	}
	return words
}

// fold maps one IPA token (a segment with its marks, or a diphthong) onto the
// phonemes of Phone, by what the mouth does.
func fold(token string) []string {
	var out []string
	add := func(p string) {
		if n := len(out); n > 0 && out[n-1] == p {
			return
		}
		out = append(out, p)
	}
	rs := []rune(norm.NFD.String(token)) // ã is an a that is nasal
	for i := 0; i < len(rs); i++ {
		next := rune(0)
		if i+1 < len(rs) {
			next = rs[i+1]
		}
		switch r := rs[i]; {
		case r == 't' && (next == 'ʃ' || next == 'ɕ' || next == 'ʂ'):
			add("ch")
			i++
		case r == 'd' && (next == 'ʒ' || next == 'ʑ' || next == 'ʐ'):
			add("j")
			i++
		case r == 't' && next == 's':
			add("ts")
			i++
		case r == 'ʔ', r == 'ˈ', r == 'ˌ', r == 'ː', r == 'ˑ', unicode.Is(unicode.M, r):
			// Stress, length and other marks move no lip of their own.
		default:
			if p, ok := ipa[r]; ok {
				add(p)
			}
		}
	}
	return out
}

// ipa is read-only: the nearest phoneme for each letter.
var ipa = map[rune]string{
	'a': "a", 'ɐ': "a", 'ɑ': "a", 'ɒ': "o", 'æ': "a", 'ʌ': "a",
	'e': "e", 'ɛ': "e", 'ə': "e", 'ɘ': "e", 'ɜ': "e", 'ɝ': "e", 'ɚ': "e", 'ᵊ': "e",
	'i': "i", 'ɪ': "i", 'ɨ': "i", 'ᵻ': "i", 'y': "u", 'ʏ': "u",
	'o': "o", 'ɔ': "o", 'ø': "o", 'œ': "o", 'ɵ': "o", 'ɤ': "o", 'ɞ': "o",
	'u': "u", 'ʊ': "u", 'ʉ': "u", 'ɯ': "u",
	'p': "p", 'b': "b", 'm': "m", 'ɱ': "m", 'ɓ': "b", 'ɸ': "f", 'β': "v",
	'f': "f", 'v': "v", 'ʋ': "v", 'w': "w", 'ʍ': "w", 'ɥ': "w",
	't': "t", 'd': "d", 'ʈ': "t", 'ɖ': "d", 'ɗ': "d", 'θ': "s", 'ð': "z", 'ɾ': "r",
	's': "s", 'z': "z", 'ʃ': "sh", 'ʒ': "j", 'ɕ': "sh", 'ʑ': "j", 'ʂ': "sh", 'ʐ': "j",
	'n': "n", 'ɲ': "ny", 'ɳ': "n", 'ŋ': "N", 'ɴ': "N",
	'l': "r", 'ɫ': "r", 'ɬ': "s", 'ɭ': "r", 'ʎ': "ry", 'r': "r", 'ɹ': "r", 'ɻ': "r", 'ɽ': "r", 'ʀ': "g", 'ʁ': "g",
	'j': "y", 'ʝ': "y", 'k': "k", 'g': "g", 'ɡ': "g", 'q': "k", 'c': "ky", 'ɟ': "gy", 'ɠ': "g",
	'x': "h", 'χ': "h", 'h': "h", 'ɦ': "h", 'ħ': "h", 'ç': "hy", 'ɣ': "g", 'ʕ': "a", 'ɰ': "w",
}
