package prosody

import (
	"fmt"
	"math"
	"slices"

	"github.com/videomsg/videomsg/dsp"
)

// The pitch tracker: normalised cross-correlation of a 20 ms window with itself
// one lag later, centred per lag (Talkin, A Robust Algorithm for Pitch Tracking,
// 1995), on a signal decimated to about 6 kHz, then the cheapest path through
// the candidates of all frames (Viterbi). The path is searched twice: the second
// time only within the speaker's own range, since a fixed ceiling lets the end
// of a phrase jump an octave up.
const (
	hopSeconds = 0.005
	pitchMin   = 60.0 // hertz
	pitchMax   = 600.0
	nccSeconds = 0.020

	fineLag   = 16 // decimated samples; shorter lags are interpolated finely
	fineTaps  = 8
	fineSteps = 16 // per sample

	maxCands   = 7
	lagScale   = 64    // cand.lag is in 1/64 sample of the decimated signal
	corrScale  = 65535 // cand.corr 65535 is a correlation of 1
	voicedBias = 0.05  // cost of calling a frame voiced at all
	switchCost = 0.18  // of going from voiced to unvoiced or back
	octaveCost = 0.6   // of a jump by an octave; other jumps cost 4 per octave
	jumpMax    = 1.2

	// The speaker's range, relative to the median of the first path.
	rangeLow, rangeHigh = 0.45, 2.2
)

// cand is one possible pitch of a frame. Frames of ten minutes are kept, so it
// is small.
type cand struct{ lag, corr uint16 }

// pitchFrame is what the tracker keeps of 5 ms of sound.
type pitchFrame struct {
	energy float32 // sum of squares in the window
	best   uint16  // the largest correlation at any lag
	n      uint8
	c      [maxCands]cand
}

// pitchTracker collects candidates; path finds the pitch.
type pitchTracker struct {
	rate   float64 // of the decimated signal
	win    int
	lagMin int
	lagMax int
	frames []pitchFrame
	loud   float64 // loudest window so far

	sig, half    []float32 // the piece being looked at, and at half the rate
	cum, cumHalf []float64 // running energy of both
	ncc          []float32
	fir          []float32
	between      [2*fineSteps + 1][fineTaps]float32
}

func newPitchTracker(rate float64, frames int) *pitchTracker {
	t := &pitchTracker{
		rate: rate, win: int(nccSeconds * rate),
		lagMin: max(2, int(rate/pitchMax)), lagMax: int(math.Ceil(rate / pitchMin)),
		frames: make([]pitchFrame, 0, frames),
	}
	t.ncc = make([]float32, t.lagMax+2)
	t.fir = lowpass(2, 4)
	t.between = betweens()
	return t
}

// reach is how far from its centre a frame looks, in decimated samples.
func (t *pitchTracker) reach() int { return (t.win+t.lagMax)/2 + 16 }

// add appends the frames centred at centres[i], given in samples of sig.
func (t *pitchTracker) add(sig []float32, centres []int) {
	// A constant would correlate perfectly at every lag.
	var mean float64
	for _, v := range sig {
		mean += float64(v)
	}
	m := float32(mean / float64(max(1, len(sig))))
	t.sig = slices.Grow(t.sig[:0], len(sig))[:len(sig)]
	for i, v := range sig {
		t.sig[i] = v - m
	}
	t.cum = energies(t.cum, t.sig)
	// half[i] is at sig[2i]; what the filter lacks at both ends is never used.
	reach := len(t.fir) - 1
	n := len(sig) / 2
	t.half = slices.Grow(t.half[:0], n)[:n]
	clear(t.half)
	if lead := ceilDiv(reach, 2); n > 2*lead+1 {
		decimate(t.half[lead:n-lead-1], t.sig[2*lead-reach:], t.fir, 2)
	}
	t.cumHalf = energies(t.cumHalf, t.half)
	for i := 0; i+t.win < len(sig); i += t.win / 2 {
		t.loud = max(t.loud, t.cum[i+t.win]-t.cum[i])
	}
	for _, c := range centres {
		t.frames = append(t.frames, t.frame(c))
	}
}

