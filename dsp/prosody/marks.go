package prosody

import (
	"math"
	"slices"

	"github.com/videomsg/videomsg/dsp"
)

// Pulses are followed by correlation: in every voiced stretch the strongest peak
// of its loudest frame is the anchor, and from there each next pulse is where
// the waveform of one and a half periods matches best, to a fraction of a
// sample. Correlation keeps all marks on the same feature of the period, which
// picking peaks does not.
const (
	markWindow  = 0.75 // half-width of the matched piece, in periods
	markSearch  = 0.15 // how far from the tracked period a pulse may be, relative
	markPenalty = 0.05 // per relative distance from the tracked period
	markWeak    = 0.3  // below this correlation the tracked period is used as it is

	anchorSeconds = 4.0 // the anchor lies in the first part of a long stretch

	// A stretch is not a voice when its pulses resemble each other less than
	// runWeak on average, or runShortWeak when there are fewer than runShort:
	// noise bursts look periodic for a moment.
	runWeak, runShortWeak = 0.55, 0.8
	runShort              = 4
)

// mark fills Marks and Runs.
func (t *Track) mark(src dsp.Source, tick func(float64) error) error {
	if src.Samples == 0 {
		return nil
	}
	w := newWindow(src, true)
	m := &marker{t: t, w: w}
	for a := 0; a < len(t.F0); {
		if t.F0[a] <= 0 {
			a++
			continue
		}
		b := a
		for b < len(t.F0) && t.F0[b] > 0 {
			b++
		}
		if err := m.stretch(a, b); err != nil {
			return err
		}
		if err := tick(float64(b) / float64(len(t.F0))); err != nil {
			return err
		}
		a = b
	}
	return nil
}

type marker struct {
	t    *Track
	w    *window
	corr []float32 // correlation by lag of the coarse search
	back []float64
	sum  float64 // of the correlations in this stretch
	n    int
}

// stretch marks the voiced frames [a, b).
func (m *marker) stretch(a, b int) error {
	t := m.t
	hop := t.Hop * float64(t.Rate)
	from, to := (float64(a)-0.5)*hop, (float64(b)-0.5)*hop
	last := 0.0
	if len(t.Marks) > 0 {
		last = t.Marks[len(t.Marks)-1]
	}
	anchor, err := m.anchor(a, min(b, a+int(anchorSeconds/t.Hop)))
	if err != nil {
		return err
	}
	m.back, m.sum, m.n = m.back[:0], 0, 0
	for at := anchor; ; {
		period := m.period(at)
		next, ok, err := m.next(at, period, -1)
		if err != nil {
			return err
		}
		if !ok || next < from || next <= last+0.3*period {
			break
		}
		m.back = append(m.back, next)
		at = next
	}
	slices.Reverse(m.back)
	first := len(t.Marks)
	for _, p := range append(m.back, anchor) {
		if p > last && p > 0 {
			t.Marks = append(t.Marks, p)
			last = p
		}
	}
	for at := anchor; ; {
		period := m.period(at)
		next, ok, err := m.next(at, period, +1)
		if err != nil {
			return err
		}
		if !ok || next > to {
			break
		}
		if next > last {
			t.Marks = append(t.Marks, next)
			last = next
		}
		at = next
	}
	k := len(t.Marks) - first
	mean := m.sum / float64(max(1, m.n))
	if k < 2 || mean < runWeak || k < runShort && mean < runShortWeak {
		t.Marks = t.Marks[:first]
		clear(t.F0[a:b])
		return nil
	}
	t.Runs = append(t.Runs, Run{first, len(t.Marks)})
	return nil
}

// period is the tracked period at pos in samples, 0 outside voicing.
func (m *marker) period(pos float64) float64 {
	i := int(pos/float64(m.t.Rate)/m.t.Hop + 0.5)
	if i < 0 || i >= len(m.t.F0) || m.t.F0[i] <= 0 {
		return 0
	}
	return float64(m.t.Rate) / float64(m.t.F0[i])
}

