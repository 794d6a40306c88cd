package text

import (
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// spoken is what a text becomes, pieces joined by their marks.
func spoken(s, lang string, words ...Entry) string {
	var b strings.Builder
	for _, p := range Prepare(s, Options{Language: lang, Words: words}).Pieces {
		b.WriteString(p.Text + p.Mark)
	}
	return b.String()
}

func TestPrepareReadsAsAPersonWould(t *testing.T) {
	for in, want := range map[string]string{
		"こんにちは。":           "こんにちは。",
		"2026年11月23日です":    "二千二十六年十一月二十三日です",
		"2026/11/23":       "二千二十六年十一月二十三日",
		"2026-01-05に":      "二千二十六年一月五日に",
		"11月23日(月)に":       "十一月二十三日月曜日に",
		"12/24（木）":         "十二月二十四日木曜日",
		"3/45":             "四十五分の三",
		"3,500円":           "三千五百円",
		"３，５００円":           "三千五百円",
		"¥1,234,567":       "百二十三万四千五百六十七円",
		"$2.50です":          "二ドル五十セントです",
		"€20":              "二十ユーロ",
		"10:30に":           "十時三十分に",
		"9:00集合":           "九時集合",
		"PM 7:05":          "午後七時五分",
		"10amに":            "午前十時に",
		"19:00〜21:00":      "十九時から二十一時",
		"5〜10人":            "五から十人",
		"3-5日":             "三から五日",
		"1-2-3番地":          "一の二の三番地",
		"090-1234-5678":    "ゼロキューゼロ、イチニーサンヨン、ゴーロクナナハチ",
		"09012345678":      "ゼロキューゼロ、イチニーサンヨン、ゴーロクナナハチ",
		"0312345678":       "ゼロサン、イチニーサンヨン、ゴーロクナナハチ",
		"(03)1234-5678":    "ゼロサン、イチニーサンヨン、ゴーロクナナハチ",
		"+81-90-1234-5678": "プラスハチイチ、キューゼロ、イチニーサンヨン、ゴーロクナナハチ",
		"〒123-4567":        "郵便番号、イチニーサンノヨンゴーロクナナ、",
		"3.14":             "三．一四",
		"-5℃です":            "マイナス五度です",
		"42.195km走る":       "四十二．一九五キロメートル走る",
		"500mlの水":          "五百ミリリットルの水",
		"50%オフ":            "五十パーセントオフ",
		"20歳の誕生日":          "ハタチの誕生日",
		"120歳":             "百二十歳",
		"第10回":             "第十回",
		"1万2000円":          "一万二千円",
		"10000000":         "一千万",
		"100000000":        "一億",
		"007":              "ゼロゼロナナ",
		"0":                "零",
		"①番":               "一番",
		"v1.2.3":           "ブイ一テン二テン三",
		"ｶﾞﾝﾊﾞﾚ":           "ガンバレ",
		"ﾊｯﾋﾟｰ":            "ハッピー",
		"ＨＡＰＰＹ　ＢＩＲＴＨＤＡＹ": "ハッピー バースデー",
		"Happy Birthday!":                "ハッピー バースデー！",
		"I'm fine":                       "アイム ファイン",
		"Tanakaさん":                       "タナカさん",
		"Shinjukuで":                      "シンジュクで",
		"NHKのBBQ":                        "エヌエイチケーのビービーキュー",
		"café":                           "カフェ",
		"10th Anniversary":               "テンス アニバーサリー",
		"15thの夏":                         "第十五の夏",
		"No.1だ":                          "ナンバーワンだ",
		"No. 12":                         "ナンバー十二",
		"éclat":                          "イーシーエルエーティー",
		"おめでとう🎉🎂":                        "おめでとう",
		"おめでとう🎉明日ね":                      "おめでとう、明日ね",
		"大好き❤️だよ":                        "大好きだよ",
		"👨‍👩‍👧‍👦家族":                      "家族",
		"3️⃣つ":                           "三つ",
		"🇯🇵日本":                           "日本",
		"{小鳥遊|たかなし}さん":                   "タカナシさん",
		"｛月見里｜やまなし｝です":                   "ヤマナシです",
		"{|よみ}あ":                         "よみ、あ",
		"{漢字|}だ":                         "漢字、だ",
		"{{漢字|かんじ}}":                     "カンジ",
		"髙橋さんと山﨑さん":                      "高橋さんと山崎さん",
		"すごい〜！":                          "すごいー！",
		"うれしい(笑)":                        "うれしい、笑",
		"草wwww":                          "草、",
		"レオナルド・ダ・ヴィンチ":                   "レオナルドダヴィンチ",
		"「はい」と言った":                       "はいと言った",
		"えっと…そうだね":                       "えっと、そうだね",
		"A&B":                            "エーアンドビー",
		"見て→https://example.com/a?b=c ね": "見て、ね",
		"連絡は a.b@example.co.jp まで":       "連絡は、まで",
		"あ\x00い\u200bう\u202eえ":           "あいうえ",
		"一行目\r\n二行目\n\n三行目":              "一行目\n二行目\n三行目",
		"えーーーーーーーー":                      "えーーー",
		"か\u3099":                        "が",
	} {
		if got := spoken(in, "ja"); got != want {
			t.Errorf("%q is read %q, want %q", in, got, want)
		}
	}
}

func TestEnglishIsWrittenOut(t *testing.T) {
	for _, c := range []struct{ lang, in, want string }{
		{"en", "See you on 11/23/2026 at 7:30", "See you on November 23 2026 at 7:30"},
		{"en-US", "11/12/2026", "November 12 2026"},
		{"en-GB", "11/12/2026", "December 11 2026"},
		{"en-GB", "11/23/2026", "November 23 2026"},
		{"en", "23/11/2026", "November 23 2026"},
		{"en", "2026-01-05!", "January 5 2026！"},
		{"en", "1/2/2026/7 and 99/99/2026", "1/2/2026/7 and 99/99/2026"},
		{"en", "Happy birthday, Dr. Smith and Mrs. Jones", "Happy birthday, Dr Smith and Mrs Jones"},
		{"es", "Sra. Lopez 11/12/2026", "Sra Lopez 11/12/2026"},
	} {
		if got := spoken(c.in, c.lang); got != c.want {
			t.Errorf("%s %q is read %q, want %q", c.lang, c.in, got, c.want)
		}
	}
}

func TestDictionaryWinsButNotOverAReading(t *testing.T) {
	words := []Entry{
		{Surface: "小鳥遊", Reading: "たかなし"},
		{Surface: "小鳥", Reading: "ことり"},
		{Surface: "GoLang", Reading: "ごーらんぐ"},
		{Surface: "24", Reading: "にーよん"},
		{Reading: "x"},
		{Surface: "空"},
	}
	for in, want := range map[string]string{
		"小鳥遊と小鳥":       "タカナシとコトリ",
		"{小鳥遊|おとり}と小鳥": "オトリとコトリ",
		"ＧＯＬＡＮＧが好き":    "ゴーラングが好き",
		"24と2024年":     "ニーヨンと二千二十四年",
		"golangs":      "ジーオーエルエーエヌジーエス",
		"空":            "空",
	} {
		if got := spoken(in, "ja", words...); got != want {
			t.Errorf("%q is read %q, want %q", in, got, want)
		}
	}
}

func TestEntriesAreChecked(t *testing.T) {
	for _, c := range []struct {
		language, surface, reading string
		accent                     *int
		want                       string
	}{
		{"ja", "小鳥遊", "たかなし", nil, ""},
		{"ja", "小鳥遊", "タカナシ", new(0), ""},
		{"", "ＧＯ", "ｺﾞｰ", new(2), ""},
		{"ja-JP", "キャップ", "きゃっぷ", new(3), ""},
		{"en-GB", "Siobhán", "shi vawn", nil, ""},
		{"ja", "", "か", nil, "surface is missing"},
		{"ja", "山", " ", nil, "reading is missing"},
		{"ja", "。、", "か", nil, "surface has nothing that can be spoken"},
		{"ja", "🎉", "か", nil, "surface has nothing that can be spoken"},
		{"ja", strings.Repeat("山", 31), "か", nil, "surface has more than 30 characters"},
		{"ja", "㍿" + strings.Repeat("山", 27), "か", nil, "surface has more than 30 characters"},
		{"ja", "山", strings.Repeat("か", 51), nil, "reading has more than 50 characters"},
		{"ja", "山\x00", "か", nil, "surface has control characters"},
		{"ja", "山\xff", "か", nil, "surface has control characters"},
		{"ja", "{山", "か", nil, "surface must not hold { } or |"},
		{"ja", "山", "yama", nil, "reading must be in kana"},
		{"ja", "山", "山", nil, "reading must be in kana"},
		{"ja", "山", "や ま", nil, "reading must be in kana"},
		{"ja", "山", "ーか", nil, "reading must be in kana"},
		{"ja", "山", "ゃか", nil, "reading must be in kana"},
		{"ja", "山", "やま", new(3), "accent must be from 0 to 2"},
		{"ja", "山", "やま", new(-1), "accent must be from 0 to 2"},
		{"en", "go", "goh", new(1), "accent is for Japanese only"},
	} {
		e := Entry{Surface: c.surface, Reading: c.reading, Accent: c.accent}
		got := ""
		if err := e.Check(c.language); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %q %q: %q, want %q", c.language, c.surface, c.reading, got, c.want)
		}
		if got == "" && !strings.Contains(spoken("x "+c.surface+" x", c.language, e), Katakana(c.reading)) {
			t.Errorf("%q is not read %q: %q", c.surface, c.reading, spoken("x "+c.surface+" x", c.language, e))
		}
	}
}

