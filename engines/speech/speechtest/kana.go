package speechtest

import (
	"strings"
	"unicode"
)

// aMora is a kana as consonant and vowel.
type aMora struct{ text, consonant, vowel string }

var rows = []struct{ kana, consonants string }{
	{"アイウエオ", ", , , , "},
	{"カキクケコ", "k,k,k,k,k"},
	{"サシスセソ", "s,sh,s,s,s"},
	{"タチツテト", "t,ch,ts,t,t"},
	{"ナニヌネノ", "n,n,n,n,n"},
	{"ハヒフヘホ", "h,h,f,h,h"},
	{"マミムメモ", "m,m,m,m,m"},
	{"ラリルレロ", "r,r,r,r,r"},
	{"ガギグゲゴ", "g,g,g,g,g"},
	{"ザジズゼゾ", "z,j,z,z,z"},
	{"ダヂヅデド", "d,j,z,d,d"},
	{"バビブベボ", "b,b,b,b,b"},
	{"パピプペポ", "p,p,p,p,p"},
}

// moras reads kana; a kanji counts as two moras of its own, and everything else
// is a pause. That is not what a real analyser says, but it has its shape.
func moras(s string) (out [][]aMora) {
	out = [][]aMora{nil}
	add := func(m aMora) { out[len(out)-1] = append(out[len(out)-1], m) }
	for _, r := range s {
		if r >= 'ぁ' && r <= 'ゖ' {
			r += 'ァ' - 'ぁ'
		}
		last := len(out[len(out)-1])
		switch {
		case r == 'ー' && last > 0:
			add(aMora{"ー", "", out[len(out)-1][last-1].vowel})
		case strings.ContainsRune("ャュョ", r) && last > 0:
			m := &out[len(out)-1][last-1]
			m.text += string(r)
			m.vowel = map[rune]string{'ャ': "a", 'ュ': "u", 'ョ': "o"}[r]
			if !strings.HasSuffix(m.consonant, "h") && m.consonant != "j" {
				m.consonant += "y"
			}
		case r == 'ン':
			add(aMora{"ン", "", "N"})
		case r == 'ッ':
			add(aMora{"ッ", "", "cl"})
		case r == 'ヤ' || r == 'ユ' || r == 'ヨ':
			add(aMora{string(r), "y", map[rune]string{'ヤ': "a", 'ユ': "u", 'ヨ': "o"}[r]})
		case r == 'ワ' || r == 'ヲ':
			add(aMora{string(r), map[rune]string{'ワ': "w", 'ヲ': ""}[r], map[rune]string{'ワ': "a", 'ヲ': "o"}[r]})
		case unicode.Is(unicode.Han, r):
			add(aMora{"カ", "k", "a"})
			add(aMora{"イ", "", "i"})
		case unicode.IsLetter(r):
			if m, ok := plainMora(r); ok {
				add(m)
			}
		default:
			if last > 0 {
				out = append(out, nil)
			}
		}
	}
	for len(out) > 0 && out[len(out)-1] == nil {
		out = out[:len(out)-1]
	}
	return out
}

func plainMora(r rune) (aMora, bool) {
	for _, row := range rows {
		if i := strings.IndexRune(row.kana, r); i >= 0 {
			n := i / len("ア")
			return aMora{string(r), strings.TrimSpace(strings.Split(row.consonants, ",")[n]), string("aiueo"[n])}, true
		}
	}
	return aMora{}, false
}
