package speech

import (
	"math"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/engines/speech/text"
)

func TestLongSentencesAreCutAtTheirPauses(t *testing.T) {
	for in, want := range map[string]int{
		"短い文、です。": 1,
		"これはとても長い文章なので途中で切らなければならないのですが切れるところがどこにもありません。":                        1,
		"これはとても長い文章なので途中で切らなければなりませんが、ここで切ればちょうどいいのではないでしょうか。":                   2,
		"あの、これはとても長い文章なので途中で切らなければなりませんがここで切ることはどうしてもできません。":                     1, // a crumb is not worth it
		strings.Repeat("これは長い文章です。", 5) + "これはとても長い文章なので途中で切ることになりますが、ここで切ればいい。": 6,
		strings.Repeat("これはとても長い文章なので、", 14):                                     maxClauses,
	} {
		sc := text.Prepare(in, text.Options{})
		got := clauses(sc.Pieces)
		if len(got) != want {
			t.Errorf("%s: %d clauses, want %d", in, len(got), want)
		}
		var all, spans strings.Builder
		for i, p := range got {
			all.WriteString(p.Text + p.Mark)
			spans.WriteString(string([]rune(in)[p.From:p.To]))
			if len([]rune(p.Text)) != len(p.Source) {
				t.Errorf("%q has %d sources", p.Text, len(p.Source))
			}
			if s := surroundingsOf(got, i); s.before != (i > 0 && got[i-1].Sentence == p.Sentence) || s.after != (i+1 < len(got) && got[i+1].Sentence == p.Sentence) {
				t.Errorf("%q stands in %+v", p.Text, s)
			}
		}
		if spans.String() != in || strings.TrimRight(all.String(), "、") != strings.TrimRight(in, "、") {
			t.Errorf("%s became %s", in, all.String())
		}
	}
}

// Spoken in clauses side by side, a sentence is the one that would have been
// spoken at once.
func TestClausesSoundLikeTheWholeSentence(t *testing.T) {
	const in = "昨日は遅くまで準備をしていたので、今朝は少し寝坊してしまいましたが、みんなが待っていてくれたおかげで、無事に出発することができました。"
	o := openJTalk(t)
	sc := text.Prepare(in, text.Options{})
	whole, err := o.piece(t.Context(), sc.Pieces[0], surroundings{}, Request{}, openJTalkStyles[0])
	if err != nil {
		t.Fatal(err)
	}
	if n := len(clauses(sc.Pieces)); n < 2 {
		t.Fatalf("%d clauses", n)
	}
	audio, want := join([]part{whole}, sc, []rune(in), nil)
	got := say(t, o, Request{Text: in})
	if len(got.Timings.Phones) != len(want.Phones) || len(got.Timings.Words) != len(want.Words) || len(got.Timings.Sentences) != 1 {
		t.Fatalf("%d phones and %d words, want %d and %d", len(got.Timings.Phones), len(got.Timings.Words), len(want.Phones), len(want.Words))
	}
	for i, p := range got.Timings.Phones {
		w := want.Phones[i]
		// A pause may differ by a frame or two: two halves make it.
		if d := math.Abs(p.End - p.Start - (w.End - w.Start)); p.P != w.P || d > 0.011 && !p.Silent() || d > 0.05 {
			t.Errorf("phone %d is %s for %.3f s, want %s for %.3f s", i, p.P, p.End-p.Start, w.P, w.End-w.Start)
		}
	}
	for i, w := range got.Timings.Words {
		if w.Text != want.Words[i].Text || math.Abs(w.Start-want.Words[i].Start) > 0.05 {
			t.Errorf("word %q at %.3f s, want %q at %.3f s", w.Text, w.Start, want.Words[i].Text, want.Words[i].Start)
		}
	}
	if d := got.Audio.Duration() - audio.Duration(); d.Abs().Seconds() > 0.05 {
		t.Errorf("%v, the whole sentence takes %v", got.Audio.Duration(), audio.Duration())
	}
	// The same loudness, vowel by vowel.
	power := func(pcm []float32, p Phone) float64 {
		sum := 1e-9
		from, to := sample(p.Start, len(pcm)), sample(p.End, len(pcm))
		for _, v := range pcm[from:to] {
			sum += float64(v) * float64(v)
		}
		return 10 * math.Log10(sum/float64(max(to-from, 1)))
	}
	for i, p := range got.Timings.Phones {
		if !strings.Contains("aiueo", p.P) {
			continue // noise is never the same
		}
		if d := power(got.Audio.Ch[0], p) - power(audio.Ch[0], want.Phones[i]); math.Abs(d) > 2 {
			t.Errorf("phone %d, %s, differs by %.1f dB", i, p.P, d)
		}
	}
}

func TestStandInsThatAreNotThere(t *testing.T) {
	phones := func(names string) (ps []Phone) {
		for i, n := range strings.Fields(names) {
			ps = append(ps, Phone{Start: float64(i), End: float64(i + 1), P: n})
		}
		return ps
	}
	words := []traceWord{{surface: "はい"}, {surface: "、"}, {surface: "木"}, {surface: "、"}, {surface: "はい"}}
	both := surroundings{true, true}
	inner, from, to, ok := both.within(trace{phones: phones("sil h a i pau k i pau h a i sil"), words: words})
	if !ok || from != 4 || to != 8 || len(inner.phones) != 4 || inner.phones[0].Start != 0 || len(inner.words) != 1 || inner.words[0].surface != "木" {
		t.Errorf("%v from %g to %g, %v", inner, from, to, ok)
	}
	for _, bad := range []trace{
		{},
		{phones: phones("sil h a i pau k i pau h a i sil"), words: words[:2]},
		{phones: phones("sil h a i k i pau h a i sil"), words: words},
		{phones: phones("sil h a i pau k i h a i sil"), words: words},
		{phones: phones("sil h a i pau h a i sil"), words: words},
		{phones: phones("sil k i sil"), words: words},
		{phones: phones("sil"), words: words},
	} {
		if inner, _, _, ok := both.within(bad); ok && len(inner.phones) < 1 {
			t.Errorf("%v became %v", bad, inner)
		} else if ok && len(bad.phones) != 9 {
			t.Errorf("%v has stand-ins", bad)
		}
	}
}
