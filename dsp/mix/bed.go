package mix

import (
	"fmt"
	"math"
	"time"

	"github.com/videomsg/videomsg/dsp"
)

const (
	crossfade = 400 * time.Millisecond
	search    = 400 * time.Millisecond // how far the splice may move for a better fit
	silence   = 1e-3                   // −60 dBFS: edges below it are trimmed
)

// bed is music that can be read for any length.
type bed struct {
	audio  dsp.Audio
	period int     // samples after which it starts again
	fade   int     // overlap of two rounds; 0 when seamless
	like   float64 // correlation of the two sides of the overlap, ≥ 0
	ends   bool    // comes to its own end where the mix does
}

// sameEnd is how far, in samples, the ends of music and mix may be apart: the
// length went through durations and another sampling rate.
const sameEnd = Rate / 100

// newBed prepares music for n samples.
func newBed(m Music, n int) (*bed, error) {
	a := m.Audio
	if err := a.Check(); err != nil {
		return nil, fmt.Errorf("mix music: %w", err)
	}
	if d := a.Duration(); d > MaxLength {
		return nil, fmt.Errorf("music of %s is longer than %s: %w", d.Round(time.Second), MaxLength, ErrMusic)
	}
	if len(a.Ch) > 2 {
		a = a.Mono()
	}
	a, err := dsp.Resample(a, Rate)
	if err != nil {
		return nil, fmt.Errorf("mix music: %w", err)
	}
	if !m.Seamless && !m.Ends {
		a = trim(a)
	}
	if a.Duration() < MinMusic {
		return nil, fmt.Errorf("music of %s, at least %s are needed: %w", a.Duration().Round(time.Millisecond), MinMusic, ErrMusic)
	}
	b := &bed{audio: a, period: a.Len()}
	if d := a.Len() - n; m.Ends && d >= -sameEnd && d <= sameEnd {
		b.ends, b.period = true, max(a.Len(), n)
		return b, nil
	}
	if !m.Seamless && a.Len() < n {
		b.fade = min(samples(crossfade), a.Len()/4)
		b.splice()
	}
	return b, nil
}

// loops is how often the music starts again within n samples.
func (b *bed) loops(n int) int { return max(0, (n-1)/b.period) }

// splice looks for the end point at which the overlap fits the beginning best,
// so that beats meet beats, and remembers how alike the two are.
func (b *bed) splice() {
	const q = 8 // compare at 6 kHz
	a := decimate(b.audio.Mono().Ch[0], q)
	f := b.fade / q
	head := a[:f]
	best, at := math.Inf(-1), len(a)-f
	for s := len(a) - f; s >= max(f, len(a)-f-samples(search)/q); s-- {
		if c := correlation(head, a[s:s+f]); c > best+1e-9 {
			best, at = c, s
		}
	}
	b.period = min(at*q, b.audio.Len()-b.fade)
	b.like = max(0, best)
}

// fill writes the music into out from its beginning, as often as needed.
func (b *bed) fill(out dsp.Audio) {
	n := out.Len()
	for c := range out.Ch {
		src := b.audio.Ch[min(c, len(b.audio.Ch)-1)]
		for from := 0; from < n; from += b.period {
			dst := out.Ch[c][from:]
			k := min(len(dst), b.period+b.fade, len(src))
			for i, v := range src[:k] {
				dst[i] += v * b.weight(i, from > 0)
			}
		}
	}
}

// weight is the crossfade: equal power for strangers, and less in the middle
// the more alike the two sides are, so that the level stays the same.
func (b *bed) weight(i int, fadeIn bool) float32 {
	x, up := 0.0, true
	switch {
	case i < b.fade && fadeIn:
		x = (float64(i) + 0.5) / float64(b.fade)
	case i >= b.period && b.fade > 0:
		x, up = (float64(i-b.period)+0.5)/float64(b.fade), false
	default:
		return 1
	}
	s, c := math.Sincos(x * math.Pi / 2)
	w := 1 / math.Sqrt(1+2*b.like*s*c)
	if up {
		return float32(w * s)
	}
	return float32(w * c)
}

// trim cuts silence off both ends; all silence leaves nothing.
func trim(a dsp.Audio) dsp.Audio {
	loud := func(i int) bool {
		for _, ch := range a.Ch {
			if math.Abs(float64(ch[i])) > silence {
				return true
			}
		}
		return false
	}
	from, to := 0, a.Len()
	for from < to && !loud(from) {
		from++
	}
	for to > from && !loud(to-1) {
		to--
	}
	out := dsp.Audio{Rate: a.Rate, Ch: make([][]float32, len(a.Ch))}
	for c := range a.Ch {
		out.Ch[c] = a.Ch[c][from:to]
	}
	return out
}

// decimate averages q samples into one: enough of a filter to compare rhythm.
func decimate(x []float32, q int) []float64 {
	out := make([]float64, len(x)/q)
	for i := range out {
		for _, v := range x[i*q : (i+1)*q] {
			out[i] += float64(v)
		}
	}
	return out
}

func correlation(a, b []float64) float64 {
	ab, aa, bb := 0.0, 1e-12, 1e-12
	for i, v := range a {
		ab += v * b[i]
		aa += v * v
		bb += b[i] * b[i]
	}
	return ab / math.Sqrt(aa*bb)
}
