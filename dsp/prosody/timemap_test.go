package prosody_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/dsp/prosody/prosodytest"
)

func TestTimeMap(t *testing.T) {
	// Twice as slow to 1 s, a pause of half a second there, then as it was.
	m := prosody.TimeMap{{In: 0, Out: 0}, {In: 1, Out: 2}, {In: 1, Out: 2.5}, {In: 3, Out: 4.5}}
	for _, c := range []struct{ in, out, end float64 }{
		{-1, -1, -1},
		{0, 0, 0},
		{0.5, 1, 1},
		{1, 2.5, 2},
		{2, 3.5, 3.5},
		{3, 4.5, 4.5},
		{5, 6.5, 6.5},
	} {
		if got := m.Out(c.in); got != c.out {
			t.Errorf("Out(%g) is %g, want %g", c.in, got, c.out)
		}
		if got := m.End(c.in); got != c.end {
			t.Errorf("End(%g) is %g, want %g", c.in, got, c.end)
		}
	}
	for _, c := range []struct{ out, in float64 }{{1, 0.5}, {2.2, 1}, {2.5, 1}, {3.5, 2}, {9, 7.5}} {
		if got := m.In(c.out); math.Abs(got-c.in) > 1e-12 {
			t.Errorf("In(%g) is %g, want %g", c.out, got, c.in)
		}
	}
	if a, b := m.Span(0.5, 1); a != 1 || b != 2 {
		t.Errorf("a sound before the pause is at %g to %g", a, b)
	}
	if a, b := m.Span(1, 2); a != 2.5 || b != 3.5 {
		t.Errorf("a sound after the pause is at %g to %g", a, b)
	}
	if got := prosody.TimeMap(nil).Out(3); got != 3 {
		t.Errorf("the empty map moves 3 to %g", got)
	}
}

func TestTimeMapsCompose(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	random := func() prosody.TimeMap {
		m := prosody.TimeMap{{In: 0, Out: rng.Float64()}}
		for range 20 {
			p := m[len(m)-1]
			switch rng.IntN(4) {
			case 0: // a pause
				p.Out += rng.Float64()
			case 1: // a cut
				p.In += rng.Float64()
			default:
				p.In += 0.01 + rng.Float64()
				p.Out += 0.01 + rng.Float64()
			}
			m = append(m, p)
		}
		return m
	}
	for range 200 {
		a, b := random(), random()
		c := a.Then(b)
		for i := 1; i < len(c); i++ {
			if c[i].In < c[i-1].In || c[i].Out < c[i-1].Out {
				t.Fatalf("the composed map falls at %v %v", c[i-1], c[i])
			}
		}
		for range 200 {
			x := rng.Float64()*16 - 1
			if got, want := c.Out(x), b.Out(a.Out(x)); math.Abs(got-want) > 1e-6 {
				t.Fatalf("composed %g goes to %g, one after the other to %g", x, got, want)
			}
		}
		s := c.Simplify(0.001)
		for range 200 {
			x := rng.Float64() * 12
			if got, want := s.Out(x), c.Out(x); math.Abs(got-want) > 0.0011 {
				t.Fatalf("simplified, %g goes to %g instead of %g", x, got, want)
			}
		}
	}
	d := prosody.TimeMap{{In: 0, Out: 0}, {In: 2, Out: 3}}.Then(prosody.Delay(1))
	if d.Out(0) != 1 || d.Out(1) != 2.5 || d.Out(2) != 4 {
		t.Errorf("after a lead-in of a second: %v", d)
	}
}

// edges are the times at which sound of s begins and ends around its silences of
// more than minGap seconds, found in the samples: first and last above −60 dB.
func edges(a dsp.Audio, minGap float64) (starts, ends []float64) {
	x := a.Ch[0]
	last := -1
	for i, v := range x {
		if v < 0.001 && v > -0.001 {
			continue
		}
		if last < 0 || float64(i-last)/float64(a.Rate) > minGap {
			if last >= 0 {
				ends = append(ends, float64(last)/float64(a.Rate))
			}
			starts = append(starts, float64(i)/float64(a.Rate))
		}
		last = i
	}
	return starts, append(ends, float64(last)/float64(a.Rate))
}