// frame finds the candidates around c: peaks of the correlation at half the
// rate, each refined at the full rate.
func (t *pitchTracker) frame(c int) (f pitchFrame) {
	floor := t.loud * 1e-5 // −50 dB
	w := t.win
	f.energy = float32(t.cum[c+w/2] - t.cum[c-w/2])
	if float64(f.energy) <= max(0.3*floor, 1e-9) {
		return f
	}
	bias := floor*floor*0.01 + 1e-20
	h, first, last := w/2, t.lagMin/2-1, t.lagMax/2+1
	var top float32
	for l := first; l <= last; l++ {
		s := c/2 - (h+l)/2
		p := dot(t.half[s:s+h], t.half[s+l:s+l+h])
		ea, eb := t.cumHalf[s+h]-t.cumHalf[s], t.cumHalf[s+l+h]-t.cumHalf[s+l]
		t.ncc[l] = p / float32(math.Sqrt(ea*eb+bias))
		top = max(top, t.ncc[l])
	}
	full := func(l int) float32 {
		s := c - (w+l)/2
		p := dot(t.sig[s:s+w], t.sig[s+l:s+l+w])
		ea, eb := t.cum[s+w]-t.cum[s], t.cum[s+l+w]-t.cum[s+l]
		return p / float32(math.Sqrt(ea*eb+bias))
	}
	for l := first + 1; l < last; l++ {
		v := t.ncc[l]
		if v <= 0.25 || v <= 0.5*top || v < t.ncc[l-1] || v <= t.ncc[l+1] {
			continue
		}
		k := int(math.Round(2 * (float64(l) + float64(parabola(t.ncc[l-1], v, t.ncc[l+1])))))
		k = min(max(k, t.lagMin), t.lagMax)
		a, b, d := full(k-1), full(k), full(k+1)
		for step := 0; step < 2 && a > b && k > t.lagMin; step++ {
			k, d, b, a = k-1, b, a, full(k-2)
		}
		for step := 0; step < 2 && d > b && k < t.lagMax; step++ {
			k, a, b, d = k+1, b, d, full(k+2)
		}
		off := parabola(a, b, d)
		peak := b - 0.25*(a-d)*off
		if k < fineLag && k-fineTaps/2+1 > 1 {
			off, peak = t.fine(k, full)
		}
		if peak > 0.3 {
			f.insert(cand{uint16((float32(k)+off)*lagScale + 0.5), quantise(peak)})
		}
		f.best = max(f.best, quantise(peak))
	}
	return f
}

// fine is the maximum of the correlation within a sample of lag k, and where it
// is, by band-limited interpolation. A period of a high voice is so few samples
// long that a parabola misses the height of the peak by more than what tells it
// from the peak at two periods.
func (t *pitchTracker) fine(k int, full func(int) float32) (off, peak float32) {
	var r [fineTaps]float32
	for j := range r {
		r[j] = full(k - fineTaps/2 + 1 + j)
	}
	for i := range t.between {
		var v float32
		for j, w := range t.between[i] {
			v += w * r[j]
		}
		if i == 0 || v > peak {
			off, peak = float32(i-fineSteps)/fineSteps, v
		}
	}
	return off, min(peak, 1)
}

// betweens are the weights of a Hann-windowed sinc at offsets −1 to 1 from the
// middle tap, fineTaps/2−1.
func betweens() (out [2*fineSteps + 1][fineTaps]float32) {
	for i := range out {
		var w [fineTaps]float64
		sum := 0.0
		for j := range w {
			d := float64(j-fineTaps/2+1) - float64(i-fineSteps)/fineSteps
			w[j] = 1
			if d != 0 {
				w[j] = math.Sin(math.Pi*d) / (math.Pi * d) * max(0, 0.5+0.5*math.Cos(math.Pi*min(1, math.Abs(d)/(fineTaps/2+0.5))))
			}
			sum += w[j]
		}
		for j, v := range w {
			out[i][j] = float32(v / sum)
		}
	}
	return out
}

// energies sets dst[i] to the sum of the first i squares of x.
func energies(dst []float64, x []float32) []float64 {
	dst = slices.Grow(dst[:0], len(x)+1)[:len(x)+1]
	dst[0] = 0
	var sum float64
	for i, v := range x {
		sum += float64(v) * float64(v)
		dst[i+1] = sum
	}
	return dst
}

// insert keeps the strongest maxCands candidates.
func (f *pitchFrame) insert(c cand) {
	if int(f.n) < maxCands {
		f.c[f.n] = c
		f.n++
		return
	}
	weak := 0
	for i := range f.c {
		if f.c[i].corr < f.c[weak].corr {
			weak = i
		}
	}
	if c.corr > f.c[weak].corr {
		f.c[weak] = c
	}
}

func quantise(v float32) uint16 { return uint16(min(max(v, 0), 1)*corrScale + 0.5) }

// parabola is the offset of the maximum of the parabola through (−1, a), (0, b)
// and (1, c), within ±½.
func parabola(a, b, c float32) float32 {
	den := a - 2*b + c
	if den >= 0 {
		return 0
	}
	return min(max(0.5*(a-c)/den, -0.5), 0.5)
}

// pitch is the contour in hertz, 0 where unvoiced, and its median.
func (t *pitchTracker) pitch() (f0 []float32, median float64) {
	f0 = t.path(pitchMin, pitchMax)
	median = medianPitch(f0)
	if median > 0 {
		f0 = t.path(max(pitchMin, rangeLow*median), min(pitchMax, rangeHigh*median))
		median = medianPitch(f0)
	}
	return f0, median
}

