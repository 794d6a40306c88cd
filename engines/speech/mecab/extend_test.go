package mecab

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

func TestExtendAddsWords(t *testing.T) {
	base := open(t)
	const feature = "名詞,固有名詞,一般,*,*,*,コウベ,コウベ,コーベ,1/3,C1"
	for _, n := range []int{0, 1, 3, MaxWords} {
		words := map[rune]string{}
		for i := range rune(n) {
			words['ꀀ'+i] = feature
		}
		to := t.TempDir()
		if err := Extend(dir, to, words); err != nil {
			t.Fatal(err)
		}
		d, err := Open(to)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close() //nolint:errcheck // only read
		const in = "お誕生日おめでとう、Ｋｕｂｅの한국어𠮷野家コウベ、"
		want, err1 := base.Words(in)
		got, err2 := d.Words(in)
		if err := errors.Join(err1, err2); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("with %d words: %v, %v; want %v", n, got, err, want)
		}
		for sign := range words {
			ws, err := d.Words("今日は" + string(sign) + "へ" + string(sign) + "行く")
			if err != nil || len(ws) != 6 || ws[2].Pronunciation != "コーベ" || ws[2].Class != "名詞" || ws[4].Pronunciation != "コーベ" {
				t.Fatalf("%c of %d: %v, %v", sign, n, ws, err)
			}
		}
	}
}

func TestExtendRefuses(t *testing.T) {
	open(t)
	many := map[rune]string{}
	for i := range rune(MaxWords + 1) {
		many['ꀀ'+i] = ""
	}
	if err := Extend(dir, t.TempDir(), many); err == nil {
		t.Error("too many words are taken")
	}
	if err := Extend(dir, t.TempDir(), map[rune]string{'𠮷': ""}); err == nil {
		t.Error("a code point outside the basic plane is taken")
	}
	if err := Extend(t.TempDir(), t.TempDir(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
}
