// Package music composes and renders background music: five styles, any number
// of different tracks from seeds, all of it calculated here, so that it belongs
// to nobody. A track is either a loop without a seam or a piece of a wanted
// length that ends on its own final chord. Equal arguments give equal samples (on
// processors that fuse multiplication and addition: equal to 16 bits, but for a
// rounding here and there).
//
// The way from a seed to sound: a style (style.go) names tempo, chords and
// instruments; harmony.go voices the chords; arrange.go and tune.go write the
// notes; render.go plays them on the instruments of modal.go, pad.go and
// drums.go and puts them into one room (room.go).
package music

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/videomsg/videomsg/dsp"
)

// Rate is the sampling rate of every track, in hertz. Tracks are stereo.
const Rate = 48000

// Lengths that Piece accepts.
const (
	MinLength = 2 * time.Second
	MaxLength = 15 * time.Minute
)

// Licence is what generated tracks are declared as: an SPDX identifier.
const Licence = "CC0-1.0"

// ErrStyle: there is no such style.
var ErrStyle = errors.New("unknown music style")

// A Style names a kind of music.
type Style string

// The styles.
const (
	Calm      Style = "calm"      // felt piano over a warm pad
	Upbeat    Style = "upbeat"    // strummed strings, bass, light kit
	Corporate Style = "corporate" // muted picking that builds up
	Emotional Style = "emotional" // piano and strings in minor
	Birthday  Style = "birthday"  // a music box with a tune of its own
)

// Styles lists them in the order of a menu.
func Styles() []Style { return []Style{Calm, Upbeat, Corporate, Emotional, Birthday} }

// A Track is rendered music.
type Track struct {
	Audio dsp.Audio
	Style Style
	Seed  uint64
	BPM   float64 // beats per minute, 4 beats a bar
	Bars  int     // whole bars, without the final chord
	Bar   float64 // samples per bar
	// End is where the final chord starts, in samples; 0 for a loop.
	End int
}

const loopBars = 16

// Loop renders 16 bars (30 to 60 s) whose end runs into their beginning: notes
// and reverberation that reach over the end sound on at the start, so playing
// it again and again has no seam. The error is ErrStyle.
func Loop(style Style, seed uint64) (Track, error) {
	st, err := lookup(style)
	if err != nil {
		return Track{}, err
	}
	rng := newRandom(seed, style)
	bpm := st.tempo(rng)
	// Whole samples for the whole loop; bars inside it are rounded one by one.
	n := int(math.Round(loopBars * 240 / bpm * Rate))
	t := Track{Style: style, Seed: seed, BPM: loopBars * 240 * Rate / float64(n), Bars: loopBars, Bar: float64(n) / loopBars}
	notes := arrange(st, rng, form{bars: loopBars})
	t.Audio = render(st, notes, t.Bar/4, n, true)
	return t, nil
}

// Piece renders music that is length long and ends there: the tempo is moved by
// up to 4 % so that whole bars fill the time, and the last chord rings out over
// what is left. Below about one bar there is only that chord. Errors: ErrStyle,
// and a length outside MinLength to MaxLength.
func Piece(style Style, seed uint64, length time.Duration) (Track, error) {
	st, err := lookup(style)
	if err != nil {
		return Track{}, err
	}
	if length < MinLength || length > MaxLength {
		return Track{}, fmt.Errorf("music of %s is outside %s to %s", length, MinLength, MaxLength)
	}
	rng := newRandom(seed, style)
	bars, bar := fit(240/st.tempo(rng), length.Seconds())
	n := int(math.Round(length.Seconds() * Rate))
	t := Track{Style: style, Seed: seed, BPM: 240 / bar, Bars: bars, Bar: bar * Rate, End: int(math.Round(float64(bars) * bar * Rate))}
	notes := arrange(st, rng, form{bars: bars, ring: length.Seconds()/bar - float64(bars), ends: true})
	t.Audio = render(st, notes, t.Bar/4, n, false)
	fadeOut(t.Audio, min(n/2, Rate*4/5))
	return t, nil
}

// fit chooses how many bars of about bar seconds stand before a final chord
// that rings for about 2.4 s, and how long exactly a bar is then.
func fit(bar, length float64) (int, float64) {
	const ring, stretch = 2.4, 0.04
	n := math.Round((length - ring) / bar)
	if n < 1 {
		return 0, bar
	}
	exact := (length - ring) / n
	return int(n), min(bar*(1+stretch), max(bar*(1-stretch), exact))
}

func fadeOut(a dsp.Audio, n int) {
	for _, ch := range a.Ch {
		tail := ch[len(ch)-n:]
		for i := range tail {
			tail[i] *= float32(0.5 + 0.5*math.Cos(math.Pi*float64(i+1)/float64(n)))
		}
	}
}

// random is splitmix64 (Steele, Lea, Flood 2014): the library's own generators
// may change between Go releases, and with them every track.
type random struct{ state uint64 }

func newRandom(seed uint64, style Style) *random {
	r := &random{state: seed}
	for _, c := range []byte(style) {
		r.state = r.bits() ^ uint64(c)
	}
	return r
}

func (r *random) bits() uint64 {
	r.state += 0x9E3779B97F4A7C15
	z := r.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// float is in [0, 1).
func (r *random) float() float64 { return float64(r.bits()>>11) / (1 << 53) }

// between is in [a, b).
func (r *random) between(a, b float64) float64 { return a + (b-a)*r.float() }

// below is in [0, n).
func (r *random) below(n int) int { return int(r.bits() % uint64(n)) }
