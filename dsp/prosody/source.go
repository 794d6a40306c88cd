package prosody

import (
	"fmt"

	"github.com/videomsg/videomsg/dsp"
)

// window is the part of a source that is in memory, zero outside [0, Samples).
// Positions are absolute; x(a, b) slices the mean of the channels.
type window struct {
	src    dsp.Source
	lo, hi int         // loaded range; may reach outside the source
	ch     [][]float32 // per channel, hi-lo samples
	check  bool        // samples are looked at for damage
	mid    []float32   // mean of the channels; ch[0] itself when mono
	ahead  int         // how much is loaded beyond what is asked for

	q   int       // decimation factor; 0: no decimated copy is kept
	fir []float32 // half of the symmetric decimation filter
	dec []float32 // mid decimated by q: dec[i] is at (dlo+i)·q
	dlo int
}

func newWindow(src dsp.Source, decimate bool) *window {
	w := &window{src: src, ahead: src.Rate, ch: make([][]float32, src.Channels)}
	if decimate {
		w.q = max(1, (src.Rate+6000)/12000)
		w.fir = lowpass(w.q, 2)
	}
	return w
}

// need makes [a, b) available. The slices handed out before become invalid.
func (w *window) need(a, b int) error {
	if a >= w.lo && b <= w.hi {
		return nil
	}
	lo, hi := a, b
	if a < w.lo && b <= w.hi && w.hi > w.lo {
		lo = a - w.ahead // going backward
	} else {
		hi = b + w.ahead
	}
	pad := 0
	if w.q > 1 { // the filter's reach, and whole multiples of q
		pad = len(w.fir) + w.q
	}
	lo, hi = lo-pad, hi+pad
	n := hi - lo
	for c := range w.ch {
		old := w.ch[c]
		buf := old
		if cap(buf) < n {
			buf = make([]float32, n, n+n/4)
		}
		buf = buf[:n]
		// Keep the overlap, which moves toward either end.
		keepLo, keepHi := max(lo, w.lo), min(hi, w.hi)
		if keepLo < keepHi {
			copy(buf[keepLo-lo:keepHi-lo], old[keepLo-w.lo:keepHi-w.lo])
		} else {
			keepLo, keepHi = hi, hi
		}
		clear(buf[:keepLo-lo])
		clear(buf[keepHi-lo:])
		w.ch[c] = buf
	}
	oldLo, oldHi := w.lo, w.hi
	if min(hi, oldHi) <= max(lo, oldLo) {
		oldLo, oldHi = hi, hi
	}
	w.lo, w.hi = lo, hi
	if err := w.load(lo, min(oldLo, hi)); err != nil {
		return err
	}
	if err := w.load(max(oldHi, lo), hi); err != nil {
		return err
	}
	w.mix()
	return nil
}

// load reads [a, b) ∩ [0, Samples) into place.
func (w *window) load(a, b int) error {
	a, b = max(a, 0), min(b, w.src.Samples)
	if a >= b {
		return nil
	}
	dst := make([][]float32, len(w.ch))
	for c := range dst {
		dst[c] = w.ch[c][a-w.lo : b-w.lo]
	}
	if err := w.src.Read(dst, a); err != nil {
		return fmt.Errorf("read audio at sample %d: %w", a, err)
	}
	if !w.check {
		return nil
	}
	for c, x := range dst {
		for i, v := range x {
			if !(v <= dsp.MaxLevel && v >= -dsp.MaxLevel) {
				return fmt.Errorf("audio channel %d sample %d is %g", c, a+i, v)
			}
		}
	}
	return nil
}

// mix refreshes the mean of the channels and its decimated copy.
func (w *window) mix() {
	if len(w.ch) == 1 {
		w.mid = w.ch[0]
	} else {
		n := w.hi - w.lo
		if cap(w.mid) < n {
			w.mid = make([]float32, n, n+n/4)
		}
		w.mid = w.mid[:n]
		g := 1 / float32(len(w.ch))
		for i := range w.mid {
			w.mid[i] = g * w.ch[0][i]
		}
		for _, x := range w.ch[1:] {
			for i, v := range x {
				w.mid[i] += g * v
			}
		}
	}
	switch {
	case w.q == 1:
		w.dec, w.dlo = w.mid, w.lo
	case w.q > 1:
		half := len(w.fir) - 1
		w.dlo = ceilDiv(w.lo+half, w.q)
		n := (w.hi-half-1)/w.q - w.dlo + 1
		if cap(w.dec) < n {
			w.dec = make([]float32, n, n+n/4)
		}
		w.dec = w.dec[:n]
		decimate(w.dec, w.mid[w.dlo*w.q-half-w.lo:], w.fir, w.q)
	}
}

// x is samples [a, b) of the mean of the channels; they must have been asked for.
func (w *window) x(a, b int) []float32 { return w.mid[a-w.lo : b-w.lo : b-w.lo] }

// d is samples [a, b) of the decimated mean.
func (w *window) d(a, b int) []float32 { return w.dec[a-w.dlo : b-w.dlo : b-w.dlo] }

func ceilDiv(a, b int) int {
	if a >= 0 {
		return (a + b - 1) / b
	}
	return -(-a / b)
}

func floorDiv(a, b int) int { return -ceilDiv(-a, b) }
