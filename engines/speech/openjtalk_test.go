package speech

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/text"
)

func openJTalk(t testing.TB) OpenJTalk {
	t.Helper()
	o := OpenJTalk{}
	if err := o.Ready(); err != nil {
		t.Skip(err)
	}
	return o
}

func say(t testing.TB, o OpenJTalk, r Request) Speech {
	t.Helper()
	s, err := o.Speak(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenJTalkWordsAndSentences(t *testing.T) {
	const in = "お誕生日おめでとう、{小鳥遊|たかなし}さん。2026年11月23日(月)の10:30に、3,500円で会おう！🎉 元気？"
	s := say(t, openJTalk(t), Request{Text: in})
	if s.Timings.Source != Exact || s.Credit == "" || s.Voice != "openjtalk:standard" {
		t.Errorf("source %s, credit %q, voice %q", s.Timings.Source, s.Credit, s.Voice)
	}
	var words, sentences []string
	at := 0
	for _, w := range s.Timings.Words {
		words = append(words, w.Text)
		if w.CharStart < at || w.CharEnd <= w.CharStart || string([]rune(in)[w.CharStart:w.CharEnd]) != w.Text {
			t.Errorf("word %+v after %d", w, at)
		}
		at = w.CharEnd
	}
	for _, want := range []string{"誕生", "おめでとう", "小鳥遊", "さん", "元気"} {
		if !slices.Contains(words, want) {
			t.Errorf("words %q without %q", words, want)
		}
	}
	for _, s := range s.Timings.Sentences {
		sentences = append(sentences, s.Text)
	}
	if !slices.Equal(sentences, []string{"お誕生日おめでとう、小鳥遊さん。", "2026年11月23日(月)の10:30に、3,500円で会おう！🎉", "元気？"}) {
		t.Errorf("sentences %q", sentences)
	}
	var said strings.Builder
	for _, p := range s.Timings.Phones {
		said.WriteString(strings.ToLower(p.P))
	}
	for _, want := range []string{"takanashi", "nisennijuurokuneN", "juuichigatsu", "getsuyoobi", "juujisaNjuqpuN", "saNzeNgohyakueN"} {
		want = strings.NewReplacer("q", "cl").Replace(strings.ToLower(want))
		if !strings.Contains(said.String(), want) {
			t.Errorf("%s is not in %s", want, said.String())
		}
	}
}

// The labels end exactly where the sound ends, at any rate: the two have one
// clock.
func TestOpenJTalkLabelsAndSoundHaveOneClock(t *testing.T) {
	o := openJTalk(t)
	p := text.Prepare("明日は試合です", text.Options{}).Pieces[0]
	for _, rate := range []float64{0.5, 1, 1.1, 2} {
		s, err := o.piece(t.Context(), p, surroundings{}, Request{Rate: rate}, openJTalkStyles[0])
		if err != nil {
			t.Fatal(err)
		}
		last := s.timings.Phones[len(s.timings.Phones)-1].End
		if d := math.Abs(last - seconds(len(s.samples))); d > 0.001 {
			t.Errorf("rate %g: labels end at %.4f s, the sound at %.4f", rate, last, seconds(len(s.samples)))
		}
	}
}

// Sibilants can be seen in the sound: the power of the high band rises and falls
// with them. The synthesiser blends neighbours over some frames, earlier at the
// start by as much as later at the end, so it is the middle of the two edges that
// shows whether the timeline is early or late.
func TestOpenJTalkTimelineLiesOnTheSound(t *testing.T) {
	s := say(t, openJTalk(t), Request{Text: "朝から静かな街を歩いて、少し先の坂の下でおいしい寿司を食べました。明日は試合です。さあ、出発しましょう！"})
	pcm := s.Audio.Ch[0]
	power := func(at float64) float64 { // of the slope, 5 ms around at
		i := int(at * Rate)
		sum := 0.0
		for k := max(i-Rate/400, 1); k < min(i+Rate/400, len(pcm)); k++ {
			d := float64(pcm[k] - pcm[k-1])
			sum += d * d
		}
		return sum
	}
	var off []float64
	ps := s.Timings.Phones
	for i := 1; i+1 < len(ps); i++ {
		if ps[i].P != "s" && ps[i].P != "sh" || ps[i-1].Silent() || ps[i+1].Silent() {
			continue
		}
		mid := (ps[i].Start + ps[i].End) / 2
		inside := power(mid)
		before, after := power((ps[i-1].Start+ps[i-1].End)/2), power((ps[i+1].Start+ps[i+1].End)/2)
		half := math.Sqrt(inside * math.Sqrt(before*after))
		if inside < 4*before || inside < 4*after {
			continue // no edges to be seen
		}
		a, b := mid, mid
		for a > ps[i-1].Start && power(a) > half {
			a -= 0.0005
		}
		for b < ps[i+1].End && power(b) > half {
			b += 0.0005
		}
		off = append(off, 1000*((a+b)/2-mid))
	}
	if len(off) < 4 {
		t.Fatalf("only %d sibilants", len(off))
	}
	slices.Sort(off)
	t.Logf("%d sibilants, offsets %.1f ms", len(off), off)
	if m := off[len(off)/2]; math.Abs(m) > 5 {
		t.Errorf("the timeline is %.1f ms off", m)
	}
}

// Between sentences lies digital silence; the timeline must have it where the
// sound has it, to the sample, and as long as was asked.
func TestPausesAreWhereTheTimelineSays(t *testing.T) {
	o := openJTalk(t)
	for _, pauses := range []map[string]float64{nil, {"。": 0.9, "、": 0.8, "！": 0.2}, {"。": 0, "、": 0}} {
		s := say(t, o, Request{Text: "ありがとう、本当に。これからもよろしく！またね。", Pauses: pauses})
		pcm := s.Audio.Ch[0]
		var pau []Phone
		for _, p := range s.Timings.Phones {
			if p.P == "pau" {
				pau = append(pau, p)
			}
		}
		want := []float64{pause(pauses, "、"), pause(pauses, "。"), pause(pauses, "！")}
		if pauses == nil {
			want[0] = -1 // the engine's own
		}
		want = slices.DeleteFunc(want, func(v float64) bool { return v == 0 })
		if len(pau) != len(want) {
			t.Fatalf("%v: pauses %v", pauses, pau)
		}
		for i, p := range pau {
			if d := p.End - p.Start; want[i] >= 0 && math.Abs(d-want[i]) > 2.0/Rate {
				t.Errorf("%v: pause %d of %.4f s, want %.4f", pauses, i, d, want[i])
			}
			if want[i] < 0.2 {
				continue
			}
			// The longest run of zeros around the middle of the pause.
			a := int((p.Start + p.End) / 2 * Rate)
			b := a
			for a > 0 && pcm[a-1] == 0 {
				a--
			}
			for b < len(pcm) && pcm[b] == 0 {
				b++
			}
			if float64(b-a)/Rate < want[i]-0.45 || seconds(a) < p.Start-1.0/Rate || seconds(b) > p.End+1.0/Rate {
				t.Errorf("%v: zeros from %.4f to %.4f in pause %.4f to %.4f", pauses, seconds(a), seconds(b), p.Start, p.End)
			}
		}
	}
}

func TestOpenJTalkStyles(t *testing.T) {
	o := openJTalk(t)
	high := func(id string) float64 {
		s := say(t, o, Request{Text: "おはようございます", Voice: id})
		fs, err := frames(s.Audio.Ch[0])
		if err != nil {
			t.Fatal(err)
		}
		sum, all := 0.0, 0.0
		for i := range fs {
			for k := 5; k < len(fs[i]); k++ { // centre of gravity of the spectrum
				sum += float64(k) * fs[i][k]
				all += fs[i][k]
			}
		}
		return sum / all
	}
	deep, standard, bright := high("openjtalk:deep"), high("openjtalk:standard"), high("openjtalk:bright")
	if !(deep < standard && standard < bright) {
		t.Errorf("centres of gravity: deep %.1f, standard %.1f, bright %.1f", deep, standard, bright)
	}
	if _, err := o.Speak(t.Context(), Request{Text: "あ", Voice: "openjtalk:nobody"}); !errors.Is(err, ErrVoice) {
		t.Error(err)
	}
	slow, fast := say(t, o, Request{Text: "おはようございます", Rate: 0.7}), say(t, o, Request{Text: "おはようございます", Rate: 1.5})
	span := func(s Speech) float64 { return s.Timings.Sentences[0].End - s.Timings.Sentences[0].Start }
	if ratio := span(slow) / span(fast); math.Abs(ratio-1.5/0.7) > 0.03 {
		t.Errorf("slow %.2f s, fast %.2f s", span(slow), span(fast))
	}
}

func TestOpenJTalkRefusals(t *testing.T) {
	o := openJTalk(t)
	if _, err := o.Speak(t.Context(), Request{Text: "hello", Language: "en"}); !errors.Is(err, ErrLanguage) {
		t.Error(err)
	}
	// Letters no Japanese dictionary knows.
	if _, err := o.Speak(t.Context(), Request{Text: "한국어"}); !errors.Is(err, ErrNotSpeakable) {
		t.Error(err)
	}
	for _, bad := range []OpenJTalk{{Program: "/nonexistent"}, {Voice: "/nonexistent"}, {Dictionary: "/nonexistent"}} {
		if _, err := bad.Speak(t.Context(), Request{Text: "あ"}); !errors.Is(err, engines.ErrUnavailable) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := (OpenJTalk{Program: "/bin/false"}).Speak(t.Context(), Request{Text: "あ"}); err == nil {
		t.Error("a program that fails speaks")
	}
	if _, err := (OpenJTalk{Program: "/bin/true"}).Speak(t.Context(), Request{Text: "あ"}); err == nil || errors.Is(err, engines.ErrInput) {
		t.Errorf("a program that writes nothing: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := o.Speak(ctx, Request{Text: strings.Repeat("長い文です。", 100)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestNotesSayWhatIsNotSpoken(t *testing.T) {
	s := say(t, openJTalk(t), Request{Text: "見てね🎉 https://example.com/a と https://example.com/b です。한국어。\u200bまた\x07ね\x1b。\xff"})
	var got []string
	for _, n := range s.Notes {
		got = append(got, n.Code+" "+n.Detail)
	}
	want := []string{
		NoteTextDropped + " Damaged characters were left out.", NoteTextDropped + " Web addresses are not read aloud.",
		NoteTextDropped + " Control characters were left out.", NoteTextDropped + ` This voice cannot say "한국어。".`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("notes %q", got)
	}
}

func TestOpenJTalkSpeaksAThousandCharacters(t *testing.T) {
	o := openJTalk(t)
	// Shorter in sound than in letters, to keep the test quick.
	in := strings.Repeat("。！、", 100) + strings.Repeat("🎉", 400) + strings.Repeat("はい、そうです。", 20)
	in += strings.Repeat("！", MaxCharacters-len([]rune(in)))
	s := say(t, o, Request{Text: in, Rate: 2})
	if n := len(s.Timings.Sentences); n != 20 {
		t.Errorf("%d sentences", n)
	}
}

func TestReadTrace(t *testing.T) {
	const good = "[Text analysis result]\nはい,感動詞,*,*,*,*,*,はい,ハイ,ハイ,1/2,*,-1\n\n[Output label]\n0 500000 xx^xx-sil+h=a/A:\n500000 1000000 xx^sil-h+a=i/A:\n1000000 1500000 sil^h-a+i=sil/A:\n1500000 2000000 h^a-i+sil=xx/A:\n2000000 2500000 a^i-sil+xx=xx/A:\n\n[Global parameter]\nx\n"
	tr, err := readTrace(strings.NewReader(good))
	if err != nil || len(tr.phones) != 5 || math.Abs(tr.phones[2].Start-0.1)+math.Abs(tr.phones[2].End-0.15) > 1e-9 || tr.phones[2].P != "a" || tr.words[0].moras != 2 {
		t.Fatalf("%+v, %v", tr, err)
	}
	if spans, ok := tr.spans(); !ok || spans[0] != [2]int{1, 4} {
		t.Errorf("spans %v, %v", spans, ok)
	}
	tr.words[0].moras = 3
	if _, ok := tr.spans(); ok {
		t.Error("moras that do not add up are taken")
	}
	for _, bad := range []string{"", "[Output label]\n", "[Output label]\nx y z\n", "[Output label]\n0 1\n", "[Output label]\n5 1 a-b+c\n", "[Output label]\n0 1 abc\n", "[Text analysis result]\na,b\n"} {
		if _, err := readTrace(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add("[Text analysis result]\nはい,感動詞,*,*,*,*,*,はい,ハイ,ハイ,1/2,*,-1\n\n[Output label]\n0 500000 xx^xx-sil+h=a/A:\n500000 1000000 xx^sil-h+a=i\n1000000 1500000 sil^h-a+i\n", "はい")
	f.Fuzz(func(t *testing.T, s, in string) {
		tr, err := readTrace(strings.NewReader(s))
		if err != nil || len(in) > 200 {
			return
		}
		for _, p := range text.Prepare(in, text.Options{}).Pieces {
			for _, w := range tr.place(p) {
				if w.CharStart < p.From || w.CharEnd > p.To || w.CharEnd < w.CharStart {
					t.Fatalf("word %+v of piece %v", w, p.Span)
				}
			}
		}
	})
}

func Example() {
	s, err := New(Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Chain(Request{Text: "こんにちは"}).Names())
	// Output: [openjtalk espeak-ng]
}

// The silence around a sentence, which join throws away, is made shorter, and
// what is said is not.
func TestSilenceAroundASentenceIsHurried(t *testing.T) {
	o := openJTalk(t)
	for _, in := range []string{"お誕生日おめでとうございます", "これからも元気で楽しい毎日を過ごしてくださいね"} {
		got, err := o.piece(t.Context(), text.Prepare(in, text.Options{}).Pieces[0], surroundings{}, Request{}, openJTalkStyles[0])
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "trace")
		cmd := exec.CommandContext(t.Context(), "open_jtalk", "-x", o.dictionary(), "-m", o.voice(), "-ow", os.DevNull, "-ot", file)
		cmd.Stdin = strings.NewReader(in + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := readTrace(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if len(got.timings.Phones) != len(want.phones) {
			t.Fatalf("%q: %d phones, want %d", in, len(got.timings.Phones), len(want.phones))
		}
		var said, saidBefore, silence float64
		for i, p := range got.timings.Phones {
			w := want.phones[i]
			d := w.End - w.Start - (p.End - p.Start)
			if p.Silent() {
				silence += d
				continue
			}
			said, saidBefore = said+p.End-p.Start, saidBefore+w.End-w.Start
			if p.P != w.P || math.Abs(d) > 0.0151 {
				t.Errorf("%q: phone %d is %s, %.3f s shorter than %s", in, i, p.P, d, w.P)
			}
		}
		if silence < 0.12 || said < 0.985*saidBefore {
			t.Errorf("%q: %.3f s less silence; %.3f s are said, before %.3f s", in, silence, said, saidBefore)
		}
	}
}
