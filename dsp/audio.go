// Package dsp holds pure functions on PCM audio: resampling, pitch, stretch,
// gain, pauses, loudness and mixing. It knows no files, no context and no
// engine; everything in it is deterministic and safe for concurrent use on
// distinct buffers. Larger topics live in sub-packages.
package dsp

import "time"

// Audio is planar PCM: Ch[c][i] is sample i of channel c. Samples are nominally
// in [-1, 1] but never clipped inside the package; Rate is in hertz. All
// channels have the same length. The zero value is silence of length 0.
type Audio struct {
	Rate int
	Ch   [][]float32
}

// New returns silence: channels × samples at rate hertz.
func New(rate, channels, samples int) Audio {
	a := Audio{Rate: rate, Ch: make([][]float32, channels)}
	for c := range a.Ch {
		a.Ch[c] = make([]float32, samples)
	}
	return a
}

// Len is the number of samples per channel.
func (a Audio) Len() int {
	if len(a.Ch) == 0 {
		return 0
	}
	return len(a.Ch[0])
}

// Duration is Len in time; 0 when Rate is not positive.
func (a Audio) Duration() time.Duration {
	if a.Rate <= 0 {
		return 0
	}
	return time.Duration(float64(a.Len()) / float64(a.Rate) * float64(time.Second))
}

// Mono returns the mean of the channels; a mono input is returned as it is,
// sharing its samples.
func (a Audio) Mono() Audio {
	if len(a.Ch) <= 1 {
		return a
	}
	out := New(a.Rate, 1, a.Len())
	g := 1 / float32(len(a.Ch))
	for _, ch := range a.Ch {
		for i, v := range ch {
			out.Ch[0][i] += g * v
		}
	}
	return out
}
