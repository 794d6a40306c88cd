package loudness

import (
	"fmt"
	"math"

	"github.com/videomsg/videomsg/dsp"
)

const (
	lookAhead = 0.005 // s, each side of a peak
	release   = 0.080 // s, time constant
	// safety is kept below the ceiling, in dB: what reading at 8 positions per
	// sample misses, and what the moving gain adds between samples.
	safety = 0.05
	// minCeiling and maxCeiling bound what makes sense, in dBTP.
	minCeiling, maxCeiling = -60.0, 0.0
)

// A Limiter holds a stream under a true-peak ceiling. It looks ahead: the gain
// goes down before a peak, along a smooth curve, and comes back in 80 ms; all
// channels share it, so that the image does not move. A stream that stays
// under the ceiling passes bit for bit. Not safe for concurrent use.
//
// The gain at sample i is a mean of minima that all include sample i, so it is
// never above what i needs: sliding minimum over ±look-ahead, slow release, two
// moving averages that together span the look-ahead.
type Limiter struct {
	ceiling float64
	it      *interpolator
	hist    [][]float64 // per channel: taps-1 old samples, then the block at work
	last    float64     // true peak between the two samples before the block
	env     []float64   // scratch: envelope of the block at work
	min     slidingMin
	keep    float64 // release coefficient
	gain    float64 // after release
	box     [2]movingMean
	delay   [][]float32 // per channel, ring of Latency samples
	at      int
	lowest  float64
}

// NewLimiter returns a limiter for rate hertz, 1 to 8 channels and a ceiling of
// −60 to 0 dBTP.
func NewLimiter(rate, channels int, ceiling float64) (*Limiter, error) {
	if err := dsp.New(rate, channels, 0).Check(); err != nil {
		return nil, err
	}
	if !(ceiling >= minCeiling && ceiling <= maxCeiling) {
		return nil, fmt.Errorf("limiter ceiling %g dBTP is outside %g to %g", ceiling, minCeiling, maxCeiling)
	}
	half := max(1, int(lookAhead*float64(rate)/2))
	l := &Limiter{
		ceiling: amplitude(ceiling - safety),
		it:      newInterpolator(8, 48, 5),
		min:     newSlidingMin(4*half + 1),
		keep:    math.Exp(-1 / (release * float64(rate))),
		gain:    1,
		box:     [2]movingMean{newMovingMean(2*half + 1), newMovingMean(2*half + 1)},
		lowest:  1,
	}
	latency := l.it.taps/2 + 4*half
	for range channels {
		l.hist = append(l.hist, make([]float64, l.it.taps-1))
		l.delay = append(l.delay, make([]float32, latency))
	}
	return l, nil
}

// Latency is by how many samples the output lags.
func (l *Limiter) Latency() int { return len(l.delay[0]) }

// MaxReduction is the deepest gain reduction so far, in dB, ≥ 0.
func (l *Limiter) MaxReduction() float64 { return -20 * math.Log10(l.lowest) }

// Process reads src and writes as many samples to dst, Latency behind: one
// slice per channel, all of one length; dst may be src. To get the end out,
// feed Latency samples of silence.
func (l *Limiter) Process(dst, src [][]float32) {
	for i := 0; i < len(src[0]); {
		n := min(len(src[0])-i, 1<<12)
		l.envelope(src, i, n)
		for k := range n {
			need := 1.0
			if e := l.env[k]; e > l.ceiling {
				need = l.ceiling / e
			}
			g := l.smooth(need)
			for c := range src {
				in := src[c][i+k]
				out := l.delay[c][l.at]
				l.delay[c][l.at] = in
				if g < 1 {
					out = float32(g * float64(out))
				}
				dst[c][i+k] = out
			}
			if l.at++; l.at == len(l.delay[0]) {
				l.at = 0
			}
		}
		i += n
	}
}

