package wav

import (
	"encoding/binary"
	"math"
)

// dither makes triangular noise of ±1 step (TPDF), which turns the error of
// rounding into steady noise instead of distortion that follows the signal
// (Lipshitz, Wannamaker, Vanderkooy 1992). The generator is splitmix64 with a
// fixed start: equal input gives equal files.
type dither struct{ state uint64 }

func (d *dither) next() float64 {
	d.state += 0x9E3779B97F4A7C15
	z := d.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	z ^= z >> 31
	return (float64(uint32(z))+float64(z>>32))/(1<<32) - 1
}

// quantize rounds v·scale half up with dither and saturates to [-scale,
// scale-1]. A value that already stands on a step (digital silence, a file of
// the same depth passing through) has no error to hide and stays exact.
func (d *dither) quantize(v float32, scale float64) int64 {
	x := float64(v) * scale
	if x != x {
		return 0
	}
	if x <= -scale {
		return int64(-scale)
	}
	if x >= scale-1 {
		return int64(scale - 1)
	}
	if f := math.Floor(x); f == x {
		return int64(x)
	}
	x = math.Floor(x + d.next() + 0.5)
	return int64(max(-scale, min(scale-1, x)))
}

// encoder returns the conversion of one sample into its stored form. Depths
// beyond 16 bit are only rounded: their step is below any listener's noise.
func (e *Writer) encoder() func(b []byte, v float32) {
	le := binary.LittleEndian
	switch e.f.Encoding {
	case PCM8:
		return func(b []byte, v float32) { b[0] = byte(e.noise.quantize(v, 1<<7) + 128) }
	case PCM16:
		return func(b []byte, v float32) { le.PutUint16(b, uint16(e.noise.quantize(v, 1<<15))) }
	case PCM24:
		return func(b []byte, v float32) {
			n := round(v, 1<<23)
			b[0], b[1], b[2] = byte(n), byte(n>>8), byte(n>>16)
		}
	case PCM32:
		return func(b []byte, v float32) { le.PutUint32(b, uint32(round(v, 1<<31))) }
	case Float64:
		return func(b []byte, v float32) { le.PutUint64(b, math.Float64bits(float64(finite(v)))) }
	default: // Float32
		return func(b []byte, v float32) { le.PutUint32(b, math.Float32bits(finite(v))) }
	}
}

func round(v float32, scale float64) int64 {
	x := math.Floor(float64(finite(v))*scale + 0.5)
	return int64(max(-scale, min(scale-1, x)))
}

// finite keeps NaN and Inf out of files.
func finite(v float32) float32 {
	if v >= -maxSample && v <= maxSample {
		return v
	}
	return repair(v)
}
