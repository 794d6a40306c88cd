package prosody

import "math"

// limiter holds sample peaks at limitCeiling. The gain a peak needs is reached
// before it, over the look-ahead, and released slowly; below the ceiling samples
// pass bit by bit. All channels share one gain.
//
// The needed gain goes through a sliding minimum over the look-ahead, a one-pole
// release and a moving average over the look-ahead; at a sample's delayed output
// every term of the average has seen that sample, so the average is low enough.
type limiter struct {
	ahead   int
	release float64
	hold    [][]float32 // ring of the delayed samples, per channel
	pos     int         // samples taken in

	queue []needed // rising gains whose head is the sliding minimum
	head  int
	env   float64   // after the release
	box   []float32 // ring of the last ahead+1 values of env
	sum   float64
	calm  int     // samples since gain was last needed
	least float64 // the lowest gain applied

	out [][]float32
}

type needed struct {
	pos  int
	gain float32
}

const (
	limitCeiling = 0.989 // −0.1 dBFS
	limitAhead   = 0.005 // seconds
	limitRelease = 0.080 // seconds
)

func newLimiter(rate, channels int) *limiter {
	n := max(1, int(limitAhead*float64(rate)))
	l := &limiter{
		ahead: n, release: 1 - math.Exp(-1/(limitRelease*float64(rate))),
		hold: make([][]float32, channels), out: make([][]float32, channels),
		box: make([]float32, n+1), env: 1, sum: float64(n + 1), least: 1, calm: 2*n + 2,
	}
	for c := range l.hold {
		l.hold[c] = make([]float32, n)
	}
	for i := range l.box {
		l.box[i] = 1
	}
	return l
}

// block takes samples in and returns those that leave the look-ahead; the slices
// are reused by the next call.
func (l *limiter) block(ch [][]float32) [][]float32 {
	n := len(ch[0])
	for c := range l.out {
		if cap(l.out[c]) < n {
			l.out[c] = make([]float32, n)
		}
		l.out[c] = l.out[c][:n]
	}
	loud := l.calm <= 2*l.ahead+1
	for c := range ch {
		if loud {
			break
		}
		for _, v := range ch[c] {
			if v > limitCeiling || v < -limitCeiling {
				loud = true
				break
			}
		}
	}
	first := min(max(l.ahead-l.pos, 0), n) // nothing has come through before
	if loud {
		for i := range n {
			l.sample(ch, i)
		}
	} else {
		l.queue, l.head = l.queue[:0], 0
		for c := range ch {
			h, p := l.hold[c], l.pos%l.ahead
			for i, v := range ch[c] {
				l.out[c][i], h[p] = h[p], v
				if p++; p == len(h) {
					p = 0
				}
			}
		}
		l.pos += n
	}
	res := make([][]float32, len(l.out))
	for c := range res {
		res[c] = l.out[c][first:]
	}
	return res
}

func (l *limiter) sample(ch [][]float32, i int) {
	need := float32(1)
	for c := range ch {
		if v := max(ch[c][i], -ch[c][i]); v > limitCeiling {
			need = min(need, limitCeiling/v)
		}
	}
	for len(l.queue) > l.head && l.queue[len(l.queue)-1].gain >= need {
		l.queue = l.queue[:len(l.queue)-1]
	}
	l.queue = append(l.queue, needed{l.pos, need})
	if l.queue[l.head].pos < l.pos-l.ahead {
		l.head++
	}
	if l.head > l.ahead {
		l.queue = l.queue[:copy(l.queue, l.queue[l.head:])]
		l.head = 0
	}
	low := float64(l.queue[l.head].gain)
	if low < l.env {
		l.env = low
	} else if l.env += l.release * (low - l.env); l.env > 1-1e-6 {
		l.env = 1
	}
	if l.env < 1 {
		l.calm = 0
	} else {
		l.calm++
	}
	k := l.pos % len(l.box)
	l.sum += l.env - float64(l.box[k])
	l.box[k] = float32(l.env)
	gain := l.sum / float64(len(l.box))
	if l.calm >= len(l.box) {
		l.sum, gain = float64(len(l.box)), 1
	}
	l.least = min(l.least, gain)
	p := l.pos % l.ahead
	for c := range ch {
		l.out[c][i] = l.hold[c][p] * float32(gain)
		l.hold[c][p] = ch[c][i]
	}
	l.pos++
}

// rest drains the look-ahead.
func (l *limiter) rest() [][]float32 {
	zero := make([][]float32, len(l.hold))
	for c := range zero {
		zero[c] = make([]float32, min(l.ahead, l.pos))
	}
	if l.pos < l.ahead { // shorter than the look-ahead: fill up first
		pad := make([][]float32, len(l.hold))
		for c := range pad {
			pad[c] = make([]float32, l.ahead-l.pos)
		}
		l.block(pad)
	}
	return l.block(zero)
}
