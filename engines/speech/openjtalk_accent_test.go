package speech

import (
	"math"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/engines/speech/mecab"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// hertz is the fundamental frequency of a vowel: where the autocorrelation of its
// middle is greatest, between 70 and 300 Hz.
func hertz(pcm []float32, p Phone) float64 {
	a, b := sample(p.Start, len(pcm)), sample(p.End, len(pcm))
	best, at := 0.0, 0
	for lag := Rate / 300; lag < Rate/70; lag++ {
		var xy, xx, yy float64
		for i := max(a, (a+b)/2-800); i < min(b, (a+b)/2+800) && i+lag < len(pcm); i++ {
			x, y := float64(pcm[i]), float64(pcm[i+lag])
			xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
		}
		if r := xy / math.Sqrt(xx*yy+1e-9); r > best {
			best, at = r, lag
		}
	}
	return Rate / float64(max(at, 1))
}

// With the accent on the first mora the pitch is highest there; without any it
// stays up to the end of the word.
func TestOpenJTalkAccentsOfOnesOwnWords(t *testing.T) {
	o := openJTalk(t)
	rise := map[int]float64{} // semitones from the first vowel to the third
	for _, accent := range []int{0, 1} {
		s := say(t, o, Request{Text: "凪原も来る。", Words: []text.Entry{{Surface: "凪原", Reading: "なごうの", Accent: &accent}}})
		if w := s.Timings.Words[0]; w.Text != "凪原" || w.CharStart != 0 || w.CharEnd != 2 {
			t.Errorf("accent %d: the first word is %+v", accent, w)
		}
		var said strings.Builder
		var vowels []Phone
		for _, p := range s.Timings.Phones {
			if !p.Silent() {
				said.WriteString(p.P)
			}
			if strings.Contains("aiueo", p.P) {
				vowels = append(vowels, p)
			}
		}
		if !strings.HasPrefix(said.String(), "nagoonomo") {
			t.Fatalf("accent %d says %s", accent, said.String())
		}
		rise[accent] = 12 * math.Log2(hertz(s.Audio.Ch[0], vowels[3])/hertz(s.Audio.Ch[0], vowels[0]))
	}
	if rise[0] < rise[1]+3 {
		t.Errorf("the pitch rises by %.1f semitones without an accent and by %.1f with one on the first mora", rise[0], rise[1])
	}
}

func TestAccentedWordsGetSigns(t *testing.T) {
	o := openJTalk(t)
	e := func(surface, reading string, accent *int) text.Entry {
		return text.Entry{Surface: surface, Reading: reading, Accent: accent}
	}
	words := []text.Entry{e("山", "やま", nil), e("ＡＢＣ", "えー", new(1)), e("川", "かわ", new(0)), e("谷", "たに", new(2)), e("空", "そら", new(9)), e("丘", "ヶおか", new(1))}
	got, signed, done, err := o.accented(Request{Text: "abcは山と川と空と丘、ꀀ", Words: words})
	if err != nil {
		t.Fatal(err)
	}
	var readings []string
	for _, w := range signed {
		readings = append(readings, w.Reading)
	}
	// What is not in the text, or not a valid accent, is left as it is.
	if strings.Join(readings, " ") != "やま ꀁ ꀂ たに そら ヶおか" || words[1].Reading != "えー" || got.Dictionary == o.Dictionary {
		t.Errorf("readings %q", readings)
	}
	if err := got.Ready(); err != nil {
		t.Error(err)
	}
	if err := done(); err != nil || got.Ready() == nil {
		t.Errorf("the dictionary stays: %v", err)
	}
	var many []text.Entry
	var in strings.Builder
	for i := range rune(mecab.MaxWords + 5) {
		many = append(many, e(string('一'+i), "か", new(1)))
		in.WriteString(string('一' + i))
	}
	_, signed, done, err = o.accented(Request{Text: in.String(), Words: many})
	if err != nil || signed[mecab.MaxWords-1].Reading == "か" || signed[mecab.MaxWords].Reading != "か" {
		t.Errorf("too many words: %v", err)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if same, signed, _, err := o.accented(Request{Text: "山", Words: words[:1]}); err != nil || same != o || signed[0].Reading != "やま" {
		t.Errorf("without an accent: %+v, %v", same, err)
	}
}
