package text

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// A rule reads one written form of numbers in Japanese.
type rule struct {
	re   *regexp.Regexp
	read func(match) (string, bool)
}

const (
	number   = `\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?`
	weekdays = `(?:[(（]([日月火水木金土])(?:曜日?)?(?:・?祝)?[)）])?`
)

// ordinals is read-only: how English ordinals are read in Japanese; beyond them a
// Japanese one takes their place.
var ordinals = map[string]string{
	"1": "ファースト", "2": "セカンド", "3": "サード", "4": "フォース", "5": "フィフス", "6": "シックスス", "7": "セブンス",
	"8": "エイス", "9": "ナインス", "10": "テンス", "20": "トゥエンティース", "30": "サーティース",
}

// numberRules are tried in order, each over the whole text: what looks like a
// date or a telephone number must be taken before its digits are.
var numberRules = []rule{
	{regexp.MustCompile(`(?i)\bno\.\s?(\d+)`), func(m match) (string, bool) {
		if m.group[0] == "1" && m.after != '.' {
			return "ナンバーワン", true
		}
		return "ナンバー" + m.group[0], true
	}},
	{regexp.MustCompile(`\b(\d{1,3})(?:st|nd|rd|th)\b`), func(m match) (string, bool) {
		if inNumber(m) {
			return "", false
		}
		if s, ok := ordinals[m.group[0]]; ok {
			return s, true
		}
		return "第" + m.group[0], true
	}},
	{regexp.MustCompile(`(\d{4})([/.-])(\d{1,2})([/.-])(\d{1,2})` + weekdays), func(m match) (string, bool) {
		if m.group[1] != m.group[3] || inNumber(m) || !day(m.group[2], m.group[4]) {
			return "", false
		}
		return decimal(m.group[0]) + "年" + date(m.group[2], m.group[4], m.group[5]), true
	}},
	{regexp.MustCompile(`(\d{1,2})月(\d{1,2})日` + weekdays), func(m match) (string, bool) {
		if !day(m.group[0], m.group[1]) || inNumber(m) {
			return "", false
		}
		return date(m.group[0], m.group[1], m.group[2]), true
	}},
	{regexp.MustCompile(`〒?\s?(\d{3})-(\d{4})`), func(m match) (string, bool) {
		if inNumber(m) || !strings.HasPrefix(m.text, "〒") && m.before != '〒' {
			return "", false
		}
		return "郵便番号、" + spell(m.group[0]) + "ノ" + spell(m.group[1]) + "、", true
	}},
	// Telephone: a trunk zero, or + and the country, or the free-call numbers.
	{regexp.MustCompile(`(?:\+\d{1,3}[- ]?|\(?0)\d{0,4}\)?[- ]?\d{2,4}[- ]\d{3,4}|0[5789]0\d{8}|0\d{9}`), func(m match) (string, bool) {
		n := 0
		for _, r := range m.text {
			if unicode.IsDigit(r) {
				n++
			}
		}
		if inNumber(m) || n < 9 || n > 14 {
			return "", false
		}
		return phone(m.text), true
	}},
	{regexp.MustCompile(`(?i)(?:(am|pm)\s?)?(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s?(am|pm)\b)?`), func(m match) (string, bool) {
		h, _ := strconv.Atoi(m.group[1])
		if inNumber(m) || h > 29 || m.group[2] > "59" || m.group[3] > "59" || m.before == ':' || m.after == ':' {
			return "", false
		}
		out := half(m.group[0]+m.group[4]) + Kanji(strconv.Itoa(h)) + "時"
		if m.group[2] != "00" {
			out += Kanji(strings.TrimLeft(m.group[2], "0")) + "分"
		}
		if m.group[3] != "" && m.group[3] != "00" {
			out += Kanji(strings.TrimLeft(m.group[3], "0")) + "秒"
		}
		return out, true
	}},
	{regexp.MustCompile(`(?i)(?:(am|pm)\s?)(\d{1,2})(?:時)?|(\d{1,2})\s?(am|pm)\b`), func(m match) (string, bool) {
		if inNumber(m) {
			return "", false
		}
		return half(m.group[0]+m.group[3]) + Kanji(zeros(m.group[1]+m.group[2])) + "時", true
	}},
	{regexp.MustCompile(`(\d{1,2})/(\d{1,2})` + weekdays), func(m match) (string, bool) {
		switch {
		case inNumber(m) || m.before == '/' || m.after == '/':
			return "", false
		case day(m.group[0], m.group[1]):
			return date(m.group[0], m.group[1], m.group[2]), true
		case m.group[2] == "" && strings.Trim(m.group[1], "0") != "":
			return Kanji(zeros(m.group[1])) + "分の" + Kanji(zeros(m.group[0])), true
		}
		return "", false
	}},
	// 1-2-3 is an address, 3-5日 a range.
	{regexp.MustCompile(`\d+(?:-\d+)+`), func(m match) (string, bool) {
		if m.before == '.' || alphabetic(m.before) {
			return "", false
		}
		parts := strings.Split(m.text, "-")
		with := "の"
		if len(parts) == 2 && unicode.Is(unicode.Han, m.after) && m.after != '番' && m.after != '号' && less(parts[0], parts[1]) {
			with = "から"
		}
		for i := range parts {
			parts[i] = Kanji(parts[i])
		}
		return strings.Join(parts, with), true
	}},
	{regexp.MustCompile(`([¥￥$€£])\s?(` + number + `)(万|億|兆)?`), func(m match) (string, bool) {
		return money(m.group[0], m.group[1], m.group[2]), true
	}},
	{regexp.MustCompile(`20[歳才]`), func(m match) (string, bool) {
		return "ハタチ", !inNumber(m)
	}},
	{regexp.MustCompile(`(\d+)\.(\d+(?:\.\d+)+)`), func(m match) (string, bool) {
		var b []string
		for p := range strings.SplitSeq(m.text, ".") {
			b = append(b, Kanji(p))
		}
		return strings.Join(b, "テン"), true
	}},
	{regexp.MustCompile(`[-−]?(?:` + number + `)(?:\s?(km|cm|mm|kg|mg|ml|kcal|GB|MB|TB|kB|Hz|kHz|MHz|[mgLl]|°C|°F|°))?`), func(m match) (string, bool) {
		digits, sign := strings.CutPrefix(strings.Replace(m.text, "−", "-", 1), "-")
		minus := ""
		if sign && !voice(m.before) {
			minus = "マイナス"
		} else if sign {
			minus = "、"
		}
		unit := m.group[0]
		digits = strings.TrimSpace(strings.TrimSuffix(digits, unit))
		if alphabetic(m.after) && unit != "" { // "3men" is not three metres
			return minus + decimal(digits) + unit, true
		}
		return minus + decimal(digits) + units[unit], true
	}},
}

