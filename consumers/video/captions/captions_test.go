package captions

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/videomsg/videomsg/engines/speech"
)

// spoken is a timeline in which each code point takes d seconds, in words that
// end at spaces and marks; a mark is a pause of 3d.
func spoken(s string, d float64) (speech.Timings, float64) {
	t := speech.Timings{SampleRate: 48000, Source: speech.Exact}
	at := 0.25
	start, from := at, 0
	r := []rune(s)
	flush := func(i int) {
		if i > from {
			t.Words = append(t.Words, speech.Word{Start: start, End: at, Text: string(r[from:i]), CharStart: from, CharEnd: i})
		}
		from = i + 1
	}
	for i, c := range r {
		if strings.ContainsRune(" 、。！？\n", c) {
			flush(i)
			at += 3 * d
			start = at
			continue
		}
		at += d
	}
	flush(len(r))
	return t, at + 0.25
}

func shown(cues []Cue) string {
	var out []string
	for _, c := range cues {
		out = append(out, c.Text())
	}
	return strings.Join(out, "\n\n")
}

func TestCuesBreakWhereAReaderPauses(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"it keeps a short sentence whole", "お誕生日おめでとう。", "お誕生日おめでとう。"},
		{
			"it breaks at full stops and commas", "お誕生日おめでとうございます。いつも優しくしてくれて、本当にありがとう。これからもよろしくね。",
			"お誕生日おめでとうございます。\n\nいつも優しくしてくれて、\n本当にありがとう。\n\nこれからもよろしくね。",
		},
		{"it shows what is written, not what is read", "{今日|きょう}うれしい。｛本気｜マジ｝です", "今日うれしい。\n\n本気です"},
		{"it leaves braces that are no reading", "{\\an8}まる", "{\\an8}まる"},
		{"it keeps Latin words whole", "Happy birthday to you, my dear friend, and many happy returns of the day!", "Happy birthday to you, my dear friend,\nand many happy returns of the day!"},
		{"it keeps lines of the text apart", "Hello over there\nWide wide world", "Hello over there\n\nWide wide world"},
		{"it drops controls", "a\u0000b\u202ec", "abc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := 0.15
			if tt.in[0] == 'H' {
				d = 0.06
			}
			line, seconds := spoken(tt.in, d)
			if got := shown(Make(tt.in, line, seconds)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestNoLineBeginsWithAMarkOrSmallKana(t *testing.T) {
	s := strings.Repeat("きょうはチョコレートケーキとジュースとキャンディーをたくさんたべました、", 6)
	line, seconds := spoken(s, 0.1)
	for _, c := range Make(s, line, seconds) {
		for _, l := range c.Lines {
			if trails(l[0].R) {
				t.Errorf("line %q", l.String())
			}
		}
	}
}

// check holds cues against every promise of the package.
func check(t *testing.T, cues []Cue, seconds float64) {
	t.Helper()
	last := 0.0
	for i, c := range cues {
		if !(c.Start >= last && c.End > c.Start && c.End <= seconds+1e-9) {
			t.Fatalf("cue %d from %g to %g after %g in %g s", i, c.Start, c.End, last, seconds)
		}
		if c.End-c.Start > Longest+1e-9 {
			t.Errorf("cue %d is %g s long", i, c.End-c.Start)
		}
		last = c.End
		if len(c.Lines) == 0 || len(c.Lines) > MaxLines {
			t.Fatalf("cue %d has %d lines", i, len(c.Lines))
		}
		for _, l := range c.Lines {
			w, at := 0.0, 0.0
			for _, ch := range l {
				w += cells(ch.R)
				if !(ch.Start >= at && ch.End >= ch.Start) {
					t.Fatalf("characters of %q are out of order", l.String())
				}
				at = ch.End
			}
			if w > MaxLine {
				t.Errorf("line %q is %g wide", l.String(), w)
			}
		}
	}
	ass := ASS(cues, Card{To: "{\\an8}\n太郎", From: "\\N", End: 2, Japanese: true}, Look{W: 320, H: 240})
	for l := range strings.SplitSeq(ass, "\n") {
		if strings.HasPrefix(l, "Dialogue:") && strings.Contains(l, "\\an8") {
			t.Errorf("a command of the user's survives: %s", l)
		}
	}
	srt := SRT(cues)
	if strings.Count(srt, " --> ") < len(cues) || strings.Contains(srt, "{\\") {
		t.Errorf("SRT:\n%s", srt)
	}
}

func FuzzMake(f *testing.F) {
	for _, s := range []string{"", "こんにちは。", "{\\an8}\"quoted\"", "{漢字|かんじ}", strings.Repeat("あ", 300), "a --> b\n\n1\n<b>x", "👨‍👩‍👧 family", "\xff\xfe", "{{{|||}}}"} {
		f.Add(s, 0.1, uint8(3))
	}
	f.Fuzz(func(t *testing.T, s string, d float64, mode uint8) {
		if utf8.RuneCountInString(s) > 400 || !(d > 0 && d < 1) {
			return
		}
		line, seconds := spoken(s, d)
		switch mode % 4 {
		case 1: // times that make no sense
			for i := range line.Words {
				line.Words[i].Start = math.NaN()
			}
		case 2:
			line.Sentences, line.Words = line.Words, nil
		case 3:
			line = speech.Timings{}
		}
		check(t, Make(s, line, seconds), seconds)
	})
}

func TestHostileTimelines(t *testing.T) {
	s := "おめでとう。ありがとう。"
	for name, ws := range map[string][]speech.Word{
		"backwards":  {{Start: 3, End: 2, CharEnd: 5}, {Start: 1, End: 1, CharStart: 6, CharEnd: 11}},
		"overlap":    {{Start: 0, End: 9, CharEnd: 8}, {Start: 1, End: 2, CharStart: 2, CharEnd: 30}},
		"outside":    {{Start: -5, End: 99, CharStart: -4, CharEnd: 400}},
		"infinite":   {{Start: math.Inf(-1), End: math.Inf(1), CharEnd: 12}},
		"empty":      {{}},
		"gap in all": {{Start: 0.1, End: 0.2, CharEnd: 1}, {Start: 3.8, End: 3.9, CharStart: 11, CharEnd: 12}},
	} {
		t.Run(name, func(t *testing.T) {
			cues := Make(s, speech.Timings{Words: ws}, 4)
			check(t, cues, 4)
			if got := strings.ReplaceAll(shown(cues), "\n", ""); got != s {
				t.Errorf("shows %q", got)
			}
		})
	}
	for _, seconds := range []float64{0, -1, math.NaN()} {
		if got := Make(s, speech.Timings{}, seconds); got != nil {
			t.Errorf("%g s: %v", seconds, got)
		}
	}
}

func TestKaraokeAddsUp(t *testing.T) {
	s := "お誕生日おめでとうございます。"
	line, seconds := spoken(s, 0.1234)
	c := Make(s, line, seconds)[0]
	k := karaoke(c)
	sum := 0
	for part := range strings.SplitSeq(k, "{\\k") {
		n := 0
		for _, r := range strings.TrimPrefix(part, "f") {
			if r < '0' || r > '9' {
				break
			}
			n = 10*n + int(r-'0')
		}
		sum += n
	}
	spokenFor := c.Lines[0][len(c.Lines[0])-1].End - c.Start
	if math.Abs(float64(sum)/100-spokenFor) > 0.011 {
		t.Errorf("lights up for %d cs of %.3f s: %s", sum, spokenFor, k)
	}
}

func TestFormats(t *testing.T) {
	cues := []Cue{{Start: 1.5, End: 3661.25, Lines: []Line{{{R: '<', Start: 1.5, End: 2}, {R: '&', Start: 2, End: 2}}}}}
	if got, want := SRT(cues), "1\n00:00:01,500 --> 01:01:01,250\n＜&\n\n"; got != want {
		t.Errorf("SRT %q, want %q", got, want)
	}
	if got, want := VTT(cues, "ja"), "WEBVTT\nLanguage: ja\n\n1\n00:00:01.500 --> 01:01:01.250\n&lt;&amp;\n\n"; got != want {
		t.Errorf("VTT %q, want %q", got, want)
	}
}