func TestSpeakable(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "   \n": false, "！？…。、": false, "🎉🎂": false, "\x00\x01": false, "ーーー": false, "ッ": false, "々": false,
		"https://example.com": false, "\xff\xfe": false, "{|}": false, "-": false, "（）": false, "\u0301": false,
		"あ": true, "1": true, "a": true, "한국어": true, "नमस्ते": true, "{山|やま}": true, "🎉あ": true, "สวัสดี": true,
	} {
		if got := Speakable(s); got != want {
			t.Errorf("Speakable(%q) = %v", s, got)
		}
	}
}

func TestSentencesKeepTheirMarks(t *testing.T) {
	for _, c := range []struct {
		lang, in string
		want     []string
	}{
		{"ja", "おはよう。「元気？」と聞いた！！\n　またね", []string{"おはよう。", "「元気？」", "と聞いた！！", "またね"}},
		{"en", "Hello, Mr. Smith. It costs 3.50 e.g. today. J. S. Bach! Bye", []string{"Hello, Mr. Smith.", "It costs 3.50 e.g. today.", "J. S. Bach!", "Bye"}},
		{"en", "I. And I. So", []string{"I.", "And I.", "So"}},
		{"ja", "。。。", nil},
	} {
		sc := Prepare(c.in, Options{Language: c.lang})
		var got []string
		for _, s := range sc.Sentences {
			got = append(got, strings.TrimSpace(string([]rune(c.in)[s.From:s.To])))
		}
		if d := cmp.Diff(got, c.want); d != "" {
			t.Errorf("%q: %s", c.in, d)
		}
	}
}

