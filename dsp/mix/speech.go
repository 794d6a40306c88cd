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
	hop      = Rate / 10  // 100 ms, between figures of momentary loudness
	frame    = Rate / 100 // 10 ms
	hangOver = 15         // frames: shorter dips within a word are not pauses
)

// heard is what one pass through the voice tells.
type heard struct {
	stats     loudness.Stats
	speech    []span
	momentary []float32 // LUFS at the end of each hop
}

func listen(voice dsp.Source) (h heard, err error) {
	m, err := loudness.NewMeter(Rate, voice.Channels)
	if err != nil {
		return h, err
	}
	var levels []float32
	buf := dsp.New(Rate, voice.Channels, hop)
	for at := 0; at < voice.Samples; at += hop {
		n := min(hop, voice.Samples-at)
		piece := make([][]float32, voice.Channels)
		for c := range piece {
			piece[c] = buf.Ch[c][:n]
		}
		if err := voice.Read(piece, at); err != nil {
			return h, err
		}
		m.Write(piece)
		if n == hop {
			h.momentary = append(h.momentary, float32(m.Momentary()))
		}
		x := dsp.Audio{Rate: Rate, Ch: piece}.Mono().Ch[0]
		for f := range slices.Chunk(x, frame) {
			sum := 0.0
			for _, v := range f {
				sum += float64(v) * float64(v)
			}
			levels = append(levels, float32(10*math.Log10(sum/float64(len(f))+1e-12)))
		}
	}
	h.stats = m.Stats()
	h.speech = speechSpans(levels, voice.Samples)
	return h, nil
}

// speechSpans finds where somebody speaks in a voice of n samples: frames of
// 10 ms above −50 dBFS and 12 dB above the background, which is the 10th
// percentile.
func speechSpans(levels []float32, n int) []span {
	if len(levels) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(levels))
	background := sorted[len(levels)/10]
	// A voice without pauses has no background to measure: its own level caps it.
	threshold := max(-50, min(background+12, sorted[len(levels)*9/10]-20))
	var out []span
	for i, l := range levels {
		if l <= threshold {
			continue
		}
		s := span{i * frame, min(n, (i+1)*frame)}
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
