package vision

import (
	"bytes"
	"slices"
)

// A Format is one of the three file formats that are read.
type Format string

// The formats.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	WebP Format = "webp"
)

// MediaType is the format's registered media type.
func (f Format) MediaType() string { return "image/" + string(f) }

const convert = "save the picture as JPEG or PNG and send it again"

// sniff decides by the first bytes alone, never by a name or a declared type.
func sniff(b []byte) (Format, error) {
	has := func(prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }
	at := func(off int, s string) bool { return len(b) >= off+len(s) && string(b[off:off+len(s)]) == s }
	switch {
	case has("\xff\xd8\xff"):
		return JPEG, nil
	case has("\x89PNG\r\n\x1a\n"):
		return PNG, nil
	case has("RIFF") && at(8, "WEBP"):
		return WebP, nil
	case len(b) == 0:
		return "", ErrTruncated
	case len(b) < 12 && (bytes.HasPrefix([]byte("\x89PNG\r\n\x1a\n"), b) || bytes.HasPrefix([]byte("\xff\xd8\xff"), b) || has("RIFF")):
		return "", ErrTruncated
	}
	kind, hint := "unknown", "send a JPEG, PNG or WebP picture"
	switch {
	case at(4, "ftyp"):
		kind, hint = isoKind(b)
	case has("GIF87a"), has("GIF89a"):
		kind, hint = "GIF", convert
	case has("BM"):
		kind, hint = "BMP", convert
	case has("II*\x00"), has("MM\x00*"), has("II+\x00"), has("MM\x00+"):
		kind, hint = "TIFF or camera raw", convert
	case has("\xff\x0a"), has("\x00\x00\x00\x0cJXL "):
		kind, hint = "JPEG XL", convert
	case has("\x00\x00\x00\x0cjP  "), has("\xff\x4f\xff\x51"):
		kind, hint = "JPEG 2000", convert
	case has("8BPS"):
		kind, hint = "Photoshop (PSD)", convert
	case has("%PDF-"):
		kind = "PDF"
	case has("RIFF"):
		kind = "a RIFF file that is no WebP picture"
	case has("\x00\x00\x01\x00"):
		kind, hint = "ICO", convert
	case has("PK\x03\x04"):
		kind = "ZIP"
	default:
		if k := textKind(b); k != "" {
			kind = k
			if k == "SVG" {
				hint = "export the drawing as PNG and send it again"
			}
		}
	}
	return "", &UnsupportedError{Kind: kind, Hint: hint}
}

// isoKind names the ISO base media file by its major and compatible brands.
func isoKind(b []byte) (kind, hint string) {
	n := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	n = min(max(n, 0), len(b), 256)
	for off := 8; off+4 <= n; off += 4 {
		if off == 12 { // minor version
			continue
		}
		brand := string(b[off : off+4])
		switch {
		case brand == "avif" || brand == "avis":
			return "AVIF", convert
		case slices.Contains([]string{"heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"}, brand):
			if brand == "mif1" || brand == "msf1" {
				if bytes.Contains(b[8:n], []byte("avif")) {
					return "AVIF", convert
				}
			}
			return "HEIC", "on an iPhone choose \"Most Compatible\" in the camera settings, or save the picture as JPEG, and send it again"
		}
	}
	return "a video or ISO media file", "send a JPEG, PNG or WebP picture"
}

func textKind(b []byte) string {
	t := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	low := bytes.ToLower(t[:min(len(t), 1024)])
	switch {
	case bytes.HasPrefix(low, []byte("<svg")), bytes.HasPrefix(low, []byte("<?xml")) && bytes.Contains(low, []byte("<svg")):
		return "SVG"
	case bytes.HasPrefix(low, []byte("<!doctype html")), bytes.HasPrefix(low, []byte("<html")):
		return "HTML"
	case bytes.HasPrefix(low, []byte("<?xml")):
		return "XML"
	}
	return ""
}
