package speech

import (
	"strings"
	"testing"
)

func TestIPAIsFoldedOntoTheKnownPhonemes(t *testing.T) {
	for in, want := range map[string]string{
		"h_ˈa_p_i b_ˈɜː_θ_d_eɪ\n": "h a p i|b e s d e i",
		"tʃ_ˈiː_z\nɡ_ʊ_d":         "ch i z||g u d",
		"t_s_ãʁ":                  "t s a g",
		"ɕ_y_ts":                  "sh u ts",
		"(en)h_ə(fr)b_ɔ̃":         "h e b o",
		"":                        "",
		"ˈ ː _ ʔ":                 "",
		"日_!":                     "",
	} {
		var words []string
		for _, w := range readIPA(in) {
			words = append(words, strings.Join(w, " "))
		}
		if got := strings.Join(words, "|"); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	for r, p := range ipa {
		if classOf(p).seconds == 0 {
			t.Errorf("%q has no class for %q", r, p)
		}
	}
}

func FuzzIPA(f *testing.F) {
	f.Add("h_ˈa_p_i b_ˈɜː_θ_d_eɪ\n(en)x(ja)")
	f.Fuzz(func(t *testing.T, s string) {
		for _, w := range readIPA(s) {
			for _, p := range w {
				if p == "" {
					t.Fatal("an empty phoneme")
				}
			}
		}
	})
}
