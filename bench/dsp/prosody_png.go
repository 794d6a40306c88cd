package main

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/dsp/prosody/prosodytest"
)

func freeMemory() { debug.FreeOSMemory() }

// pictures draws every signal as it was, stretched, shifted, and under each
// emotion: a spectrogram up to 8 kHz with the pitch track of Analyze in green,
// the independent tracker's in white, pulses as ticks and onsets as lines.
func (b *bench) pictures(sigs []prosodytest.Signal) error {
	if err := os.MkdirAll(b.png, 0o755); err != nil {
		return err
	}
	for _, s := range sigs {
		variants := map[string]prosody.Plan{"original": prosody.NeutralPlan()}
		for name, change := range map[string]func(*prosody.Plan){
			"slow": func(p *prosody.Plan) { p.Rate = 0.8 }, "half": func(p *prosody.Plan) { p.Rate = 0.5 },
			"fast": func(p *prosody.Plan) { p.Rate = 1.25 }, "up4": func(p *prosody.Plan) { p.Semitones = 4 },
			"down4": func(p *prosody.Plan) { p.Semitones = -4 }, "up12": func(p *prosody.Plan) { p.Semitones = 12 },
		} {
			p := prosody.NeutralPlan()
			change(&p)
			variants[name] = p
		}
		for _, e := range prosody.Emotions() {
			w := prosody.DefaultParams()
			w.Emotion = e
			p, err := w.Resolve()
			if err != nil {
				return err
			}
			variants[string(e)] = p
		}
		for name, p := range variants {
			y, _, _, err := prosody.Apply(s.Audio, p, nil)
			if err != nil {
				return err
			}
			img, err := spectrogram(y, 4)
			if err != nil {
				return err
			}
			if err := writePNG(filepath.Join(b.png, fmt.Sprintf("%s-%s.png", s.Name, name)), img); err != nil {
				return err
			}
		}
	}
	return nil
}

// spectrogram draws at most the given seconds.
func spectrogram(a dsp.Audio, seconds float64) (image.Image, error) {
	const width, height, top = 1400, 500, 8000.0
	const n = 1024
	f, err := dsp.NewFFT(n)
	if err != nil {
		return nil, err
	}
	low, err := dsp.Resample(a, 16000)
	if err != nil {
		return nil, err
	}
	seconds = min(seconds, a.Duration().Seconds())
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	re, im, buf := make([]float64, f.Bins()), make([]float64, f.Bins()), make([]float64, n)
	x := low.Ch[0]
	for px := range width {
		c := int(float64(px) / width * seconds * 16000)
		for i := range buf {
			buf[i] = 0
			// A short window, so that pulses and onsets show.
			if d := i - n/2; d > -160 && d < 160 && c+d >= 0 && c+d < len(x) {
				buf[i] = float64(x[c+d]) * (0.5 + 0.5*math.Cos(math.Pi*float64(d)/160))
			}
		}
		f.Forward(re, im, buf)
		for py := range height {
			k := int(float64(height-1-py) / height * top / 16000 * n)
			db := 10 * math.Log10(re[k]*re[k]+im[k]*im[k]+1e-12)
			v := uint8(min(max((db+50)/80*255, 0), 255))
			img.SetRGBA(px, py, color.RGBA{v, uint8(float64(v) * float64(v) / 320), uint8(80 - int(v)/4), 255})
		}
	}
	t, err := prosody.Analyze(a)
	if err != nil {
		return nil, err
	}
	at := func(sec float64) int { return int(sec / seconds * width) }
	pitchY := func(hz float64) int { return height - 1 - int(hz/600*height) }
	for i, hz := range t.F0 {
		sec := float64(i) * t.Hop
		if sec >= seconds {
			break
		}
		if hz > 0 {
			dot(img, at(sec), pitchY(float64(hz)), color.RGBA{0, 255, 0, 255})
		}
		if g := prosodytest.Yin(a.Ch[0], a.Rate, int(sec*float64(a.Rate)), 60, 600); g > 0 {
			dot(img, at(sec), pitchY(g)+1, color.RGBA{255, 255, 255, 255})
		}
	}
	for _, m := range t.Marks {
		for y := range 6 {
			img.SetRGBA(at(m/float64(a.Rate)), y, color.RGBA{0, 255, 255, 255})
		}
	}
	for _, o := range t.Onsets {
		for y := 6; y < height; y += 4 {
			img.SetRGBA(at(float64(o)/float64(a.Rate)), y, color.RGBA{255, 255, 0, 255})
		}
	}
	return img, nil
}

func dot(img *image.RGBA, x, y int, c color.RGBA) {
	for _, d := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		img.SetRGBA(x+d[0], y+d[1], c)
	}
}

func writePNG(path string, img image.Image) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	return png.Encode(f, img)
}
