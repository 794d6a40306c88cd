// Package loudness measures and sets how loud audio is, by the standards that
// broadcasters and streaming services use: programme, short-term and momentary
// loudness, loudness range, true peak, normalisation, and a true-peak limiter.
//
// Sources: ITU-R BS.1770-4, EBU R 128, EBU Tech 3341 and 3342. A mono file is
// measured as the dual mono that every player makes of it, so that mono and
// stereo versions of one recording get one number.
package loudness

import (
	"math"

	"github.com/videomsg/videomsg/dsp"
)

// Floor is what silence reads, in place of −∞, in every figure in LUFS and
// dBTP: it can be printed, sent as JSON and compared.
const Floor = -120.0

// Stats are the figures of one programme.
type Stats struct {
	Integrated   float64 // LUFS, gated; see Gated
	MaxMomentary float64 // LUFS, 400 ms window, in steps of 10 ms
	MaxShort     float64 // LUFS, 3 s window, in steps of 10 ms
	Range        float64 // LU (LRA); 0 below 3 s
	TruePeak     float64 // dBTP, highest of all channels
	// Gated is false when no 400 ms block passed the gates (too short, or too
	// quiet): then Integrated is the plain K-weighted level of everything.
	Gated bool
}

// Measure meters a whole signal. Its errors are those of dsp.Audio.Check.
func Measure(a dsp.Audio) (Stats, error) {
	if err := a.Check(); err != nil {
		return Stats{}, err
	}
	m, err := NewMeter(a.Rate, len(a.Ch))
	if err != nil {
		return Stats{}, err
	}
	m.Write(a.Ch)
	return m.Stats(), nil
}

// level converts weighted mean square to LUFS.
func level(energy float64) float64 {
	return max(Floor, -0.691+10*math.Log10(max(energy, 1e-30)))
}

// energyAt is the inverse of level.
func energyAt(lufs float64) float64 { return math.Pow(10, (lufs+0.691)/10) }

// dB converts an amplitude.
func dB(x float64) float64 { return max(Floor, 20*math.Log10(max(x, 1e-12))) }

// amplitude is the inverse of dB.
func amplitude(dB float64) float64 { return math.Pow(10, dB/20) }

// channelWeights follow BS.1770-4 table 3 for the usual channel orders: the
// low-frequency channel does not count, side and rear surrounds count +1.5 dB.
func channelWeights(channels int) []float64 {
	const surround = 1.41
	switch channels {
	case 1:
		return []float64{2} // both loudspeakers play it
	case 4:
		return []float64{1, 1, surround, surround} // L R Ls Rs
	case 5:
		return []float64{1, 1, 1, surround, surround} // L R C Ls Rs
	case 6:
		return []float64{1, 1, 1, 0, surround, surround} // L R C LFE Ls Rs
	case 8:
		return []float64{1, 1, 1, 0, 1, 1, surround, surround} // L R C LFE Lb Rb Ls Rs
	}
	w := make([]float64, channels)
	for i := range w {
		w[i] = 1
	}
	return w
}
