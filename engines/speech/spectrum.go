package speech

import (
	"math"

	"github.com/videomsg/videomsg/dsp"
)

// Analysis for alignment: frames of 20 ms under a Hann window every 5 ms, at
// 16 kHz, where all that tells phonemes apart is.
const (
	analysisRate = 16000
	hop          = analysisRate / 200
	window       = analysisRate / 50
	fftSize      = 512
	frameSeconds = float64(hop) / analysisRate
)

// A frame is the power spectrum around one moment; frame i is centred on
// i × frameSeconds.
type frame [fftSize/2 + 1]float64

// frames analyses mono PCM at Rate.
func frames(pcm []float32) ([]frame, error) {
	a, err := dsp.Resample(dsp.Audio{Rate: Rate, Ch: [][]float32{pcm}}, analysisRate)
	if err != nil {
		return nil, err
	}
	fft, err := dsp.NewFFT(fftSize)
	if err != nil {
		return nil, err
	}
	var hann [window]float64
	for i := range hann {
		hann[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/window)
	}
	x := a.Ch[0]
	out := make([]frame, len(x)/hop+1)
	buf, re, im := make([]float64, fftSize), make([]float64, fft.Bins()), make([]float64, fft.Bins())
	for i := range out {
		for k := range hann {
			v := 0.0
			if at := i*hop + k - window/2; at >= 0 && at < len(x) {
				v = float64(x[at])
			}
			buf[k] = v * hann[k]
		}
		clear(buf[window:])
		fft.Forward(re, im, buf)
		for k := range out[i] {
			out[i][k] = re[k]*re[k] + im[k]*im[k]
		}
	}
	return out, nil
}

// band is the power between two frequencies in hertz.
func (f *frame) band(lo, hi float64) float64 {
	sum := 1e-12
	for k := int(lo * fftSize / analysisRate); k < min(int(hi*fftSize/analysisRate), len(f)); k++ {
		sum += f[k]
	}
	return sum
}

func decibel(power float64) float64 { return 10 * math.Log10(power+1e-12) }
