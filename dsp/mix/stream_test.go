package mix_test

import (
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/mix"
)

// repeated is a, as often as it takes to last so many seconds, without being held.
func repeated(a dsp.Audio, seconds int) dsp.Source {
	return dsp.Source{Rate: a.Rate, Channels: len(a.Ch), Samples: seconds * a.Rate, Read: func(dst [][]float32, at int) error {
		for c := range dst {
			for i := range dst[c] {
				dst[c][i] = a.Ch[c][(at+i)%a.Len()]
			}
		}
		return nil
	}}
}

// A longer mix must not take more memory: what is allocated beyond the first four
// seconds is the figures that are kept, not samples, of which a second has 768 kB.
func TestMemoryDoesNotFollowTheLength(t *testing.T) {
	if underRace {
		t.Skip("measured in the plain run")
	}
	v, m := voice(24000, 4, 1, 0.1), track(3, 0.3)
	p := mix.Default()
	p.Duck = true
	allocated := func(seconds int) float64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, _, err := mix.Stream(repeated(v, seconds), mix.Music{Sound: repeated(m, seconds/2)}, p)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := s.Each(func(ch [][]float32) error { n += len(ch[0]); return nil }); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if want := (seconds + 3) * mix.Rate; n != want || s.Samples != want {
			t.Errorf("%d samples in blocks and %d promised, want %d", n, s.Samples, want)
		}
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	short, long := allocated(4), allocated(20)
	if perSecond := (long - short) / 16; perSecond > 20e3 {
		t.Errorf("%.0f kB for every further second", perSecond/1e3)
	}
}

// Whatever pieces a source is read in, the mix is the same, and so is a second
// reading of it.
func TestStreamIsTheMix(t *testing.T) {
	v, m := voice(24000, 2, 1, 0.1), mix.Music{Sound: track(1.3, 0.3).Source()}
	p := mix.Default()
	p.Duck = true
	whole, r := do(t, v, m, p)
	s, r2, err := mix.Stream(v.Source(), m, p)
	if err != nil || r2 != r {
		t.Fatalf("%+v %v, want %+v", r2, err, r)
	}
	for range 2 {
		at := 0
		if err := s.Each(func(ch [][]float32) error {
			for c := range ch {
				for i, x := range ch[c] {
					if x != whole.Ch[c][at+i] {
						t.Fatalf("sample %d is %g, want %g", at+i, x, whole.Ch[c][at+i])
					}
				}
			}
			at += len(ch[0])
			return nil
		}); err != nil || at != whole.Len() {
			t.Fatalf("%d samples of %d, %v", at, whole.Len(), err)
		}
	}
}

func TestSourceEndsTheWork(t *testing.T) {
	stop := errors.New("stop")
	good := voice(24000, 1, 1, 0.1)
	bad := good.Source()
	bad.Read = func([][]float32, int) error { return stop }
	if _, _, err := mix.Stream(bad, mix.Music{Sound: track(1, 0.3).Source()}, mix.Default()); !errors.Is(err, stop) {
		t.Errorf("voice: %v", err)
	}
	if _, _, err := mix.Stream(good.Source(), mix.Music{Sound: bad}, mix.Default()); !errors.Is(err, stop) {
		t.Errorf("music: %v", err)
	}
	s, _, err := mix.Stream(good.Source(), mix.Music{Sound: track(1, 0.3).Source()}, mix.Default())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Each(func([][]float32) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("result: %v", err)
	}
	// Damage in the middle of a file is found while it is read.
	nan := voice(24000, 1, 1, 0.1)
	nan.Ch[0][12345] = float32(math.Inf(1))
	if _, _, err := mix.Stream(nan.Source(), mix.Music{Sound: track(1, 0.3).Source()}, mix.Default()); err == nil {
		t.Error("an infinite sample was mixed")
	}
}
