package prosody

// onsetDetector finds sudden rises of high-frequency energy: plosives, clicks,
// drum hits. They keep their shape because time is not stretched around them.
//
// The energy of the first difference is taken in steps of a quarter of a
// millisecond; an onset is a millisecond that stands far above the 10 ms before
// it. Only the last few milliseconds are kept.
type onsetDetector struct {
	step float64 // samples per quarter
	end  float64 // position at which the current quarter ends
	pos  int
	prev float32
	acc  float64

	ring  [ringQuarters]float32 // energies of the last quarters
	count int                   // quarters so far
	top   float64               // loudest millisecond
	found []onset
}

// onset is a candidate: it counts if it is loud enough for the whole recording,
// which is known at the end.
type onset struct {
	ms        int
	pre, post float64
	pos       int
}

const (
	quarters     = 4  // steps per millisecond
	ringQuarters = 80 // 20 ms
	onsetBefore  = 12 // milliseconds looked at before, and after
	onsetAfter   = 4
	onsetApart   = 40
)

func newOnsetDetector(rate int) *onsetDetector {
	d := &onsetDetector{step: float64(rate) / 1000 / quarters}
	d.end = d.step
	return d
}

func (d *onsetDetector) add(x []float32) {
	for len(x) > 0 {
		n := min(len(x), max(1, int(d.end)-d.pos))
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
		if d.pos >= int(d.end) {
			d.ring[d.count%ringQuarters] = float32(d.acc)
			d.count++
			d.acc = 0
			d.end += d.step
			if d.count%quarters == 0 {
				d.millisecond(d.count/quarters - 1)
			}
		}
	}
}

// energy of millisecond i, which must be in the ring.
func (d *onsetDetector) energy(i int) (e float64) {
	for k := i * quarters; k < (i+1)*quarters; k++ {
		e += float64(d.ring[k%ringQuarters])
	}
	return e
}

// millisecond looks for an onset onsetAfter before the one just finished.
func (d *onsetDetector) millisecond(last int) {
	d.top = max(d.top, d.energy(last))
	i := last - onsetAfter
	if i < onsetBefore {
		return
	}
	e0, e1, e2 := d.energy(i), d.energy(i+1), d.energy(i-2)
	if e0 <= 4*e2 {
		return
	}
	var pre, post float64
	for k := 2; k <= onsetBefore; k++ {
		pre += d.energy(i-k) / (onsetBefore - 1)
	}
	for k := range onsetAfter {
		post += d.energy(i+k) / onsetAfter
	}
	if post > 30*pre && e0+e1 > 10*pre {
		d.found = append(d.found, onset{ms: i, pre: pre, post: post, pos: d.sharpen(i, post)})
	}
}

// sharpen is the quarter around millisecond i where the rise begins.
func (d *onsetDetector) sharpen(i int, level float64) int {
	for k := (i - 1) * quarters; k < (i+2)*quarters; k++ {
		if float64(d.ring[k%ringQuarters]) > 0.1*level/quarters {
			return int(float64(k) * d.step)
		}
	}
	return int(float64(i*quarters) * d.step)
}

// finish returns the onsets in samples, ascending and at least onsetApart apart.
func (d *onsetDetector) finish() []int {
	var out []int
	last := -onsetApart
	for _, o := range d.found {
		if o.ms-last > onsetApart && o.post > 30*o.pre+1e-4*d.top {
			last = o.ms
			out = append(out, o.pos)
		}
	}
	return out
}
