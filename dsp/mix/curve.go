package mix

import (
	"math"
	"sort"
	"time"
)

// Ducking, offline and therefore with foresight: the music is down before the
// first syllable and waits through short pauses. With 6 dB in 250 ms along a
// cosine the gain never moves faster than 38 dB/s.
const (
	duckUp    = 4.0 // dB above the plan's level in pauses, at most
	duckDown  = 2.0 // dB below it under speech
	duckStart = 280 * time.Millisecond
	duckFall  = 250 * time.Millisecond
	duckHold  = 500 * time.Millisecond
	duckRise  = 800 * time.Millisecond
	// closest is how near, in LU, music may come to the voice in pauses.
	closest = 4.0
)

// raise is by how many dB music rises above the plan's level in pauses.
func raise(p Plan) float64 {
	return max(0, min(duckUp, 20*(1-p.Volume)-closest))
}

// curve is the gain of the music over time: fades, and the ducking in dB.
type curve struct {
	n       int
	in, out int // samples
	spans   []span
	up      float64 // dB in pauses
	down    float64 // dB under speech
}

// newCurve scales the fades down when the mix is shorter than both, and leaves
// an end of the music's own alone.
func newCurve(p Plan, n int, ownEnd bool) *curve {
	c := &curve{n: n, in: samples(p.FadeIn), out: samples(p.FadeOut)}
	if ownEnd {
		c.out = 0
	}
	if sum := c.in + c.out; sum > n {
		c.in, c.out = c.in*n/sum, c.out*n/sum
	}
	return c
}

// duck adds ducking under the spans of speech. Pauses too short for the music
// to come up and go down again are bridged, so it never pumps.
func (c *curve) duck(speech []span, up float64) {
	c.up, c.down = up, duckDown
	bridge := samples(duckStart + duckHold + duckRise)
	for _, s := range speech {
		if k := len(c.spans); k > 0 && s.from-c.spans[k-1].to <= bridge {
			c.spans[k-1].to = s.to
		} else {
			c.spans = append(c.spans, s)
		}
	}
}

// apply multiplies ch, which begins at sample at, by gain dB and the curve.
func (c *curve) apply(ch [][]float32, at int, gain float64) {
	g := math.Pow(10, gain/20)
	over := samples(duckHold + duckRise)
	k := sort.Search(len(c.spans), func(k int) bool { return at < c.spans[k].to+over })
	up, down := math.Pow(10, c.up/20), math.Pow(10, -c.down/20)
	for i := range ch[0] {
		w := g * c.fade(at+i)
		if c.down > 0 {
			for k < len(c.spans) && at+i >= c.spans[k].to+over {
				k++
			}
			switch d := c.depth(k, at+i); d {
			case 0:
				w *= up
			case 1:
				w *= down
			default:
				w *= math.Pow(10, (c.up-(c.up+c.down)*d)/20)
			}
		}
		for _, x := range ch {
			x[i] = float32(w * float64(x[i]))
		}
	}
}

func (c *curve) fade(i int) float64 {
	w := 1.0
	if i < c.in {
		w = ramp(float64(i) / float64(c.in))
	}
	if left := c.n - 1 - i; left < c.out {
		w *= ramp(float64(left) / float64(c.out))
	}
	return w
}

// depth is 1 under speech, 0 in pauses, for the span k that i stands before or
// in.
func (c *curve) depth(k, i int) float64 {
	if k == len(c.spans) {
		return 0
	}
	s := c.spans[k]
	switch {
	case i < s.from:
		return ramp(float64(i-(s.from-samples(duckStart))) / float64(samples(duckFall)))
	case i < s.to+samples(duckHold):
		return 1
	}
	return 1 - ramp(float64(i-s.to-samples(duckHold))/float64(samples(duckRise)))
}

// ramp goes from 0 to 1 along a half cosine.
func ramp(x float64) float64 {
	x = max(0, min(1, x))
	return 0.5 - 0.5*math.Cos(math.Pi*x)
}