func TestLongTextsAreCutAtClauses(t *testing.T) {
	clause := "これはとても長い文章なので途中で切らなければなりません"
	in := strings.Repeat(clause+"、", 30)
	sc := Prepare(in, Options{})
	if len(sc.Sentences) != 1 {
		t.Fatalf("%d sentences", len(sc.Sentences))
	}
	for _, p := range sc.Pieces {
		if n := len([]rune(p.Text)); n > MaxPiece {
			t.Errorf("piece of %d", n)
		}
		if !strings.HasPrefix(p.Text, clause) || !strings.HasSuffix(p.Text, clause) {
			t.Errorf("cut inside a clause: %q", p.Text)
		}
	}
	for _, in := range []string{strings.Repeat("あ", 1000), strings.Repeat("漢", 1000), strings.Repeat("9", 1000), strings.Repeat("a", 1000), strings.Repeat("きゃ", 500)} {
		for _, p := range Prepare(in, Options{}).Pieces {
			if n := len([]rune(p.Text)); n > MaxPiece {
				t.Errorf("%.5s…: piece of %d", in, n)
			}
			if r := []rune(p.Text)[0]; small(r) {
				t.Errorf("%.5s…: piece begins with %q", in, r)
			}
		}
	}
}

func FuzzPrepare(f *testing.F) {
	for _, s := range []string{
		"こんにちは。2026年11月23日(月) 10:30、3,500円 090-1234-5678！", "{漢字|かんじ}と{壊れた", "🎉 ｶﾞ é \xff \u202e", "Hello, Mr. Smith. It's 3.5!",
		"ｗｗｗ〜〜ー・（）", "¥-1~2~3:4/5", "नमस्ते दुनिया।", strings.Repeat("長い", 300),
	} {
		f.Add(s, "ja", 50)
		f.Add(s, "en", 7)
	}
	f.Fuzz(func(t *testing.T, s, lang string, limit int) {
		if len(s) > 4000 {
			return
		}
		o := Options{Language: lang, MaxPiece: limit, Words: []Entry{{Surface: "長い", Reading: "ながい"}, {Surface: "a", Reading: "えー"}}}
		sc := Prepare(s, o)
		if !reflect.DeepEqual(sc, Prepare(s, o)) {
			t.Fatal("not deterministic")
		}
		if limit <= 0 {
			limit = MaxPiece
		}
		n := len([]rune(s))
		inside := func(what string, sp Span) {
			if sp.From < 0 || sp.To < sp.From || sp.To > n {
				t.Fatalf("%s %v outside 0 to %d", what, sp, n)
			}
		}
		last, sentence := 0, 0
		for _, p := range sc.Pieces {
			rs := []rune(p.Text)
			if len(rs) != len(p.Source) || len(rs) == 0 || len(rs) > limit {
				t.Fatalf("%d code points, %d sources, limit %d", len(rs), len(p.Source), limit)
			}
			inside("piece", p.Span)
			if !Speakable(s) && Japanese(lang) {
				t.Fatal("pieces of a text that is not speakable")
			}
			for i, sp := range p.Source {
				inside("source", sp)
				if sp.From < last {
					t.Fatalf("source %d of %q goes back from %d to %d", i, p.Text, last, sp.From)
				}
				last = sp.From
				if unicode.IsControl(rs[i]) {
					t.Fatalf("control %U in %q", rs[i], p.Text)
				}
			}
			if p.Sentence < sentence || p.Sentence >= len(sc.Sentences) {
				t.Fatalf("sentence %d after %d of %d", p.Sentence, sentence, len(sc.Sentences))
			}
			sentence = p.Sentence
		}
		last = 0
		for _, sp := range sc.Sentences {
			inside("sentence", sp)
			if sp.From < last {
				t.Fatalf("sentence at %d after %d", sp.From, last)
			}
			last = sp.To
		}
		for _, d := range sc.Dropped {
			inside("drop", d.Span)
		}
		_ = Display(s)
	})
}
