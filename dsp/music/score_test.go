package music

import (
	"math"
	"testing"
)

// scores calls f with the notes of many tracks of every style, as loops and as
// pieces.
func scores(t *testing.T, f func(t *testing.T, st style, k key, fm form, notes []note)) {
	for _, st := range styles() {
		t.Run(string(st.name), func(t *testing.T) {
			for seed := range uint64(40) {
				for _, fm := range []form{{bars: loopBars}, {bars: 0, ends: true, ring: 1}, {bars: 1, ends: true, ring: 1}, {bars: 21, ends: true, ring: 0.8}} {
					r := newRandom(seed, st.name)
					peek := *r
					k := newKey(st.minor, peek.below(12))
					f(t, st, k, fm, arrange(st, r, fm))
				}
			}
		})
	}
}

func TestEveryNoteIsInTheScale(t *testing.T) {
	scores(t, func(t *testing.T, _ style, k key, _ form, notes []note) {
		var in [12]bool
		for d := range 7 {
			in[k.class(d)] = true
		}
		for _, n := range notes {
			if n.play < kickDrum && !in[mod(n.pitch, 12)] {
				t.Fatalf("note %d at beat %g is outside the scale", n.pitch, n.at)
			}
		}
	})
}

func TestPartsKeepTheirRegisters(t *testing.T) {
	scores(t, func(t *testing.T, st style, _ key, fm form, notes []note) {
		for _, n := range notes {
			lo, hi := figureLow-12, 110
			switch n.play {
			case bass:
				lo, hi = bassLow-1, bassLow+12 // below 130 Hz
			case warmPad, strings:
				lo, hi = padLow, padHigh
			case kickDrum, snapDrum, clapDrum, shakerDrum:
				continue
			}
			if n.pitch < lo || n.pitch > hi {
				t.Fatalf("instrument %d plays %d, outside %d to %d", n.play, n.pitch, lo, hi)
			}
			if n.at < 0 || n.at > 4*float64(fm.bars) || n.vel <= 0 || n.vel > 1.2 || n.late < 0 {
				t.Fatalf("%s: note %+v", st.name, n)
			}
		}
	})
}

// Voice leading: on average a pad voice moves by less than two semitones from
// bar to bar, and never further than a fifth.
func TestPadVoicesMoveLittle(t *testing.T) {
	for _, st := range styles() {
		sum, n := 0.0, 0
		for seed := range uint64(40) {
			r := newRandom(seed, st.name)
			a := &arranger{st: st, r: r, key: newKey(st.minor, r.below(12)), form: form{bars: loopBars}}
			chords := a.chords()
			for i := 1; i < len(chords); i++ {
				for v := range 3 {
					d := abs(chords[i].voice[v] - chords[i-1].voice[v])
					if d > 7 {
						t.Errorf("%s, seed %d: a voice leaps by %d", st.name, seed, d)
					}
					sum += float64(d)
					n++
				}
			}
		}
		if mean := sum / float64(n); mean > 2 {
			t.Errorf("%s: voices move by %.2f semitones on average", st.name, mean)
		}
	}
}

func TestPieceEndsOnTheTonic(t *testing.T) {
	scores(t, func(t *testing.T, _ style, k key, fm form, notes []note) {
		if !fm.ends {
			return
		}
		final := 0
		for _, n := range notes {
			if n.at < 4*float64(fm.bars) || n.play >= kickDrum {
				continue
			}
			final++
			switch mod(n.pitch, 12) {
			case k.class(0), k.class(1), k.class(2), k.class(4):
			default:
				t.Fatalf("note %d in the final chord", n.pitch)
			}
			if n.play == bass && mod(n.pitch, 12) != k.class(0) {
				t.Fatalf("the final bass is %d", n.pitch)
			}
		}
		if final < 6 {
			t.Fatalf("%d notes in the final chord", final)
		}
	})
}

func TestSeedsGiveDifferentTracks(t *testing.T) {
	for _, st := range styles() {
		seen := map[[3]int]bool{}
		for seed := range uint64(50) {
			notes := arrange(st, newRandom(seed, st.name), form{bars: loopBars})
			sum := [3]int{len(notes)}
			for i, n := range notes {
				sum[1] += n.pitch * (i + 1)
				sum[2] += int(n.late * 1e6)
			}
			seen[sum] = true
		}
		if len(seen) < 50 {
			t.Errorf("%s: %d different tracks from 50 seeds", st.name, len(seen))
		}
	}
}

// A loop rendered as two rounds of itself must be the loop, twice: nothing of
// a first round is missing from it or added to it.
func TestTwoRoundsAreTheLoopTwice(t *testing.T) {
	for _, name := range []Style{Calm, Upbeat} {
		st, err := lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		notes := arrange(st, newRandom(4, name), form{bars: 2})
		const n = 4 * Rate // two bars, shorter than the reverberation
		once := render(st, notes, n/8, n, true)
		twice := notes
		for _, e := range notes {
			e.at += 8
			twice = append(twice, e)
		}
		two := render(st, twice, n/8, 2*n, true)
		for c := range once.Ch {
			for i, v := range two.Ch[c] {
				if math.Abs(float64(v-once.Ch[c][i%n])) > 3e-6 {
					t.Fatalf("%s: sample %d is %g, want %g", name, i, v, once.Ch[c][i%n])
				}
			}
		}
	}
}
