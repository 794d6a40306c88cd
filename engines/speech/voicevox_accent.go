package speech

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videomsg/videomsg/engines/speech/text"
)

// stress gives accent phrases that begin with a word of the request's dictionary
// the accent it asks for, and reports whether any has changed. The engine reads a
// word with its particles as one phrase, so a word inside a longer one is part of
// a compound, whose accent is not the word's.
func (q *audioQuery) stress(words []text.Entry) (changed bool) {
	words = slices.DeleteFunc(slices.Clone(words), func(e text.Entry) bool { return e.Accent == nil })
	slices.SortStableFunc(words, func(a, b text.Entry) int { return len(b.Reading) - len(a.Reading) })
	for i := range q.phrases {
		p := &q.phrases[i]
		var said strings.Builder
		for _, m := range p.Moras {
			said.WriteString(m.Text)
		}
		for _, e := range words {
			if !strings.HasPrefix(said.String(), sounds(e.Reading)) {
				continue
			}
			accent := *e.Accent
			if accent == 0 || accent > len(p.Moras) {
				accent = len(p.Moras) // it never falls within the phrase
			}
			changed = changed || p.Accent != accent
			p.Accent = accent
			break
		}
	}
	return changed
}

// sounds is a reading as the engine writes its moras: in katakana, long vowels as
// the vowel that is held.
func sounds(reading string) string {
	var out []rune
	for _, r := range text.Katakana(reading) {
		if n := len(out); r == 'ー' && n > 0 {
			r = held(out[n-1])
		}
		out = append(out, r)
	}
	return string(out)
}

// held is the vowel of a kana.
func held(r rune) rune {
	for _, row := range [...]struct {
		vowel rune
		kana  string
	}{
		{'ア', "アカガサザタダナハバパマヤャラワァヮ"},
		{'イ', "イキギシジチヂニヒビピミリィ"},
		{'ウ', "ウクグスズツヅヌフブプムユュルゥヴ"},
		{'エ', "エケゲセゼテデネヘベペメレェ"},
		{'オ', "オコゴソゾトドノホボポモヨョロヲォ"},
	} {
		if strings.ContainsRune(row.kana, r) {
			return row.vowel
		}
	}
	return 'ー'
}

// intone has the engine find the pitch for the accents of q.
func (v *Voicevox) intone(ctx context.Context, q *audioQuery, style int) error {
	phrases, err := q.withAccents()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	err = v.json(ctx, call{
		method: "POST", path: "/mora_pitch", tries: 2, timeout: 30 * time.Second, body: phrases, contentType: "application/json",
		query: url.Values{"speaker": {strconv.Itoa(style)}},
	}, &raw)
	if err != nil {
		return err
	}
	next, err := decodeQuery(map[string]json.RawMessage{"accent_phrases": raw})
	if err != nil {
		return fmt.Errorf("POST /mora_pitch of voicevox: %w", err)
	}
	if len(next.phrases) != len(q.phrases) {
		return fmt.Errorf("POST /mora_pitch of voicevox: %d accent phrases became %d", len(q.phrases), len(next.phrases))
	}
	q.phrases, q.raw["accent_phrases"] = next.phrases, raw
	return nil
}

// withAccents is the accent phrases as they came, with the accents of q.phrases.
func (q *audioQuery) withAccents() ([]byte, error) {
	var phrases []map[string]json.RawMessage
	if err := json.Unmarshal(q.raw["accent_phrases"], &phrases); err != nil {
		return nil, fmt.Errorf("decode accent_phrases: %w", err)
	}
	for i := range phrases {
		phrases[i]["accent"] = json.RawMessage(strconv.Itoa(q.phrases[i].Accent))
	}
	b, err := json.Marshal(phrases)
	if err != nil {
		return nil, fmt.Errorf("encode accent_phrases: %w", err)
	}
	return b, nil
}
