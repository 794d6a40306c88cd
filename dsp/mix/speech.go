package mix

import (
	"math"
	"slices"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
)

// span is [from, to) in samples.
type span struct{ from, to int }

const (
	frame    = Rate / 100 // 10 ms
	hangOver = 15         // frames: shorter dips within a word are not pauses
)

// speechSpans finds where somebody speaks: frames of 10 ms above −50 dBFS and
// 12 dB above the background, which is the 10th percentile.
func speechSpans(voice dsp.Audio) []span {
	x := voice.Mono().Ch[0]
	n := (len(x) + frame - 1) / frame
	level := make([]float64, n)
	for i := range level {
		sum := 0.0
		f := x[i*frame : min(len(x), (i+1)*frame)]
		for _, v := range f {
			sum += float64(v) * float64(v)
		}
		level[i] = 10 * math.Log10(sum/float64(len(f))+1e-12)
	}
	if n == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(level))
	background := sorted[n/10]
	// A voice without pauses has no background to measure: its own level caps it.
	threshold := max(-50, min(background+12, sorted[n*9/10]-20))
	var out []span
	for i, l := range level {
		if l <= threshold {
			continue
		}
		s := span{i * frame, min(len(x), (i+1)*frame)}
		if k := len(out); k > 0 && s.from-out[k-1].to <= hangOver*frame {
			out[k-1].to = s.to
		} else {
			out = append(out, s)
		}
	}
	return out
}

func shift(spans []span, by int) []span {
	out := make([]span, len(spans))
	for i, s := range spans {
		out[i] = span{s.from + by, s.to + by}
	}
	return out
}

// speechToMusic compares momentary loudness every 100 ms during speech and
// returns the 5th percentile of voice minus music. The voice starts at sample
// at of the music.
func speechToMusic(voice, music dsp.Audio, at int, speech []span) float64 {
	mv, err := loudness.NewMeter(Rate, len(voice.Ch))
	if err != nil {
		return 0
	}
	mm, err := loudness.NewMeter(Rate, len(music.Ch))
	if err != nil {
		return 0
	}
	const hop = Rate / 10
	var gaps []float64
	k := 0
	for i := 0; i+hop <= voice.Len() && at+i+hop <= music.Len(); i += hop {
		mv.Write(window(voice, i, hop))
		mm.Write(window(music, at+i, hop))
		for k < len(speech) && speech[k].to < i+hop {
			k++
		}
		// The whole 400 ms block must be speech.
		if k < len(speech) && speech[k].from <= i-3*hop {
			gaps = append(gaps, mv.Momentary()-mm.Momentary())
		}
	}
	if len(gaps) == 0 {
		return 0
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/20]
}

func window(a dsp.Audio, from, n int) [][]float32 {
	out := make([][]float32, len(a.Ch))
	for c := range out {
		out[c] = a.Ch[c][from : from+n]
	}
	return out
}
