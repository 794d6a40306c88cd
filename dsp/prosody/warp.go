package prosody

import (
	"math"
	"sort"
)

// segment kinds of a warp.
type segKind uint8

const (
	segFree segKind = iota // stretched by the rate
	segLock                // around an onset: slope 1
	segGap                 // edge of a replaced gap: slope 1
	segFill                // lengthened middle of a replaced gap
	segCut                 // shortened middle of a replaced gap
)

// warp is the time map of one run in samples, with what synthesis must know
// about each piece. Positions are asked for in rising order, so a cursor makes
// that cheap.
type warp struct {
	in, out []float64
	kind    []segKind // of the piece that starts at the node
	at      int       // cursor

	// back is where the piece after a lock may be on schedule again, while
	// nothing else has been laid there.
	back    Point
	pending bool
}

// Time is kept as it is from lockBefore to lockAfter around an onset. The delay
// or advance that this makes is caught up over lockCatch afterwards, so that
// lips and captions that follow the plain rate stay with the sound.
const (
	lockBefore = 0.003
	lockAfter  = 0.012
	lockCatch  = 0.050
)

// newWarp lays out the whole recording: replaced gaps first, then locks around
// onsets inside what is stretched. The end is a whole sample.
func newWarp(t *Track, p Plan) *warp {
	w := &warp{}
	f := float64(t.Rate)
	n := float64(t.Samples)
	in, out := 0.0, 0.0
	w.node(0, 0, segFree)
	on := 0
	free := func(to float64) {
		o := out + (to-in)/p.Rate
		for ; on < len(t.Onsets) && float64(t.Onsets[on]) < to; on++ {
			if p.Rate != 1 {
				w.lock(float64(t.Onsets[on]), in, out, to, o, f)
			}
		}
		w.catchUp(to)
		w.pending = false
		in, out = to, o
	}
	for _, b := range p.Breaks {
		pause, ok := p.Pauses[b.Mark]
		g0, g1 := b.Start*f, math.Min(b.End*f, n)
		if !ok || g0 > n || g0 < in {
			continue
		}
		free(g0)
		w.gap(g0, g1, out, pause*f)
		in, out = g1, out+pause*f
		for on < len(t.Onsets) && float64(t.Onsets[on]) < g1 {
			on++
		}
	}
	free(n)
	w.node(n, math.Round(out), segFree)
	return w
}

func (w *warp) node(in, out float64, k segKind) {
	if i := len(w.in) - 1; i >= 0 && w.in[i] == in && w.out[i] == out {
		w.kind[i] = k
		return
	}
	w.in, w.out, w.kind = append(w.in, in), append(w.out, out), append(w.kind, k)
}

// lock keeps slope 1 around an onset inside the piece from (in, out) to
// (toIn, toOut), when there is room for it.
func (w *warp) lock(onset, in, out, toIn, toOut, rate float64) {
	before, after := lockBefore*rate, lockAfter*rate
	o := out + (onset-in)*(toOut-out)/(toIn-in)
	w.catchUp(onset - before)
	lastIn, lastOut := w.in[len(w.in)-1], w.out[len(w.out)-1]
	if onset-before <= lastIn+before || o-before <= lastOut+before/2 ||
		onset+after >= toIn-1 || o+after >= toOut-1 {
		return
	}
	w.node(onset-before, o-before, segLock)
	w.node(onset+after, o+after, segFree)
	end := onset + after + lockCatch*rate
	w.back, w.pending = Point{end, out + (end-in)*(toOut-out)/(toIn-in)}, true
}

// catchUp lays the pending return to schedule if it comes before limit.
func (w *warp) catchUp(limit float64) {
	if w.pending && w.back.In < limit-1 {
		w.node(w.back.In, w.back.Out, segFree)
		w.pending = false
	}
}

// gap gives the input gap [g0, g1] exactly pause samples of output: both edges
// as they are, the middle lengthened or cut.
func (w *warp) gap(g0, g1, out, pause float64) {
	edge := 0.5 * math.Min(g1-g0, pause)
	w.node(g0, out, segGap)
	middle := segFill
	if g1-g0 > pause {
		middle = segCut
	}
	w.node(g0+edge, out+edge, middle)
	w.node(g1-edge, out+pause-edge, segGap)
	w.node(g1, out+pause, segFree)
}

// length is the number of output samples.
func (w *warp) length() int { return int(w.out[len(w.out)-1]) }

// seek moves the cursor to the piece that contains output position o.
func (w *warp) seek(o float64) {
	for w.at > 0 && w.out[w.at] > o {
		w.at--
	}
	for w.at+2 < len(w.out) && w.out[w.at+1] <= o {
		w.at++
	}
}

// inv is the input position of output position o, and the kind of piece it is in.
func (w *warp) inv(o float64) (float64, segKind) {
	if len(w.out) < 2 {
		return 0, segFree
	}
	w.seek(o)
	i := w.at
	d := w.out[i+1] - w.out[i]
	if d <= 0 {
		return w.in[i+1], w.kind[i]
	}
	return w.in[i] + (o-w.out[i])*(w.in[i+1]-w.in[i])/d, w.kind[i]
}

// fwd is the output position of input position x.
func (w *warp) fwd(x float64) float64 {
	i := sort.SearchFloat64s(w.in, x) - 1
	i = min(max(i, 0), len(w.in)-2)
	d := w.in[i+1] - w.in[i]
	if d <= 0 {
		return w.out[i+1]
	}
	return w.out[i] + (x-w.in[i])*(w.out[i+1]-w.out[i])/d
}

// slope is d out/d in at output position o.
func (w *warp) slope(o float64) float64 {
	w.seek(o)
	d := w.in[w.at+1] - w.in[w.at]
	if d <= 0 {
		return math.Inf(1)
	}
	return (w.out[w.at+1] - w.out[w.at]) / d
}

// nextEdge is the start of the first lock, gap edge, fill or cut in (a, b].
func (w *warp) nextEdge(a, b float64) (float64, bool) {
	w.seek(a)
	for i := w.at + 1; i+1 < len(w.out) && w.out[i] <= b; i++ {
		if w.out[i] > a+1e-6 && w.kind[i] != segFree {
			return w.out[i], true
		}
	}
	return 0, false
}

// nextLock is the input position of the onset whose lock is the next piece after
// output position o, or +Inf.
func (w *warp) nextLock(o, rate float64) float64 {
	w.seek(o)
	if i := w.at + 1; i < len(w.kind) && w.kind[i] == segLock && w.kind[w.at] != segLock {
		return w.in[i] + lockBefore*rate
	}
	return math.Inf(1)
}

// timeMap is the warp in seconds.
func (w *warp) timeMap(rate int) TimeMap {
	m := make(TimeMap, len(w.in))
	for i := range m {
		m[i] = Point{w.in[i] / float64(rate), w.out[i] / float64(rate)}
	}
	return m.dedupe()
}
