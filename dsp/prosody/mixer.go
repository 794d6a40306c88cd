package prosody

import "math"

// longestHalf bounds a half-window in seconds.
const longestHalf = 0.03

// mixer adds grains to the output and hands on what no later grain can reach.
type mixer struct {
	n    int // length of the output
	base int // position of buf[c][0]
	buf  [][]float32
	grab []float32
	sinc *sincTable
	emit func(ch [][]float32) error // gets the next samples; they are reused
	size int                        // of an emitted block
}

func newMixer(rate, channels, n int, emit func([][]float32) error) *mixer {
	m := &mixer{n: n, sinc: newSincTable(), emit: emit, size: max(1, rate/10)}
	m.buf = make([][]float32, channels)
	for c := range m.buf {
		m.buf[c] = make([]float32, 2*m.size+int(0.4*float64(rate)))
	}
	return m
}

// add puts grain g.
func (m *mixer) add(w *window, g grain) error {
	a := max(int(math.Ceil(g.u-g.l)), m.base, 0)
	b := min(int(math.Floor(g.end+g.r)), m.n-1, m.base+len(m.buf[0])-1)
	if b < a {
		return nil
	}
	start := g.m + (float64(a)-g.u)*g.step
	lo := int(math.Floor(start)) - sincTaps
	hi := int(math.Ceil(start+float64(b-a)*g.step)) + sincTaps
	if err := w.need(lo, hi); err != nil {
		return err
	}
	k := b - a + 1
	if len(m.grab) < k {
		m.grab = make([]float32, k)
	}
	x := m.grab[:k]
	// Where the left half ends and where the right half starts.
	i, j := min(max(int(math.Ceil(g.u))-a, 0), k), min(max(int(math.Floor(g.end))+1-a, 0), k)
	j = max(i, j)
	for c := range m.buf {
		src := w.ch[c][lo-w.lo : hi-w.lo]
		if g.step == 1 {
			m.sinc.shift(x, src, start-float64(lo))
		} else {
			m.sinc.stretch(x, src, start-float64(lo), g.step)
		}
		y := m.buf[c][a-m.base:][:k]
		side(y[:i], x[:i], float64(a)-g.u, g.l, g.gapL, g)
		if g.gain == 1 {
			for n, v := range x[i:j] {
				y[i+n] += v
			}
		} else {
			for n, v := range x[i:j] {
				y[i+n] += g.gain * v
			}
		}
		side(y[j:], x[j:], float64(a+j)-g.end, g.r, g.gapR, g)
	}
	return nil
}

// side adds one side of a grain, t from its pulse; gap is the distance to the
// pulse on that side.
func side(y, x []float32, t, half, gap float64, g grain) {
	if gap > half {
		flat(y, x, t, half, gap, g.floor, g.gain)
		return
	}
	fade(y, x, t, half, g.gain)
}

// flat is fade with a window w(t)/max(w(t)+w(gap−t), floor), w being that of fade:
// near the pulse it is 1, and together with that of a neighbour gap away it is 1
// all the way, unless the two are farther apart than they reach.
func flat(y, x []float32, t, half, gap, floor float64, gain float32) {
	if len(x) == 0 {
		return
	}
	d := math.Pi / half
	k := 2 * math.Cos(d)
	c1, c0 := math.Cos(d*t), math.Cos(d*(t-1))
	far := gap - math.Abs(t) // from the neighbour, and falling or rising with t
	step := 1.0
	if t >= 0 {
		step = -1
	}
	n1, n0 := math.Cos(d*far), math.Cos(d*(far-step))
	y = y[:len(x)]
	for i, v := range x {
		w := 0.5 + 0.5*c1
		sum := w
		if far < half {
			sum += 0.5 + 0.5*n1
		}
		y[i] += v * gain * float32(w/math.Max(sum, floor))
		c0, c1 = c1, k*c1-c0
		n0, n1 = n1, k*n1-n0
		far += step
	}
}

// fade adds gain·(½+½cos(π(t+i)/half))·x[i] to y[i]; the cosine comes from the
// recurrence cos(a+d) = 2·cos(d)·cos(a) − cos(a−d).
func fade(y, x []float32, t, half float64, gain float32) {
	if len(x) == 0 {
		return
	}
	d := math.Pi / half
	c1, c0 := math.Cos(d*t), math.Cos(d*(t-1))
	k := 2 * math.Cos(d)
	h := 0.5 * float64(gain)
	y = y[:len(x)]
	for i, v := range x {
		y[i] += v * float32(h+h*c1)
		c0, c1 = c1, k*c1-c0
	}
}

// advance says that no later grain reaches below pos; whole blocks go out.
func (m *mixer) advance(pos int) error {
	for min(pos, m.n)-m.base >= m.size {
		if err := m.send(m.size); err != nil {
			return err
		}
	}
	return nil
}

// finish sends the rest.
func (m *mixer) finish() error {
	for m.base < m.n {
		if err := m.send(min(m.size, m.n-m.base)); err != nil {
			return err
		}
	}
	return nil
}

func (m *mixer) send(k int) error {
	block := make([][]float32, len(m.buf))
	for c := range block {
		block[c] = m.buf[c][:k]
	}
	if err := m.emit(block); err != nil {
		return err
	}
	for c := range m.buf {
		n := copy(m.buf[c], m.buf[c][k:])
		clear(m.buf[c][n:])
	}
	m.base += k
	return nil
}
