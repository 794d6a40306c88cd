package portrait

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/videomsg/videomsg/dsp"
)

// Pose is everything one frame needs to know about the person.
type Pose struct {
	Open, Width, Tongue, Teeth float64 // see viseme
	Press                      float64 // lips held over the teeth, 0–1; matters for smiles only
	Blink                      float64 // 0 open … 1 shut
	Brow                       float64 // raise, 0–1
	Yaw, Pitch, Roll           float64 // −1 … 1
	SwayX, SwayY               float64 // −1 … 1
	Breath                     float64 // −1 … 1
	Zoom                       float64 // camera, 0 … 1
}

const (
	trackRate = 200.0 // inner rate of the mouth track, Hz
	// lead is by how much the picture runs ahead of the sound: late sound is
	// tolerated better than early sound (ITU-R BT.1359).
	lead = 0.020
)

// tracks are the mouth's parameters at trackRate.
type tracks struct{ open, width, tongue, teeth, press []float64 }

func newTracks(n int) tracks {
	t := tracks{make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)}
	for i := range t.width {
		t.width[i] = 1
	}
	return t
}

// motion is a whole clip: the mouth at trackRate and the slow rest in closed form.
type motion struct {
	mouth                          tracks
	loud                           []float64 // loudness, slowly smoothed
	blinks                         []float64
	seconds                        float64
	yaw, pitch, roll, swayX, swayY wave
}

// newMotion plans a clip. The report receives where the mouth's movement came from.
func newMotion(in Input, seed uint64, r *Report) *motion {
	n := int(r.Seconds*trackRate) + 2
	voice := in.Voice.Mono()
	loud := envelope(voice, n)
	m := &motion{seconds: r.Seconds, loud: hann(loud, 50)}
	sound := soundShape(voice, n)
	phones, why := usable(in.Phones, loud, r.Seconds)
	switch {
	case why != "":
		r.Fallback = append(r.Fallback, why)
		fallthrough
	case len(phones) == 0:
		r.Timing = "sound"
		m.mouth = tracks{hann(sound.open, 9), hann(sound.width, 13), hann(sound.tongue, 7), hann(sound.teeth, 7), sound.press}
	default:
		r.Timing = "phones"
		m.mouth = articulate(phones, loud, sound, r)
	}
	rng := rand.New(rand.NewPCG(seed, 7))
	m.blinks = planBlinks(rng, r.Seconds)
	m.yaw, m.pitch, m.roll = newWave(rng, 0.11, 4), newWave(rng, 0.13, 4), newWave(rng, 0.09, 3)
	m.swayX, m.swayY = newWave(rng, 0.07, 3), newWave(rng, 0.08, 3)
	return m
}

// usable sorts and repairs phonemes, and refuses those that belong to another
// recording: their end or their silences do not fit the sound.
func usable(in []Phone, loud []float64, seconds float64) (phones []Phone, why string) {
	if len(in) == 0 {
		return nil, ""
	}
	for _, p := range in {
		if !(p.Start < p.End) || p.End <= 0 || p.Start >= seconds+0.25 || math.IsInf(p.End, 0) {
			continue
		}
		phones = append(phones, p)
	}
	slices.SortStableFunc(phones, func(a, b Phone) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	})
	for i := 1; i < len(phones); i++ { // an overlap ends where the next begins
		phones[i-1].End = min(phones[i-1].End, phones[i].Start)
	}
	phones = slices.DeleteFunc(phones, func(p Phone) bool { return p.End <= p.Start })
	if len(phones)*2 < len(in) {
		return nil, "timings are damaged or outlast the voice"
	}
	// share of the loud moments that the phonemes call speech, and of the
	// speech that is loud
	speech := make([]bool, len(loud))
	for _, p := range phones {
		if first(p.P) != "pau" {
			for i := index(p.Start, len(speech)); i < index(p.End, len(speech)); i++ {
				speech[i] = true
			}
		}
	}
	var noisy, spoken, both, all float64
	for i, s := range speech {
		if loud[i] > 0.12 {
			noisy++
		}
		if s {
			spoken++
			if loud[i] > 0.12 {
				both++
			}
		}
		all++
	}
	switch {
	case spoken == 0:
		return nil, "timings have no speech"
	case noisy > 0.02*all && both < 0.5*noisy:
		return nil, "timings miss most of the voice"
	case both < 0.35*spoken:
		return nil, "timings speak where the voice is silent"
	}
	return phones, ""
}

