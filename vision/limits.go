package vision

import "fmt"

// Limits bound what Read accepts and keeps. A zero field means its default.
type Limits struct {
	Bytes   int64 // encoded size; default 10 MiB
	MinSide int   // shortest accepted side in pixels; default 64
	MaxSide int   // longest accepted side in pixels; default 12,000
	Pixels  int64 // most accepted pixels, width × height; default 50,000,000
	// Keep is the most pixels a decoded picture keeps; larger ones are averaged
	// down while they are converted, so that everything after reading has bounded
	// memory. Default 16,000,000.
	Keep int64
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 10 << 20
	}
	if l.MinSide <= 0 {
		l.MinSide = 64
	}
	if l.MaxSide <= 0 {
		l.MaxSide = 12_000
	}
	if l.Pixels <= 0 {
		l.Pixels = 50_000_000
	}
	if l.Keep <= 0 {
		l.Keep = 16_000_000
	}
	return l
}

func (l Limits) checkBytes(n int64) error {
	if n > l.Bytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrFileTooLarge, n, l.Bytes)
	}
	return nil
}

func (l Limits) checkSize(w, h int) error {
	switch {
	case w <= 0 || h <= 0:
		return unreadable("size %d × %d", w, h)
	case w > l.MaxSide || h > l.MaxSide:
		return fmt.Errorf("%w: %d × %d, sides at most %d", ErrTooLarge, w, h, l.MaxSide)
	case int64(w)*int64(h) > l.Pixels:
		return fmt.Errorf("%w: %d × %d, at most %d pixels", ErrTooLarge, w, h, l.Pixels)
	case w < l.MinSide || h < l.MinSide:
		return fmt.Errorf("%w: %d × %d, sides at least %d", ErrTooSmall, w, h, l.MinSide)
	}
	return nil
}
