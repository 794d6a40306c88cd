package music

import "fmt"

// style is everything that distinguishes one kind of music from another.
type style struct {
	name       Style
	slow, fast float64 // beats per minute
	minor      bool
	a, b       []int   // scale degree of each bar's chord, two sections of 8
	cadence    int     // degree of the bar before the final chord
	colour     float64 // how likely a chord gets a ninth, a fourth or a seventh
	main       instrument
	figure     []figure // accompaniment, one is chosen per track
	strum      bool     // whole chords instead of single notes
	lead       instrument
	leadGain   float64 // 0: no tune
	pad        instrument
	padGain    float64
	bass       []pulse
	bassGain   float64
	kit        kit
	level      float64 // brings the render to about −18 LUFS
	wet        float64
	theme      bool // plays the written tune of tune.go
}

// A figure is where in a bar, counted in eighths, the accompaniment plays which
// chord tone (index upwards; -1 rests).
type figure [8]int

// A pulse is one bass note: beat within the bar, length in beats, and whether
// it is the fifth instead of the root.
type pulse struct {
	at, dur float64
	fifth   bool
}

func lookup(s Style) (style, error) {
	for _, st := range styles() {
		if st.name == s {
			return st, nil
		}
	}
	return style{}, fmt.Errorf("%w: %q", ErrStyle, string(s))
}

func (s style) tempo(r *random) float64 { return r.between(s.slow, s.fast) }

// styles is the table. Degrees count from 0: I is 0, V is 4, vi is 5.
func styles() []style {
	return []style{
		{
			name: Calm, slow: 66, fast: 76, a: []int{0, 4, 5, 3}, b: []int{3, 4, 2, 5}, cadence: 3, colour: 0.6,
			main: feltPiano, figure: []figure{{0, 1, 2, 3, 2, 1, 2, -1}, {0, 2, 1, 3, -1, 2, 1, -1}, {0, -1, 1, 2, 3, -1, 2, 1}},
			lead: feltPiano, leadGain: 0.55, pad: warmPad, padGain: 0.9,
			bass: []pulse{{0, 3.6, false}}, bassGain: 0.5, level: 0.63, wet: 0.42,
		},
		{
			name: Upbeat, slow: 112, fast: 122, a: []int{0, 4, 5, 3}, b: []int{5, 3, 0, 4}, cadence: 3, colour: 0.3,
			main: guitar, figure: []figure{{0, -1, 1, 2, -1, 2, 1, 2}, {0, -1, 1, -1, 1, 2, -1, 2}}, strum: true,
			lead: bell, leadGain: 0.4, pad: warmPad, padGain: 0.35,
			bass: []pulse{{0, 0.9, false}, {1.5, 0.45, false}, {2, 0.9, true}, {3.5, 0.4, false}}, bassGain: 0.75,
			kit:   kit{kick: figure{1, 0, 0, 0, 1, 0, 0, 0}, snap: figure{0, 0, 1, 0, 0, 0, 1, 0}, shaker: figure{2, 1, 2, 1, 2, 1, 2, 1}},
			level: 0.59, wet: 0.22,
		},
		{
			name: Corporate, slow: 100, fast: 108, a: []int{5, 3, 0, 4}, b: []int{0, 4, 3, 3}, cadence: 3, colour: 0.45,
			main: mutedPick, figure: []figure{{0, 2, 1, 2, 3, 2, 1, 2}, {0, 1, 2, 3, 0, 1, 2, 3}, {2, 0, 1, 2, 0, 1, 2, 1}},
			lead: feltPiano, leadGain: 0.5, pad: warmPad, padGain: 0.8,
			bass: []pulse{{0, 1.4, false}, {1.5, 0.45, false}, {2, 1.4, false}, {3.5, 0.45, false}}, bassGain: 0.6,
			kit:   kit{kick: figure{1, 0, 0, 0, 1, 0, 0, 0}, clap: figure{0, 0, 1, 0, 0, 0, 1, 0}, shaker: figure{0, 1, 0, 1, 0, 1, 0, 1}},
			level: 0.65, wet: 0.3,
		},
		{
			name: Emotional, slow: 60, fast: 70, minor: true, a: []int{0, 5, 2, 6}, b: []int{3, 0, 4, 4}, cadence: 3, colour: 0.5,
			main: feltPiano, figure: []figure{{0, 1, 2, 3, 2, 3, 2, 1}, {0, 2, 3, 2, 1, 2, 3, 2}, {0, 1, 2, -1, 3, 2, 1, -1}},
			lead: feltPiano, leadGain: 0.6, pad: strings, padGain: 1,
			bass: []pulse{{0, 3.8, false}}, bassGain: 0.55, level: 0.58, wet: 0.45,
		},
		{
			name: Birthday, slow: 104, fast: 116, a: []int{0, 3, 4, 0}, b: []int{3, 0, 4, 0}, cadence: 4, colour: 0.2,
			main: guitar, figure: []figure{{-1, -1, 1, 2, -1, -1, 1, 2}, {-1, -1, 2, -1, -1, -1, 2, 1}}, strum: true,
			lead: bell, leadGain: 0.9, pad: warmPad, padGain: 0.4,
			bass: []pulse{{0, 0.9, false}, {2, 0.9, true}}, bassGain: 0.7,
			kit:   kit{kick: figure{1, 0, 0, 0, 1, 0, 0, 0}, clap: figure{0, 0, 1, 0, 0, 0, 1, 0}, shaker: figure{0, 1, 0, 1, 0, 1, 0, 1}},
			level: 0.68, wet: 0.26, theme: true,
		},
	}
}
