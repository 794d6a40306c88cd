package vision

import (
	"encoding/binary"
	"io"
)

// webpPart locates the first frame of a WebP file.
type webpPart struct {
	alphaOff, alphaLen int64 // ALPH chunk with its header; 0 when there is none
	dataOff, dataLen   int64 // VP8 or VP8L chunk with its header
	x, y, w, h         int   // where the frame lies on the canvas
	lossless           bool
}

// inspectWebP walks the RIFF chunks (RFC 9649). The canvas of the extended
// header and the bitstream's own size are both checked: a small canvas must not
// hide a huge bitstream.
func inspectWebP(r io.ReaderAt) (h Header, m metadata, err error) {
	var b [12]byte
	if err := readAt(r, b[:], 0); err != nil {
		return h, m, err
	}
	end := 8 + int64(binary.LittleEndian.Uint32(b[4:]))
	h.Bits = 8
	var p webpPart
	off := int64(12)
	for range maxChunks {
		if off+8 > end {
			break
		}
		var c [8]byte
		if err := readAt(r, c[:], off); err != nil {
			if p.dataLen > 0 {
				break
			}
			return h, m, err
		}
		n := int64(binary.LittleEndian.Uint32(c[4:]))
		switch string(c[:4]) {
		case "VP8X":
			var x [10]byte
			if err := readAt(r, x[:], off+8); err != nil {
				return h, m, err
			}
			h.Animated = x[0]&2 != 0
			h.Width, h.Height = 1+uint24(x[4:]), 1+uint24(x[7:])
		case "ICCP":
			if n <= maxProfile && m.icc == nil {
				icc := make([]byte, n)
				if readAt(r, icc, off+8) == nil {
					m.icc = icc
				}
			}
		case "EXIF":
			x := make([]byte, min(n, maxExif))
			if readAt(r, x, off+8) == nil && !m.orientationSet {
				if len(x) > 6 && string(x[:6]) == "Exif\x00\x00" {
					x = x[6:]
				}
				h.Orientation, m.orientationSet = exifOrientation(x)
			}
		case "ANMF":
			if p.dataLen == 0 {
				if err := webpFrame(r, off+8, n, &p); err != nil {
					return h, m, err
				}
			}
		case "ALPH":
			if p.dataLen == 0 && n < 1<<31 {
				p.alphaOff, p.alphaLen = off, 8+n
			}
		case "VP8 ", "VP8L":
			if p.dataLen == 0 {
				if err := webpBitstream(r, off, n, &p); err != nil {
					return h, m, err
				}
				if h.Width == 0 {
					h.Width, h.Height = p.w, p.h
				}
			}
		}
		off += 8 + n + n&1
	}
	if p.dataLen == 0 {
		return h, m, unreadable("no picture data")
	}
	if p.x+p.w > h.Width || p.y+p.h > h.Height || !h.Animated && (p.w != h.Width || p.h != h.Height) {
		return h, m, unreadable("frame %d × %d does not fit the canvas %d × %d", p.w, p.h, h.Width, h.Height)
	}
	m.first = p
	m.end = end
	return h, m, nil
}

// webpFrame reads an ANMF chunk: position, size, then ALPH and a bitstream.
func webpFrame(r io.ReaderAt, off, n int64, p *webpPart) error {
	var b [16]byte
	if err := readAt(r, b[:], off); err != nil {
		return err
	}
	x, y := 2*uint24(b[:]), 2*uint24(b[3:])
	w, h := 1+uint24(b[6:]), 1+uint24(b[9:])
	end := off + n
	off += 16
	for range 16 {
		if off+8 > end {
			break
		}
		var c [8]byte
		if err := readAt(r, c[:], off); err != nil {
			return err
		}
		k := int64(binary.LittleEndian.Uint32(c[4:]))
		switch string(c[:4]) {
		case "ALPH":
			p.alphaOff, p.alphaLen = off, 8+k
		case "VP8 ", "VP8L":
			if err := webpBitstream(r, off, k, p); err != nil {
				return err
			}
			if p.w != w || p.h != h {
				return unreadable("frame header says %d × %d, bitstream %d × %d", w, h, p.w, p.h)
			}
			p.x, p.y = x, y
			return nil
		}
		off += 8 + k + k&1
	}
	return unreadable("empty frame")
}

// webpBitstream reads the size from a VP8 (RFC 6386, 9.1) or VP8L chunk.
func webpBitstream(r io.ReaderAt, off, n int64, p *webpPart) error {
	var b [18]byte
	if err := readAt(r, b[:13], off); err != nil {
		return err
	}
	if b[3] == 'L' {
		if b[8] != 0x2f {
			return unreadable("bad lossless signature")
		}
		v := binary.LittleEndian.Uint32(b[9:])
		p.w, p.h, p.lossless = 1+int(v&0x3fff), 1+int(v>>14&0x3fff), true
	} else {
		if err := readAt(r, b[:], off); err != nil {
			return err
		}
		if b[8]&1 != 0 || b[11] != 0x9d || b[12] != 0x01 || b[13] != 0x2a {
			return unreadable("first frame is not a key frame")
		}
		p.w = int(binary.LittleEndian.Uint16(b[14:]) & 0x3fff)
		p.h = int(binary.LittleEndian.Uint16(b[16:]) & 0x3fff)
	}
	p.dataOff, p.dataLen = off, 8+n
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
