package prosody

import (
	"math"
	"sort"
)

// Point says that input second In is at output second Out.
type Point struct {
	In  float64 `json:"in"`
	Out float64 `json:"out"`
}

// TimeMap carries times through a change of timing. It is linear between its
// points, which never fall in either coordinate, and continues with slope 1
// before the first and after the last. A point pair with equal In is an
// insertion (a pause), one with equal Out a cut. The empty map changes nothing.
type TimeMap []Point

// Out is the output time of input second t. Where something was inserted at t, it
// is the end of the insertion: what starts at t starts there.
func (m TimeMap) Out(t float64) float64 {
	// The last point at or before t.
	i := sort.Search(len(m), func(i int) bool { return m[i].In > t }) - 1
	return m.at(i, t)
}

// End is like Out for something that ends at t: the start of an insertion.
func (m TimeMap) End(t float64) float64 {
	i := sort.Search(len(m), func(i int) bool { return m[i].In >= t })
	if i < len(m) && m[i].In == t {
		return m[i].Out
	}
	return m.at(i-1, t)
}

// Span carries an interval: a phoneme, a word.
func (m TimeMap) Span(start, end float64) (outStart, outEnd float64) {
	outStart = m.Out(start)
	return outStart, math.Max(outStart, m.End(end))
}

func (m TimeMap) at(i int, t float64) float64 {
	switch {
	case len(m) == 0:
		return t
	case i < 0:
		return m[0].Out + t - m[0].In
	case i == len(m)-1:
		return m[i].Out + t - m[i].In
	}
	a, b := m[i], m[i+1]
	if b.In == a.In {
		return b.Out
	}
	return a.Out + (t-a.In)*(b.Out-a.Out)/(b.In-a.In)
}

// In is the input time of output second t; inside an insertion it is the input
// time at which that was made.
func (m TimeMap) In(t float64) float64 { return m.inverse().Out(t) }

// inverse swaps the axes.
func (m TimeMap) inverse() TimeMap {
	r := make(TimeMap, len(m))
	for i, p := range m {
		r[i] = Point{p.Out, p.In}
	}
	return r
}

// Delay is the map of a lead-in of the given seconds put before the sound.
func Delay(seconds float64) TimeMap { return TimeMap{{0, seconds}} }

// Then is the map of m followed by next.
func (m TimeMap) Then(next TimeMap) TimeMap {
	if len(m) == 0 {
		return append(TimeMap(nil), next...)
	}
	if len(next) == 0 {
		return append(TimeMap(nil), m...)
	}
	// Every point of m, and every point of next seen from m's input. Where m
	// stands still on one axis both sides of the step are kept.
	out := make(TimeMap, 0, len(m)+len(next))
	for i, p := range m {
		switch {
		case i > 0 && m[i-1].In == p.In: // after an insertion
			out = append(out, Point{p.In, next.Out(p.Out)})
		case i+1 < len(m) && m[i+1].In == p.In: // before an insertion
			out = append(out, Point{p.In, next.End(p.Out)})
		default:
			out = append(out, Point{p.In, next.Out(p.Out)})
		}
	}
	inv := m.inverse()
	for _, p := range next {
		out = append(out, Point{inv.Out(p.In), p.Out})
	}
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].In != out[j].In {
			return out[i].In < out[j].In
		}
		return out[i].Out < out[j].Out
	})
	return out.dedupe()
}

// dedupe drops repeated points and whatever lies between the ends of a step.
func (m TimeMap) dedupe() TimeMap {
	out := m[:0]
	for _, p := range m {
		n := len(out)
		if n > 0 && p.Out < out[n-1].Out {
			p.Out = out[n-1].Out // rounding
		}
		if n > 0 && out[n-1] == p {
			continue
		}
		if n > 1 && out[n-1].In == p.In && out[n-2].In == p.In {
			out[n-1] = p
			continue
		}
		out = append(out, p)
	}
	return out
}

// Simplify drops points as long as no output time moves by more than tolerance
// seconds: 0.001 makes a map small enough to send around.
func (m TimeMap) Simplify(tolerance float64) TimeMap {
	if len(m) < 3 {
		return append(TimeMap(nil), m...)
	}
	out := TimeMap{m[0]}
	for i := 0; i < len(m)-1; {
		j := i + 1
		// The longest chord from i that stays within the tolerance.
		for k := i + 2; k < len(m) && k < i+64 && m.straight(i, k, tolerance); k++ {
			j = k
		}
		out = append(out, m[j])
		i = j
	}
	return out
}

func (m TimeMap) straight(i, j int, tolerance float64) bool {
	a, b := m[i], m[j]
	if b.In == a.In {
		return false
	}
	for k := i; k < j; k++ {
		if k > i {
			want := a.Out + (m[k].In-a.In)*(b.Out-a.Out)/(b.In-a.In)
			if math.Abs(want-m[k].Out) > tolerance {
				return false
			}
		}
		if m[k+1].In == m[k].In || m[k+1].Out == m[k].Out { // steps stay exact
			return false
		}
	}
	return true
}
