package dsp

import (
	"fmt"
	"math"
	"math/bits"
)

// MaxFFT is the largest transform length accepted by NewFFT.
const MaxFFT = 1 << 22

// FFT is a discrete Fourier transform of real sequences whose length is a power
// of two. It runs one complex radix-4 Stockham transform of half the length on
// split real and imaginary parts (Stockham's autosort needs no bit reversal) and
// unravels the result; see Van Loan, Computational Frameworks for the Fast
// Fourier Transform, 1992, sections 1.7 and 4.3.
//
// An FFT holds scratch memory: use one per goroutine.
type FFT struct {
	n      int
	stages []fftStage
	wr, wi []float64 // e^{-2πik/n}, k ≤ n/4
	zr, zi []float64 // the packed sequence
	br, bi []float64 // the other half of the ping-pong
}

// fftStage is one pass of the complex transform: n is the sub-transform length
// and s the number of interleaved sub-transforms (n·s is constant).
type fftStage struct {
	n, s                         int
	w1r, w1i, w2r, w2i, w3r, w3i []float64
}

// NewFFT prepares transforms of n real samples; n is a power of two in
// 2..MaxFFT.
func NewFFT(n int) (*FFT, error) {
	if n < 2 || n > MaxFFT || bits.OnesCount(uint(n)) != 1 {
		return nil, fmt.Errorf("prepare FFT: length %d is not a power of two in 2..%d", n, MaxFFT)
	}
	h := n / 2
	f := &FFT{
		n:  n,
		wr: make([]float64, h/2+1), wi: make([]float64, h/2+1),
		zr: make([]float64, h), zi: make([]float64, h),
		br: make([]float64, h), bi: make([]float64, h),
	}
	for k := range f.wr {
		sin, cos := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
		f.wr[k], f.wi[k] = cos, sin
	}
	for m, s := h, 1; m > 1; {
		if m < 4 {
			f.stages = append(f.stages, fftStage{n: 2, s: s})
			break
		}
		f.stages = append(f.stages, newFFTStage(m, s))
		m, s = m/4, s*4
	}
	return f, nil
}

func newFFTStage(n, s int) fftStage {
	m := n / 4
	w := make([]float64, 6*m)
	g := fftStage{
		n: n, s: s,
		w1r: w[:m:m], w1i: w[m : 2*m : 2*m], w2r: w[2*m : 3*m : 3*m],
		w2i: w[3*m : 4*m : 4*m], w3r: w[4*m : 5*m : 5*m], w3i: w[5*m:],
	}
	for p := range m {
		a := -2 * math.Pi * float64(p) / float64(n)
		g.w1i[p], g.w1r[p] = math.Sincos(a)
		g.w2i[p], g.w2r[p] = math.Sincos(2 * a)
		g.w3i[p], g.w3r[p] = math.Sincos(3 * a)
	}
	return g
}

// Len is the number of real samples per transform.
func (f *FFT) Len() int { return f.n }

// Bins is the number of complex outputs, Len/2 + 1.
func (f *FFT) Bins() int { return f.n/2 + 1 }

// Forward computes X[k] = Σ x[t]·e^{-2πikt/n} for k = 0..n/2 into re and im.
// x has at least Len elements, re and im at least Bins; only those are used.
// It is not normalised. x is left unchanged.
func (f *FFT) Forward(re, im, x []float64) {
	h := f.n / 2
	x = x[:f.n]
	zr, zi := f.zr, f.zi
	for i := range zr {
		zr[i], zi[i] = x[2*i], x[2*i+1]
	}
	f.complex(zr, zi)
	re, im = re[:h+1], im[:h+1]
	re[0], im[0] = zr[0]+zi[0], 0
	re[h], im[h] = zr[0]-zi[0], 0
	for k := 1; k <= h/2; k++ {
		ar, ai, br, bi := zr[k], zi[k], zr[h-k], -zi[h-k]
		er, ei := (ar+br)/2, (ai+bi)/2
		// The odd half is −i·(a−b)/2, turned by the twiddle factor.
		qr, qi := (ai-bi)/2, (br-ar)/2
		tr, ti := qr*f.wr[k]-qi*f.wi[k], qr*f.wi[k]+qi*f.wr[k]
		re[k], im[k] = er+tr, ei+ti
		re[h-k], im[h-k] = er-tr, ti-ei
	}
}

// Inverse is the exact inverse of Forward, 1/n included: x gets Len samples from
// the Bins values in re and im, which are left unchanged. The imaginary parts of
// the first and the last bin are taken as zero.
func (f *FFT) Inverse(x, re, im []float64) {
	h := f.n / 2
	re, im = re[:h+1], im[:h+1]
	zr, zi := f.zr, f.zi
	// Pack the even and odd halves into one spectrum, conjugated, so that the
	// forward transform does the inverse.
	zr[0], zi[0] = (re[0]+re[h])/2, -(re[0]-re[h])/2
	for k := 1; k <= h/2; k++ {
		ar, ai, br, bi := re[k], im[k], re[h-k], -im[h-k]
		er, ei := (ar+br)/2, (ai+bi)/2
		tr, ti := (ar-br)/2, (ai-bi)/2
		qr, qi := tr*f.wr[k]+ti*f.wi[k], ti*f.wr[k]-tr*f.wi[k]
		zr[k], zi[k] = er-qi, -(ei + qr)
		zr[h-k], zi[h-k] = er+qi, ei-qr
	}
	f.complex(zr, zi)
	g := 1 / float64(h)
	x = x[:f.n]
	for i := range zr {
		x[2*i], x[2*i+1] = g*zr[i], -g*zi[i]
	}
}