func index(t float64, n int) int { return int(max(0, min(float64(n), t*trackRate))) }

// articulate turns phonemes into smooth tracks: piecewise targets scaled by
// loudness, smoothed over 50 ms (opening) and 70 ms (width), and lips that
// really meet at m, b and p, which smoothing alone would lose at 25 frames/s.
func articulate(phones []Phone, loud []float64, sound tracks, r *Report) tracks {
	n := len(loud)
	t := newTracks(n)
	covered := make([]bool, n)
	type span struct{ from, to float64 }
	var closures []span
	for k, p := range phones {
		next := ""
		if k+1 < len(phones) {
			next = first(phones[k+1].P)
		}
		shapes, known := shapesOf(p.P, next)
		if !known {
			r.Unknown++
		}
		step := (p.End - p.Start) / float64(len(shapes))
		for s, v := range shapes {
			from, to := p.Start+float64(s)*step, p.Start+float64(s+1)*step
			for i := index(from, n); i < index(to, n); i++ {
				t.open[i], t.width[i], t.tongue[i], t.teeth[i] = v.open, v.width, v.tongue, v.teeth
				covered[i] = true
				t.press[i] = v.press()
			}
			if v.closed {
				closures = append(closures, span{from, to})
			}
		}
	}
	soft := hann(loud, 8)
	for i := range t.open {
		if !covered[i] { // a gap in the timings: the sound knows whether there is speech
			t.open[i], t.width[i], t.teeth[i] = sound.open[i], sound.width[i], sound.teeth[i]
		}
		t.open[i] *= clamp(0.62+0.5*soft[i], 0.62, 1.08)
	}
	t.open, t.width = hann(t.open, 10), hann(t.width, 14)
	t.tongue, t.teeth, t.press = hann(t.tongue, 8), hann(t.teeth, 8), hann(t.press, 9)
	for _, c := range closures {
		mid, half := (c.from+c.to)/2, max((c.to-c.from)/2, 0.03)
		for i := index(mid-half-0.07, n); i < index(mid+half+0.07, n); i++ {
			d := math.Abs(float64(i)/trackRate-mid) - half*0.5
			away := step(0, half*0.5+0.06, d)
			t.open[i] *= away
			t.press[i] = max(t.press[i], 1-away)
		}
	}
	return t
}

// planBlinks spreads blinks 1.8–4.8 s apart.
func planBlinks(rng *rand.Rand, seconds float64) (at []float64) {
	for t := 0.7 + rng.Float64(); t < seconds-0.1; t += 1.8 + 3*rng.Float64() {
		at = append(at, t)
	}
	return at
}

// lid is the closing of the eyes at time t: 80 ms down, 40 ms shut, 160 ms up.
func (m *motion) lid(t float64) float64 {
	i, _ := slices.BinarySearch(m.blinks, t-0.25)
	var b float64
	for ; i < len(m.blinks) && m.blinks[i] < t+0.1; i++ {
		switch x := t - m.blinks[i]; {
		case x < 0:
			b = max(b, step(-0.08, 0, x))
		case x < 0.04:
			b = 1
		default:
			b = max(b, 1-step(0.04, 0.20, x))
		}
	}
	return b
}

