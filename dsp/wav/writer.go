package wav

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/videomsg/videomsg/dsp"
)

// A Writer streams samples into one file. It is not safe for concurrent use.
type Writer struct {
	f       Format
	w       io.Writer
	promise int64 // samples per channel announced; -1: none
	written int64
	buf     []byte
	encode  func(b []byte, v float32)
	noise   dither
}

// NewWriter writes the header for samples per channel; -1 when the length is
// not known yet. Then sizes read 0xFFFFFFFF, which readers take as "to the
// end", and Close puts the real ones there when w can seek. More than 4 GiB
// become an RF64.
func NewWriter(w io.Writer, f Format, samples int64) (*Writer, error) {
	if err := f.Validate(); err != nil {
		return nil, fmt.Errorf("write wav: %w", err)
	}
	if f.Encoding == ALaw || f.Encoding == MuLaw {
		return nil, fmt.Errorf("write wav: %s is read only: %w", f.Encoding, ErrFormat)
	}
	e := &Writer{f: f, w: w, promise: samples, noise: dither{state: 0x5DEECE66D}}
	e.buf = make([]byte, 0, max(1, 1<<15/(f.Channels*f.Encoding.bytes()))*f.Channels*f.Encoding.bytes())
	e.encode = e.encoder()
	if _, err := w.Write(appendHeader(nil, f, samples)); err != nil {
		return nil, fmt.Errorf("write wav header: %w", err)
	}
	return e, nil
}

// Write appends samples, one slice per channel and all of one length. NaN is
// written as silence; integers saturate.
func (e *Writer) Write(ch [][]float32) error {
	if len(ch) != e.f.Channels {
		return fmt.Errorf("write wav: %d slices for %d channels", len(ch), e.f.Channels)
	}
	for _, c := range ch {
		if len(c) != len(ch[0]) {
			return fmt.Errorf("write wav: channels of %d and %d samples", len(ch[0]), len(c))
		}
	}
	n := len(ch[0])
	size := e.f.Encoding.bytes()
	for i := 0; i < n; {
		k := min(n-i, cap(e.buf)/(size*len(ch)))
		b := e.buf[:k*size*len(ch)]
		for c := range ch {
			at := c * size
			for _, v := range ch[c][i : i+k] {
				e.encode(b[at:], v)
				at += size * len(ch)
			}
		}
		if _, err := e.w.Write(b); err != nil {
			return fmt.Errorf("write wav samples: %w", err)
		}
		i += k
	}
	e.written += int64(n)
	return nil
}

// Close pads the data to an even size, and corrects the header if the length
// was not announced. It fails when the announced length was not kept. It does
// not close the underlying writer.
func (e *Writer) Close() error {
	size := e.written * int64(e.f.Channels*e.f.Encoding.bytes())
	if size&1 == 1 {
		if _, err := e.w.Write([]byte{0}); err != nil {
			return fmt.Errorf("write wav padding: %w", err)
		}
	}
	if e.promise >= 0 {
		if e.promise != e.written {
			return fmt.Errorf("write wav: %d samples written, %d announced", e.written, e.promise)
		}
		return nil
	}
	s, ok := e.w.(io.WriteSeeker)
	if !ok {
		return nil
	}
	head := appendHeader(nil, e.f, e.written)
	if len(head) != len(appendHeader(nil, e.f, -1)) {
		return nil // grew beyond 4 GiB: the open-ended header stays right
	}
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return nil // a pipe that looks seekable; the open-ended header stays right
	}
	if _, err := s.Write(head); err != nil {
		return fmt.Errorf("write wav header: %w", err)
	}
	if _, err := s.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("write wav header: %w", err)
	}
	return nil
}

// Encode writes a whole file.
func Encode(w io.Writer, a dsp.Audio, e Encoding) error {
	return EncodeStream(w, dsp.Stream{Rate: a.Rate, Channels: len(a.Ch), Samples: a.Len(), Each: func(emit func([][]float32) error) error {
		return emit(a.Ch)
	}}, e)
}

// EncodeStream writes a whole file while its samples are made.
func EncodeStream(w io.Writer, s dsp.Stream, e Encoding) error {
	enc, err := NewWriter(w, Format{Rate: s.Rate, Channels: s.Channels, Encoding: e}, int64(s.Samples))
	if err != nil {
		return err
	}
	if err := s.Each(enc.Write); err != nil {
		return err
	}
	return enc.Close()
}

// appendHeader appends everything before the samples. Float and multi-channel
// files are WAVE_FORMAT_EXTENSIBLE where the standard asks for it.
func appendHeader(b []byte, f Format, samples int64) []byte {
	le := binary.LittleEndian
	size := f.Encoding.bytes()
	frame := f.Channels * size
	extensible := f.Channels > 2 || f.Encoding == PCM24 || f.Encoding == PCM32
	fmtLen := 16
	if extensible {
		fmtLen = 40
	}
	data := samples * int64(frame)
	riff := data + data&1 + int64(4+8+fmtLen+8)
	big := samples >= 0 && riff > math.MaxUint32-64
	size32, riff32 := uint32(data), uint32(riff)
	if samples < 0 || big {
		size32, riff32 = unknownSize, unknownSize
	}
	if big {
		b = append(b, "RF64"...)
	} else {
		b = append(b, "RIFF"...)
	}
	b = le.AppendUint32(b, riff32)
	b = append(b, "WAVE"...)
	if big {
		b = append(b, "ds64"...)
		b = le.AppendUint32(b, 28)
		b = le.AppendUint64(b, uint64(riff+8+28))
		b = le.AppendUint64(b, uint64(data))
		b = le.AppendUint64(b, uint64(samples))
		b = le.AppendUint32(b, 0)
	}
	tag := uint16(tagPCM)
	if f.Encoding == Float32 || f.Encoding == Float64 {
		tag = tagFloat
	}
	b = append(b, "fmt "...)
	b = le.AppendUint32(b, uint32(fmtLen))
	if extensible {
		b = le.AppendUint16(b, tagExtensible)
	} else {
		b = le.AppendUint16(b, tag)
	}
	b = le.AppendUint16(b, uint16(f.Channels))
	b = le.AppendUint32(b, uint32(f.Rate))
	b = le.AppendUint32(b, uint32(f.Rate*frame))
	b = le.AppendUint16(b, uint16(frame))
	b = le.AppendUint16(b, uint16(8*size))
	if extensible {
		b = le.AppendUint16(b, 22)
		b = le.AppendUint16(b, uint16(8*size))
		b = le.AppendUint32(b, speakers(f.Channels))
		b = le.AppendUint16(b, tag)
		b = append(b, subFormatTail...)
	}
	b = append(b, "data"...)
	return le.AppendUint32(b, size32)
}

// speakers is the usual channel mask: mono centre, stereo, 5.1, 7.1; 0 (no
// assignment) for other counts.
func speakers(channels int) uint32 {
	switch channels {
	case 1:
		return 0x4
	case 2:
		return 0x3
	case 6:
		return 0x3F
	case 8:
		return 0x63F
	}
	return 0
}
