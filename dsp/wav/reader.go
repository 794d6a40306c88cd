package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/videomsg/videomsg/dsp"
)

// maxSample bounds what a float file may say (+120 dBFS): beyond it a sum of
// squares of a long file would lose its meaning.
const maxSample = 1e6

// A Reader streams the samples of one file. It is not safe for concurrent use.
type Reader struct {
	Format
	r         io.Reader
	stride    int
	left      int64 // bytes; -1: unknown
	declared  int64 // samples per channel; -1: unknown
	buf       []byte
	sample    func([]byte) float32
	truncated bool
	repaired  int64
	err       error
}

// NewReader reads the header. It fails with ErrFormat or ErrLimit, or with the
// error of r.
func NewReader(r io.Reader) (*Reader, error) {
	h, err := readHeader(r)
	if err != nil {
		return nil, fmt.Errorf("read wav: %w", err)
	}
	frame := h.stride * h.Channels
	d := &Reader{Format: h.Format, r: r, stride: h.stride, left: h.size, declared: -1}
	if h.size >= 0 {
		d.declared = h.size / int64(frame)
	}
	d.buf = make([]byte, max(1, 1<<15/frame)*frame)
	d.sample = decoder(h.Encoding)
	return d, nil
}

// Len is the number of samples per channel that the header declares; -1 when
// it does not say. The file may hold fewer.
func (d *Reader) Len() int64 { return d.declared }

// Truncated reports, after io.EOF, that the file ended before the declared
// length.
func (d *Reader) Truncated() bool { return d.truncated }

// Repaired counts samples so far that were NaN (now 0) or outside ±1e6 (now
// clamped).
func (d *Reader) Repaired() int64 { return d.repaired }

// Read fills dst, one slice per channel and all of one length, and returns the
// samples per channel that it wrote. It fills dst entirely unless the end is
// near. At the end it returns 0, io.EOF; other errors are those of the input,
// and stay.
func (d *Reader) Read(dst [][]float32) (int, error) {
	if len(dst) != d.Channels {
		return 0, fmt.Errorf("read wav: %d slices for %d channels", len(dst), d.Channels)
	}
	n := 0
	for n < len(dst[0]) && d.err == nil {
		n += d.block(dst, n)
	}
	if n > 0 || len(dst[0]) == 0 {
		return n, nil
	}
	return 0, d.err
}

// block decodes at most one buffer into dst at offset at.
func (d *Reader) block(dst [][]float32, at int) int {
	frame := d.stride * d.Channels
	want := min(len(d.buf), (len(dst[0])-at)*frame)
	if d.left >= 0 && int64(want) > d.left {
		want = int(d.left) / frame * frame
	}
	if want == 0 {
		d.err = io.EOF
		return 0
	}
	got, err := io.ReadFull(d.r, d.buf[:want])
	if d.left >= 0 {
		d.left -= int64(got)
	}
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		d.err = io.EOF
		d.truncated = d.left >= 0
	case err != nil:
		d.err = fmt.Errorf("read wav samples: %w", err)
	}
	n := got / frame
	for c := range d.Channels {
		out := dst[c][at : at+n]
		b := d.buf[c*d.stride:]
		for i := range out {
			v := d.sample(b[i*frame:])
			if !(v >= -maxSample && v <= maxSample) {
				d.repaired++
				v = repair(v)
			}
			out[i] = v
		}
	}
	return n
}

func repair(v float32) float32 {
	if v != v {
		return 0
	}
	return float32(math.Copysign(maxSample, float64(v)))
}

// decoder returns the conversion of one stored sample to [-1, 1).
func decoder(e Encoding) func([]byte) float32 {
	le := binary.LittleEndian
	switch e {
	case PCM8:
		return func(b []byte) float32 { return float32(int(b[0])-128) / (1 << 7) }
	case PCM16:
		return func(b []byte) float32 { return float32(int16(le.Uint16(b))) / (1 << 15) }
	case PCM24:
		return func(b []byte) float32 {
			return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 31)
		}
	case PCM32:
		return func(b []byte) float32 { return float32(int32(le.Uint32(b))) / (1 << 31) }
	case Float32:
		return func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) }
	case Float64:
		return func(b []byte) float32 { return float32(math.Float64frombits(le.Uint64(b))) }
	case ALaw:
		return func(b []byte) float32 { return aLaw(b[0]) }
	default: // MuLaw; the header has refused everything else
		return func(b []byte) float32 { return muLaw(b[0]) }
	}
}

// aLaw expands one G.711 A-law byte (13-bit range, scaled to [-1, 1)).
func aLaw(b byte) float32 {
	b ^= 0x55
	exp, man := b>>4&7, int32(b&15)
	v := man<<4 + 8
	if exp > 0 {
		v = (v + 0x100) << (exp - 1)
	}
	if b&0x80 == 0 {
		v = -v
	}
	return float32(v) / (1 << 15)
}

// muLaw expands one G.711 µ-law byte (14-bit range, scaled to [-1, 1)).
func muLaw(b byte) float32 {
	const bias = 0x84
	b = ^b
	v := (int32(b&15)<<3+bias)<<(b>>4&7) - bias
	if b&0x80 != 0 {
		v = -v
	}
	return float32(v) / (1 << 15)
}

// Decode reads a whole file of at most maxSamples per channel; more is
// ErrLimit. A file cut in the middle gives what is there. Memory follows what
// was really read, not what the header says.
func Decode(r io.Reader, maxSamples int) (dsp.Audio, error) {
	d, err := NewReader(r)
	if err != nil {
		return dsp.Audio{}, err
	}
	if d.Len() > int64(maxSamples) {
		return dsp.Audio{}, fmt.Errorf("read wav: %d samples, at most %d: %w", d.Len(), maxSamples, ErrLimit)
	}
	a := dsp.New(d.Rate, d.Channels, 0)
	block := dsp.New(d.Rate, d.Channels, 1<<14)
	for {
		n, err := d.Read(block.Ch)
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return dsp.Audio{}, err
		}
		if a.Len()+n > maxSamples {
			return dsp.Audio{}, fmt.Errorf("read wav: more than %d samples: %w", maxSamples, ErrLimit)
		}
		for c := range a.Ch {
			a.Ch[c] = append(a.Ch[c], block.Ch[c][:n]...)
		}
	}
}
