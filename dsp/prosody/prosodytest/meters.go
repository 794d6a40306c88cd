package prosodytest

import (
	"math"
	"slices"

	"github.com/videomsg/videomsg/dsp"
)

// Yin estimates the pitch of x around sample c in hertz (de Cheveigné and
// Kawahara 2002): the first deep dip of the normalised difference function,
// refined by a parabola. 0 means no clear period between low and high hertz.
func Yin(x []float32, rate, c int, low, high float64) float64 {
	return yin(x, rate, c, low, high, yinClear)
}

// Dips of the normalised difference function that count as clear, and that count
// at all where a period is known to be there.
const yinClear, yinAny = 0.15, 0.4

// yin takes the deepest dip below loose when none is below yinClear.
func yin(x []float32, rate, c int, low, high, loose float64) float64 {
	lagMax := int(float64(rate)/low) + 2
	lagMin := max(2, int(float64(rate)/high))
	w := max(int(0.016*float64(rate)), int(1.2*float64(rate)/low))
	a := c - (w+lagMax)/2
	if a < 0 || a+w+lagMax+1 > len(x) {
		return 0
	}
	d := make([]float64, lagMax+1)
	var cum float64
	nd := make([]float64, lagMax+1)
	nd[0] = 1
	for l := 1; l <= lagMax; l++ {
		// Centred per lag, so that a glide is measured at c.
		s := c - (w+l)/2
		p, q := x[s:s+w], x[s+l:s+l+w]
		var sum float32
		for i, v := range p {
			e := v - q[i]
			sum += e * e
		}
		d[l] = float64(sum)
		cum += d[l]
		if cum > 0 {
			nd[l] = d[l] * float64(l) / cum
		} else {
			nd[l] = 1
		}
	}
	best := 0
	for l := lagMin; l < lagMax; l++ {
		if nd[l] < yinClear && nd[l] <= nd[l-1] && nd[l] < nd[l+1] {
			best = l
			break
		}
	}
	if best == 0 { // none deep enough: the deepest, if it is a dip at all
		for l := lagMin; l < lagMax; l++ {
			if nd[l] < loose && nd[l] <= nd[l-1] && nd[l] < nd[l+1] && (best == 0 || nd[l] < nd[best]) {
				best = l
			}
		}
	}
	if best == 0 {
		return 0
	}
	p, q, r := d[best-1], d[best], d[best+1]
	off := 0.0
	if den := p - 2*q + r; den > 0 {
		off = 0.5 * (p - r) / den
	}
	return float64(rate) / (float64(best) + off)
}

// Percentile is the p-th percentile (0..100) of v, NaN when v is empty.
func Percentile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Clone(v)
	slices.Sort(s)
	x := p / 100 * float64(len(s)-1)
	i := int(x)
	if i+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[i] + (x-float64(i))*(s[i+1]-s[i])
}

// PitchError compares the pitch of y with the truth of s, shifted by semitones
// and with time changed by factor (output over input length): absolute errors in
// cents every 10 ms of the steady parts, and the part of frames in which no
// pitch was found.
func PitchError(s Signal, y dsp.Audio, factor, semitones float64) (cents []float64, lost float64) {
	n, miss := 0, 0
	for _, iv := range s.Steady {
		for t := iv.Start; t < iv.End; t += 0.010 {
			want := s.F0(t) * math.Exp2(semitones/12)
			n++
			got := yin(y.Ch[0], y.Rate, int(math.Round(t*factor*float64(y.Rate))), max(40, 0.6*want), 1.7*want, yinAny)
			if got == 0 {
				miss++
				continue
			}
			cents = append(cents, math.Abs(1200*math.Log2(got/want)))
		}
	}
	return cents, float64(miss) / float64(max(1, n))
}

// InharmonicDB is the energy of y farther than 25 Hz from every harmonic of f0,
// relative to that near them, in the steady parts of s; the largest of them.
func InharmonicDB(s Signal, y dsp.Audio, factor, f0 float64) float64 {
	worst := math.Inf(-1)
	for _, iv := range s.Steady {
		a, b := int((iv.Start+0.1)*factor*float64(y.Rate)), int((iv.End-0.1)*factor*float64(y.Rate))
		p := powerSpectrum(y.Ch[0][a:b], blackmanHarris)
		hz := float64(y.Rate) / float64(2*(len(p)-1))
		var near, far float64
		for k, e := range p {
			f := float64(k) * hz
			if f < 50 || f > 0.49*float64(y.Rate) {
				continue
			}
			h := math.Round(f / f0)
			if h > 0 && math.Abs(f-h*f0) < 25 {
				near += e
			} else {
				far += e
			}
		}
		worst = max(worst, 10*math.Log10(far/near+1e-15))
	}
	return worst
}

