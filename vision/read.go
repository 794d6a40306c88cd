package vision

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/webp"
)

// Read decodes a JPEG, PNG or WebP picture. The header is checked against the
// limits before anything is decoded; the orientation is applied, colours are
// converted to sRGB, metadata is dropped, and of an animation the first frame
// is taken. What was done is in Picture.Notes.
//
// Errors: as CheckHeader; damaged or truncated data is ErrUnreadable and never
// a partial picture.
func Read(data []byte, lim Limits) (Picture, error) {
	lim = lim.withDefaults()
	h, m, err := inspect(bytes.NewReader(data), int64(len(data)), lim)
	if err != nil {
		return Picture{}, err
	}
	return decode(data, h, m, lim)
}

// ReadFrom is Read on a stream; it reads at most Limits.Bytes plus one byte.
func ReadFrom(r io.Reader, lim Limits) (Picture, error) {
	data, err := readAll(r, lim.withDefaults().Bytes)
	if err != nil {
		return Picture{}, err
	}
	return Read(data, lim)
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: at most %d bytes", ErrFileTooLarge, limit)
	}
	return data, nil
}

func decode(data []byte, h Header, m metadata, lim Limits) (Picture, error) {
	src, err := decodePixels(data, h, m)
	if err != nil {
		return Picture{}, err
	}
	if b := src.Bounds(); b.Dx() != h.Width || b.Dy() != h.Height {
		return Picture{}, unreadable("header says %d × %d, data %d × %d", h.Width, h.Height, b.Dx(), b.Dy())
	}
	p := Picture{Header: h}
	note := func(when bool, n Note) {
		if when {
			p.Notes = append(p.Notes, n)
		}
	}
	note(h.Animated, NoteFirstFrame)
	note(h.CMYK, NoteCMYK)
	note(h.Bits == 16, NoteSixteenBit)

	w, ht := keepSize(h.Width, h.Height, lim.Keep)
	note(w != h.Width, NoteReduced)
	p.Image = toNRGBA(src, w, ht)
	src = nil // free the decoder's planes before more is allocated

	if m.icc != nil {
		profile, ok := parseICC(m.icc)
		switch {
		case !ok || h.CMYK:
			note(true, NoteProfileIgn)
		case !profile.isSRGB():
			profile.convert(p.Image)
			note(true, NoteProfile)
		}
	}
	note(m.orientationBad, NoteOrientation)
	note(h.Orientation > 1, NoteOriented)
	p.Image = orient(p.Image, h.Orientation)
	p.HasAlpha = hasAlpha(p.Image)
	note(p.HasAlpha && AlreadyCutOut(p.Image), NoteAlreadyAlpha)
	return p, nil
}

// keepSize shrinks w × h to at most keep pixels.
func keepSize(w, h int, keep int64) (int, int) {
	n := int64(w) * int64(h)
	if n <= keep {
		return w, h
	}
	s := math.Sqrt(float64(keep) / float64(n))
	return max(1, int(float64(w)*s)), max(1, int(float64(h)*s))
}

// decodePixels calls the one decoder that the first bytes chose; no decoder is
// looked up in image's global registry. A panic in a decoder is turned into an
// error because the input is hostile and these decoders are not ours.
func decodePixels(data []byte, h Header, m metadata) (img image.Image, err error) {
	defer func() {
		if v := recover(); v != nil {
			img, err = nil, unreadable("%s decoder: %v", h.Format, v)
		}
	}()
	switch h.Format {
	case JPEG:
		img, err = jpeg.Decode(bytes.NewReader(data))
	case PNG:
		img, err = png.Decode(bytes.NewReader(data))
	case WebP:
		img, err = decodeWebP(data, h, m.first)
	}
	if err != nil {
		if m.end == 0 || m.end > int64(len(data)) {
			return nil, fmt.Errorf("decode %s: %v: %w", h.Format, err, ErrTruncated)
		}
		return nil, fmt.Errorf("decode %s: %v: %w", h.Format, err, ErrUnreadable)
	}
	return img, nil
}

// decodeWebP decodes the file, or of an animated one the first frame, wrapped
// anew as a still picture, at its place on a transparent canvas.
func decodeWebP(data []byte, h Header, p webpPart) (image.Image, error) {
	if !h.Animated {
		return webp.Decode(bytes.NewReader(data))
	}
	if p.dataOff+p.dataLen > int64(len(data)) || p.alphaOff+p.alphaLen > int64(len(data)) {
		return nil, io.ErrUnexpectedEOF
	}
	var body []byte
	if p.alphaLen > 0 && !p.lossless {
		x := make([]byte, 18)
		copy(x, "VP8X\x0a\x00\x00\x00\x10")
		put24(x[12:], p.w-1)
		put24(x[15:], p.h-1)
		body = append(body, x...)
		body = appendChunk(body, data[p.alphaOff:p.alphaOff+p.alphaLen])
	}
	body = appendChunk(body, data[p.dataOff:p.dataOff+p.dataLen])
	still := append([]byte("RIFF\x00\x00\x00\x00WEBP"), body...)
	binary.LittleEndian.PutUint32(still[4:], uint32(len(still)-8))
	frame, err := webp.Decode(bytes.NewReader(still))
	if err != nil {
		return nil, err
	}
	if p.w == h.Width && p.h == h.Height {
		return frame, nil
	}
	canvas := image.NewNRGBA(image.Rect(0, 0, h.Width, h.Height))
	small := toNRGBA(frame, p.w, p.h)
	for y := range p.h {
		copy(canvas.Pix[(p.y+y)*canvas.Stride+4*p.x:], small.Pix[y*small.Stride:y*small.Stride+4*p.w])
	}
	return canvas, nil
}

func appendChunk(dst, chunk []byte) []byte {
	dst = append(dst, chunk...)
	if len(chunk)%2 == 1 {
		dst = append(dst, 0)
	}
	return dst
}

func put24(b []byte, v int) { b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16) }

func hasAlpha(img *image.NRGBA) bool {
	for i := 3; i < len(img.Pix); i += 4 {
		if img.Pix[i] != 255 {
			return true
		}
	}
	return false
}
