package speech

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/videomsg/videomsg/engines/speech/mecab"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// firstSign begins the Yi syllables, letters that no Japanese text has. One of
// them stands in the line for each word whose accent is given.
const firstSign = 0xA000

// accented prepares o for the words of r that have an accent and are in its text:
// the dictionary of the returned engine reads a sign as such a word, and the
// returned words put signs in place of readings. done removes that dictionary.
func (o OpenJTalk) accented(r Request) (_ OpenJTalk, words []text.Entry, done func() error, err error) {
	done = func() error { return nil }
	plain := func(s string) string { return strings.ToLower(norm.NFKC.String(s)) }
	in := plain(r.Text)
	sign := rune(firstSign)
	features := map[rune]string{}
	for i, e := range r.Words {
		feature, ok := accentFeature(e)
		if !ok || len(features) == mecab.MaxWords || !strings.Contains(in, plain(e.Surface)) {
			continue
		}
		if words == nil {
			words = append(words, r.Words...)
		}
		for strings.ContainsRune(in, sign) {
			sign++
		}
		words[i].Reading, features[sign] = string(sign), feature
		sign++
	}
	if words == nil {
		return o, r.Words, done, nil
	}
	dir, err := os.MkdirTemp("", "speech-")
	if err != nil {
		return o, nil, done, fmt.Errorf("make directory for words: %w", err)
	}
	if err := mecab.Extend(o.dictionary(), dir, features); err != nil {
		return o, nil, done, errors.Join(fmt.Errorf("add words: %w", err), os.RemoveAll(dir))
	}
	o.Dictionary = dir
	return o, words, func() error { return os.RemoveAll(dir) }, nil
}

// accentFeature is e as a proper noun of the dictionary; false when it has no
// accent or the dictionary has no such sound.
func accentFeature(e text.Entry) (string, bool) {
	if e.Accent == nil || e.Check("ja") != nil {
		return "", false
	}
	read := text.Katakana(e.Reading)
	said, moras := []rune(nil), 0
	for _, r := range read {
		if r != 'ー' && r > 'ヴ' {
			return "", false
		}
		// "こうべ" is said コーベ, and "けいこ" ケーコ.
		if n := len(said); n > 0 && (r == 'ウ' && held(said[n-1]) == 'オ' || r == 'イ' && held(said[n-1]) == 'エ') {
			r = 'ー'
		}
		said = append(said, r)
		moras += int(text.Moras(r))
	}
	// C1: the word keeps its accent before what is joined to it.
	return fmt.Sprintf("名詞,固有名詞,一般,*,*,*,%s,%s,%s,%d/%d,C1", read, read, string(said), *e.Accent, moras), true
}
