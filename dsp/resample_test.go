package dsp_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/dsp"
)

// sine is amplitude·sin(2πft) for n samples.
func sine(rate, n int, amplitude, f float64) dsp.Audio {
	a := dsp.New(rate, 1, n)
	for i := range a.Ch[0] {
		a.Ch[0][i] = float32(amplitude * math.Sin(2*math.Pi*f*float64(i)/float64(rate)))
	}
	return a
}

// fitSine is the level of the best-fitting sine of frequency f in the middle
// three quarters of x in dB relative to amplitude, and of what is left, relative
// to the sine.
func fitSine(x []float32, rate, f, amplitude float64) (gain, residue float64) {
	lo, hi := len(x)/8, len(x)-len(x)/8
	var cc, ss, cs, xc, xs float64
	for i := lo; i < hi; i++ {
		s, c := math.Sincos(2 * math.Pi * f * float64(i) / rate)
		v := float64(x[i])
		cc, ss, cs, xc, xs = cc+c*c, ss+s*s, cs+c*s, xc+v*c, xs+v*s
	}
	det := cc*ss - cs*cs
	a, b := (xc*ss-xs*cs)/det, (xs*cc-xc*cs)/det
	var e float64
	for i := lo; i < hi; i++ {
		s, c := math.Sincos(2 * math.Pi * f * float64(i) / rate)
		d := float64(x[i]) - a*c - b*s
		e += d * d
	}
	amp := math.Hypot(a, b)
	return 20 * math.Log10(amp/amplitude), 10 * math.Log10(e/float64(hi-lo)/(amp*amp/2)+1e-30)
}

func TestResampleIsFlatAndClean(t *testing.T) {
	for _, pair := range [][2]int{
		{24000, 48000},
		{22050, 48000},
		{44100, 48000},
		{48000, 44100},
		{48000, 16000},
		{16000, 48000},
		{8000, 48000},
		{47999, 48000},
		{48000, 22051},
		{96000, 44100},
	} {
		from, to := pair[0], pair[1]
		for _, rel := range []float64{0.003, 0.02, 0.2, 0.33, 0.40} {
			f := math.Round(rel * float64(min(from, to)))
			out, err := dsp.Resample(sine(from, from, 0.5, f), to)
			if err != nil {
				t.Fatal(err)
			}
			if out.Len() != to || out.Rate != to {
				t.Fatalf("%d to %d: %d samples at %d Hz", from, to, out.Len(), out.Rate)
			}
			gain, spur := fitSine(out.Ch[0], float64(to), f, 0.5)
			if spur > -115 {
				t.Errorf("%d to %d at %.0f Hz: spurious %.1f dB", from, to, f, spur)
			}
			if math.Abs(gain) > 0.05 {
				t.Errorf("%d to %d at %.0f Hz: gain %.3f dB", from, to, f, gain)
			}
		}
	}
}

func TestResampleStopsAliases(t *testing.T) {
	for _, pair := range [][2]int{{48000, 16000}, {48000, 44100}, {44100, 22050}, {48000, 8000}} {
		f := 0.58 * float64(pair[1])
		if f > 0.5*float64(pair[0]) {
			f = 0.5*float64(pair[0]) - 50
		}
		out, err := dsp.Resample(sine(pair[0], pair[0], 0.5, f), pair[1])
		if err != nil {
			t.Fatal(err)
		}
		var e float64
		mid := out.Ch[0][out.Len()/8 : out.Len()*7/8]
		for _, v := range mid {
			e += float64(v) * float64(v)
		}
		if db := 10 * math.Log10(e/float64(len(mid))/0.125+1e-30); db > -115 {
			t.Errorf("%d to %d: %.0f Hz comes through at %.1f dB", pair[0], pair[1], f, db)
		}
	}
}

func TestResampleKeepsTimeAndConstants(t *testing.T) {
	in := dsp.New(22050, 2, 22050)
	for i := range in.Ch[0] {
		in.Ch[0][i] = 0.25
		u := (float64(i)/22050 - 0.5) / 0.01 // a pulse centred at 0.5 s
		in.Ch[1][i] = float32(math.Exp(-u * u))
	}
	out, err := dsp.Resample(in, 48000)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range out.Ch[0][4800:43200] {
		if math.Abs(float64(v)-0.25) > 1e-7 {
			t.Fatalf("constant became %g at %d", v, i+4800)
		}
	}
	var m, s float64
	for i, v := range out.Ch[1] {
		m += float64(v) * float64(i)
		s += float64(v)
	}
	if at := m / s / 48000; math.Abs(at-0.5) > 1e-6 {
		t.Errorf("pulse moved from 0.5 s to %.7f s", at)
	}
	same, err := dsp.Resample(in, 22050)
	if err != nil || !slices.Equal(same.Ch[1], in.Ch[1]) {
		t.Errorf("own rate changed the samples (error %v)", err)
	}
}

func TestResampleRefusesAndSurvives(t *testing.T) {
	nan := dsp.New(48000, 1, 100)
	nan.Ch[0][7] = float32(math.NaN())
	inf := dsp.New(48000, 2, 100)
	inf.Ch[1][3] = float32(math.Inf(-1))
	ragged := dsp.New(48000, 2, 100)
	ragged.Ch[1] = ragged.Ch[1][:50]
	for _, c := range []struct {
		name string
		in   dsp.Audio
		rate int
		want string // in the error; empty: succeeds
	}{
		{"1 Hz source", dsp.New(1, 1, 10), 48000, "rate 1 Hz"},
		{"1 MHz source", dsp.New(1000000, 1, 10), 48000, "rate 1000000 Hz"},
		{"1 Hz target", dsp.New(48000, 1, 10), 1, "rate 1 Hz"},
		{"1 MHz target", dsp.New(48000, 1, 10), 1000000, "rate 1000000 Hz"},
		{"no channel", dsp.New(48000, 0, 10), 44100, "0 channels"},
		{"256 channels", dsp.New(48000, 256, 1), 44100, "256 channels"},
		{"ragged", ragged, 44100, "channel 1 has 50 samples"},
		{"NaN", nan, 44100, "channel 0 sample 7 is NaN"},
		{"infinity", inf, 44100, "channel 1 sample 3 is -Inf"},
		{"empty", dsp.New(48000, 1, 0), 44100, ""},
		{"one sample", dsp.New(48000, 1, 1), 44100, ""},
		{"extreme ratio", dsp.New(384000, 1, 1000), 4001, ""},
		{"extreme ratio up", dsp.New(4001, 1, 10), 384000, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := dsp.Resample(c.in, c.rate)
			if c.want == "" {
				want := int(math.Ceil(float64(c.in.Len()) * float64(c.rate) / float64(c.in.Rate)))
				if err != nil || out.Len() != want {
					t.Fatalf("got %d samples, error %v; want %d", out.Len(), err, want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v does not say %q", err, c.want)
			}
		})
	}
}

func BenchmarkResample(b *testing.B) {
	for _, pair := range [][2]int{{24000, 48000}, {22050, 48000}, {44100, 48000}, {48000, 16000}, {47999, 48000}} {
		b.Run(fmt.Sprintf("%d-%d", pair[0], pair[1]), func(b *testing.B) {
			in := sine(pair[0], 10*pair[0], 0.5, 440)
			for b.Loop() {
				if _, err := dsp.Resample(in, pair[1]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "xrt")
		})
	}
}
