package text

import (
	"strings"
	"unicode"
)

// kanjiDigits are the digits of written numbers.
var kanjiDigits = [10]string{"〇", "一", "二", "三", "四", "五", "六", "七", "八", "九"}

// Kanji writes a decimal number in kanji numerals, the form from which every
// Japanese analyser reads 三百 さんびゃく and 一匹 いっぴき. Numbers with a leading
// zero or of more than 20 digits are spelled. digits holds 0 to 9 only.
func Kanji(digits string) string {
	if digits == "" {
		return ""
	}
	if digits == "0" {
		return "零"
	}
	if digits[0] == '0' || len(digits) > 20 {
		return spell(digits)
	}
	var b strings.Builder
	units := [...]string{"", "万", "億", "兆", "京"}
	for len(digits) > 0 {
		n := (len(digits)-1)%4 + 1
		group := digits[:n]
		digits = digits[n:]
		power := len(digits) / 4
		if strings.Trim(group, "0") == "" {
			continue
		}
		for i, d := range group {
			place := len(group) - 1 - i
			switch {
			case d == '0':
			case d == '1' && place > 0 && (place < 3 || power == 0):
				b.WriteString([...]string{"", "十", "百", "千"}[place])
			default:
				b.WriteString(kanjiDigits[d-'0'] + [...]string{"", "十", "百", "千"}[place])
			}
		}
		b.WriteString(units[power])
	}
	return b.String()
}

// spell reads digits one by one, as in telephone numbers: two and five are drawn
// out so that they are not lost.
func spell(digits string) string {
	var b strings.Builder
	for _, d := range digits {
		if d >= '0' && d <= '9' {
			b.WriteString([...]string{"ゼロ", "イチ", "ニー", "サン", "ヨン", "ゴー", "ロク", "ナナ", "ハチ", "キュー"}[d-'0'])
		}
	}
	return b.String()
}

// decimal reads a number that may have a fraction.
func decimal(s string) string {
	whole, fraction, ok := strings.Cut(strings.ReplaceAll(s, ",", ""), ".")
	if !ok || fraction == "" {
		return Kanji(whole)
	}
	var b strings.Builder
	b.WriteString(Kanji(whole) + "．")
	for _, d := range fraction {
		b.WriteString(kanjiDigits[d-'0'])
	}
	return b.String()
}

// Moras estimates how many moras a code point of a prepared Japanese text
// takes: one for a kana, two for most kanji, none for what completes another.
func Moras(r rune) float64 {
	switch {
	case strings.ContainsRune("ぁぃぅぇぉゃゅょゎァィゥェォャュョヮ", r):
		return 0
	case unicode.Is(unicode.Han, r):
		return 1.8
	case voice(r):
		return 1
	}
	return 0
}
