package speech

import (
	"errors"
	"fmt"
	"math"
)

// A Source says how far a timeline can be trusted.
type Source string

// Sources of timings.
const (
	Exact       Source = "exact"       // from the synthesiser itself
	Aligned     Source = "aligned"     // matched against a reference that speaks the same text
	Approximate Source = "approximate" // guessed from the energy of the sound
)

// worse returns the less trustworthy of two sources; "" counts as none.
func (s Source) worse(t Source) Source {
	rank := map[Source]int{"": 0, Exact: 1, Aligned: 2, Approximate: 3}
	if rank[t] > rank[s] {
		return t
	}
	return s
}

// Timings is the timeline of a voice: when each phoneme, word and sentence is
// heard, in seconds on the clock of the sound it lies beside. Each list is
// monotone and free of overlaps, and its last end is not after the sound's.
type Timings struct {
	SampleRate int     `json:"sample_rate"` // hertz, of the sound it lies beside
	Source     Source  `json:"source"`
	Engine     string  `json:"engine"`
	Phones     []Phone `json:"phones"`
	Words      []Word  `json:"words"`
	Sentences  []Word  `json:"sentences"`
}

// A Phone is one phoneme. P is a name of Open JTalk's set: vowels a i u e o
// (capitals when devoiced), N, cl, consonants b by ch d … z, and sil and pau for
// silence. Engines with another set are folded onto it.
type Phone struct {
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	P     string  `json:"p"`
}

// Silent reports whether nothing is heard during the phone.
func (p Phone) Silent() bool { return p.P == "sil" || p.P == "pau" }

// A Word is a word, phrase or sentence. CharStart and CharEnd delimit it in the
// text of the request, in code points, end exclusive; Text is that part of it.
type Word struct {
	Start     float64 `json:"start"`
	End       float64 `json:"end"`
	Text      string  `json:"text"`
	CharStart int     `json:"char_start"`
	CharEnd   int     `json:"char_end"`
}

// Validate reports the first place where the timeline breaks its promise for a
// sound of the given duration in seconds. A rounding error of one sample is
// allowed at the end.
func (t Timings) Validate(duration float64) error {
	if t.SampleRate <= 0 {
		return fmt.Errorf("sample rate %d", t.SampleRate)
	}
	switch t.Source {
	case Exact, Aligned, Approximate:
	default:
		return fmt.Errorf("source %q", t.Source)
	}
	limit := duration + 1/float64(t.SampleRate)
	var errs []error
	for _, l := range []struct {
		name string
		n    int
		span func(int) (float64, float64)
	}{
		{"phone", len(t.Phones), func(i int) (float64, float64) { return t.Phones[i].Start, t.Phones[i].End }},
		{"word", len(t.Words), func(i int) (float64, float64) { return t.Words[i].Start, t.Words[i].End }},
		{"sentence", len(t.Sentences), func(i int) (float64, float64) { return t.Sentences[i].Start, t.Sentences[i].End }},
	} {
		last := 0.0
		for i := range l.n {
			a, b := l.span(i)
			// Written so that NaN fails.
			if !(a >= last-1e-9 && b >= a && b <= limit) {
				errs = append(errs, fmt.Errorf("%s %d from %g to %g after %g in %g s", l.name, i, a, b, last, duration))
				break
			}
			last = b
		}
	}
	return errors.Join(errs...)
}

// Map returns the timeline seen through a change of time: f maps a second of
// the old sound to the second of the new one where the same thing is heard, and
// must be monotone. What f sends out of order is pulled back into order, so the
// result is monotone whatever f does.
func (t Timings) Map(f func(sec float64) float64) Timings {
	out := t
	out.Phones = make([]Phone, len(t.Phones))
	last := 0.0
	next := func(sec float64) float64 {
		v := f(sec)
		if !(v >= last) || math.IsInf(v, 0) {
			v = last
		}
		last = v
		return v
	}
	for i, p := range t.Phones {
		out.Phones[i] = Phone{Start: next(p.Start), End: next(p.End), P: p.P}
	}
	words := func(in []Word) []Word {
		ws := make([]Word, len(in))
		last = 0
		for i, w := range in {
			w.Start, w.End = next(w.Start), next(w.End)
			ws[i] = w
		}
		return ws
	}
	out.Words, out.Sentences = words(t.Words), words(t.Sentences)
	return out
}

// Shift returns the timeline sec seconds later (earlier when negative; nothing
// moves before 0).
func (t Timings) Shift(sec float64) Timings {
	return t.Map(func(s float64) float64 { return s + sec })
}

// ShiftText returns the timeline of a text that began n code points into a
// longer one.
func (t Timings) ShiftText(n int) Timings {
	move := func(in []Word) []Word {
		ws := make([]Word, len(in))
		for i, w := range in {
			w.CharStart += n
			w.CharEnd += n
			ws[i] = w
		}
		return ws
	}
	t.Words, t.Sentences = move(t.Words), move(t.Sentences)
	return t
}

// Append returns t followed by u, whose seconds already count from the start of
// t's sound.
func (t Timings) Append(u Timings) Timings {
	out := t
	if out.SampleRate == 0 {
		out.SampleRate = u.SampleRate
	}
	if out.Engine == "" {
		out.Engine = u.Engine
	}
	out.Source = t.Source.worse(u.Source)
	out.Phones = append(t.Phones[:len(t.Phones):len(t.Phones)], u.Phones...)
	out.Words = append(t.Words[:len(t.Words):len(t.Words)], u.Words...)
	out.Sentences = append(t.Sentences[:len(t.Sentences):len(t.Sentences)], u.Sentences...)
	return out
}
