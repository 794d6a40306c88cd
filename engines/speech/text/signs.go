package text

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// signWords is read-only: signs that a Japanese reader speaks.
var signWords = map[rune]string{
	'%': "パーセント", '‰': "パーミル", '&': "アンド", '+': "プラス", '=': "イコール", '@': "アット", '#': "シャープ",
	'×': "かける", '÷': "わる", '°': "度", '√': "ルート", '∞': "無限大", '〒': "郵便番号", '〆': "しめ",
	'$': "ドル", '€': "ユーロ", '£': "ポンド", '¥': "円", '￥': "円", '±': "プラスマイナス", '≒': "ニアリーイコール", 'π': "パイ",
	'α': "アルファ", 'β': "ベータ", 'γ': "ガンマ", 'Δ': "デルタ", 'δ': "デルタ", 'Ω': "オーム", 'ω': "オメガ", 'μ': "ミュー", 'θ': "シータ",
}

// variants is read-only: letters of names that the dictionaries of Japanese
// analysers lack, and the common form with the same reading.
var variants = map[rune]rune{
	'髙': '高', '﨑': '崎', '𥔎': '崎', '濵': '浜', '濱': '浜', '𠮷': '吉', '邊': '辺', '邉': '辺', '齋': '斎', '齊': '斉', '斊': '斉',
	'德': '徳', '惠': '恵', '眞': '真', '廣': '広', '國': '国', '學': '学', '榮': '栄', '壽': '寿', '澤': '沢', '櫻': '桜', '嶋': '島',
	'嶌': '島', '槇': '槙', '瀨': '瀬', '瀧': '滝', '龍': '竜', '櫛': '櫛', '冨': '富', '峯': '峰', '祿': '禄', '禮': '礼', '穗': '穂',
	'靜': '静', '顯': '顕', '黑': '黒', '凜': '凛', '曻': '昇', '圓': '円', '圡': '土', '𡈽': '土', '栁': '柳', '桒': '桑', '舘': '館', '隆': '隆',
	'晧': '皓', '晄': '晃', '煕': '熙', '琢': '琢', '增': '増', '曾': '曽', '關': '関', '戶': '戸', '步': '歩', '每': '毎', '緖': '緒', '緣': '縁',
}

// signs finishes a Japanese text: signs that are spoken become words, brackets
// and dashes become the pause they mean, 〜 after a kana draws it out, and what
// is left over is dropped.
func signs(c []cell, drop func(Span, string)) []cell {
	out := make([]cell, 0, len(c))
	run := 0 // of the same long mark or letter
	for i, x := range c {
		before, next := rune(0), rune(0)
		if len(out) > 0 {
			before = out[len(out)-1].r
		}
		if i+1 < len(c) {
			next = c[i+1].r
		}
		if v, ok := variants[x.r]; ok {
			x.r = v
		}
		if x.r == before && (x.r == 'ー' || x.r == 'っ' || x.r == 'ッ') {
			if run++; run > 2 {
				continue
			}
		} else {
			run = 0
		}
		word, spoken := signWords[x.r]
		switch {
		case x.fixed, x.r == '\n', x.r == ' ':
			out = append(out, x)
		case spoken:
			out = put(out, word, x.Span, false)
		case x.r == '〜' || x.r == '～' || x.r == '~':
			if unicode.In(before, unicode.Hiragana, unicode.Katakana) || before == 'ー' {
				x.r = 'ー'
				if before != 'ー' {
					out = append(out, x)
				}
			} else if voice(before) && voice(next) {
				out = put(out, "から", x.Span, false)
			}
		case x.r == '・':
			// Between the parts of a foreign name it is not heard.
			if !unicode.Is(unicode.Katakana, before) || !unicode.Is(unicode.Katakana, next) {
				x.r = '、'
				out = append(out, x)
			}
		case x.r == '．':
			out = append(out, x)
		case mark(x.r) != "":
			out = append(out, cell{r: []rune(mark(x.r))[0], Span: x.Span})
		case quote(x.r):
			// Quotes are not heard.
		case x.r == '(' || x.r == ')' || unicode.In(x.r, unicode.Ps, unicode.Pe, unicode.Pd) || x.r == '/' || x.r == '|' || x.r == '*' || x.r == '_':
			if voice(before) && next != 0 && mark(next) == "" {
				x.r = '、'
				out = append(out, x)
			}
		case unicode.In(x.r, unicode.L, unicode.N) || x.r == 'ー' || x.r == '々':
			out = append(out, x)
		default:
			drop(x.Span, "symbol")
		}
	}
	return tidy(out)
}

// tidy keeps one pause where several signs asked for one.
func tidy(c []cell) []cell {
	out := c[:0]
	for _, x := range c {
		if n := len(out); n > 0 && !x.fixed {
			m, before := mark(x.r), mark(out[n-1].r)
			if x.r == ' ' && (before != "" || out[n-1].r == ' ') || m == "、" && before == "、" {
				continue
			}
			if m != "" && out[n-1].r == ' ' {
				out = out[:n-1]
			}
		}
		out = append(out, x)
	}
	return out
}

func quote(r rune) bool {
	switch r {
	case '「', '」', '『', '』', '"', '\'', '“', '”', '‘', '’', '〝', '〟', '«', '»', '`':
		return true
	}
	return false
}

// voice reports whether r takes part in a word: letters, digits, and the marks
// that belong to letters.
func voice(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.M) || r == 'ー' || r == '々'
}

// speaks reports whether r alone can be read aloud: a voice, but not one of the
// letters that only modify others.
func speaks(r rune) bool {
	switch r {
	case 'ー', 'ｰ', '々', 'ゝ', 'ゞ', 'ヽ', 'ヾ', '〻', 'っ', 'ッ', 'ｯ', 'ゎ', 'ヮ':
		return false
	}
	return unicode.In(r, unicode.L, unicode.N) && !unicode.Is(unicode.Lm, r)
}

func unaccented(r rune) string {
	d := []rune(norm.NFD.String(string(r)))
	if d[0] < 0x80 {
		return string(d[0])
	}
	return map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'þ': "th", 'ð': "d", 'ı': "i"}[unicode.ToLower(r)]
}
