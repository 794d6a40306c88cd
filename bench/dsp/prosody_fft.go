package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/dsp/fourier"

	"github.com/videomsg/videomsg/dsp"
)

// fftGroup times the real transform against gonum's, interleaved.
func fftGroup(b *bench) error {
	for _, n := range []int{1024, 2048, 4096} {
		x := make([]float64, n)
		for i := range x {
			x[i] = rand.NormFloat64() //nolint:gosec // numbers to transform
		}
		f, err := dsp.NewFFT(n)
		if err != nil {
			return err
		}
		re, im := make([]float64, f.Bins()), make([]float64, f.Bins())
		g := fourier.NewFFT(n)
		dst := make([]complex128, n/2+1)
		const times = 2000
		ours, peer := math.Inf(1), math.Inf(1)
		for range 5 {
			a, err := fastest(1, func() error {
				for range times {
					f.Forward(re, im, x)
				}
				return nil
			})
			if err != nil {
				return err
			}
			c, err := fastest(1, func() error {
				for range times {
					g.Coefficients(dst, x)
				}
				return nil
			})
			if err != nil {
				return err
			}
			ours, peer = min(ours, a), min(peer, c)
		}
		b.versus(fmt.Sprintf("fft_%d_us", n), ours/times*1e6, peer/times*1e6, "gonum")
	}
	return nil
}
