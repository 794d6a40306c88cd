package music

import (
	"math"

	"github.com/videomsg/videomsg/dsp"
)

// bus collects notes: the direct sound and what goes to the room.
type bus struct {
	dry, wet [2][]float32
	loop     bool
}

// sound is a rendered note; right is nil for a mono source, which is panned.
type sound struct{ left, right []float32 }

// cacheKey is everything that shapes a note apart from its gain.
type cacheKey struct {
	play  instrument
	pitch int
	dur   int // samples
	layer int // velocity, in thirds
}

// render plays the notes into n samples. beat is samples per beat. In a loop
// whatever reaches over the end goes on at the beginning, and room and
// equaliser run in until their state is what it will be at the end of every
// round.
func render(st style, notes []note, beat float64, n int, loop bool) dsp.Audio {
	b := &bus{loop: loop}
	for c := range b.dry {
		b.dry[c], b.wet[c] = make([]float32, n), make([]float32, n)
	}
	cache := map[cacheKey]sound{}
	noise := newRandom(0, st.name)
	for _, e := range notes {
		key := cacheKey{e.play, e.pitch, int(math.Round(e.dur * beat)), min(2, int(e.vel*3))}
		s, ok := cache[key]
		if !ok {
			s = play(key, noise)
			cache[key] = s
		}
		b.add(int(math.Round(e.at*beat+e.late*Rate)), s, e)
	}
	return b.master(st)
}

// play renders a note at full gain.
func play(k cacheKey, noise *random) sound {
	f := 440 * math.Exp2(float64(k.pitch-69)/12)
	dur := float64(k.dur) / Rate
	switch k.play {
	case warmPad, strings:
		l, r := sustain(k.play, f, dur)
		return sound{l, r}
	case kickDrum, snapDrum, clapDrum, shakerDrum:
		return sound{left: beatDrum(k.play, noise)}
	}
	return sound{left: strike(modalVoice(k.play, f, (float64(k.layer)+0.5)/3), dur)}
}

// add places a note. Equal power: a source keeps its loudness wherever it sits.
func (b *bus) add(at int, s sound, e note) {
	if s.right == nil {
		l, r := math.Cos(e.pan*math.Pi/2), math.Sin(e.pan*math.Pi/2)
		b.mix(0, at, s.left, e.vel*l, e.wet)
		b.mix(1, at, s.left, e.vel*r, e.wet)
		return
	}
	b.mix(0, at, s.left, e.vel*2*(1-e.pan), e.wet)
	b.mix(1, at, s.right, e.vel*2*e.pan, e.wet)
}

func (b *bus) mix(c, at int, x []float32, gain, wet float64) {
	n := len(b.dry[c])
	g, w := float32(gain), float32(gain*wet)
	for len(x) > 0 {
		if at >= n {
			if !b.loop {
				return
			}
			at %= n
		}
		k := min(len(x), n-at)
		dry, send := b.dry[c][at:at+k], b.wet[c][at:at+k]
		for i, v := range x[:k] {
			dry[i] += g * v
			send[i] += w * v
		}
		x, at = x[k:], at+k
	}
}

// master adds the room and equalises. In a loop the run-in is long enough for
// the tail to fall by 180 dB, so the loop is periodic to float precision.
func (b *bus) master(st style) dsp.Audio {
	n := len(b.dry[0])
	out := dsp.New(Rate, 2, n)
	r, m := newRoom(), newMaster()
	runIn := 0
	if b.loop {
		runIn = 3 * decayTime * Rate
	}
	for k := -runIn; k < n; k++ {
		i := k
		if k < 0 {
			i = mod(k, n)
		}
		wl, wr := r.next(float64(b.wet[0][i]), float64(b.wet[1][i]))
		l := m.next(0, float64(b.dry[0][i])+st.wet*wl)
		rt := m.next(1, float64(b.dry[1][i])+st.wet*wr)
		if k >= 0 {
			out.Ch[0][i], out.Ch[1][i] = float32(st.level*l), float32(st.level*rt)
		}
	}
	return out
}
