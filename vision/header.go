package vision

import (
	"errors"
	"fmt"
	"io"
)

// A Header is what a picture file says about itself, read without decoding.
type Header struct {
	Format        Format
	Width, Height int  // as stored, in pixels, before orientation
	Orientation   int  // EXIF 1..8; 1 when absent or invalid
	Bits          int  // per sample
	Progressive   bool // JPEG with several scans; costs more memory to decode
	CMYK          bool
	Animated      bool // only the first frame is read
}

// Upright is the size after the orientation has been applied.
func (h Header) Upright() (width, height int) {
	if h.Orientation >= 5 {
		return h.Height, h.Width
	}
	return h.Width, h.Height
}

// metadata is what the decoder's caller needs besides the header.
type metadata struct {
	icc            []byte
	orientationSet bool
	orientationBad bool
	end            int64    // where the picture's own data ends, 0 when it does not
	first          webpPart // first frame of a WebP file
}

// CheckHeader reads the few bytes of the header and applies the limits. It does
// not decode, allocates little whatever the file claims, and needs only the
// start of the file for the usual camera and phone pictures (64 KiB nearly
// always suffice). size is the file's length when known, else -1.
//
// Errors: ErrFileTooLarge, ErrUnsupported (an *UnsupportedError), ErrTooLarge,
// ErrTooSmall, ErrUnreadable; ErrTruncated when r ends before the header does.
func CheckHeader(r io.ReaderAt, size int64, lim Limits) (Header, error) {
	h, _, err := inspect(r, size, lim.withDefaults())
	return h, err
}

// CheckComplete reports ErrTruncated when a file ends before its picture does.
// It follows the file's structure to its end marker without decoding: a few
// milliseconds for 10 MB. A nil error does not promise that the pixels decode.
func CheckComplete(r io.ReaderAt, size int64) error {
	_, m, err := inspect(r, size, Limits{Bytes: 1 << 62, MinSide: 1, MaxSide: 1 << 30, Pixels: 1 << 60}.withDefaults())
	if err != nil {
		return err
	}
	if m.end == 0 || size >= 0 && m.end > size {
		return ErrTruncated
	}
	return nil
}

func inspect(r io.ReaderAt, size int64, lim Limits) (h Header, m metadata, err error) {
	if err := lim.checkBytes(size); err != nil {
		return h, m, err
	}
	head := make([]byte, 1024)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return h, m, fmt.Errorf("read picture header: %w", err)
	}
	format, err := sniff(head[:n])
	if err != nil {
		return h, m, err
	}
	switch format {
	case JPEG:
		h, m, err = inspectJPEG(r)
	case PNG:
		h, m, err = inspectPNG(r)
	case WebP:
		h, m, err = inspectWebP(r)
	}
	if err != nil {
		return h, m, fmt.Errorf("inspect %s: %w", format, err)
	}
	h.Format = format
	if h.Orientation < 1 || h.Orientation > 8 {
		m.orientationBad = m.orientationSet
		h.Orientation = 1
	}
	return h, m, lim.checkSize(h.Width, h.Height)
}

// readAt fills b from off, or says that the data is too short.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return ErrTruncated
	}
	return fmt.Errorf("read picture: %w", err)
}
