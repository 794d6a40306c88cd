package music

// tune is the melody: in the B sections of most styles a quiet phrase, in the
// birthday style the written theme all through. A phrase keeps the rhythm of
// its first two bars and follows the chords, which is what makes it memorable
// without being a song.
func (a *arranger) tune(chords []chord) []note {
	if a.st.leadGain == 0 {
		return nil
	}
	saved := a.notes
	a.notes = nil
	rhythm := rhythms[a.r.below(len(rhythms))]
	contour := make([]int, 0, 8)
	for range rhythm {
		contour = append(contour, a.r.below(3)-1)
	}
	last := leadLow + 5
	for bar := range a.form.bars {
		switch {
		case a.density(bar) < 0.5:
			continue
		case a.st.theme:
			a.theme(bar)
		case a.section(bar) == 1 && mod(bar-a.intro(), 2) == 0:
			last = a.phrase(bar, chords, rhythm, contour, last)
		}
	}
	tune := a.notes
	a.notes = saved
	return tune
}

// beat is a note of a rhythm: start and length in beats over two bars.
type beat struct{ at, dur float64 }

var rhythms = [...][]beat{
	{{0, 1.5}, {1.5, 0.5}, {2, 2}, {4.5, 0.5}, {5, 1}, {6, 2}},
	{{0, 2}, {2, 1}, {3, 1}, {4, 3}},
	{{0.5, 1}, {1.5, 1}, {2.5, 1.5}, {4, 1}, {5, 3}},
	{{0, 3}, {3, 1}, {4, 1.5}, {5.5, 2.5}},
}

// phrase writes two bars: chord tones on the strong beats, steps of the scale
// between them, the shape drawn once per track.
func (a *arranger) phrase(bar int, chords []chord, rhythm []beat, contour []int, last int) int {
	for i, b := range rhythm {
		at := bar + int(b.at)/4
		if at >= a.form.bars {
			break
		}
		strong := b.at == float64(int(b.at)) && int(b.at)%2 == 0
		if strong || i == len(rhythm)-1 {
			last = nearest(chords[at].upper(leadLow, 5), last+2*contour[i])
		} else {
			last = a.step(last, contour[i])
		}
		for last < leadLow {
			last += semitonesPerOctave
		}
		for last > leadHigh {
			last -= semitonesPerOctave
		}
		a.add(note{at: 4*float64(bar) + b.at, dur: b.dur, pitch: last, vel: a.st.leadGain, play: a.st.lead, pan: 0.55, wet: 1.3})
	}
	return last
}

// step moves by one degree of the scale.
func (a *arranger) step(from, direction int) int {
	if direction == 0 {
		direction = 1
	}
	for p := from + direction; ; p += direction {
		for d := range 7 {
			if a.key.class(d) == mod(p, 12) {
				return p
			}
		}
	}
}

func nearest(tones []int, to int) int {
	best := tones[0]
	for _, t := range tones {
		if abs(t-to) < abs(best-to) {
			best = t
		}
	}
	return best
}

// written is one note of the theme: beat, length, degree.
type written struct {
	at, dur float64
	degree  int
}

// birthdayTheme was written for this package: a rising triad that is answered
// from above, eight bars of four beats.
var birthdayTheme = [8][]written{
	{{0, 1, 0}, {1, 0.5, 2}, {1.5, 0.5, 4}, {2, 1.5, 7}},
	{{0, 1, 5}, {1, 0.5, 4}, {1.5, 0.5, 3}, {2, 1, 5}},
	{{0, 0.5, 4}, {0.5, 0.5, 6}, {1, 1, 8}, {2, 0.5, 6}, {2.5, 1, 4}},
	{{0, 1.5, 7}, {1.5, 0.5, 4}, {2, 1.5, 2}},
	{{0, 0.5, 5}, {0.5, 0.5, 7}, {1, 1, 10}, {2, 1, 7}, {3, 0.5, 5}},
	{{0, 0.5, 4}, {0.5, 0.5, 7}, {1, 1, 9}, {2, 1.5, 7}},
	{{0, 0.5, 8}, {0.5, 0.5, 6}, {1, 0.5, 4}, {1.5, 0.5, 6}, {2, 1, 8}, {3, 0.5, 6}},
	{{0, 2, 7}, {2, 0.5, 9}, {2.5, 1, 11}},
}

// theme plays one bar of it; second time round an octave sparkle is added.
func (a *arranger) theme(bar int) {
	pos := bar - a.intro()
	section := a.section(bar)
	// A holds the first four bars twice, B the last four.
	line := birthdayTheme[4*section+mod(pos, 4)]
	base := leadLow - 12
	for _, w := range line {
		p := a.key.note(w.degree, base)
		a.add(note{at: 4*float64(bar) + w.at, dur: w.dur, pitch: p, vel: a.st.leadGain, play: a.st.lead, pan: 0.5, wet: 1.2})
		if mod(pos, 8) >= 4 && w.at == 0 {
			a.add(note{at: 4*float64(bar) + w.at, dur: w.dur, pitch: p + 12, vel: 0.35 * a.st.leadGain, play: a.st.lead, pan: 0.7, wet: 1.5})
		}
	}
}