// anchor is the strongest peak of the loudest of the frames [a, b).
func (m *marker) anchor(a, b int) (float64, error) {
	t := m.t
	hop := t.Hop * float64(t.Rate)
	reach := t.Rate / pitchMin
	if err := m.w.need(int(float64(a)*hop)-reach, int(float64(b)*hop)+reach); err != nil {
		return 0, err
	}
	loud, frame := float32(-1), a
	for i := a; i < b; i++ {
		c, h := int(float64(i)*hop), int(float64(t.Rate)/float64(t.F0[i]))/2
		x := m.w.d(floorDiv(c-h, m.w.q), ceilDiv(c+h, m.w.q))
		if e := dot(x, x) / float32(max(1, len(x))); e > loud {
			loud, frame = e, i
		}
	}
	c, h := int(float64(frame)*hop), int(float64(t.Rate)/float64(t.F0[frame]))/2
	x := m.w.x(c-h, c+h+1)
	peak := 0
	for i, v := range x {
		if t.polarity*v > t.polarity*x[peak] {
			peak = i
		}
	}
	return float64(c - h + peak), nil
}

// next is the pulse after (dir +1) or before (dir −1) the one at pos. ok is false
// when there is none: no period, or the end of the sound.
func (m *marker) next(pos, period float64, dir int) (next float64, ok bool, err error) {
	if period <= 0 {
		return 0, false, nil
	}
	half := int(period * markWindow)
	c := int(math.Round(pos))
	lo, hi := int(period*(1-markSearch)), int(math.Ceil(period*(1+markSearch)))
	if c-half < 0 || c+half >= m.t.Samples {
		return 0, false, nil
	}
	if p := c + dir*lo; p-half < 0 || p+half >= m.t.Samples {
		return 0, false, nil
	}
	q := m.w.q
	if err := m.w.need(c-hi-half-4*q, c+hi+half+4*q); err != nil {
		return 0, false, err
	}
	ref := m.w.x(c-half, c+half+1)
	er := dot(ref, ref)
	at := func(l int) float32 {
		p := c + dir*l
		ab, bb := dotEnergy(ref, m.w.x(p-half, p+half+1))
		return ab / float32(math.Sqrt(float64(er)*float64(bb)+1e-20))
	}
	// The coarse search leaves a sample or two open: climb from there.
	l := min(max(m.coarse(c, half, lo, hi, dir, period), lo), hi)
	left, best, right := at(l-1), at(l), at(l+1)
	for l > lo && left > best {
		l, right, best, left = l-1, best, left, at(l-2)
	}
	for l < hi && right > best {
		l, left, best, right = l+1, best, right, at(l+2)
	}
	m.sum, m.n = m.sum+float64(best), m.n+1
	if best < markWeak {
		return pos + float64(dir)*period, true, nil
	}
	return pos + float64(dir)*(float64(l)+float64(parabola(left, best, right))), true, nil
}

// coarse is the best lag found on the decimated signal, between its samples.
func (m *marker) coarse(c, half, lo, hi, dir int, period float64) int {
	q := m.w.q
	cd, hd := floorDiv(c, q), max(2, half/q)
	ref := m.w.d(cd-hd, cd+hd+1)
	er := math.Sqrt(float64(dot(ref, ref)))
	first, last := lo/q, ceilDiv(hi, q)
	m.corr = m.corr[:0]
	best := 0
	for l := first; l <= last; l++ {
		p := cd + dir*l
		ab, bb := dotEnergy(ref, m.w.d(p-hd, p+hd+1))
		v := float64(ab)/math.Sqrt(float64(bb)+1e-20) - markPenalty*math.Abs(float64(l*q)-period)/period*er
		m.corr = append(m.corr, float32(v))
		if m.corr[l-first] > m.corr[best] {
			best = l - first
		}
	}
	off := float32(0)
	if best > 0 && best < len(m.corr)-1 {
		off = parabola(m.corr[best-1], m.corr[best], m.corr[best+1])
	}
	return int(math.Round(float64(q) * (float64(first+best) + float64(off))))
}
