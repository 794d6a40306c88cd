package loudness

import (
	"math"
	"slices"

	"github.com/videomsg/videomsg/dsp"
)

const (
	stepsPerSecond = 100 // resolution of the sliding windows: 10 ms
	momentarySteps = 40
	shortSteps     = 300
	hopSteps       = 10 // blocks for the gates start every 100 ms
)

// A Meter measures a stream. Its state grows by 160 bytes for each second of
// audio, for the gates; everything else is fixed. It is not safe for concurrent
// use.
type Meter struct {
	rate     int
	weights  []float64
	filters  []kFilter
	peaks    []peakMeter
	pos      int64     // samples seen
	steps    int64     // whole steps seen
	acc      float64   // weighted energy of the step under way
	total    float64   // weighted energy of everything
	ring     []float64 // mean square of the last shortSteps steps
	blocks   []float64 // mean square of each 400 ms block, every 100 ms
	shorts   []float64 // mean square of each 3 s block, every 100 ms
	now, cur float64   // momentary and short-term mean square
	maxM     float64
	maxS     float64
}

// NewMeter returns a meter for rate hertz and 1 to 8 channels. The order of
// channels is that of WAVE files; see channelWeights in the source for the
// weights.
func NewMeter(rate, channels int) (*Meter, error) {
	if err := dsp.New(rate, channels, 0).Check(); err != nil {
		return nil, err
	}
	m := &Meter{rate: rate, weights: channelWeights(channels), ring: make([]float64, shortSteps)}
	for range channels {
		m.filters = append(m.filters, newKFilter(rate))
		m.peaks = append(m.peaks, newPeakMeter(rate))
	}
	return m, nil
}

// Write meters more samples: one slice per channel, all of one length, of
// finite values. Blocks of any size give the same figures.
func (m *Meter) Write(ch [][]float32) {
	for c := range ch {
		m.peaks[c].write(ch[c])
	}
	for i, n := 0, len(ch[0]); i < n; {
		k := min(n-i, int(m.boundary(m.steps+1)-m.pos))
		for c := range ch {
			if m.weights[c] == 0 {
				continue
			}
			m.acc += m.weights[c] * m.filters[c].energy(ch[c][i:i+k])
		}
		i += k
		m.pos += int64(k)
		if m.pos == m.boundary(m.steps+1) {
			m.step()
		}
	}
}

// boundary is where step k starts; rates that are no multiple of 100 make
// steps of two lengths.
func (m *Meter) boundary(k int64) int64 { return k * int64(m.rate) / stepsPerSecond }

// step ends a 10 ms step: it moves the windows and, every 100 ms, records the
// blocks for the gates.
func (m *Meter) step() {
	m.total += m.acc
	m.ring[m.steps%shortSteps] = m.acc / float64(m.boundary(m.steps+1)-m.boundary(m.steps))
	m.acc = 0
	m.steps++
	if m.steps >= momentarySteps {
		m.now = m.window(momentarySteps)
		m.maxM = max(m.maxM, m.now)
		if m.steps%hopSteps == 0 {
			m.blocks = append(m.blocks, m.now)
		}
	}
	if m.steps >= shortSteps {
		m.cur = m.window(shortSteps)
		m.maxS = max(m.maxS, m.cur)
		if m.steps%hopSteps == 0 {
			m.shorts = append(m.shorts, m.cur)
		}
	}
}

// window is the mean of the last n steps. Summing anew, unlike a running sum,
// leaves no residue of a loud passage in a later silence.
func (m *Meter) window(n int64) float64 {
	sum := 0.0
	from := int((m.steps - n) % shortSteps)
	if to := from + int(n); to <= shortSteps {
		for _, v := range m.ring[from:to] {
			sum += v
		}
	} else {
		for _, v := range m.ring[from:] {
			sum += v
		}
		for _, v := range m.ring[:to-shortSteps] {
			sum += v
		}
	}
	return sum / float64(n)
}

// Momentary is the loudness of the last 400 ms in LUFS; Floor before that.
func (m *Meter) Momentary() float64 { return level(m.now) }

// ShortTerm is the loudness of the last 3 s in LUFS; Floor before that.
func (m *Meter) ShortTerm() float64 { return level(m.cur) }

// Stats are the figures of everything so far. It may be called at any time.
func (m *Meter) Stats() Stats {
	s := Stats{MaxMomentary: level(m.maxM), MaxShort: level(m.maxS), Range: loudnessRange(m.shorts)}
	if e, ok := gatedMean(m.blocks); ok {
		s.Integrated, s.Gated = level(e), true
	} else if m.pos > 0 {
		s.Integrated = level((m.total + m.acc) / float64(m.pos))
	} else {
		s.Integrated = Floor
	}
	peak := 0.0
	for c := range m.peaks {
		peak = max(peak, m.peaks[c].value())
	}
	s.TruePeak = dB(peak)
	return s
}

const absoluteGate = -70.0 // LUFS

// gatedMean is BS.1770-4's: the mean of the blocks above −70 LUFS and above
// 10 LU under the mean of those.
func gatedMean(blocks []float64) (float64, bool) {
	above := func(th float64) (mean float64, n int) {
		for _, e := range blocks {
			if e > th {
				mean += e
				n++
			}
		}
		return mean / max(1, float64(n)), n
	}
	th := energyAt(absoluteGate)
	mean, n := above(th)
	if n == 0 {
		return 0, false
	}
	mean, n = above(max(th, mean/10))
	return mean, n > 0
}

// loudnessRange is Tech 3342's: the distance from the 10th to the 95th
// percentile of short-term loudness, gated at −70 LUFS and 20 LU under the
// mean.
func loudnessRange(shorts []float64) float64 {
	th := energyAt(absoluteGate)
	mean, n := 0.0, 0
	for _, e := range shorts {
		if e > th {
			mean += e
			n++
		}
	}
	if n == 0 {
		return 0
	}
	th = max(th, mean/float64(n)/100)
	kept := make([]float64, 0, n)
	for _, e := range shorts {
		if e > th {
			kept = append(kept, e)
		}
	}
	slices.Sort(kept)
	at := func(q float64) float64 { return level(kept[int(math.Round(q*float64(len(kept)-1)))]) }
	return at(0.95) - at(0.10)
}
