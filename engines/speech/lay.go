package speech

import (
	"strings"
	"unicode"

	"github.com/videomsg/videomsg/engines/speech/text"
)

// lay places known phonemes on the sound of a piece and its words in the text.
func lay(said [][]string, pcm []float32, p text.Piece, written []text.Span) Timings {
	t := Timings{SampleRate: Rate, Source: Aligned}
	var seq []string
	var owner []int // word of each phone, -1 for a pause
	for w, phones := range said {
		if phones == nil {
			seq, owner = append(seq, "pau"), append(owner, -1)
			continue
		}
		for _, ph := range phones {
			seq, owner = append(seq, ph), append(owner, w)
		}
	}
	bounds := segment(pcm, seq)
	var spans [][2]float64
	last := -1
	for i, ph := range seq {
		t.Phones = append(t.Phones, Phone{Start: bounds[i], End: bounds[i+1], P: ph})
		switch {
		case owner[i] < 0:
		case owner[i] == last:
			spans[len(spans)-1][1] = bounds[i+1]
		default:
			spans = append(spans, [2]float64{bounds[i], bounds[i+1]})
		}
		last = owner[i]
	}
	t.Words = matched(spans, p, written)
	return t
}

// spaced returns the words of a text in a script that separates them.
func spaced(s string) []text.Span {
	var written []text.Span
	for i, r := range []rune(s) {
		if unicode.IsSpace(r) || strings.ContainsRune("-—–/", r) {
			continue
		}
		if n := len(written); n > 0 && written[n-1].To == i {
			written[n-1].To = i + 1
		} else {
			written = append(written, text.Span{From: i, To: i + 1})
		}
	}
	return written
}

// matched gives spoken words their places in the text: one to one when there are
// as many of them as written words, else in proportion to their length.
func matched(spans [][2]float64, p text.Piece, written []text.Span) []Word {
	if len(written) == 0 || len(spans) == 0 {
		return nil
	}
	place := func(w text.Span) text.Span {
		s := p.Source[w.From]
		for _, q := range p.Source[w.From:w.To] {
			s.From, s.To = min(s.From, q.From), max(s.To, q.To)
		}
		return s
	}
	var words []Word
	if len(written) == len(spans) {
		for i, w := range written {
			s := place(w)
			words = append(words, Word{Start: spans[i][0], End: spans[i][1], CharStart: s.From, CharEnd: s.To})
		}
		return words
	}
	total := 0
	for _, w := range written {
		total += w.To - w.From
	}
	// Walk the voiced time; pauses between spoken words do not count.
	voiced := 0.0
	for _, s := range spans {
		voiced += s[1] - s[0]
	}
	at := func(x float64) float64 {
		for _, s := range spans {
			d := s[1] - s[0]
			if x <= d {
				return s[0] + x
			}
			x -= d
		}
		return spans[len(spans)-1][1]
	}
	done := 0
	for _, w := range written {
		s := place(w)
		from := at(voiced * float64(done) / float64(total))
		done += w.To - w.From
		words = append(words, Word{Start: from, End: at(voiced * float64(done) / float64(total)), CharStart: s.From, CharEnd: s.To})
	}
	return words
}