// complex transforms zr + i·zi in place.
func (f *FFT) complex(zr, zi []float64) {
	ar, ai, br, bi := zr, zi, f.br, f.bi
	for k := range f.stages {
		g := &f.stages[k]
		switch {
		case g.n == 2:
			radix2(br, bi, ar, ai, g.s)
		case g.s == 1:
			g.first(br, bi, ar, ai)
		default:
			g.rest(br, bi, ar, ai)
		}
		ar, ai, br, bi = br, bi, ar, ai
	}
	if &ar[0] != &zr[0] {
		copy(zr, ar)
		copy(zi, ai)
	}
}

func radix2(br, bi, ar, ai []float64, s int) {
	for q := range s {
		br[q], bi[q] = ar[q]+ar[q+s], ai[q]+ai[q+s]
		br[q+s], bi[q+s] = ar[q]-ar[q+s], ai[q]-ai[q+s]
	}
}

// first is the pass with one butterfly per twiddle factor.
func (g *fftStage) first(br, bi, ar, ai []float64) {
	m := g.n / 4
	a0r, a1r, a2r, a3r := ar[:m], ar[m:2*m], ar[2*m:3*m], ar[3*m:4*m]
	a0i, a1i, a2i, a3i := ai[:m], ai[m:2*m], ai[2*m:3*m], ai[3*m:4*m]
	w1r, w1i, w2r, w2i, w3r, w3i := g.w1r[:m], g.w1i[:m], g.w2r[:m], g.w2i[:m], g.w3r[:m], g.w3i[:m]
	for p := range m {
		apr, api := a0r[p]+a2r[p], a0i[p]+a2i[p]
		amr, ami := a0r[p]-a2r[p], a0i[p]-a2i[p]
		bpr, bpi := a1r[p]+a3r[p], a1i[p]+a3i[p]
		bmr, bmi := a1r[p]-a3r[p], a1i[p]-a3i[p]
		or, oi := br[4*p:4*p+4:4*p+4], bi[4*p:4*p+4:4*p+4]
		or[0], oi[0] = apr+bpr, api+bpi
		tr, ti := amr+bmi, ami-bmr
		or[1], oi[1] = tr*w1r[p]-ti*w1i[p], tr*w1i[p]+ti*w1r[p]
		tr, ti = apr-bpr, api-bpi
		or[2], oi[2] = tr*w2r[p]-ti*w2i[p], tr*w2i[p]+ti*w2r[p]
		tr, ti = amr-bmi, ami+bmr
		or[3], oi[3] = tr*w3r[p]-ti*w3i[p], tr*w3i[p]+ti*w3r[p]
	}
}

// rest is a pass with s butterflies per twiddle factor.
func (g *fftStage) rest(br, bi, ar, ai []float64) {
	m, s := g.n/4, g.s
	for p := range m {
		w1r, w1i, w2r, w2i, w3r, w3i := g.w1r[p], g.w1i[p], g.w2r[p], g.w2i[p], g.w3r[p], g.w3i[p]
		a0r, a0i := ar[s*p:][:s], ai[s*p:][:s]
		a1r, a1i := ar[s*(p+m):][:s], ai[s*(p+m):][:s]
		a2r, a2i := ar[s*(p+2*m):][:s], ai[s*(p+2*m):][:s]
		a3r, a3i := ar[s*(p+3*m):][:s], ai[s*(p+3*m):][:s]
		o0r, o0i := br[s*4*p:][:s], bi[s*4*p:][:s]
		o1r, o1i := br[s*(4*p+1):][:s], bi[s*(4*p+1):][:s]
		o2r, o2i := br[s*(4*p+2):][:s], bi[s*(4*p+2):][:s]
		o3r, o3i := br[s*(4*p+3):][:s], bi[s*(4*p+3):][:s]
		for q := range s {
			apr, api := a0r[q]+a2r[q], a0i[q]+a2i[q]
			amr, ami := a0r[q]-a2r[q], a0i[q]-a2i[q]
			bpr, bpi := a1r[q]+a3r[q], a1i[q]+a3i[q]
			bmr, bmi := a1r[q]-a3r[q], a1i[q]-a3i[q]
			o0r[q], o0i[q] = apr+bpr, api+bpi
			tr, ti := amr+bmi, ami-bmr
			o1r[q], o1i[q] = tr*w1r-ti*w1i, tr*w1i+ti*w1r
			tr, ti = apr-bpr, api-bpi
			o2r[q], o2i[q] = tr*w2r-ti*w2i, tr*w2i+ti*w2r
			tr, ti = amr-bmi, ami+bmr
			o3r[q], o3i[q] = tr*w3r-ti*w3i, tr*w3i+ti*w3r
		}
	}
}
