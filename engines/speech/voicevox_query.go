package speech

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/videomsg/videomsg/engines/speech/text"
)

// The engine works in frames of 256 samples at 24 kHz.
const (
	voicevoxFrame = 256.0 / 24000
	upspeakLength = 0.15 // seconds of the vowel that a question adds
)

// An audioQuery is what /audio_query answers and /synthesis takes. Fields that
// this client does not know travel back unchanged.
type audioQuery struct {
	raw     map[string]json.RawMessage
	phrases []accentPhrase
}

type accentPhrase struct {
	Moras         []mora `json:"moras"`
	Accent        int    `json:"accent"`
	PauseMora     *mora  `json:"pause_mora"`
	Interrogative bool   `json:"is_interrogative"`
}

type mora struct {
	Text            string   `json:"text"`
	Consonant       *string  `json:"consonant"`
	ConsonantLength *float64 `json:"consonant_length"`
	Vowel           string   `json:"vowel"`
	VowelLength     float64  `json:"vowel_length"`
	Pitch           float64  `json:"pitch"`
}

func decodeQuery(raw map[string]json.RawMessage) (*audioQuery, error) {
	q := &audioQuery{raw: raw}
	if len(raw["accent_phrases"]) == 0 {
		return nil, errors.New("answer without accent_phrases")
	}
	if err := json.Unmarshal(raw["accent_phrases"], &q.phrases); err != nil {
		return nil, fmt.Errorf("decode accent_phrases: %w", err)
	}
	for _, p := range q.phrases {
		for _, m := range p.Moras {
			lengths := []float64{m.VowelLength}
			if m.ConsonantLength != nil {
				lengths = append(lengths, *m.ConsonantLength)
			}
			for _, l := range lengths {
				if !(l >= 0 && l <= 60) {
					return nil, fmt.Errorf("mora %q of %g s", m.Text, l)
				}
			}
		}
	}
	return q, nil
}

// set writes a field that every version has.
func (q *audioQuery) set(name string, v any) {
	b, err := json.Marshal(v)
	if err == nil { // numbers and booleans always encode
		q.raw[name] = b
	}
}

// plain puts the text where AivisSpeech reads it, when the server has the field.
func (q *audioQuery) plain(line string) {
	if _, ok := q.raw["tempoDynamicsScale"]; ok {
		q.set("kana", line)
	}
}

// field is a number of the query, or def when it is absent or null.
func (q *audioQuery) field(name string, def float64) float64 {
	v := math.NaN()
	if b, ok := q.raw[name]; !ok || json.Unmarshal(b, &v) != nil || math.IsNaN(v) || v < 0 || v > 60 {
		return def
	}
	return v
}

// timeline is when each phoneme of the query is heard in its sound, computed as
// the engine does it: lengths are divided by the speed and rounded half to even
// to frames, and frames are added up. When the sound has another length (another
// server, another version) the whole is scaled to it. A server that tells no
// lengths gets its phonemes laid over the sound. The second result are the
// accent phrases.
func (q *audioQuery) timeline(pcm []float32) (Timings, []phraseSpan) {
	type step struct {
		p      string
		length float64
		phrase int // -1 for silence
	}
	steps := []step{{"sil", q.field("prePhonemeLength", 0.1), -1}}
	told := 0.0
	pauseLength, pauseScale := q.field("pauseLength", -1), q.field("pauseLengthScale", 1)
	for i, ph := range q.phrases {
		for _, m := range ph.Moras {
			if m.Consonant != nil && *m.Consonant != "" {
				l := 0.0
				if m.ConsonantLength != nil {
					l = *m.ConsonantLength
				}
				steps = append(steps, step{*m.Consonant, l, i})
				told += l
			}
			steps = append(steps, step{m.Vowel, m.VowelLength, i})
			told += m.VowelLength
		}
		if n := len(ph.Moras); n > 0 && ph.Interrogative && ph.Moras[n-1].Pitch > 0 {
			steps = append(steps, step{ph.Moras[n-1].Vowel, upspeakLength, i})
		}
		if ph.PauseMora != nil {
			l := ph.PauseMora.VowelLength
			if pauseLength >= 0 {
				l = pauseLength
			}
			steps = append(steps, step{"pau", l * pauseScale, -1})
		}
	}
	steps = append(steps, step{"sil", q.field("postPhonemeLength", 0.1), -1})

	t := Timings{SampleRate: Rate, Source: Exact}
	spans := make([]phraseSpan, len(q.phrases))
	for i, ph := range q.phrases {
		spans[i] = phraseSpan{start: -1, moras: len(ph.Moras), pause: ph.PauseMora != nil}
	}
	bounds := make([]float64, 1, len(steps)+1)
	if told > 0 {
		speed := max(q.field("speedScale", 1), 0.01)
		frame := 0.0
		for _, s := range steps {
			frame += math.RoundToEven(s.length / speed / voicevoxFrame)
			bounds = append(bounds, frame*voicevoxFrame)
		}
		total := seconds(len(pcm))
		if last := bounds[len(bounds)-1]; last > 0 && math.Abs(last-total) > 1.0/Rate {
			for i := range bounds {
				bounds[i] *= total / last
			}
		}
	} else {
		t.Source = Aligned
		seq := make([]string, len(steps))
		for i, s := range steps {
			seq[i] = s.p
		}
		inner := segment(pcm, seq[1:len(seq)-1])
		bounds = append(append(bounds, inner...), seconds(len(pcm)))
	}
	for i, s := range steps {
		t.Phones = append(t.Phones, Phone{Start: bounds[i], End: bounds[i+1], P: s.p})
		if s.phrase >= 0 {
			sp := &spans[s.phrase]
			if sp.start < 0 {
				sp.start = bounds[i]
			}
			sp.end = bounds[i+1]
		}
	}
	return t, spans
}