// smooth turns the gain that a sample needs into the one it gets, later.
func (l *Limiter) smooth(need float64) float64 {
	m := l.min.push(need)
	if l.gain = m + (l.gain-m)*l.keep; l.gain > m || m-l.gain < 1e-6 {
		l.gain = m
	}
	g := l.box[1].push(l.box[0].push(l.gain))
	l.lowest = min(l.lowest, g)
	return g
}

// envelope puts the true peak around each sample into l.env, taps/2 late.
func (l *Limiter) envelope(src [][]float32, from, n int) {
	l.env = append(l.env[:0], make([]float64, n)...)
	taps := l.it.taps
	mid := taps/2 - 1
	last := 0.0
	for c := range src {
		h := l.hist[c][:taps-1]
		for _, v := range src[c][from : from+n] {
			h = append(h, float64(v))
		}
		before := l.last
		for i := 0; i < n; i += peakBlock {
			k := min(peakBlock, n-i)
			near := h[i : i+k+taps-1]
			quiet := max(1, l.it.gain)*largest(near) <= l.ceiling
			for j := range k {
				between := 0.0
				if !quiet {
					between = l.it.peak(near[j : j+taps])
				}
				l.env[i+j] = max(l.env[i+j], before, math.Abs(near[j+mid]), between)
				before = between
			}
		}
		last = max(last, before)
		l.hist[c] = append(h[:0], h[n:]...)
	}
	l.last = last
}

// Limit returns a copy of a under the ceiling, and the deepest gain reduction
// in dB. Errors: those of dsp.Audio.Check, and a ceiling outside −60 to 0.
func Limit(a dsp.Audio, ceiling float64) (dsp.Audio, float64, error) {
	if err := a.Check(); err != nil {
		return dsp.Audio{}, 0, err
	}
	l, err := NewLimiter(a.Rate, len(a.Ch), ceiling)
	if err != nil {
		return dsp.Audio{}, 0, err
	}
	padded := dsp.New(a.Rate, len(a.Ch), a.Len()+l.Latency())
	for c := range a.Ch {
		copy(padded.Ch[c], a.Ch[c])
	}
	l.Process(padded.Ch, padded.Ch)
	for c := range padded.Ch {
		padded.Ch[c] = padded.Ch[c][l.Latency():]
	}
	return padded, l.MaxReduction(), nil
}

// slidingMin is the minimum of the last n values, by a monotonic queue (Lemire
// 2006): amortised one comparison per value. It starts as if all were 1.
type slidingMin struct {
	n     int64
	now   int64
	value []float64 // ring of candidates, ascending
	when  []int64
	head  int
	size  int
}

func newSlidingMin(n int) slidingMin {
	return slidingMin{n: int64(n), value: make([]float64, n+1), when: make([]int64, n+1)}
}

func (s *slidingMin) push(v float64) float64 {
	ring := len(s.value)
	for s.size > 0 && s.value[(s.head+s.size-1)%ring] >= v {
		s.size--
	}
	tail := (s.head + s.size) % ring
	s.value[tail], s.when[tail] = v, s.now
	s.size++
	if s.when[s.head] <= s.now-s.n {
		s.head = (s.head + 1) % ring
		s.size--
	}
	s.now++
	return s.value[s.head]
}

// movingMean is the mean of the last n values. It starts as if all were 1, and
// is exactly 1 while they are.
type movingMean struct {
	ring []float64
	at   int
	sum  float64
	ones int // how many of the last values were exactly 1
}

func newMovingMean(n int) movingMean {
	m := movingMean{ring: make([]float64, n), sum: float64(n), ones: n}
	for i := range m.ring {
		m.ring[i] = 1
	}
	return m
}

func (m *movingMean) push(v float64) float64 {
	m.sum += v - m.ring[m.at]
	m.ring[m.at] = v
	if m.at++; m.at == len(m.ring) {
		m.at = 0
	}
	if m.ones = min(m.ones+1, len(m.ring)); v != 1 {
		m.ones = 0
	}
	if m.ones == len(m.ring) {
		m.sum = float64(len(m.ring)) // and so rounding cannot pile up
	}
	return m.sum / float64(len(m.ring))
}
