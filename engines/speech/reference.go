package speech

import (
	"context"
	"fmt"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/engines"

	"github.com/videomsg/videomsg/engines/speech/text"
)

// Reference aligns by speaking the same piece with an engine of this machine and
// warping its timeline onto the sound. Where no such engine is installed the
// timeline is approximate: loudness alone.
type Reference struct {
	OpenJTalk OpenJTalk
	Espeak    *Espeak // nil: no other languages
}

// Align finds when the phonemes of a piece are heard in pcm, mono at Rate. It
// never fails: what it cannot align it approximates.
func (f Reference) Align(ctx context.Context, language string, p text.Piece, pcm []float32) Timings {
	ref, ok := f.speak(ctx, language, p)
	if !ok {
		return guess(p, pcm)
	}
	return align(ref, pcm)
}

func (f Reference) speak(ctx context.Context, language string, p text.Piece) (part, bool) {
	r := Request{Language: language}
	if text.Japanese(language) && f.OpenJTalk.Ready() == nil {
		ref, err := f.OpenJTalk.piece(ctx, p, surroundings{}, r, openJTalkStyles[0])
		return ref, err == nil && len(ref.samples) > 0
	}
	if f.Espeak == nil || text.Japanese(language) {
		return part{}, false
	}
	voices, err := f.Espeak.list(ctx)
	if err != nil {
		return part{}, false
	}
	voice, ok := match(voices, language)
	if !ok {
		return part{}, false
	}
	ref, err := f.Espeak.piece(ctx, p, r, voice, false)
	return ref, err == nil && len(ref.samples) > 0
}

// guess lays the characters of a piece over its sound in proportion, and calls
// the mouth open where it is loud.
func guess(p text.Piece, pcm []float32) Timings {
	t := listen(pcm)
	var spans []phraseSpan
	for _, ph := range t.Phones {
		if ph.Silent() {
			if n := len(spans); n > 0 {
				spans[n-1].pause = true
			}
			continue
		}
		if n := len(spans); n == 0 || spans[n-1].pause {
			spans = append(spans, phraseSpan{start: ph.Start})
		}
		s := &spans[len(spans)-1]
		s.end = ph.End
		s.moras++
	}
	t.Words = placePhrases(spans, p)
	return t
}

// listen makes a timeline for speech of which nothing is known, mono at Rate:
// each rise of loudness is a syllable, its vowel chosen by where its power lies.
// The result is Approximate and has phones only.
func listen(pcm []float32) Timings {
	t := Timings{SampleRate: Rate, Source: Approximate}
	total := seconds(len(pcm))
	fs, err := frames(pcm)
	if err != nil || len(fs) < 3 {
		if total > 0 {
			t.Phones = []Phone{{0, total, "sil"}}
		}
		return t
	}
	names := make([]string, len(fs))
	level := make([]float64, len(fs))
	for i := range fs {
		level[i] = decibel(fs[i].band(60, 8000))
	}
	loud := quantile(level, 0.95)
	for i := range fs {
		all := fs[i].band(60, 8000)
		low, high := fs[i].band(60, 700)/all, fs[i].band(2500, 8000)/all
		// The mean over 55 ms is what a dip between syllables is measured by.
		mean := 0.0
		for d := -5; d <= 5; d++ {
			mean += level[min(max(i+d, 0), len(level)-1)] / 11
		}
		switch {
		case level[i] < loud-32 || level[i] < -70:
			names[i] = "pau"
		case high > 0.6:
			names[i] = "s"
		case level[i] < mean-2.5 || level[i] < loud-18:
			names[i] = "n"
		case low < 0.5:
			names[i] = "a"
		case low > 0.9:
			names[i] = "u"
		case high > 0.1:
			names[i] = "e"
		default:
			names[i] = "o"
		}
	}
	at := 0
	for i := 1; i <= len(names); i++ {
		if i < len(names) && (names[i] == names[at] || i-at < 8) {
			continue
		}
		end := min(float64(i)*frameSeconds, total)
		if i == len(names) {
			end = total
		}
		start := min(float64(at)*frameSeconds, total)
		if n := len(t.Phones); n > 0 && t.Phones[n-1].P == names[at] {
			t.Phones[n-1].End = end
		} else if end > start {
			t.Phones = append(t.Phones, Phone{start, end, names[at]})
		}
		at = i
	}
	return t
}

// FromSound is the speech of somebody's own recording, of which no text is
// known: mono at Rate, with an approximate timeline of phones. Errors wrap
// engines.ErrInput.
func FromSound(a dsp.Audio) (Speech, error) {
	if err := a.Check(); err != nil {
		return Speech{}, fmt.Errorf("own sound: %w: %w", err, engines.ErrInput)
	}
	pcm, err := mono48(a)
	if err != nil {
		return Speech{}, fmt.Errorf("own sound: %w: %w", err, engines.ErrInput)
	}
	if len(pcm) == 0 {
		return Speech{}, fmt.Errorf("own sound has no samples: %w", engines.ErrInput)
	}
	t := listen(pcm)
	t.Engine = "upload"
	return Speech{Audio: dsp.Audio{Rate: Rate, Ch: [][]float32{pcm}}, Timings: t, Voice: "upload"}, nil
}
