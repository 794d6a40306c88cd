package mecab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const dir = "/var/lib/mecab/dic/open-jtalk/naist-jdic"

func open(t testing.TB) *Dictionary {
	t.Helper()
	d, err := Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestWordsAreReadAsOpenJTalkReadsThem(t *testing.T) {
	d := open(t)
	for in, want := range map[string]string{
		"お誕生日おめでとう、田中さん。": "オ タンジョー ビ オメデトー  タナカ サン ",
		"今日は良い天気ですね":      "キョー ワ ヨイ テンキ デス ネ",
		"人々が時々来る":         "ヒトビト ガ トキドキ クル",
		"コウベへ行く":          "コーベ エ イク",
		"東京都に住む":          "トーキョー ト ニ スム",
		"":                "",
	} {
		words, err := d.Words(in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		at := 0
		for _, w := range words {
			p := w.Pronunciation
			if p == "、" || p == "。" {
				p = ""
			}
			got = append(got, p)
			if w.Start != at || string([]rune(in)[w.Start:w.End]) != w.Surface {
				t.Errorf("%q: word %+v after %d", in, w, at)
			}
			at = w.End
		}
		if strings.Join(got, " ") != want || at != len([]rune(in)) {
			t.Errorf("%q is read %q, want %q", in, strings.Join(got, " "), want)
		}
	}
}

func TestEveryTextIsCutCompletely(t *testing.T) {
	d := open(t)
	for _, in := range []string{"髙橋", "한국어", "Ｋｕｂｅ", "🎉", "\xff\xfe", "��", "𠮷野家", strings.Repeat("あ", 300), strings.Repeat("漢", 300), "ー", " ", "\x00"} {
		words, err := d.Words(in)
		if err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		n := 0
		for _, w := range words {
			n += w.End - w.Start
		}
		if want := len([]rune(strings.ToValidUTF8(in, "�"))); n != want {
			t.Errorf("%q: %d of %d characters", in, n, want)
		}
	}
	if _, err := d.Words(strings.Repeat("あ", maxText+1)); err == nil {
		t.Error("a text beyond the limit is taken")
	}
}

func TestDamagedDictionariesAreErrors(t *testing.T) {
	if _, err := os.Stat(dir); err != nil {
		t.Skip(err)
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"unk.dic":    func(b []byte) []byte { return b[:len(b)/2] },
		"char.bin":   func(b []byte) []byte { return b[:100] },
		"matrix.bin": func(b []byte) []byte { return b[:3] },
		"sys.dic":    func([]byte) []byte { return make([]byte, 100) },
	} {
		tmp := t.TempDir()
		for _, f := range []string{"unk.dic", "char.bin", "matrix.bin", "sys.dic"} {
			if f == "sys.dic" && f != name {
				if err := os.Symlink(filepath.Join(dir, f), filepath.Join(tmp, f)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			var b []byte
			if f != "sys.dic" {
				var err error
				if b, err = os.ReadFile(filepath.Join(dir, f)); err != nil {
					t.Fatal(err)
				}
			}
			if f == name {
				b = spoil(b)
			}
			if err := os.WriteFile(filepath.Join(tmp, f), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(tmp); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
}

func BenchmarkWords(b *testing.B) {
	d := open(b)
	for b.Loop() {
		if _, err := d.Words("お誕生日おめでとうございます、いつもそばにいてくれて本当にありがとう。"); err != nil {
			b.Fatal(err)
		}
	}
}
