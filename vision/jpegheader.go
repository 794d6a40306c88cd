package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

const (
	maxSegments = 4096    // JPEG segments before the picture; cameras write fewer than 50
	maxProfile  = 4 << 20 // bytes of an ICC profile; printers' are about 2 MB, screens' below 10 kB
	maxExif     = 64 << 10
)

// inspectJPEG walks the marker segments (ITU-T T.81, B.1.1) up to the first
// scan, and on to the end of the picture.
func inspectJPEG(r io.ReaderAt) (h Header, m metadata, err error) {
	var icc iccParts
	off := int64(2)
	for range maxSegments {
		marker, at, err := nextMarker(r, off)
		if err != nil {
			return h, m, err
		}
		off = at
		if marker == 0xd9 {
			return h, m, unreadable("no picture before the end marker")
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd8 {
			continue // no length
		}
		var two [2]byte
		if err := readAt(r, two[:], off); err != nil {
			return h, m, err
		}
		n := int64(binary.BigEndian.Uint16(two[:])) - 2
		if n < 0 {
			return h, m, unreadable("segment %#x has a bad length", marker)
		}
		body := off + 2
		off = body + n
		switch {
		case marker == 0xc4 || marker == 0xc8 || marker == 0xcc: // tables, not frames
		case marker >= 0xc0 && marker <= 0xcf:
			if h.Width != 0 {
				return h, m, unreadable("several frame headers")
			}
			if err := frameHeader(r, marker, body, n, &h); err != nil {
				return h, m, err
			}
		case marker == 0xe1 && h.Orientation == 0:
			b := make([]byte, min(n, maxExif))
			if err := readAt(r, b, body); err != nil {
				return h, m, err
			}
			if tiff, ok := bytes.CutPrefix(b, []byte("Exif\x00\x00")); ok {
				h.Orientation, m.orientationSet = exifOrientation(tiff)
			}
		case marker == 0xe2:
			b := make([]byte, n)
			if err := readAt(r, b, body); err != nil {
				return h, m, err
			}
			icc.add(b)
		case marker == 0xda:
			if h.Width == 0 {
				return h, m, unreadable("scan before the frame header")
			}
			m.icc = icc.join()
			m.end, err = jpegEnd(r, off)
			return h, m, err
		}
	}
	return h, m, unreadable("more than %d segments", maxSegments)
}

func frameHeader(r io.ReaderAt, marker byte, off, n int64, h *Header) error {
	if marker > 0xc2 {
		return &UnsupportedError{Kind: "lossless or arithmetic JPEG", Hint: convert}
	}
	var b [6]byte
	if n < int64(len(b)) {
		return unreadable("short frame header")
	}
	if err := readAt(r, b[:], off); err != nil {
		return err
	}
	h.Bits = int(b[0])
	h.Height = int(binary.BigEndian.Uint16(b[1:]))
	h.Width = int(binary.BigEndian.Uint16(b[3:]))
	h.CMYK = b[5] == 4
	h.Progressive = marker == 0xc2
	if h.Width == 0 || h.Height == 0 {
		return unreadable("size %d × %d", h.Width, h.Height)
	}
	return nil
}

// nextMarker finds the next marker at or after off. Bytes between segments are
// skipped as other readers do, but not without end.
func nextMarker(r io.ReaderAt, off int64) (marker byte, after int64, err error) {
	buf := make([]byte, 512)
	for range 128 { // 64 KiB of filling at most
		n, err := r.ReadAt(buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		for i := 0; i+1 < n; i++ {
			if buf[i] == 0xff && buf[i+1] != 0xff && buf[i+1] != 0 {
				return buf[i+1], off + int64(i) + 2, nil
			}
		}
		if n < len(buf) {
			return 0, 0, ErrTruncated
		}
		off += int64(n - 1)
	}
	return 0, 0, unreadable("no marker where one should be")
}

// jpegEnd follows the entropy-coded data, in which every 0xff is followed by 0
// or a restart marker, to the end marker; 0 when the data ends before.
func jpegEnd(r io.ReaderAt, off int64) (int64, error) {
	const step = 64 << 10
	buf := make([]byte, step)
	for {
		n, err := r.ReadAt(buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		b := buf[:n]
		i := 0
		for {
			k := bytes.IndexByte(b[i:], 0xff)
			if k < 0 || i+k+1 >= len(b) {
				break
			}
			i += k + 1
			if b[i] == 0xd9 {
				return off + int64(i) + 1, nil
			}
		}
		if n < step {
			return 0, nil
		}
		off += step - 1
	}
}

// iccParts collects the pieces of a profile from APP2 segments (ICC.1, B.4).
type iccParts struct {
	parts [][]byte
	total int
}

func (p *iccParts) add(b []byte) {
	rest, ok := bytes.CutPrefix(b, []byte("ICC_PROFILE\x00"))
	if !ok || len(rest) < 2 || p.total+len(rest) > maxProfile {
		return
	}
	seq, count := int(rest[0]), int(rest[1])
	if seq < 1 || seq > count {
		return
	}
	if p.parts == nil {
		p.parts = make([][]byte, count)
	}
	if count != len(p.parts) || p.parts[seq-1] != nil {
		return
	}
	p.parts[seq-1] = rest[2:]
	p.total += len(rest)
}

// join returns the whole profile, or nil when a piece is missing.
func (p *iccParts) join() []byte {
	var out []byte
	for _, b := range p.parts {
		if b == nil {
			return nil
		}
		out = append(out, b...)
	}
	return out
}