// A phraseSpan is when an accent phrase is heard.
type phraseSpan struct {
	start, end float64
	moras      int
	pause      bool // a pause follows
}

// placePhrases finds the accent phrases in the text of the piece. The engine
// does not say where they are, so marks are matched to pauses where their
// numbers agree, and between them the characters are shared out by moras.
func placePhrases(spans []phraseSpan, p text.Piece) []Word {
	rs := []rune(p.Text)
	var groups [][]phraseSpan
	for i, s := range spans {
		if i == 0 || spans[i-1].pause {
			groups = append(groups, nil)
		}
		if s.start >= 0 {
			groups[len(groups)-1] = append(groups[len(groups)-1], s)
		}
	}
	var stretches [][2]int
	from := 0
	for i := 0; i <= len(rs); i++ {
		if i < len(rs) && text.MarkOf(string(rs[i])) == "" {
			continue
		}
		if i > from {
			stretches = append(stretches, [2]int{from, i})
		}
		from = i + 1
	}
	if len(stretches) != len(groups) {
		stretches = [][2]int{{0, len(rs)}}
		var all []phraseSpan
		for _, g := range groups {
			all = append(all, g...)
		}
		groups = [][]phraseSpan{all}
	}
	var words []Word
	for g, st := range stretches {
		words = append(words, share(groups[g], rs[st[0]:st[1]], p.Source[st[0]:st[1]])...)
	}
	return words
}

// share gives each phrase of a stretch its part of the characters.
func share(spans []phraseSpan, rs []rune, source []text.Span) []Word {
	if len(rs) == 0 {
		return nil
	}
	moras, weight := 0, 0.0
	for _, s := range spans {
		moras += s.moras
	}
	for _, r := range rs {
		weight += text.Moras(r)
	}
	var words []Word
	at, done, passed := 0, 0, 0.0
	for i, s := range spans {
		done += s.moras
		from := at
		for at < len(rs) && (i == len(spans)-1 || at == from || passed+text.Moras(rs[at])/2 < weight*float64(done)/float64(moras)) {
			passed += text.Moras(rs[at])
			at++
		}
		if at == from {
			if n := len(words); n > 0 {
				words[n-1].End = s.end // more phrases than characters
			}
			continue
		}
		w := Word{Start: s.start, End: s.end, CharStart: source[from].From, CharEnd: source[from].To}
		for _, x := range source[from:at] {
			w.CharStart, w.CharEnd = min(w.CharStart, x.From), max(w.CharEnd, x.To)
		}
		if n := len(words); n > 0 && w.CharStart < words[n-1].CharEnd {
			words[n-1].End = w.End
			words[n-1].CharEnd = max(words[n-1].CharEnd, w.CharEnd)
			continue
		}
		words = append(words, w)
	}
	return words
}
