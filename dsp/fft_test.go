package dsp_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/dsp/fourier"

	"github.com/videomsg/videomsg/dsp"
)

func TestFFTMatchesGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 2; n <= 1<<15; n *= 2 {
		f, err := dsp.NewFFT(n)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		want := fourier.NewFFT(n).Coefficients(nil, x)
		re, im := make([]float64, f.Bins()), make([]float64, f.Bins())
		f.Forward(re, im, x)
		tol := 1e-12 * math.Sqrt(float64(n)) * math.Log2(float64(n)+1)
		for k, w := range want {
			if d := math.Hypot(re[k]-real(w), im[k]-imag(w)); d > tol {
				t.Fatalf("n=%d bin %d: got %g%+gi, gonum %v, difference %g > %g", n, k, re[k], im[k], w, d, tol)
			}
		}
		y := make([]float64, n)
		f.Inverse(y, re, im)
		for i := range x {
			if d := math.Abs(x[i] - y[i]); d > 1e-13*math.Log2(float64(n)+1)*10 {
				t.Fatalf("n=%d: the inverse of the transform differs by %g at %d", n, d, i)
			}
		}
	}
}

func TestFFTRefusesOtherLengths(t *testing.T) {
	for _, n := range []int{-8, 0, 1, 3, 48000, dsp.MaxFFT * 2} {
		if _, err := dsp.NewFFT(n); err == nil {
			t.Errorf("NewFFT(%d) succeeded", n)
		}
	}
}

func BenchmarkFFT(b *testing.B) {
	for _, n := range []int{1024, 2048, 4096} {
		x := make([]float64, n)
		for i := range x {
			x[i] = math.Sin(float64(i))
		}
		b.Run(fmt.Sprintf("own/%d", n), func(b *testing.B) {
			f, err := dsp.NewFFT(n)
			if err != nil {
				b.Fatal(err)
			}
			re, im := make([]float64, f.Bins()), make([]float64, f.Bins())
			for b.Loop() {
				f.Forward(re, im, x)
			}
		})
		b.Run(fmt.Sprintf("gonum/%d", n), func(b *testing.B) {
			f := fourier.NewFFT(n)
			dst := make([]complex128, n/2+1)
			for b.Loop() {
				f.Coefficients(dst, x)
			}
		})
	}
}