func medianPitch(f0 []float32) float64 {
	voiced := make([]float32, 0, len(f0))
	for _, f := range f0 {
		if f > 0 {
			voiced = append(voiced, f)
		}
	}
	if len(voiced) == 0 {
		return 0
	}
	slices.Sort(voiced)
	return float64(voiced[len(voiced)/2])
}

// path is the Viterbi search among candidates between low and high hertz. State
// 0 of every frame is unvoiced, at the price of the periodicity it ignores.
func (t *pitchTracker) path(low, high float64) []float32 {
	n := len(t.frames)
	f0 := make([]float32, n)
	if n == 0 {
		return f0
	}
	floor := t.loud * 1e-5
	back := make([][maxCands + 1]uint8, n)
	var cost, prev [maxCands + 1]float64
	var lag, prevLag [maxCands + 1]float64 // log2 of the period
	states, prevStates := 1, 1
	for i := range t.frames {
		f := &t.frames[i]
		states = int(f.n) + 1
		cost[0] = float64(f.best) / corrScale
		for k := 1; k < states; k++ {
			c := f.c[k-1]
			period := float64(c.lag) / lagScale / t.rate
			lag[k] = math.Log2(period)
			if period*high < 1 || period*low > 1 {
				cost[k] = math.Inf(1)
				continue
			}
			cost[k] = 1 - float64(c.corr)/corrScale*(1-0.3*period*pitchMin) + voicedBias
			if float64(f.energy) < 2*floor {
				cost[k] += 0.4
			}
		}
		if i > 0 {
			for k := range states {
				best, from := math.Inf(1), 0
				for j := range prevStates {
					step := 0.0
					switch {
					case k == 0 && j == 0:
					case k == 0 || j == 0:
						step = switchCost
					default:
						r := math.Abs(lag[k] - prevLag[j])
						step = min(jumpMax, 4*r)
						if r > 0.9 && r < 1.1 {
							step = octaveCost
						}
					}
					if v := prev[j] + step; v < best {
						best, from = v, j
					}
				}
				cost[k] += best
				back[i][k] = uint8(from)
			}
		}
		prev, prevLag, prevStates = cost, lag, states
	}
	k := 0
	for j := range states {
		if cost[j] < cost[k] {
			k = j
		}
	}
	for i := n - 1; i >= 0; i-- {
		if k > 0 {
			f0[i] = float32(t.rate * lagScale / float64(t.frames[i].c[k-1].lag))
		}
		k = int(back[i][k])
	}
	return f0
}

// analysisPass reads the source once and gathers everything but the marks.
func analysisPass(src dsp.Source, tick func(float64) error) (*Track, error) {
	t := &Track{Rate: src.Rate, Samples: src.Samples, Hop: hopSeconds, polarity: 1}
	if src.Samples == 0 {
		return t, nil
	}
	w := newWindow(src, true)
	w.check = true
	q2 := 1
	if src.Rate/w.q > 11000 {
		q2 = 2
	}
	fir2 := lowpass(q2, 6)
	q := w.q * q2
	frames := int(float64(src.Samples)/float64(src.Rate)/hopSeconds) + 1
	pt := newPitchTracker(float64(src.Rate)/float64(q), frames)
	on := newOnsetDetector(src.Rate)
	reach := (pt.reach() + len(fir2) + 1) * q
	at := func(frame int) int { // centre of a frame in decimated samples
		return int(math.Round(float64(frame) * hopSeconds * pt.rate))
	}
	const chunk = 200 // frames
	var cube float64
	var low []float32
	var centres []int
	read := 0
	for first := 0; first < frames; first += chunk {
		last := min(first+chunk, frames) - 1
		a, b := at(first)*q-reach, at(last)*q+reach
		end := min(src.Samples, max(b, read))
		if last == frames-1 {
			end = src.Samples
		}
		if err := w.need(min(a, read), max(b, end)+1); err != nil {
			return nil, err
		}
		on.add(w.x(read, end))
		read = end
		lo := at(first) - pt.reach()
		n := at(last) + pt.reach() - lo
		low = slices.Grow(low[:0], n)[:n]
		half := len(fir2) - 1
		if q2 == 1 {
			copy(low, w.d(lo, lo+n))
		} else {
			decimate(low, w.d(lo*q2-half, (lo+n-1)*q2+half+1), fir2, q2)
		}
		for _, v := range w.d(at(first)*q2, at(last)*q2) {
			cube += float64(v) * float64(v) * float64(v)
		}
		centres = centres[:0]
		for f := first; f <= last; f++ {
			centres = append(centres, at(f)-lo)
		}
		pt.add(low, centres)
		if err := tick(float64(last+1) / float64(frames)); err != nil {
			return nil, fmt.Errorf("analyse speech: %w", err)
		}
	}
	if cube < 0 {
		t.polarity = -1
	}
	t.Onsets = on.finish()
	t.F0, t.MedianF0 = pt.pitch()
	t.Phrases = pt.phrases()
	return t, nil
}
