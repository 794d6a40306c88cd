package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxJunk bounds what is skipped before the samples: metadata and cover images
// are a few MiB; more is an attack or a damaged size.
const maxJunk = 64 << 20

// header is what stands before the samples.
type header struct {
	Format
	stride int   // bytes per sample and channel in the file, ≥ Encoding.bytes()
	size   int64 // bytes of samples; -1: until the end of the input
}

// readHeader consumes everything up to the first byte of samples.
func readHeader(r io.Reader) (header, error) {
	h := header{size: -1}
	var b [12]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return h, short("RIFF header", err)
	}
	form := string(b[:4])
	if (form != "RIFF" && form != "RF64" && form != "BW64") || string(b[8:12]) != "WAVE" {
		return h, fmt.Errorf("begins with %q: %w", b[:12], ErrFormat)
	}
	riff := int64(binary.LittleEndian.Uint32(b[4:]))
	var ds64 int64 // size of data in RF64
	pos := int64(4)
	for skipped := int64(0); ; {
		if _, err := io.ReadFull(r, b[:8]); err != nil {
			return h, short("chunk before data", err)
		}
		id, size := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:]))
		pos += 8
		switch id {
		case "data":
			if h.Encoding == 0 {
				return h, fmt.Errorf("data before fmt: %w", ErrFormat)
			}
			h.size = dataSize(size, ds64, riff, pos)
			return h, nil
		case "fmt ", "ds64":
			buf := make([]byte, min(size, 64))
			if _, err := io.ReadFull(r, buf); err != nil {
				return h, short(id+" chunk", err)
			}
			if id == "ds64" {
				if len(buf) >= 16 {
					ds64 = int64(binary.LittleEndian.Uint64(buf[8:]))
				}
			} else if err := h.parseFmt(buf); err != nil {
				return h, err
			}
			skipped += size - int64(len(buf))
			if err := skip(r, size-int64(len(buf))+size&1, skipped); err != nil {
				return h, err
			}
		default:
			skipped += size
			if err := skip(r, size+size&1, skipped); err != nil {
				return h, err
			}
		}
		pos += size + size&1
	}
}

// dataSize decides how many bytes of samples follow. A writer that never came
// back to its header leaves 0 or 0xFFFFFFFF: then everything to the end is
// sound, unless the RIFF size says that something else was meant to follow.
func dataSize(size, ds64, riff, pos int64) int64 {
	switch {
	case size == unknownSize && ds64 > 0:
		return ds64
	case size == unknownSize:
		return -1
	case size == 0 && (riff == 0 || riff == unknownSize || riff <= pos):
		return -1
	}
	return size
}

func (h *header) parseFmt(b []byte) error {
	if len(b) < 14 {
		return fmt.Errorf("fmt chunk of %d bytes: %w", len(b), ErrFormat)
	}
	le := binary.LittleEndian
	tag := le.Uint16(b)
	rate := le.Uint32(b[4:])
	h.Channels = int(le.Uint16(b[2:]))
	align := int(le.Uint16(b[12:]))
	bits := 0
	if len(b) >= 16 {
		bits = int(le.Uint16(b[14:]))
	}
	if tag == tagExtensible {
		if len(b) < 40 || string(b[26:40]) != subFormatTail {
			return fmt.Errorf("extensible format without a known sub-format: %w", ErrFormat)
		}
		tag = le.Uint16(b[24:])
	}
	if rate > MaxRate {
		return fmt.Errorf("sample rate %d Hz outside %d..%d: %w", rate, MinRate, MaxRate, ErrLimit)
	}
	h.Rate = int(rate)
	switch {
	case tag == tagALaw && bits <= 8:
		h.Encoding = ALaw
	case tag == tagMuLaw && bits <= 8:
		h.Encoding = MuLaw
	case tag == tagFloat && bits == 32:
		h.Encoding = Float32
	case tag == tagFloat && bits == 64:
		h.Encoding = Float64
	case tag == tagPCM && bits >= 1 && bits <= 32:
		// Fewer valid bits stand at the top of the container, so the container
		// decides.
		h.Encoding = [...]Encoding{PCM8, PCM16, PCM24, PCM32}[(bits-1)/8]
	default:
		h.Encoding = 0
		return fmt.Errorf("format tag 0x%04x with %d bits: %w", tag, bits, ErrFormat)
	}
	if err := h.Validate(); err != nil {
		return err
	}
	h.stride = h.Encoding.bytes()
	// A larger container than the bits ask for (24 in 32) shows in the frame size
	// only; any other disagreement is a damaged field.
	if wide := align / h.Channels; tag == tagPCM && align%h.Channels == 0 && wide > h.stride && wide <= 4 {
		h.Encoding = [...]Encoding{PCM8, PCM16, PCM24, PCM32}[wide-1]
		h.stride = wide
	}
	return nil
}

func skip(r io.Reader, n, total int64) error {
	if total > maxJunk {
		return fmt.Errorf("more than %d MiB before the samples: %w", maxJunk>>20, ErrLimit)
	}
	if _, err := io.CopyN(io.Discard, r, n); err != nil {
		return short("chunk before data", err)
	}
	return nil
}

// short turns a file that ends early into ErrFormat and passes other errors on.
func short(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("file ends in the %s: %w", what, ErrFormat)
	}
	return fmt.Errorf("read %s: %w", what, err)
}