func blackmanHarris(u float64) float64 {
	c := 2 * math.Pi * u
	return 0.35875 - 0.48829*math.Cos(c) + 0.14128*math.Cos(2*c) - 0.01168*math.Cos(3*c)
}

func hann(u float64) float64 { return 0.5 - 0.5*math.Cos(2*math.Pi*u) }

// powerSpectrum of x under a window, zero-padded to the next power of two.
func powerSpectrum(x []float32, window func(u float64) float64) []float64 {
	n := 2
	for n < len(x) {
		n *= 2
	}
	f, err := dsp.NewFFT(n)
	if err != nil {
		return nil
	}
	buf := make([]float64, n)
	for i, v := range x {
		buf[i] = float64(v) * window((float64(i)+0.5)/float64(len(x)))
	}
	re, im := make([]float64, f.Bins()), make([]float64, f.Bins())
	f.Forward(re, im, buf)
	for k := range re {
		re[k] = re[k]*re[k] + im[k]*im[k]
	}
	return re
}

// OnsetErrors measures where the bursts of s begin in y: the first millisecond
// whose rms reaches a quarter (in power) of the local maximum, as distance to
// the truth in ms; and the energy 20 to 2 ms before relative to the 10 ms after.
func OnsetErrors(s Signal, y dsp.Audio, out func(t float64) float64) (ms, preDB []float64) {
	x, rate := y.Ch[0], float64(y.Rate)
	k := int(0.001 * rate)
	for _, t := range s.Onsets {
		c := int(math.Round(out(t) * rate))
		a, b := max(0, c-int(0.08*rate)), min(len(x), c+int(0.08*rate))
		if b-a < 4*k {
			continue
		}
		p := make([]float64, b-a-k)
		var top float64
		for i := range p {
			for _, v := range x[a+i : a+i+k] {
				p[i] += float64(v) * float64(v)
			}
			top = max(top, p[i])
		}
		for i, v := range p {
			if v > 0.25*top {
				// The window begins before the onset by what it needs to fill.
				o := a + i
				ref := onsetBias(s, t, k)
				ms = append(ms, math.Abs(float64(o-ref-c))/rate*1000)
				preDB = append(preDB, 10*math.Log10((energy(x, o+k-int(0.020*rate), o+k-int(0.002*rate))+1e-13)/(energy(x, o, o+int(0.010*rate))+1e-13)))
				break
			}
		}
	}
	return ms, preDB
}

// onsetBias is what the same rule says about the source: where its window starts
// relative to the true onset.
func onsetBias(s Signal, t float64, k int) int {
	x := s.Audio.Ch[0]
	c := int(math.Round(t * float64(s.Audio.Rate)))
	var top float64
	w := int(0.08 * float64(s.Audio.Rate))
	p := func(i int) float64 { return energy(x, i, i+k) }
	for i := c - k; i < c+w; i++ {
		top = max(top, p(i))
	}
	for i := c - k; i < c+w; i++ {
		if p(i) > 0.25*top {
			return i - c
		}
	}
	return 0
}

func energy(x []float32, a, b int) float64 {
	a, b = max(a, 0), min(b, len(x))
	var e float64
	for i := a; i < b; i++ {
		e += float64(x[i]) * float64(x[i])
	}
	return e
}

// EnvelopeDB is the distance between the spectral envelopes of the steady frames
// of x and of the frames of y at factor times their place, in dB rms over 24
// cepstral coefficients of 40 mel bands from 60 Hz to 8 kHz, level removed. fx
// and fy give the pitch in hertz, which sets the analysis window.
func EnvelopeDB(s Signal, y dsp.Audio, factor float64, fy func(t float64) float64) float64 {
	var sum float64
	n := 0
	for _, iv := range s.Steady {
		for t := iv.Start; t < iv.End; t += 0.010 {
			a := melCepstrum(s.Audio.Ch[0], s.Audio.Rate, t, s.F0(t))
			b := melCepstrum(y.Ch[0], y.Rate, t*factor, fy(t))
			if a == nil || b == nil {
				continue
			}
			var d float64
			for k := 1; k < len(a); k++ {
				d += (a[k] - b[k]) * (a[k] - b[k])
			}
			sum += 20 / math.Ln10 * math.Sqrt(d/melBands)
			n++
		}
	}
	return sum / float64(max(1, n))
}

const (
	melBands = 40
	cepstra  = 24
)

