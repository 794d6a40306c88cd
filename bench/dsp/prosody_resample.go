package main

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"

	"github.com/videomsg/videomsg/dsp"
)

// resampleGroup measures spurs, gain and speed of the rate converter on sines.
func resampleGroup(b *bench) error {
	for _, pair := range [][2]int{{24000, 48000}, {22050, 48000}, {44100, 48000}, {48000, 44100}, {48000, 16000}} {
		from, to := pair[0], pair[1]
		name := fmt.Sprintf("resample_%d_%d", from, to)
		worst, swr, sox := math.Inf(-1), math.Inf(-1), math.Inf(-1)
		var x dsp.Audio
		for _, rel := range []float64{0.02, 0.2, 0.4} {
			f := math.Round(rel * float64(min(from, to)))
			x = dsp.New(from, 1, 10*from)
			for i := range x.Ch[0] {
				x.Ch[0][i] = float32(0.5 * math.Sin(2*math.Pi*f*float64(i)/float64(from)))
			}
			y, err := dsp.Resample(x, to)
			if err != nil {
				return err
			}
			worst = max(worst, spurDB(y, f))
			if !b.peers {
				continue
			}
			in, out := filepath.Join(b.dir, "in.wav"), filepath.Join(b.dir, "out.wav")
			if err := writeWAV(in, x); err != nil {
				return err
			}
			for _, p := range []struct {
				spur *float64
				cmd  *exec.Cmd
			}{
				{&swr, exec.Command("ffmpeg", "-v", "error", "-y", "-i", in, "-ar", fmt.Sprint(to), "-c:a", "pcm_f32le", out)},
				{&sox, exec.Command("sox", in, "-e", "float", "-b", "32", out, "rate", "-v", fmt.Sprint(to))},
			} {
				if text, err := p.cmd.CombinedOutput(); err != nil {
					return fmt.Errorf("run %s: %w: %s", p.cmd.Path, err, text)
				}
				y, err := readWAV(out)
				if err != nil {
					return err
				}
				*p.spur = max(*p.spur, spurDB(y, f))
			}
		}
		b.goal(name+"_spur_db", worst, "≤-115")
		if b.peers {
			b.versus(name+"_spur_db", worst, swr, "ffmpeg_swr")
			b.versus(name+"_spur_db", worst, sox, "sox_rate_v")
		}
		t, err := fastest(4, func() error { _, err := dsp.Resample(x, to); return err })
		if err != nil {
			return err
		}
		b.goal(name+"_xrt", 10/t, "≥400")
	}
	return nil
}

// spurDB is what is left of y beside the sine of f hertz, relative to it.
func spurDB(y dsp.Audio, f float64) float64 {
	x := y.Ch[0][y.Len()/8 : y.Len()*7/8]
	var cc, ss, cs, xc, xs float64
	w := 2 * math.Pi * f / float64(y.Rate)
	for i, v := range x {
		s, c := math.Sincos(w * float64(i))
		cc, ss, cs, xc, xs = cc+c*c, ss+s*s, cs+c*s, xc+float64(v)*c, xs+float64(v)*s
	}
	det := cc*ss - cs*cs
	p, q := (xc*ss-xs*cs)/det, (xs*cc-xc*cs)/det
	var e float64
	for i, v := range x {
		s, c := math.Sincos(w * float64(i))
		d := float64(v) - p*c - q*s
		e += d * d
	}
	return 10 * math.Log10(e/float64(len(x))/((p*p+q*q)/2)+1e-20)
}
