package music

import "slices"

// A note is one event of the score. Times are in beats.
type note struct {
	at, dur float64
	pitch   int
	vel     float64 // 0..1, loudness and brightness
	late    float64 // seconds after the beat: hands are not machines
	play    instrument
	pan     float64 // 0 left, 1 right
	wet     float64 // share sent to the room, relative to the style's
}

// form is the shape of the whole.
type form struct {
	bars int
	ends bool    // a final chord follows the bars
	ring float64 // its length in bars
}

// arranger writes the notes of one track.
type arranger struct {
	st     style
	r      *random
	key    key
	form   form
	figure figure
	notes  []note
}

// arrange composes: the same style, random state and form give the same notes.
func arrange(st style, r *random, f form) []note {
	a := &arranger{st: st, r: r, key: newKey(st.minor, r.below(12)), form: f, figure: st.figure[r.below(len(st.figure))]}
	chords := a.chords()
	tune := a.tune(chords)
	for bar := range f.bars {
		c := chords[bar]
		a.pad(bar, chords)
		a.bassLine(bar, c)
		a.accompany(bar, c)
		a.drums(bar)
	}
	a.notes = append(a.notes, tune...)
	if f.ends {
		a.finish(chords[f.bars])
	}
	return a.notes
}

// chords is one per bar and, if the music ends, the final one. The colours of
// the four slots of a section are drawn once, so a section that returns sounds
// like itself.
func (a *arranger) chords() []chord {
	var palette [2][4]chord
	for s, degrees := range [2][]int{a.st.a, a.st.b} {
		for i, d := range degrees {
			palette[s][i] = newChord(d, a.st.colour, a.r)
		}
	}
	out := make([]chord, 0, a.form.bars+1)
	for bar := range a.form.bars {
		out = append(out, palette[a.section(bar)][mod(bar-a.intro(), 4)])
	}
	if a.form.ends {
		if n := len(out); n > 1 {
			out[n-1] = newChord(a.st.cadence, 0, a.r)
		}
		out = append(out, chord{root: 0, tones: []int{0, 2, 4, 8}})
	}
	leadVoices(a.key, out)
	return out
}

// intro is how many bars come before the first section: in a piece long enough
// to have one.
func (a *arranger) intro() int {
	if a.form.ends && a.form.bars >= 12 {
		return 2
	}
	return 0
}

// section is 0 (A) or 1 (B), eight bars each.
func (a *arranger) section(bar int) int {
	return max(0, bar-a.intro()) / 8 % 2
}

// density is how full a bar is, 0..1: it rises over a section, B is fuller than
// A, and the edges of a piece are thin.
func (a *arranger) density(bar int) float64 {
	if bar < a.intro() || (a.form.ends && bar >= a.form.bars-1) {
		return 0.3
	}
	d := 0.55 + 0.25*float64(a.section(bar))
	if mod(bar-a.intro(), 8) >= 4 {
		d += 0.2
	}
	return d
}

func (a *arranger) add(n note) {
	n.vel *= a.r.between(0.88, 1.12)
	n.late = a.r.between(0, 0.006)
	if n.wet == 0 {
		n.wet = 1
	}
	a.notes = append(a.notes, n)
}

// pad holds the chord; tones that stay in the next bar are tied over, so only
// what moves is heard.
func (a *arranger) pad(bar int, chords []chord) {
	gain := a.st.padGain * (0.35 + 0.65*a.density(bar))
	for i, p := range chords[bar].voice {
		if mod(bar, 2) == 1 && contains(chords[bar-1].voice, p) {
			continue
		}
		dur := 4.0
		if mod(bar, 2) == 0 && bar+1 < a.form.bars && contains(chords[bar+1].voice, p) {
			dur = 8
		}
		a.add(note{at: 4 * float64(bar), dur: dur, pitch: p, vel: gain, play: a.st.pad, pan: 0.3 + 0.4*float64(i)/3})
	}
}

