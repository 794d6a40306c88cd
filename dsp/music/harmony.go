package music

import "slices"

// key is a scale at a pitch. Notes are MIDI numbers (69 = 440 Hz); degrees
// count scale steps from the tonic and go on beyond the octave.
type key struct {
	tonic int // pitch class
	scale [7]int
}

func newKey(minor bool, tonic int) key {
	if minor {
		return key{tonic, [7]int{0, 2, 3, 5, 7, 8, 10}}
	}
	return key{tonic, [7]int{0, 2, 4, 5, 7, 9, 11}}
}

// class is the pitch class of a degree.
func (k key) class(degree int) int { return (k.tonic + k.scale[mod(degree, 7)]) % 12 }

// note is the degree in the octave that starts at the tonic at or above base.
func (k key) note(degree, base int) int {
	octave := (degree - mod(degree, 7)) / 7
	return base + mod(k.tonic-base, 12) + k.scale[mod(degree, 7)] + 12*octave
}

// A chord is three or four degrees; the first is the root.
type chord struct {
	root  int
	tones []int // degrees for the pad, without the doubled root when coloured
	voice []int // MIDI, ascending
}

// newChord builds a triad and colours it: the ninth in place of the root (the
// bass has that), a suspended fourth on the dominant, a seventh elsewhere. All
// of them stay within the scale and soften the triad.
func newChord(degree int, colour float64, r *random) chord {
	c := chord{root: degree, tones: []int{degree, degree + 2, degree + 4}}
	if r.float() >= colour {
		return c
	}
	switch {
	case degree == 4 && r.float() < 0.5:
		c.tones[1] = degree + 3
	case degree == 2 || r.float() < 0.35:
		c.tones = append(c.tones, degree+6)
	default:
		c.tones[0] = degree + 8
	}
	return c
}

// Registers, in MIDI numbers: each part has its own, so that nothing is muddy
// and the voice keeps the middle.
const (
	bassLow            = 36 // C2, 65 Hz
	padLow, padHigh    = 53, 72
	figureLow          = 62
	leadLow, leadHigh  = 72, 89
	padCentre          = 62
	semitonesPerOctave = 12
)

// lead voices each chord in the inversion that moves least from the one
// before: what a pianist's hand does. The first starts around the centre.
func leadVoices(k key, chords []chord) {
	prev := []int{padCentre - 4, padCentre, padCentre + 4}
	for i := range chords {
		c := &chords[i]
		best := -1
		for rot := range c.tones {
			for base := padLow; base < padLow+semitonesPerOctave; base++ {
				v := stack(k, c.tones, rot, base)
				if v[len(v)-1] > padHigh {
					continue
				}
				if d := distance(v, prev); best < 0 || d < best {
					best, c.voice = d, v
				}
			}
		}
		prev = c.voice
	}
}

// stack puts the tones in close position, within an octave, from the tone rot
// upwards; the lowest is at or above base.
func stack(k key, tones []int, rot, base int) []int {
	low := base + mod(k.class(tones[rot])-base, 12)
	v := make([]int, len(tones))
	for i, t := range tones {
		v[i] = low + mod(k.class(t)-low, 12)
	}
	slices.Sort(v)
	return v
}

// distance is how far voices move, with a light pull to the centre so that a
// track does not wander off.
func distance(v, prev []int) int {
	d := 0
	for i, n := range v {
		d += 4 * abs(n-prev[min(i, len(prev)-1)])
		d += abs(n - padCentre)
	}
	return d
}

// upper returns the chord's tones from low upwards, n of them, for figures.
func (c chord) upper(low, n int) []int {
	var out []int
	for at := low; len(out) < n && at < low+36; at++ {
		for _, v := range c.voice {
			if mod(at-v, 12) == 0 {
				out = append(out, at)
				break
			}
		}
	}
	return out
}

func mod(a, n int) int { return ((a % n) + n) % n }

func abs(a int) int {
	if a < 0 {
		return -a
	}
	return a
}
