package vision

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"
)

const maxChunks = 200_000 // a 10 MB file of empty chunks has 800,000; no writer makes more than a few thousand

// inspectPNG walks the chunks (PNG third edition, 5.3).
func inspectPNG(r io.ReaderAt) (h Header, m metadata, err error) {
	var b [25]byte
	if err := readAt(r, b[:], 8); err != nil {
		return h, m, err
	}
	if string(b[4:8]) != "IHDR" || binary.BigEndian.Uint32(b[:]) != 13 {
		return h, m, unreadable("first chunk is not IHDR")
	}
	w, ht := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	if w == 0 || ht == 0 || w > 1<<31-1 || ht > 1<<31-1 {
		return h, m, unreadable("size %d × %d", w, ht)
	}
	h.Width, h.Height, h.Bits = int(w), int(ht), int(b[16])
	off := int64(33)
	data := false
	for range maxChunks {
		var c [8]byte
		if err := readAt(r, c[:], off); err != nil {
			if errors.Is(err, ErrTruncated) { // the header was there; CheckComplete reports the rest
				return h, m, nil
			}
			return h, m, err
		}
		n := int64(binary.BigEndian.Uint32(c[:]))
		if n > 1<<31-1 {
			return h, m, unreadable("chunk of %d bytes", n)
		}
		switch string(c[4:]) {
		case "IDAT":
			data = true
		case "acTL":
			h.Animated = true
		case "eXIf":
			b := make([]byte, min(n, maxExif))
			if readAt(r, b, off+8) == nil && !m.orientationSet {
				h.Orientation, m.orientationSet = exifOrientation(b)
			}
		case "iCCP":
			if m.icc == nil && n <= maxProfile {
				b := make([]byte, n)
				if readAt(r, b, off+8) == nil {
					m.icc = inflateProfile(b)
				}
			}
		case "IEND":
			if !data {
				return h, m, unreadable("no picture data")
			}
			m.end = off + 12 + n
			return h, m, nil
		}
		off += 12 + n
	}
	return h, m, unreadable("more than %d chunks", maxChunks)
}

// inflateProfile unpacks an iCCP chunk and gives up, returning an empty
// profile, when it is damaged or unpacks to more than maxProfile.
func inflateProfile(b []byte) []byte {
	i := bytes.IndexByte(b[:min(len(b), 80)], 0)
	if i < 0 || i+2 > len(b) || b[i+1] != 0 {
		return []byte{}
	}
	z, err := zlib.NewReader(bytes.NewReader(b[i+2:]))
	if err != nil {
		return []byte{}
	}
	out, err := io.ReadAll(io.LimitReader(z, maxProfile+1))
	if err != nil || len(out) > maxProfile {
		return []byte{}
	}
	return out
}
