package dsp

import (
	"fmt"
	"math"
)

// Design of the resampling filter: a sinc with zeroCrossings on each side under
// a Kaiser window. With β = 12 images and aliases are below −119 dB; the
// cut-off at 0.925 of the lower Nyquist frequency keeps the response flat to
// 0.40 of the lower rate and leaves the transition band around Nyquist.
const (
	zeroCrossings = 32
	kaiserBeta    = 12.0
	rollOff       = 0.925

	maxTable      = 1 << 18 // coefficients; more, and phases are interpolated
	densePhases   = 2048    // per zero crossing, for interpolation below −120 dB
	resampleBlock = 4096    // outputs converted at a time
)

// Resample converts a to rate hertz. Output sample i is the band-limited value
// of the input at time i/rate, so nothing is delayed and ⌈n·rate/a.Rate⌉ samples
// come out; the input counts as silent outside its range. At a's own rate the
// result shares a's samples.
//
// The filter is polyphase with one phase per output position of the reduced
// ratio; ratios with too many phases interpolate linearly between 2048 (Smith,
// Digital Audio Resampling). Errors: those of Audio.Check and CheckRate.
func Resample(a Audio, rate int) (Audio, error) {
	if err := a.Check(); err != nil {
		return Audio{}, fmt.Errorf("resample to %d Hz: %w", rate, err)
	}
	if rate == a.Rate {
		return a, nil
	}
	src, err := a.Source().Resample(rate)
	if err != nil {
		return Audio{}, err
	}
	return src.Stream().Audio()
}

// polyphase holds the filter for one ratio up/down in lowest terms.
type polyphase struct {
	up, down int
	taps     int
	phases   int       // rows of table; a further row follows when dense
	dense    bool      // rows are interpolated
	table    []float64 // row-major: phases(+1) × taps
}

func newPolyphase(from, to int) *polyphase {
	g := gcd(from, to)
	p := &polyphase{up: to / g, down: from / g}
	// Below the input's Nyquist frequency the kernel is stretched.
	stretch := math.Max(1, float64(p.down)/float64(p.up))
	half := zeroCrossings * stretch
	p.taps = (2*int(math.Ceil(half)) + 3) / 4 * 4
	p.phases = p.up
	rows := p.up
	if p.up*p.taps > maxTable {
		p.dense = true
		p.phases = max(1, int(densePhases/stretch))
		rows = p.phases + 1
	}
	p.table = make([]float64, rows*p.taps)
	cut := rollOff / stretch // of the input's Nyquist frequency
	norm := 1 / besselI0(kaiserBeta)
	for r := range rows {
		row := p.table[r*p.taps : (r+1)*p.taps]
		frac := float64(r) / float64(p.phases)
		var sum float64
		for k := range row {
			t := float64(k-p.taps/2+1) - frac
			u := t / half
			if u <= -1 || u >= 1 {
				continue
			}
			v := cut
			if t != 0 {
				v = math.Sin(math.Pi*cut*t) / (math.Pi * t)
			}
			row[k] = v * norm * besselI0(kaiserBeta*math.Sqrt(1-u*u))
			sum += row[k]
		}
		for k := range row {
			row[k] /= sum // unity at 0 Hz in every phase: no ripple on a constant
		}
	}
	return p
}

// needs is the range of inputs for outputs [start, end).
func (p *polyphase) needs(start, end int) (first, n int) {
	first = int(int64(start) * int64(p.down) / int64(p.up))
	last := int(int64(end-1) * int64(p.down) / int64(p.up))
	return first - (p.taps/2 - 1), last - first + p.taps
}

// run fills dst, which begins at output start, from the inputs that it needs.
// They are float64 so that the inner loop neither converts nor tests bounds.
func (p *polyphase) run(dst []float32, start int, in []float64) {
	rem := int(int64(start) * int64(p.down) % int64(p.up))
	pos := 0
	for i := range dst {
		x := in[pos : pos+p.taps : pos+p.taps]
		if p.dense {
			f := float64(rem) / float64(p.up) * float64(p.phases)
			r := int(f)
			a := dot(p.table[r*p.taps:][:p.taps:p.taps], x)
			b := dot(p.table[(r+1)*p.taps:][:p.taps:p.taps], x)
			dst[i] = float32(a + (f-float64(r))*(b-a))
		} else {
			dst[i] = float32(dot(p.table[rem*p.taps:][:p.taps:p.taps], x))
		}
		rem += p.down
		pos += rem / p.up
		rem %= p.up
	}
}

// dot is the inner product of two slices of equal length, a multiple of 4; four
// sums hide the latency of the additions.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for i := 0; i+3 < len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	return (s0 + s1) + (s2 + s3)
}

// besselI0 is the modified Bessel function of the first kind and order zero,
// by its power series (Abramowitz and Stegun 9.6.12).
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1; term > 1e-17*sum; k++ {
		term *= x * x / (4 * float64(k) * float64(k))
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