// melCepstrum of x around t: pitch-adaptive as in CheapTrick (Morise 2015), a
// Hann window of three periods and smoothing over one harmonic distance.
func melCepstrum(x []float32, rate int, t, f0 float64) []float64 {
	if f0 <= 0 {
		return nil
	}
	h := int(1.5 * float64(rate) / f0)
	c := int(math.Round(t * float64(rate)))
	if c-h < 0 || c+h+1 > len(x) || 2*h+1 > 4096 {
		return nil
	}
	pad := make([]float32, 4096)
	for i := c - h; i <= c+h; i++ {
		pad[i-c+h] = x[i] * float32(hann((float64(i-c+h)+0.5)/float64(2*h+1)))
	}
	p := powerSpectrum(pad, func(float64) float64 { return 1 })
	hz := float64(rate) / 4096
	cum := make([]float64, len(p)+1)
	for i, v := range p {
		cum[i+1] = cum[i] + v
	}
	at := func(f float64) float64 { // integral of p up to f
		u := min(max(f/hz+0.5, 0), float64(len(p)))
		i := min(int(u), len(p)-1)
		return cum[i] + (u-float64(i))*p[i]
	}
	mel := func(f float64) float64 { return 2595 * math.Log10(1+f/700) }
	inv := func(m float64) float64 { return 700 * (math.Pow(10, m/2595) - 1) }
	lo, hi := mel(60), mel(min(8000, 0.49*float64(rate)))
	var bands [melBands]float64
	for b := range bands {
		const steps = 8
		f0b, f1b := inv(lo+(hi-lo)*float64(b)/(melBands+1)), inv(lo+(hi-lo)*float64(b+2)/(melBands+1))
		var e float64
		for k := range steps {
			f := f0b + (f1b-f0b)*(float64(k)+0.5)/steps
			w := 1 - math.Abs(2*(float64(k)+0.5)/steps-1)
			e += w * (at(f+f0/2) - at(max(f-f0/2, 0))) / f0
		}
		bands[b] = 0.5 * math.Log(e+1e-14)
	}
	out := make([]float64, cepstra+1)
	for k := range out {
		for b, v := range bands {
			out[k] += v * math.Sqrt(2.0/melBands) * math.Cos(math.Pi*float64(k)*(float64(b)+0.5)/melBands)
		}
	}
	return out
}

// IdentityDB is the signal-to-noise ratio of y as a copy of x.
func IdentityDB(x, y dsp.Audio) float64 {
	var s, e float64
	for c := range x.Ch {
		for i := range min(len(x.Ch[c]), len(y.Ch[c])) {
			v, d := float64(x.Ch[c][i]), float64(x.Ch[c][i])-float64(y.Ch[c][i])
			s, e = s+v*v, e+d*d
		}
	}
	return 10 * math.Log10(s/(e+1e-30))
}

// RoundTrip compares x with what came back from a change and its inverse: the
// log spectral distance in dB up to 8 kHz over frames within 50 dB of the
// loudest, and the spectral convergence ‖|X|−|Y|‖/‖|X|‖.
func RoundTrip(x, y dsp.Audio) (lsd, sc float64) {
	n, hop := 2048, 512
	if x.Rate < 32000 {
		n, hop = 1024, 256
	}
	f, err := dsp.NewFFT(n)
	if err != nil {
		return math.NaN(), math.NaN()
	}
	re, im, buf := make([]float64, f.Bins()), make([]float64, f.Bins()), make([]float64, n)
	mag := func(s []float32) [][]float64 {
		var out [][]float64
		for a := 0; a+n <= len(s); a += hop {
			for i := range buf {
				buf[i] = float64(s[a+i]) * hann(float64(i)/float64(n))
			}
			f.Forward(re, im, buf)
			m := make([]float64, f.Bins())
			for k := range m {
				m[k] = math.Hypot(re[k], im[k])
			}
			out = append(out, m)
		}
		return out
	}
	l := min(x.Len(), y.Len())
	mx, my := mag(x.Ch[0][:l]), mag(y.Ch[0][:l])
	var peak, loud float64
	e := make([]float64, len(mx))
	for i, m := range mx {
		for _, v := range m {
			peak = max(peak, v)
			e[i] += v * v
		}
		loud = max(loud, e[i])
	}
	floor := peak * math.Pow(10, -70.0/20)
	top := min(f.Bins(), int(min(8000, 0.5*float64(x.Rate))*float64(n)/float64(x.Rate)))
	var num, den, sum float64
	frames := 0
	for i := range mx {
		var d float64
		for k := range mx[i] {
			v := mx[i][k] - my[i][k]
			num, den = num+v*v, den+mx[i][k]*mx[i][k]
			if k < top {
				r := 20 * math.Log10(max(mx[i][k], floor)/max(my[i][k], floor))
				d += r * r
			}
		}
		if e[i] > loud*1e-5 {
			sum += math.Sqrt(d / float64(top))
			frames++
		}
	}
	return sum / float64(max(1, frames)), math.Sqrt(num / (den + 1e-30))
}
