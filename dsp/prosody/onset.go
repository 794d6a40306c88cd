package prosody

// onsetDetector finds sudden rises of high-frequency energy: plosives, clicks,
// drum hits. They keep their shape because time is not stretched around them.
//
// The energy of the first difference is taken in steps of 1/4 ms; an onset is a
// millisecond that stands far above the 10 ms before it.
type onsetDetector struct {
	step float64   // samples per quarter millisecond
	e    []float32 // energy per quarter millisecond of the sound so far
	acc  float64
	next float64 // position at which the current quarter ends
	pos  int
	prev float32
}

const quarters = 4 // steps per millisecond

func newOnsetDetector(rate int) *onsetDetector {
	d := &onsetDetector{step: float64(rate) / 1000 / quarters}
	d.next = d.step
	return d
}

func (d *onsetDetector) add(x []float32) {
	for len(x) > 0 {
		n := min(len(x), max(1, int(d.next)-d.pos))
		prev, acc := d.prev, float32(0)
		for _, v := range x[:n] {
			s := v - prev
			acc += s * s
			prev = v
		}
		d.prev = prev
		d.acc += float64(acc)
		d.pos += n
		x = x[n:]
		if d.pos >= int(d.next) {
			d.e = append(d.e, float32(d.acc))
			d.acc = 0
			d.next += d.step
		}
	}
}

// finish returns the onsets in samples, ascending and at least 40 ms apart.
func (d *onsetDetector) finish() []int {
	ms := make([]float64, len(d.e)/quarters)
	var top float64
	for i := range ms {
		for _, v := range d.e[i*quarters : (i+1)*quarters] {
			ms[i] += float64(v)
		}
		top = max(top, ms[i])
	}
	var out []int
	last := -100
	for i := 12; i+4 < len(ms); i++ {
		var pre, post float64
		for k := 2; k <= 12; k++ {
			pre += ms[i-k] / 11
		}
		for k := range 4 {
			post += ms[i+k] / 4
		}
		if i-last > 40 && post > 30*pre+1e-4*top && ms[i] > 4*ms[i-2] && ms[i]+ms[i+1] > 10*pre {
			last = i
			out = append(out, int(d.sharpen(i, post)))
		}
	}
	return out
}

// sharpen is the quarter of millisecond i, or of its neighbours, where the rise
// begins.
func (d *onsetDetector) sharpen(i int, level float64) float64 {
	lo := max(0, (i-1)*quarters)
	for k := lo; k < min((i+2)*quarters, len(d.e)); k++ {
		if float64(d.e[k]) > 0.1*level/quarters {
			return float64(k) * d.step
		}
	}
	return float64(i*quarters) * d.step
}
