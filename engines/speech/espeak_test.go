package speech

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/engines"
)

func espeakNG(t testing.TB) *Espeak {
	t.Helper()
	e := &Espeak{}
	if _, err := e.list(t.Context()); errors.Is(err, engines.ErrUnavailable) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEspeakSpeaksManyLanguages(t *testing.T) {
	e := espeakNG(t)
	for tag, c := range map[string]struct {
		in    string
		words []string
	}{
		"en":      {"Happy birthday, Mr. Smith!", []string{"Happy", "birthday,", "Mr.", "Smith"}},
		"en-GB":   {"Well done", []string{"Well", "done"}},
		"de":      {"Alles Gute zum Geburtstag", nil},
		"fr-CA":   {"Joyeux anniversaire", nil},
		"es-MX":   {"¡Feliz cumpleaños!", nil},
		"zh":      {"生日快乐", nil},
		"zh-Hant": {"生日快樂", nil},
		"ko":      {"생일 축하해요", nil},
		"hi":      {"जन्मदिन मुबारक", nil},
		"ru":      {"С днём рождения", nil},
		"ar":      {"عيد ميلاد سعيد", nil},
	} {
		s, err := e.Speak(t.Context(), Request{Text: c.in, Language: tag})
		if err != nil {
			t.Errorf("%s: %v", tag, err)
			continue
		}
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
		var words []string
		for _, w := range s.Timings.Words {
			words = append(words, w.Text)
		}
		if c.words != nil && !slices.Equal(words, c.words) {
			t.Errorf("%s: words %q, want %q", tag, words, c.words)
		}
		if len(s.Timings.Phones) < 5 || len(words) == 0 || s.Timings.Source != Aligned {
			t.Errorf("%s: %d phones, %q, %s", tag, len(s.Timings.Phones), words, s.Timings.Source)
		}
	}
}

func TestEspeakReadsChineseCharacters(t *testing.T) {
	e := espeakNG(t)
	for _, voice := range []string{"", "espeak:cmn", "espeak:cmn+f3"} {
		s, err := e.Speak(t.Context(), Request{Text: "妈妈好", Language: "zh-CN", Voice: voice})
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		for _, p := range s.Timings.Phones {
			if !p.Silent() {
				said.WriteString(p.P)
			}
		}
		if said.String() != "mamahau" && said.String() != "mamahao" {
			t.Errorf("%s says %q", voice, said.String())
		}
	}
}

func TestEspeakRefusals(t *testing.T) {
	e := espeakNG(t)
	for name, c := range map[string]struct {
		r    Request
		want error
	}{
		"Japanese without readings": {Request{Text: "漢字"}, ErrLanguage},
		"no such language":          {Request{Text: "qapla'", Language: "xx-yy"}, ErrLanguage},
		"no such voice":             {Request{Text: "hi", Language: "en", Voice: "espeak:en+evil"}, ErrVoice},
		"voice of another language": {Request{Text: "hi", Language: "en", Voice: "espeak:fr"}, ErrVoice},
		"an option for a voice":     {Request{Text: "hi", Language: "en", Voice: "espeak:--help"}, ErrVoice},
		"an option for a language":  {Request{Text: "hi", Language: "--help"}, ErrLanguage},
	} {
		if _, err := e.Speak(t.Context(), c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (&Espeak{Program: "/nonexistent"}).Speak(t.Context(), Request{Text: "hi", Language: "en"}); !errors.Is(err, engines.ErrUnavailable) {
		t.Error(err)
	}
}

func TestEspeakTakesTextLiterally(t *testing.T) {
	e := espeakNG(t)
	for _, in := range []string{"-v fr hello", "[[h@l'oU]] hello", "<speak>hello</speak>", "\x0140Ahello", "hello | cat", "$(touch /tmp/x) hello"} {
		s, err := e.Speak(t.Context(), Request{Text: in, Language: "en"})
		if err != nil || s.Validate() != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// Without the voice of Open JTalk the dictionary alone makes Japanese speakable.
func TestEspeakReadsJapaneseFromTheDictionary(t *testing.T) {
	espeakNG(t)
	if err := (OpenJTalk{}).dictionaryReady(); err != nil {
		t.Skip(err)
	}
	s := studio(t, Config{OpenJTalk: OpenJTalk{Voice: "/nowhere"}})
	got, err := s.Speak(t.Context(), Request{Text: "お誕生日おめでとう、田中さん。今日は三百円です。"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(got.Out.Validate(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if got.Engine != "espeak-ng" || !slices.Contains(codes(got.Out.Notes), NoteRobotic) || got.Skipped[0].Engine != "openjtalk" {
		t.Errorf("%s, %v, %v", got.Engine, got.Out.Notes, got.Skipped)
	}
	var said strings.Builder
	for _, p := range got.Out.Timings.Phones {
		said.WriteString(p.P)
	}
	if !strings.Contains(said.String(), "omedetopau") && !strings.Contains(said.String(), "omedetoopau") || !strings.Contains(said.String(), "saN") {
		t.Errorf("said %s", said.String())
	}
	var words []string
	for _, w := range got.Out.Timings.Words {
		words = append(words, w.Text)
	}
	if !slices.Contains(words, "田中") {
		t.Errorf("words %q", words)
	}
}

func TestEspeakPitchAndRate(t *testing.T) {
	e := espeakNG(t)
	length := func(rate float64) float64 {
		s, err := e.Speak(t.Context(), Request{Text: "This is a sentence of a certain length.", Language: "en", Rate: rate})
		if err != nil {
			t.Fatal(err)
		}
		return seconds(s.Audio.Len())
	}
	if slow, fast := length(0.7), length(1.5); math.Abs(slow/fast-1.5/0.7) > 0.4 {
		t.Errorf("%.2f s and %.2f s", slow, fast)
	}
}
