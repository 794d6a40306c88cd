package speech

import (
	"math"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// A part is one piece as an engine spoke it, at Rate, with times on its own
// clock and words placed in the original text.
type part struct {
	piece   text.Piece
	samples []float32
	timings Timings
	pause   float64 // seconds of silence that the engine makes after it; 0: not known
}

// Silence around and between parts, in seconds. Inside a part the engine's own
// pauses stand unless the request says otherwise.
const (
	lead  = 0.10 // before the first and after the last sound
	onset = 0.03 // kept of a part's own silence before its first phoneme
	decay = 0.06 // kept after its last one: the voice rings out there
	edge  = 0.003
)

// pause returns the silence a mark asks for.
func pause(asked map[string]float64, mark string) float64 {
	if sec, ok := asked[mark]; ok {
		return sec
	}
	switch mark {
	case "。":
		return 0.5
	case "！", "？":
		return 0.6
	case "\n":
		return 0.4
	case "、":
		return 0.3
	case " ":
		return 0.2
	}
	return 0.05
}

// join puts parts one after another. Each is trimmed to its sound; between the
// last phoneme of one and the first of the next lies exactly the pause of the
// mark between them. original is the request's text in code points.
func join(parts []part, sc text.Script, original []rune, asked map[string]float64) (dsp.Audio, Timings) {
	var pcm []float32
	t := Timings{SampleRate: Rate}
	gap := lead
	open := -1 // sentence being spoken
	for i, p := range parts {
		p = repause(p, original, asked)
		first, last := voiced(p)
		head := min(onset, first, gap)
		after := lead
		if i+1 < len(parts) {
			after = pause(asked, p.piece.Mark)
			if _, ok := asked[p.piece.Mark]; !ok && p.pause > 0 {
				after = p.pause
			}
		}
		rest := min(decay, seconds(len(p.samples))-last, after)
		from, to := sample(first-head, len(p.samples)), sample(last+rest, len(p.samples))
		sound := fade(p.samples[from:to])

		pcm = append(pcm, make([]float32, max(sample(gap-head, 1<<62), 0))...)
		shift := seconds(len(pcm)) - seconds(from)
		pcm = append(pcm, sound...)
		end := seconds(len(pcm))
		q := p.timings.Map(func(s float64) float64 { return min(max(s+shift, end-seconds(len(sound))), end) })
		q.Phones = spoken(q.Phones)
		q.Sentences = nil
		for k, w := range q.Words {
			q.Words[k].Text = slice(original, w.CharStart, w.CharEnd)
		}
		t = t.Append(q)

		a, b := first+shift, last+shift
		if p.piece.Sentence == open {
			t.Sentences[len(t.Sentences)-1].End = b
		} else {
			open = p.piece.Sentence
			s := sc.Sentences[open]
			t.Sentences = append(t.Sentences, Word{
				Start: a, End: b, CharStart: s.From, CharEnd: s.To, Text: text.Display(slice(original, s.From, s.To)),
			})
		}
		gap = after - rest
		if i+1 == len(parts) {
			pcm = append(pcm, make([]float32, max(sample(gap, 1<<62), 0))...)
		}
	}
	t.Phones = fill(t.Phones, seconds(len(pcm)))
	t = t.Map(microseconds)
	return dsp.Audio{Rate: Rate, Ch: [][]float32{pcm}}, t
}

// microseconds rounds away the noise of adding up: a hundredth of a sample.
func microseconds(sec float64) float64 { return math.Round(sec*1e6) / 1e6 }

// sample is the sample at sec, in [0, n].
func sample(sec float64, n int) int { return min(max(int(sec*Rate+0.5), 0), n) }

func slice(s []rune, from, to int) string {
	from, to = min(max(from, 0), len(s)), min(max(to, 0), len(s))
	return string(s[from:max(from, to)])
}

// voiced returns where the first phoneme of a part begins and the last ends. A
// part without phonemes is all sound.
func voiced(p part) (first, last float64) {
	first, last = -1, 0
	for _, ph := range p.timings.Phones {
		if ph.Silent() {
			continue
		}
		if first < 0 {
			first = ph.Start
		}
		last = ph.End
	}
	if first < 0 {
		return 0, seconds(len(p.samples))
	}
	return first, min(last, seconds(len(p.samples)))
}

// spoken drops the silences at both ends.
func spoken(ps []Phone) []Phone {
	for len(ps) > 0 && ps[0].Silent() {
		ps = ps[1:]
	}
	for len(ps) > 0 && ps[len(ps)-1].Silent() {
		ps = ps[:len(ps)-1]
	}
	return ps
}

// fill closes the gaps between phones, so that every moment of the sound has
// one: sil at both ends, pau between.
func fill(ps []Phone, duration float64) []Phone {
	out := make([]Phone, 0, len(ps)+8)
	at := 0.0
	for _, p := range ps {
		if p.Silent() && p.End-p.Start < 1.0/Rate {
			continue // a pause of nothing
		}
		if p.Start > at+1e-9 {
			name := "pau"
			if len(out) == 0 {
				name = "sil"
			}
			out = append(out, Phone{Start: at, End: p.Start, P: name})
		}
		if n := len(out); n > 0 && p.P == "pau" && out[n-1].P == "pau" {
			out[n-1].End = p.End
		} else {
			out = append(out, p)
		}
		at = p.End
	}
	if duration > at+1e-9 {
		out = append(out, Phone{Start: at, End: duration, P: "sil"})
	}
	return out
}

// fade returns a copy whose ends rise from and fall to nothing, so that a cut
// does not click.
func fade(in []float32) []float32 {
	out := make([]float32, len(in))
	copy(out, in)
	n := min(int(edge*Rate), len(out)/2)
	for i := range n {
		g := float32(i) / float32(n)
		out[i] *= g
		out[len(out)-1-i] *= g
	}
	return out
}

// repause gives every pause inside a part the length the request asks for at
// its mark. The engine's own silence is cut or lengthened in its middle.
func repause(p part, original []rune, asked map[string]float64) part {
	if len(asked) == 0 {
		return p
	}
	var pcm []float32
	var points [][2]float64 // (old, new) seconds
	at, w := 0, 0           // samples copied so far; words that have ended
	for _, ph := range spoken(p.timings.Phones) {
		if !ph.Silent() {
			continue
		}
		for w < len(p.timings.Words) && p.timings.Words[w].End <= ph.Start+1e-6 {
			w++
		}
		if w == 0 || w == len(p.timings.Words) {
			continue
		}
		want, ok := asked[markBetween(original, p.timings.Words[w-1].CharEnd, p.timings.Words[w].CharStart)]
		if !ok {
			continue
		}
		a, b := sample(ph.Start, len(p.samples)), sample(ph.End, len(p.samples))
		n := sample(want, 1<<62)
		keep := min(n, b-a)
		left := keep / 2
		pcm = append(pcm, p.samples[at:a+left]...)
		points = append(points, [2]float64{ph.Start, seconds(len(pcm) - left)})
		pcm = append(pcm, make([]float32, n-keep)...)
		pcm = append(pcm, p.samples[b-(keep-left):b]...)
		points = append(points, [2]float64{ph.End, seconds(len(pcm))})
		at = b
	}
	if points == nil {
		return p
	}
	pcm = append(pcm, p.samples[at:]...)
	p.samples = pcm
	p.timings = p.timings.Map(func(s float64) float64 { return through(points, s) })
	return p
}

// through maps s by the pieces between points, with slope 1 outside them.
func through(points [][2]float64, s float64) float64 {
	for i, q := range points {
		if s > q[0] {
			continue
		}
		if i == 0 {
			return s - q[0] + q[1]
		}
		p := points[i-1]
		if q[0] == p[0] {
			return q[1]
		}
		return p[1] + (s-p[0])*(q[1]-p[1])/(q[0]-p[0])
	}
	last := points[len(points)-1]
	return s - last[0] + last[1]
}

// markBetween names the mark that separates two words of the original.
func markBetween(s []rune, from, to int) string {
	between := slice(s, from, to)
	return text.MarkOf(between)
}