// What the whole pipeline relies on: stretch, give pauses their length, put
// music before, and find every phrase in the sound where the map says.
func TestBoundariesAreInTheSoundWhereTheMapSays(t *testing.T) {
	s := prosodytest.Sentences(24000, 150, 4, 21)
	starts, ends := edges(s.Audio, 0.2)
	if len(starts) != 4 {
		t.Fatalf("%d phrases found in the source", len(starts))
	}
	for _, r := range []float64{0.6, 1, 1.25} {
		for _, pauses := range []map[string]float64{
			{"。": 0.9, "、": 0.25},
			{"。": 0.25}, // 、 keeps its gap, stretched
			nil,
		} {
			p := plan(func(p *prosody.Plan) {
				p.Rate, p.Semitones, p.Pauses = r, 1, pauses
				for i, mark := range []string{"。", "、", "。"} {
					p.Breaks = append(p.Breaks, prosody.Break{Mark: mark, Start: ends[i], End: starts[i+1]})
				}
			})
			out, m, _ := apply(t, s.Audio, p)
			const lead = 1.0
			mixed := dsp.New(out.Rate, 1, out.Rate)
			mixed.Ch[0] = append(mixed.Ch[0], out.Ch[0]...)
			m = m.Then(prosody.Delay(lead))
			gotStarts, gotEnds := edges(mixed, 0.1)
			if len(gotStarts) != 4 {
				t.Fatalf("rate %g, pauses %v: %d phrases found", r, pauses, len(gotStarts))
			}
			for i := range starts {
				a, b := m.Span(starts[i], ends[i])
				if d := math.Abs(gotStarts[i] - a); d > 0.005 {
					t.Errorf("rate %g, pauses %v: phrase %d begins at %.4f, the map says %.4f", r, pauses, i, gotStarts[i], a)
				}
				if d := math.Abs(gotEnds[i] - b); d > 0.008 {
					t.Errorf("rate %g, pauses %v: phrase %d ends at %.4f, the map says %.4f", r, pauses, i, gotEnds[i], b)
				}
			}
			for i, br := range p.Breaks {
				want, ok := pauses[br.Mark]
				if !ok {
					want = (br.End - br.Start) / r
				}
				if got := gotStarts[i+1] - gotEnds[i]; math.Abs(got-want) > 0.010 {
					t.Errorf("rate %g, pauses %v: the gap at %s is %.3f s, want %.3f", r, pauses, br.Mark, got, want)
				}
			}
			if got := float64(out.Len()) / 24000; math.Abs(m.End(s.Audio.Duration().Seconds())-lead-got) > 1e-4 {
				t.Errorf("the map ends at %g, the sound at %g", m.End(s.Audio.Duration().Seconds())-lead, got)
			}
		}
	}
}

func TestPauseIntoSpeechWithoutGap(t *testing.T) {
	s := prosodytest.SteadyVowels(48000, 150)
	at := 0.6 // in the middle of a vowel
	out, m, _ := apply(t, s.Audio, plan(func(p *prosody.Plan) {
		p.Breaks = []prosody.Break{{Mark: "、", Start: at, End: at}}
		p.Pauses = map[string]float64{"、": 0.5}
	}))
	if want := s.Audio.Len() + 24000; out.Len() != want {
		t.Errorf("%d samples, want %d", out.Len(), want)
	}
	if m.End(at) != at || m.Out(at) != at+0.5 {
		t.Errorf("the map puts %g to %g and %g", at, m.End(at), m.Out(at))
	}
	starts, ends := edges(out, 0.4)
	if len(starts) < 2 || math.Abs(ends[0]-at) > 0.015 || math.Abs(starts[1]-at-0.5) > 0.015 {
		t.Errorf("sound ends at %v and begins at %v", ends, starts)
	}
}

func TestLongPauseHasTheRoomsNoise(t *testing.T) {
	s := prosodytest.Sentences(48000, 150, 2, 5)
	noise := prosodytest.Noise(48000, s.Audio.Len(), 0.0008, 6)
	starts, ends := edges(s.Audio, 0.2)
	for i, v := range noise.Ch[0] {
		s.Audio.Ch[0][i] += v
	}
	out, m, _ := apply(t, s.Audio, plan(func(p *prosody.Plan) {
		p.Breaks = []prosody.Break{{Mark: "。", Start: ends[0], End: starts[1]}}
		p.Pauses = map[string]float64{"。": 2}
	}))
	a, b := m.End(ends[0]), m.Out(starts[1])
	below(t, "error of the pause", math.Abs(b-a-2), 0.001)
	// Every 20 ms of the pause are as loud as the room.
	for x := a + 0.03; x+0.05 < b; x += 0.02 {
		var e float64
		for _, v := range out.Ch[0][int(x*48000):int((x+0.02)*48000)] {
			e += float64(v) * float64(v) / 960
		}
		if db := 10 * math.Log10(e/(0.0008*0.0008)); db < -4 || db > 3 {
			t.Fatalf("the pause is %.1f dB from the room's noise at %.3f", db, x)
		}
	}
}
