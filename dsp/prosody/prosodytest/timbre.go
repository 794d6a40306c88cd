package prosodytest

import (
	"math"

	"github.com/videomsg/videomsg/dsp"
)

// FromRecording makes a Signal of real speech: its truth is what Yin finds in the
// recording where it is sure of itself, loud enough and two frames away from any
// edge of voicing.
func FromRecording(name string, a dsp.Audio) Signal {
	const hop = 0.005
	n := int(a.Duration().Seconds() / hop)
	f0 := make([]float64, n)
	level := make([]float64, n)
	var loud float64
	w := int(0.012 * float64(a.Rate))
	for i := range f0 {
		c := int(math.Round(float64(i) * hop * float64(a.Rate)))
		level[i] = energy(a.Ch[0], c-w, c+w)
		loud = max(loud, level[i])
	}
	for i := range f0 {
		if level[i] > 1e-4*loud {
			f0[i] = Yin(a.Ch[0], a.Rate, int(math.Round(float64(i)*hop*float64(a.Rate))), 60, 500)
		}
	}
	s := Signal{Name: name, Audio: a, F0: func(t float64) float64 {
		i := int(t/hop + 1e-6)
		if i < 0 || i+1 >= n || f0[i] == 0 {
			return 0
		}
		if f0[i+1] == 0 {
			return f0[i]
		}
		return f0[i] + (t/hop-float64(i))*(f0[i+1]-f0[i])
	}}
	for i := 0; i < n; i++ {
		j := i
		for j < n && f0[j] > 0 && (j == i || math.Abs(math.Log2(f0[j]/f0[j-1])) < 0.15) {
			j++
		}
		if j-i > 6 {
			s.Steady = append(s.Steady, Interval{(float64(i) + 2) * hop, (float64(j) - 2.5) * hop})
		}
		i = max(i, j-1)
	}
	return s
}

// Kurtosis is the median kurtosis of the residual of linear prediction (order
// 18, 16 kHz, 50 ms) in the steady parts of s, looked for in y at factor times
// their place. Intact glottal pulses keep it; phasiness lowers it, buzz raises
// it.
func Kurtosis(s Signal, y dsp.Audio, factor float64) float64 {
	const order, frame = 18, 800
	z, err := dsp.Resample(y, 16000)
	if err != nil {
		return math.NaN()
	}
	x := z.Ch[0]
	var ks []float64
	for _, iv := range s.Steady {
		for t := iv.Start; t < iv.End; t += 0.020 {
			a := int(t*factor*16000) - frame/2
			if a < order || a+frame > len(x) {
				continue
			}
			win := make([]float64, frame)
			for i := range win {
				win[i] = float64(x[a+i]) * hann(float64(i)/frame)
			}
			coef := lpc(win, order)
			if coef == nil {
				continue
			}
			var m1, m2, m4 float64
			res := make([]float64, frame)
			for i := range res {
				e := float64(x[a+i])
				for k, c := range coef {
					e -= c * float64(x[a+i-1-k])
				}
				res[i] = e
				m1 += e / frame
			}
			for _, e := range res {
				d := (e - m1) * (e - m1)
				m2 += d / frame
				m4 += d * d / frame
			}
			if m2 > 0 {
				ks = append(ks, m4/(m2*m2))
			}
		}
	}
	return Percentile(ks, 50)
}

// lpc predicts x[n] from x[n−1], x[n−2], … (autocorrelation method, Levinson and
// Durbin); nil when x is silent.
func lpc(x []float64, order int) []float64 {
	r := make([]float64, order+1)
	for k := range r {
		for i := k; i < len(x); i++ {
			r[k] += x[i] * x[i-k]
		}
	}
	if r[0] < 1e-6 {
		return nil
	}
	e := r[0] * 1.0001
	a := make([]float64, 0, order)
	for m := range order {
		acc := r[m+1]
		for k, c := range a {
			acc -= c * r[m-k]
		}
		g := acc / e
		b := make([]float64, m+1)
		for k := range a {
			b[k] = a[k] - g*a[m-1-k]
		}
		b[m] = g
		a = b
		e *= 1 - g*g
	}
	return a
}

// FormantShift is the shift in semitones of the envelope of y against that of s:
// the scale of frequency, in steps of 0.1 semitone up to 13, at which the log
// envelopes from 200 to 5000 Hz correlate best once their slope is removed.
func FormantShift(s Signal, y dsp.Audio, factor float64, fy func(t float64) float64) float64 {
	const points = 200
	low, high := math.Log(200.0), math.Log(5000.0)
	var ax, ay [][]float64 // per frame
	for _, iv := range s.Steady {
		for t := iv.Start; t < iv.End; t += 0.020 {
			a := logEnvelope(s.Audio.Ch[0], s.Audio.Rate, t, s.F0(t))
			b := logEnvelope(y.Ch[0], y.Rate, t*factor, fy(t))
			if a != nil && b != nil {
				ax, ay = append(ax, a), append(ay, b)
			}
		}
	}
	grid := func(e []float64, rate int, scale float64) []float64 {
		out := make([]float64, points)
		for i := range out {
			f := math.Exp(low+(high-low)*float64(i)/(points-1)) / scale
			u := min(f*4096/float64(rate), float64(len(e)-2))
			k := int(u)
			out[i] = e[k] + (u-float64(k))*(e[k+1]-e[k])
		}
		return whiten(out)
	}
	bys := make([][]float64, len(ay))
	for i, b := range ay {
		bys[i] = grid(b, y.Rate, 1)
	}
	best, at := math.Inf(-1), 0.0
	for st := -130; st <= 130; st++ {
		scale := math.Exp2(float64(st) / 120)
		var sum float64
		for i, a := range ax {
			for k, v := range grid(a, s.Audio.Rate, scale) {
				sum += v * bys[i][k]
			}
		}
		if sum > best {
			best, at = sum, float64(st)/10
		}
	}
	return at
}

// whiten removes mean and slope of v and scales it to unit length.
func whiten(v []float64) []float64 {
	n := float64(len(v))
	var m, sx, sxy float64
	for _, x := range v {
		m += x / n
	}
	for i, x := range v {
		d := float64(i) - (n-1)/2
		sx += d * d
		sxy += d * (x - m)
	}
	var norm float64
	for i := range v {
		v[i] -= m + sxy/sx*(float64(i)-(n-1)/2)
		norm += v[i] * v[i]
	}
	for i := range v {
		v[i] /= math.Sqrt(norm + 1e-30)
	}
	return v
}

// logEnvelope is the log of the spectrum around t smoothed over one harmonic
// distance, by bin of a 4096-point transform.
func logEnvelope(x []float32, rate int, t, f0 float64) []float64 {
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
	w := max(1, int(f0/2*4096/float64(rate)))
	out := make([]float64, len(p))
	cum := make([]float64, len(p)+1)
	for i, v := range p {
		cum[i+1] = cum[i] + v
	}
	for i := range out {
		a, b := max(0, i-w), min(len(p), i+w+1)
		out[i] = math.Log((cum[b]-cum[a])/float64(b-a) + 1e-16)
	}
	return out
}
