package music_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
	"github.com/videomsg/videomsg/dsp/music"
	"github.com/videomsg/videomsg/dsp/wav"
)

func TestLoops(t *testing.T) {
	for _, st := range music.Styles() {
		if underRace && st != music.Upbeat {
			continue
		}
		t.Run(string(st), func(t *testing.T) {
			track, err := music.Loop(st, 42)
			if err != nil {
				t.Fatal(err)
			}
			a := track.Audio
			levels(t, a)
			spectrum(t, a)
			seam(t, track)
			if t.Failed() {
				keep(t, a)
			}
		})
	}
}

// keep leaves the sound of a failed test to be listened to.
func keep(t *testing.T, a dsp.Audio) {
	f, err := os.Create(filepath.Join(t.ArtifactDir(), "track.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := wav.Encode(f, a, wav.PCM16); err != nil {
		t.Fatal(err)
	}
}

func levels(t *testing.T, a dsp.Audio) {
	s, err := loudness.Measure(a)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(s.Integrated+18) > 1.5 {
		t.Errorf("%.1f LUFS, want −18±1.5", s.Integrated)
	}
	if s.TruePeak > -0.5 {
		t.Errorf("true peak %.2f dBTP", s.TruePeak)
	}
	if s.Range < 1 || s.Range > 8 {
		t.Errorf("loudness range %.1f LU, want 1 to 8", s.Range)
	}
	l, r := 0.0, 0.0
	for i := range a.Ch[0] {
		l += float64(a.Ch[0][i]) * float64(a.Ch[0][i])
		r += float64(a.Ch[1][i]) * float64(a.Ch[1][i])
	}
	if d := 10 * math.Log10(l/r); math.Abs(d) > 2 {
		t.Errorf("left is %.1f dB louder than right", d)
	}
}

// spectrum: weight below, room for a voice above 1 kHz, nothing shrill.
func spectrum(t *testing.T, a dsp.Audio) {
	const n = 4096
	fft, err := dsp.NewFFT(n)
	if err != nil {
		t.Fatal(err)
	}
	re, im, x := make([]float64, n/2+1), make([]float64, n/2+1), make([]float64, n)
	power := make([]float64, n/2+1)
	m := a.Mono().Ch[0]
	for from := 0; from+n <= len(m); from += n {
		for i := range x {
			x[i] = float64(m[from+i]) * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/n))
		}
		fft.Forward(re, im, x)
		for k := range power {
			power[k] += re[k]*re[k] + im[k]*im[k]
		}
	}
	band := func(lo, hi float64) float64 {
		s := 1e-20
		for k := int(lo * n / music.Rate); k < int(hi*n/music.Rate); k++ {
			s += power[k]
		}
		return 10 * math.Log10(s)
	}
	all := band(0, music.Rate/2)
	for _, c := range []struct{ lo, hi, from, to float64 }{
		{0, 40, -90, -20},         // no rumble
		{200, 1000, -12, 0},       // the body of the music
		{1000, 4000, -30, -7},     // the voice's region: present, not full
		{4000, 10000, -60, -20},   // air
		{10000, 24000, -200, -32}, // nothing shrill
	} {
		if d := band(c.lo, c.hi) - all; d < c.from || d > c.to {
			t.Errorf("%.0f–%.0f Hz is at %.1f dB of the whole, want %.0f to %.0f", c.lo, c.hi, d, c.from, c.to)
		}
	}
}

// seam: the second difference, which a step or a corner makes large, must be at
// the loop point what it is at the other bar starts.
func seam(t *testing.T, track music.Track) {
	n := track.Audio.Len()
	for c, ch := range track.Audio.Ch {
		worst := func(at int) float64 {
			m := 0.0
			for i := at - 240; i < at+240; i++ {
				a, b, d := ch[((i-1)%n+n)%n], ch[(i%n+n)%n], ch[((i+1)%n+n)%n]
				m = max(m, math.Abs(float64(d-2*b+a)))
			}
			return m
		}
		var bars []float64
		for b := 1; b < track.Bars; b++ {
			bars = append(bars, worst(int(math.Round(float64(b)*track.Bar))))
		}
		if got, most := worst(0), slices.Max(bars); got > 1.5*most {
			t.Errorf("channel %d: second difference %.5f at the seam, at most %.5f at bar starts", c, got, most)
		}
	}
}

func TestPiece(t *testing.T) {
	for _, st := range music.Styles() {
		for _, length := range []time.Duration{music.MinLength, 4100 * time.Millisecond, 9 * time.Second, 33333 * time.Millisecond} {
			if underRace && length > 5*time.Second {
				continue
			}
			p, err := music.Piece(st, 7, length)
			if err != nil {
				t.Fatal(err)
			}
			n := int(math.Round(length.Seconds() * music.Rate))
			if p.Audio.Len() != n {
				t.Errorf("%s of %s: %d samples, want %d", st, length, p.Audio.Len(), n)
			}
			if ring := float64(n-p.End) / music.Rate; ring < 1 || ring > 6 {
				t.Errorf("%s of %s: final chord of %.2f s", st, length, ring)
			}
			rms := func(from, to int) float64 {
				s := 0.0
				for _, v := range p.Audio.Ch[0][from:to] {
					s += float64(v) * float64(v)
				}
				return 10 * math.Log10(s/float64(to-from)+1e-20)
			}
			if l := rms(p.End, min(n, p.End+music.Rate)); l < -40 {
				t.Errorf("%s of %s: final chord at %.0f dB", st, length, l)
			}
			if l := rms(n-48, n); l > -70 {
				t.Errorf("%s of %s: %.0f dB in the last millisecond", st, length, l)
			}
			for _, ch := range p.Audio.Ch {
				for i, v := range ch {
					if !(math.Abs(float64(v)) < 1) {
						t.Fatalf("%s of %s: sample %d is %g", st, length, i, v)
					}
				}
			}
		}
	}
}

func TestEqualArgumentsGiveEqualSamples(t *testing.T) {
	a, err := music.Piece(music.Corporate, 9, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	b, err := music.Piece(music.Corporate, 9, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range a.Audio.Ch[1] {
		if b.Audio.Ch[1][i] != v {
			t.Fatalf("sample %d differs", i)
		}
	}
}

func TestRefusals(t *testing.T) {
	if _, err := music.Loop("jazz", 1); !errors.Is(err, music.ErrStyle) {
		t.Errorf("jazz: %v", err)
	}
	if _, err := music.Piece("", 1, 10*time.Second); !errors.Is(err, music.ErrStyle) {
		t.Errorf("no style: %v", err)
	}
	for _, d := range []time.Duration{0, -time.Second, music.MinLength - 1, music.MaxLength + 1, math.MaxInt64} {
		if _, err := music.Piece(music.Calm, 1, d); err == nil {
			t.Errorf("a piece of %s was composed", d)
		}
	}
}

func BenchmarkLoop(b *testing.B) {
	for _, st := range music.Styles() {
		b.Run(string(st), func(b *testing.B) {
			seconds := 0.0
			for b.Loop() {
				t, err := music.Loop(st, 1)
				if err != nil {
					b.Fatal(err)
				}
				seconds += t.Audio.Duration().Seconds()
			}
			b.ReportMetric(seconds/b.Elapsed().Seconds(), "×rt")
		})
	}
}
