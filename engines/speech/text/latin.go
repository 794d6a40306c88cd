package text

import (
	"regexp"
	"strings"
	"unicode"
)

var latinWord = regexp.MustCompile(`[\p{Latin}]+(?:['’][\p{Latin}]+)*`)

// latin reads words in Latin letters in a Japanese text: by the table, as
// romanised Japanese, or letter by letter, unless they look like words and are
// left to somebody who knows English. A lone w after Japanese is laughter.
func latin(c []cell, leave bool) []cell {
	return replace(c, latinWord, func(m match) (string, bool) {
		word := strings.ToLower(plain(m.text))
		word = strings.ReplaceAll(word, "’", "'")
		if strings.Trim(word, "w") == "" && japaneseLetter(m.before) && !unicode.IsDigit(m.after) {
			return "、", true
		}
		upper := strings.ToUpper(m.text) == m.text
		if k, ok := words[word]; ok && (len(word) > 1 || !upper) {
			return k, true
		}
		if base, ok := strings.CutSuffix(word, "'s"); ok {
			if k, ok := words[base]; ok {
				return k + "ズ", true
			}
		}
		word = strings.ReplaceAll(word, "'", "")
		if !upper && len(word) >= 3 || len(word) >= 6 {
			if k, ok := romaji(word); ok {
				return k, true
			}
		}
		if leave && !upper && len(word) >= 3 && strings.ContainsAny(word, "aeiouy") {
			return word, true
		}
		var b strings.Builder
		for _, r := range word {
			if r >= 'a' && r <= 'z' {
				b.WriteString(letters[r-'a'])
			}
		}
		return b.String(), true
	})
}

func japaneseLetter(r rune) bool {
	return r == 'ー' || unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han) || r == '！' || r == '!' || r == '。'
}

// plain strips accents: é is read as e.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		b.WriteString(unaccented(r))
	}
	return b.String()
}

var letters = [26]string{
	"エー", "ビー", "シー", "ディー", "イー", "エフ", "ジー", "エイチ", "アイ", "ジェー", "ケー", "エル", "エム",
	"エヌ", "オー", "ピー", "キュー", "アール", "エス", "ティー", "ユー", "ブイ", "ダブリュー", "エックス", "ワイ", "ゼット",
}

// romaji reads romanised Japanese, Hepburn or Kunrei; ok is false when anything
// in the word does not fit.
func romaji(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); {
		rest := s[i:]
		if len(rest) > 1 && rest[0] == rest[1] && strings.IndexByte("kstpcgdbjz", rest[0]) >= 0 {
			b.WriteString("ッ")
			i++
			continue
		}
		if len(rest) > 2 && rest[:3] == "tch" {
			b.WriteString("ッ")
			i++
			continue
		}
		n := 0
		for k := min(3, len(rest)); k > 0; k-- {
			if kana, ok := syllables[rest[:k]]; ok {
				b.WriteString(kana)
				n = k
				break
			}
		}
		if n == 0 && (rest[0] == 'n' || rest[0] == 'm' && len(rest) > 1 && strings.IndexByte("bpm", rest[1]) >= 0) {
			b.WriteString("ン")
			n = 1
		}
		if n == 0 {
			return "", false
		}
		i += n
	}
	return b.String(), true
}

// syllables is read-only: romanised syllables and their kana.
var syllables = map[string]string{
	"a": "ア", "ba": "バ", "be": "ベ", "bi": "ビ", "bo": "ボ", "bu": "ブ", "bya": "ビャ", "byo": "ビョ", "byu": "ビュ",
	"cha": "チャ", "che": "チェ", "chi": "チ", "cho": "チョ", "chu": "チュ", "da": "ダ", "de": "デ", "di": "ヂ", "do": "ド",
	"du": "ヅ", "e": "エ", "fa": "ファ", "fe": "フェ", "fi": "フィ", "fo": "フォ", "fu": "フ", "ga": "ガ", "ge": "ゲ",
	"gi": "ギ", "go": "ゴ", "gu": "グ", "gya": "ギャ", "gyo": "ギョ", "gyu": "ギュ", "ha": "ハ", "he": "ヘ", "hi": "ヒ",
	"ho": "ホ", "hu": "フ", "hya": "ヒャ", "hyo": "ヒョ", "hyu": "ヒュ", "i": "イ", "ja": "ジャ", "je": "ジェ", "ji": "ジ",
	"jo": "ジョ", "ju": "ジュ", "jya": "ジャ", "jyo": "ジョ", "jyu": "ジュ", "ka": "カ", "ke": "ケ", "ki": "キ", "ko": "コ",
	"ku": "ク", "kya": "キャ", "kyo": "キョ", "kyu": "キュ", "ma": "マ", "me": "メ", "mi": "ミ", "mo": "モ", "mu": "ム",
	"mya": "ミャ", "myo": "ミョ", "myu": "ミュ", "na": "ナ", "ne": "ネ", "ni": "ニ", "no": "ノ", "nu": "ヌ", "nya": "ニャ",
	"nyo": "ニョ", "nyu": "ニュ", "o": "オ", "pa": "パ", "pe": "ペ", "pi": "ピ", "po": "ポ", "pu": "プ", "pya": "ピャ",
	"pyo": "ピョ", "pyu": "ピュ", "ra": "ラ", "re": "レ", "ri": "リ", "ro": "ロ", "ru": "ル", "rya": "リャ", "ryo": "リョ",
	"ryu": "リュ", "sa": "サ", "se": "セ", "sha": "シャ", "she": "シェ", "shi": "シ", "sho": "ショ", "shu": "シュ",
	"si": "シ", "so": "ソ", "su": "ス", "sya": "シャ", "syo": "ショ", "syu": "シュ", "ta": "タ", "te": "テ", "ti": "チ",
	"to": "ト", "tsu": "ツ", "tu": "ツ", "tya": "チャ", "tyo": "チョ", "tyu": "チュ", "u": "ウ", "wa": "ワ", "wo": "オ",
	"ya": "ヤ", "yo": "ヨ", "yu": "ユ", "za": "ザ", "ze": "ゼ", "zi": "ジ", "zo": "ゾ", "zu": "ズ", "zya": "ジャ",
	"zyo": "ジョ", "zyu": "ジュ",
}