// at is the pose at time t, seconds.
func (m *motion) at(t float64) Pose {
	loud := sample(m.loud, t)
	// People move with their speech: less in pauses, a small nod where it is loud.
	active := 0.45 + 0.55*clamp(loud*1.6, 0, 1)
	// The clip begins and ends with the picture itself.
	ease := step(0, 0.8, t) * step(0, 0.8, m.seconds-t)
	active *= ease
	return Pose{
		Open: sample(m.mouth.open, t+lead), Width: sample(m.mouth.width, t+lead),
		Tongue: sample(m.mouth.tongue, t+lead), Teeth: sample(m.mouth.teeth, t+lead),
		Press: sample(m.mouth.press, t+lead),
		Blink: m.lid(t),
		Brow:  clamp((loud-0.42)*1.6, 0, 1),
		Yaw:   m.yaw.at(t) * active, Roll: m.roll.at(t) * active,
		Pitch: m.pitch.at(t)*0.7*active + 0.35*(sample(m.loud, t+0.1)-0.4)*ease,
		SwayX: m.swayX.at(t) * ease, SwayY: m.swayY.at(t) * ease,
		Breath: math.Sin(2*math.Pi*t/3.7) * ease,
		Zoom:   0.5 - 0.5*math.Cos(math.Pi*clamp(t/max(m.seconds, 0.1), 0, 1)),
	}
}

// wave is a sum of slow sines with a peak below 1.
type wave struct{ freq, phase, amp []float64 }

func newWave(rng *rand.Rand, f0 float64, k int) (w wave) {
	var sum float64
	for i := range k {
		a := 1 / (1 + 0.6*float64(i))
		w.freq = append(w.freq, f0*(1+0.83*float64(i))*(0.85+0.3*rng.Float64()))
		w.phase = append(w.phase, rng.Float64()*2*math.Pi)
		w.amp = append(w.amp, a)
		sum += a
	}
	for i := range w.amp {
		w.amp[i] /= sum
	}
	return w
}

func (w wave) at(t float64) (v float64) {
	for i, f := range w.freq {
		v += w.amp[i] * math.Sin(2*math.Pi*f*t+w.phase[i])
	}
	return v
}

// envelope is the RMS over 30 ms at trackRate, against its 95th percentile.
func envelope(a dsp.Audio, n int) []float64 {
	out := make([]float64, n)
	if a.Len() == 0 {
		return out
	}
	x := a.Ch[0]
	sums := make([]float64, len(x)+1)
	for i, v := range x {
		e := float64(v) * float64(v)
		if !(e < 1e12) { // NaN, Inf
			e = 0
		}
		sums[i+1] = sums[i] + e
	}
	half := 0.015 * float64(a.Rate)
	for i := range out {
		c := float64(i) / trackRate * float64(a.Rate)
		lo, hi := max(0, int(c-half)), min(len(x), int(c+half))
		if hi > lo {
			out[i] = math.Sqrt(max(0, sums[hi]-sums[lo]) / float64(hi-lo))
		}
	}
	ref := percentile(out, 0.95)
	if ref < 1e-5 { // silence stays silent
		clear(out)
		return out
	}
	for i := range out {
		out[i] = min(1.2, out[i]/ref)
	}
	return out
}

func percentile(x []float64, q float64) float64 {
	if len(x) == 0 {
		return 0
	}
	s := slices.Clone(x)
	slices.Sort(s)
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// hann smooths with a raised cosine of half width n samples.
func hann(x []float64, n int) []float64 {
	k := make([]float64, 2*n+1)
	var sum float64
	for i := range k {
		k[i] = 0.5 + 0.5*math.Cos(math.Pi*float64(i-n)/float64(n+1))
		sum += k[i]
	}
	out := make([]float64, len(x))
	for i := range x {
		var a float64
		for j, w := range k {
			a += w * x[min(max(i+j-n, 0), len(x)-1)]
		}
		out[i] = a / sum
	}
	return out
}

// sample reads a track at time t by linear interpolation.
func sample(x []float64, t float64) float64 {
	p := clamp(t*trackRate, 0, float64(len(x)-1)-1e-9)
	i := int(p)
	return lerp(x[i], x[i+1], p-float64(i))
}