// units is read-only.
var units = map[string]string{
	"km": "キロメートル", "cm": "センチメートル", "mm": "ミリメートル", "m": "メートル",
	"kg": "キログラム", "mg": "ミリグラム", "g": "グラム", "ml": "ミリリットル", "l": "リットル", "L": "リットル",
	"kcal": "キロカロリー", "GB": "ギガバイト", "MB": "メガバイト", "TB": "テラバイト", "kB": "キロバイト",
	"Hz": "ヘルツ", "kHz": "キロヘルツ", "MHz": "メガヘルツ", "°C": "度", "°F": "度", "°": "度",
}

// between joins two numbers across a wave dash.
var between = regexp.MustCompile(`(\d(?:[日時分月年円個人歳%]|時\d+分)?)\s?[~〜～]\s?([¥￥$]?\d)`)

func numbers(c []cell) []cell {
	for range 2 { // matches of "1〜2〜3" overlap
		c = keepEnds(c, between, "から")
	}
	for _, r := range numberRules {
		c = replace(c, r.re, r.read)
	}
	return c
}

// keepEnds replaces what lies between the two groups of re.
func keepEnds(c []cell, re *regexp.Regexp, with string) []cell {
	s := str(c)
	all := re.FindAllStringSubmatchIndex(s, -1)
	if all == nil {
		return c
	}
	out := make([]cell, 0, len(c)+len(all))
	done := 0
	for _, loc := range all {
		from, to := len([]rune(s[:loc[3]])), len([]rune(s[:loc[4]]))
		out = append(out, c[done:from]...)
		out = put(out, with, span(c[from:to]), false)
		done = to
	}
	return append(out, c[done:]...)
}

// inNumber reports whether the match is cut out of a longer number.
func inNumber(m match) bool {
	return unicode.IsDigit(m.before) || unicode.IsDigit(m.after) || m.before == '.' || m.before == ','
}

func day(month, day string) bool {
	m, err1 := strconv.Atoi(month)
	d, err2 := strconv.Atoi(day)
	return err1 == nil && err2 == nil && m >= 1 && m <= 12 && d >= 1 && d <= 31
}

func date(month, day, weekday string) string {
	out := Kanji(zeros(month)) + "月" + Kanji(zeros(day)) + "日"
	if weekday != "" {
		out += weekday + "曜日"
	}
	return out
}

// zeros drops leading zeros but not the last digit.
func zeros(s string) string {
	if t := strings.TrimLeft(s, "0"); t != "" || s == "" {
		return t
	}
	return "0"
}

func less(a, b string) bool {
	x, err1 := strconv.Atoi(a)
	y, err2 := strconv.Atoi(b)
	return err1 == nil && err2 == nil && x < y
}

func half(s string) string {
	switch strings.ToLower(s) {
	case "am":
		return "午前"
	case "pm":
		return "午後"
	}
	return ""
}

// phone spells a telephone number in its groups.
func phone(s string) string {
	groups := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsDigit(r) })
	if len(groups) == 1 {
		g := groups[0]
		cut := 3
		if len(g) == 10 {
			cut = 2
		}
		groups = []string{g[:cut], g[cut : len(g)-4], g[len(g)-4:]}
	}
	for i, g := range groups {
		groups[i] = spell(g)
	}
	out := strings.Join(groups, "、")
	if strings.HasPrefix(s, "+") {
		out = "プラス" + out
	}
	return out
}

func money(sign, amount, myriad string) string {
	name, cents := "円", ""
	switch sign {
	case "$":
		name, cents = "ドル", "セント"
	case "€":
		name, cents = "ユーロ", "セント"
	case "£":
		name, cents = "ポンド", "ペンス"
	}
	amount = strings.ReplaceAll(amount, ",", "")
	if whole, fraction, ok := strings.Cut(amount, "."); ok && len(fraction) == 2 && cents != "" && myriad == "" {
		out := Kanji(zeros(whole)) + name
		if f := zeros(fraction); f != "0" {
			out += Kanji(f) + cents
		}
		return out
	}
	return decimal(amount) + myriad + name
}
