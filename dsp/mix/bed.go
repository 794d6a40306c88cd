package mix

import (
	"fmt"
	"math"

	"github.com/videomsg/videomsg/dsp"
)

const (
	crossfade = 0.4   // s
	search    = 0.4   // s: how far the splice may move for a better fit
	silence   = 1e-3  // −60 dBFS: edges below it are trimmed
	sameEnd   = 0.010 // s: how far the ends of music and mix may be apart, after rounding
)

// bed is music that can be read for any length. It works at the music's own
// rate: converted afterwards, the seams are as smooth as the rest.
type bed struct {
	src    dsp.Source
	from   int     // first sample that is used
	len    int     // samples that are used
	period int     // samples after which it starts again
	fade   int     // overlap of two rounds; 0 when seamless
	like   float64 // correlation of the two sides of the overlap, ≥ 0
	ends   bool    // comes to its own end where the mix does
	piece  dsp.Audio
}

// newBed prepares music for a mix of that many seconds.
func newBed(m Music, seconds float64) (*bed, error) {
	src := m.Sound
	if err := src.Check(); err != nil {
		return nil, fmt.Errorf("mix music: %w", err)
	}
	if s := src.Seconds(); s > MaxLength.Seconds() {
		return nil, fmt.Errorf("music of %.0f s is longer than %s: %w", s, MaxLength, ErrMusic)
	}
	if src.Channels > 2 {
		src = src.Mono()
	}
	src = src.Checked()
	b := &bed{src: src, len: src.Samples, piece: dsp.New(src.Rate, src.Channels, 0)}
	if !m.Seamless && !m.Ends {
		if err := b.trim(); err != nil {
			return nil, fmt.Errorf("mix music: %w", err)
		}
	}
	rate := float64(src.Rate)
	if s := float64(b.len) / rate; s < MinMusic.Seconds() {
		return nil, fmt.Errorf("music of %.3f s, at least %s are needed: %w", s, MinMusic, ErrMusic)
	}
	b.period = b.len
	n := int(math.Ceil(seconds * rate))
	if m.Ends && math.Abs(float64(b.len)/rate-seconds) <= sameEnd {
		b.ends, b.period = true, max(b.len, n)
		return b, nil
	}
	if !m.Seamless && b.len < n {
		b.fade = min(int(crossfade*rate), b.len/4)
		if err := b.splice(); err != nil {
			return nil, fmt.Errorf("mix music: %w", err)
		}
	}
	return b, nil
}

// loops is how often the music starts again within seconds.
func (b *bed) loops(seconds float64) int {
	return max(0, int(math.Ceil(seconds*float64(b.src.Rate))-1)/b.period)
}

// source is n samples of the music, as often as needed, at the rate of mixes and
// in stereo.
func (b *bed) source(n int) (dsp.Source, error) {
	round := dsp.Source{
		Rate: b.src.Rate, Channels: b.src.Channels, Read: b.read,
		Samples: int(math.Ceil(float64(n) * float64(b.src.Rate) / Rate)),
	}
	out, err := round.Resample(Rate)
	if err != nil {
		return dsp.Source{}, fmt.Errorf("mix music: %w", err)
	}
	return stereo(out, n), nil
}

// read is the music repeated without end.
func (b *bed) read(dst [][]float32, at int) error {
	n := len(dst[0])
	for c := range dst {
		clear(dst[c])
	}
	for start := max(0, (at-b.fade)/b.period) * b.period; start < at+n; start += b.period {
		lo := max(at, start)
		hi := min(at+n, start+b.len, start+b.period+b.fade)
		if lo >= hi {
			continue
		}
		piece := b.room(hi - lo)
		if err := b.src.Read(piece, b.from+lo-start); err != nil {
			return err
		}
		for c := range dst {
			out := dst[c][lo-at:]
			for i, v := range piece[c] {
				out[i] += v * b.weight(lo-start+i, start > 0)
			}
		}
	}
	return nil
}

// room is scratch for n samples of the source.
func (b *bed) room(n int) [][]float32 {
	for c := range b.piece.Ch {
		if cap(b.piece.Ch[c]) < n {
			b.piece.Ch[c] = make([]float32, n)
		}
		b.piece.Ch[c] = b.piece.Ch[c][:n]
	}
	return b.piece.Ch
}

// splice looks for the end point at which the overlap fits the beginning best,
// so that beats meet beats, and remembers how alike the two are.
func (b *bed) splice() error {
	q := max(1, b.src.Rate/6000) // compare at about 6 kHz
	f := b.fade / q
	head, err := b.rhythm(0, f*q, q)
	if err != nil {
		return err
	}
	last := b.len/q - f // in steps of q
	first := max(f, last-int(search*float64(b.src.Rate))/q)
	tail, err := b.rhythm(first*q, (last+f)*q, q)
	if err != nil {
		return err
	}
	best, at := math.Inf(-1), last
	for s := last; s >= first; s-- {
		if c := correlation(head, tail[s-first:s-first+f]); c > best+1e-9 {
			best, at = c, s
		}
	}
	b.period = min(at*q, b.len-b.fade)
	b.like = max(0, best)
	return nil
}

// rhythm is samples [from, to) of the mean of the channels, q averaged into one:
// enough of a filter to compare rhythm.
func (b *bed) rhythm(from, to, q int) ([]float64, error) {
	piece := b.room(to - from)
	if err := b.src.Read(piece, b.from+from); err != nil {
		return nil, err
	}
	out := make([]float64, (to-from)/q)
	for _, ch := range piece {
		for i := range out {
			for _, v := range ch[i*q : (i+1)*q] {
				out[i] += float64(v)
			}
		}
	}
	return out, nil
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

// trim leaves silence at both ends out; all silence leaves nothing.
func (b *bed) trim() error {
	first, last := b.src.Samples, 0
	err := b.src.Each(func(at int, ch [][]float32) error {
		for _, x := range ch {
			for i, v := range x {
				if v > silence || v < -silence {
					first, last = min(first, at+i), max(last, at+i+1)
				}
			}
		}
		return nil
	})
	b.from, b.len = min(first, last), max(0, last-first)
	return err
}

// stereo is the first n samples of src in two channels; what it lacks is silent.
func stereo(src dsp.Source, n int) dsp.Source {
	return dsp.Source{Rate: src.Rate, Channels: 2, Samples: n, Read: func(dst [][]float32, at int) error {
		k := max(0, min(len(dst[0]), src.Samples-at))
		for c := range dst {
			clear(dst[c][k:])
		}
		if k == 0 {
			return nil
		}
		into := [][]float32{dst[0][:k], dst[1][:k]}
		if err := src.Read(into[:src.Channels], at); err != nil {
			return err
		}
		if src.Channels == 1 {
			copy(into[1], into[0])
		}
		return nil
	}}
}