func (a *arranger) bassLine(bar int, c chord) {
	if bar < a.intro() {
		return
	}
	root := a.key.note(c.root, 0)
	root = bassLow + mod(root-bassLow, 12)
	for i, p := range a.st.bass {
		if a.density(bar) < 0.5 && i > 0 {
			break
		}
		n := root
		if p.fifth {
			// The nearer fifth, below 130 Hz.
			n = a.key.note(c.root+4, 0)
			n = bassLow - 1 + mod(n-bassLow+1, 12)
		}
		a.add(note{at: 4*float64(bar) + p.at, dur: p.dur, pitch: n, vel: a.st.bassGain * (1 - 0.12*float64(min(i, 2))) * (0.7 + 0.3*a.density(bar)), play: bass, pan: 0.5, wet: 0.15})
	}
}

// accompany plays the track's figure on the bar's chord. Every second bar
// varies the end of it, as a player would.
func (a *arranger) accompany(bar int, c chord) {
	tones := c.upper(figureLow, 5)
	d := a.density(bar)
	for i, idx := range a.figure {
		if idx < 0 || (i%2 == 1 && a.r.float() > d+0.15) || (d < 0.5 && i%2 == 1) {
			continue
		}
		if bar%2 == 1 && i >= 6 {
			idx = a.r.below(4)
		}
		at := 4*float64(bar) + float64(i)/2
		vel := (0.66 + 0.2*float64(b2i(i == 0)) + 0.06*float64(b2i(i%4 == 0))) * (0.5 + 0.5*d)
		if !a.st.strum {
			dur := 0.5 * 1.9
			a.add(note{at: at, dur: dur, pitch: tones[idx], vel: vel, play: a.st.main, pan: 0.36 + 0.07*float64(idx)})
			continue
		}
		a.strum(at, c.upper(figureLow-7, 4), idx, vel)
	}
}

// strum plays a chord string after string, 9 ms apart: 0 and 1 downwards, 2
// upwards and lighter, on the upper strings only.
func (a *arranger) strum(at float64, tones []int, kind int, vel float64) {
	for i, p := range tones {
		delay := 0.009 * float64(i)
		if kind >= 2 {
			if i == 0 {
				continue
			}
			delay = 0.007 * float64(len(tones)-1-i)
		}
		a.add(note{at: at, dur: 0.9, pitch: p, vel: vel * (0.75 - 0.12*float64(kind)), play: a.st.main, pan: 0.62})
		a.notes[len(a.notes)-1].late += delay
	}
}

func (a *arranger) drums(bar int) {
	if a.density(bar) < 0.5 {
		return
	}
	for _, part := range a.st.kit.parts() {
		if a.density(bar) < part.from {
			continue
		}
		for i, v := range part.hits {
			if v == 0 {
				continue
			}
			vel := part.gain * (0.55 + 0.45*float64(v)/2) * (0.6 + 0.4*a.density(bar))
			a.add(note{at: 4*float64(bar) + float64(i)/2, vel: vel, play: part.play, pan: part.pan, wet: 0.4})
		}
	}
}

// finish is the last chord, rolled upwards and left to ring.
func (a *arranger) finish(c chord) {
	at := 4 * float64(a.form.bars)
	dur := max(1, 4*a.form.ring-1)
	for i, p := range c.voice {
		a.add(note{at: at, dur: dur, pitch: p, vel: 0.7 * a.st.padGain, play: a.st.pad, pan: 0.3 + 0.13*float64(i)})
	}
	root := bassLow + mod(a.key.note(0, 0)-bassLow, 12)
	a.add(note{at: at, dur: dur, pitch: root, vel: a.st.bassGain, play: bass, pan: 0.5, wet: 0.3})
	for i, p := range c.upper(figureLow-5, 5) {
		a.add(note{at: at, dur: dur, pitch: p, vel: 0.55 - 0.04*float64(i), play: a.st.main, pan: 0.4 + 0.05*float64(i)})
		a.notes[len(a.notes)-1].late += 0.07 * float64(i)
	}
}

func contains(v []int, p int) bool {
	return slices.Contains(v, p)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
