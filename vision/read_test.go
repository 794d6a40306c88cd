package vision

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// drawing is the picture of testdata/make.py.
func drawing(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{uint8(60 + x*96/w), 100, uint8(60 + 2*y*64/h), 255}
			if x*4 < w && y*8 < 3*h {
				c = color.NRGBA{200, 30, 30, 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func encodeJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withSegment inserts an APPn segment after the start of a JPEG file.
func withSegment(data []byte, marker byte, body []byte) []byte {
	n := len(body) + 2
	out := append([]byte{}, data[:2]...)
	out = append(out, 0xff, marker, byte(n>>8), byte(n))
	out = append(out, body...)
	return append(out, data[2:]...)
}

// chunk is a PNG chunk.
func chunk(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(b, kind...)
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// withChunks inserts PNG chunks after IHDR.
func withChunks(data []byte, chunks ...[]byte) []byte {
	out := append([]byte{}, data[:33]...)
	for _, c := range chunks {
		out = append(out, c...)
	}
	return append(out, data[33:]...)
}

func exifBlock(orientation uint16) []byte {
	b := []byte("MM\x00*\x00\x00\x00\x08\x00\x02")
	b = append(b, 0x01, 0x0f, 0, 2, 0, 0, 0, 4, 'c', 'a', 'm', 0) // Make
	b = append(b, 0x01, 0x12, 0, 3, 0, 0, 0, 1, byte(orientation>>8), byte(orientation), 0, 0)
	return append(b, 0, 0, 0, 0)
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func near(t *testing.T, img *image.NRGBA, x, y int, want color.NRGBA, tol int) {
	t.Helper()
	got := img.NRGBAAt(x, y)
	for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B), int(got.A) - int(want.A)} {
		if d > tol || d < -tol {
			t.Errorf("pixel (%d, %d) = %v, want %v ± %d", x, y, got, want, tol)
			return
		}
	}
}

func TestReadKinds(t *testing.T) {
	base := drawing(96, 64)
	grey := image.NewGray(base.Rect)
	sixteen := image.NewNRGBA64(base.Rect)
	palette := image.NewPaletted(base.Rect, color.Palette{color.NRGBA{200, 30, 30, 255}, color.NRGBA{108, 100, 124, 255}, color.NRGBA{}})
	for y := range 64 {
		for x := range 96 {
			grey.Set(x, y, base.At(x, y))
			sixteen.Set(x, y, base.At(x, y))
			palette.Set(x, y, base.At(x, y))
		}
	}
	tests := []struct {
		name  string
		data  []byte
		grey  bool
		notes []Note
		tol   int
	}{
		{name: "baseline JPEG", data: encodeJPEG(t, base), tol: 12},
		{name: "progressive JPEG", data: file(t, "progressive.jpg"), tol: 12},
		{name: "CMYK JPEG", data: file(t, "cmyk.jpg"), notes: []Note{NoteCMYK}, tol: 12},
		{name: "grey JPEG", data: file(t, "grey.jpg"), grey: true, tol: 12},
		{name: "PNG", data: encodePNG(t, base)},
		{name: "16-bit PNG", data: encodePNG(t, sixteen), notes: []Note{NoteSixteenBit}},
		{name: "grey PNG", data: encodePNG(t, grey), grey: true, tol: 1},
		{name: "palette PNG", data: encodePNG(t, palette), tol: 2},
		{name: "lossy WebP", data: file(t, "lossy.webp"), tol: 12},
		{name: "lossless WebP", data: file(t, "lossless.webp")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Read(tt.data, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Image.Rect != image.Rect(0, 0, 96, 64) {
				t.Fatalf("bounds %v", p.Image.Rect)
			}
			if !slices.Equal(p.Notes, tt.notes) {
				t.Errorf("notes %v, want %v", p.Notes, tt.notes)
			}
			corner, middle := color.NRGBA{200, 30, 30, 255}, color.NRGBA{108, 100, 124, 255}
			if tt.grey {
				corner, middle = color.NRGBA{81, 81, 81, 255}, color.NRGBA{105, 105, 105, 255}
			}
			near(t, p.Image, 8, 8, corner, tt.tol)
			near(t, p.Image, 48, 32, middle, tt.tol)
			if p.HasAlpha {
				t.Error("HasAlpha of an opaque picture")
			}
			if err := CheckComplete(bytes.NewReader(tt.data), int64(len(tt.data))); err != nil {
				t.Errorf("CheckComplete: %v", err)
			}
		})
	}
}

func TestReadAnimatedAndAlphaWebP(t *testing.T) {
	p, err := Read(file(t, "alpha.webp"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !p.HasAlpha || p.Image.NRGBAAt(40, 1).A > 30 || p.Image.NRGBAAt(40, 62).A < 225 {
		t.Errorf("alpha gradient lost: %v … %v", p.Image.NRGBAAt(40, 1), p.Image.NRGBAAt(40, 62))
	}
	a, err := Read(file(t, "animated.webp"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(a.Notes, NoteFirstFrame) {
		t.Errorf("notes %v", a.Notes)
	}
	near(t, a.Image, 8, 20, p.Image.NRGBAAt(8, 20), 10)
	if r := a.Image.NRGBAAt(88, 20); r.R > 180 {
		t.Errorf("second frame shown: %v", r)
	}
}

func TestOrientation(t *testing.T) {
	data := encodeJPEG(t, drawing(96, 64))
	// Where the red corner of the stored picture lies once upright.
	corners := map[uint16][2]bool{1: {false, false}, 2: {true, false}, 3: {true, true}, 4: {false, true}, 5: {false, false}, 6: {true, false}, 7: {true, true}, 8: {false, true}}
	for o, c := range corners {
		p, err := Read(withSegment(data, 0xe1, append([]byte("Exif\x00\x00"), exifBlock(o)...)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		w, h := p.Header.Upright()
		if o >= 5 && (w != 64 || h != 96) || o < 5 && w != 96 || p.Image.Rect != image.Rect(0, 0, w, h) {
			t.Errorf("orientation %d: %d × %d, bounds %v", o, w, h, p.Image.Rect)
		}
		x, y := 6, 6
		if c[0] {
			x = w - 7
		}
		if c[1] {
			y = h - 7
		}
		near(t, p.Image, x, y, color.NRGBA{200, 30, 30, 255}, 12)
		if slices.Contains(p.Notes, NoteOriented) != (o > 1) {
			t.Errorf("orientation %d: notes %v", o, p.Notes)
		}
	}
	for _, o := range []uint16{0, 9, 65535} {
		p, err := Read(withSegment(data, 0xe1, append([]byte("Exif\x00\x00"), exifBlock(o)...)), Limits{})
		if err != nil || p.Header.Orientation != 1 || !slices.Contains(p.Notes, NoteOrientation) {
			t.Errorf("orientation %d: %v, header %+v, notes %v", o, err, p.Header, p.Notes)
		}
	}
	p, err := Read(withChunks(encodePNG(t, drawing(96, 64)), chunk("eXIf", exifBlock(6))), Limits{})
	if err != nil || p.Image.Rect.Dx() != 64 {
		t.Errorf("PNG eXIf: %v, %v", err, p.Image.Rect)
	}
}

// matrixProfile builds an ICC profile from primaries in XYZ (D50) and a gamma;
// gamma 0 means the sRGB curve.
func matrixProfile(xyz [3][3]float64, gamma float64) []byte {
	b := make([]byte, 128)
	copy(b[12:], "mntrRGB XYZ ")
	copy(b[36:], "acsp")
	fixed := func(v float64) []byte {
		return binary.BigEndian.AppendUint32(nil, uint32(int32(math.Round(v*65536))))
	}
	var table, data []byte
	off := 128 + 4 + 6*12
	for i, ch := range []string{"r", "g", "b"} {
		body := append([]byte("XYZ \x00\x00\x00\x00"), append(append(fixed(xyz[i][0]), fixed(xyz[i][1])...), fixed(xyz[i][2])...)...)
		curve := append([]byte("para\x00\x00\x00\x00\x00\x00\x00\x00"), fixed(gamma)...)
		if gamma == 0 { // sRGB's own curve
			curve = []byte("para\x00\x00\x00\x00\x00\x03\x00\x00")
			for _, v := range []float64{2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045} {
				curve = append(curve, fixed(v)...)
			}
		}
		for _, tag := range []struct {
			name string
			body []byte
		}{{ch + "XYZ", body}, {ch + "TRC", curve}} {
			table = append(table, tag.name...)
			table = binary.BigEndian.AppendUint32(table, uint32(off+len(data)))
			table = binary.BigEndian.AppendUint32(table, uint32(len(tag.body)))
			data = append(data, tag.body...)
		}
	}
	b = binary.BigEndian.AppendUint32(b, 6)
	b = append(append(b, table...), data...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

func TestColourProfiles(t *testing.T) {
	// Primaries adapted to D50, as the published profiles hold them.
	p3 := [3][3]float64{{0.51512, 0.24120, -0.00105}, {0.29198, 0.69225, 0.04189}, {0.15710, 0.06657, 0.78407}}
	adobe := [3][3]float64{{0.60974, 0.31111, 0.01947}, {0.20528, 0.62567, 0.06087}, {0.14919, 0.06322, 0.74457}}
	srgb := [3][3]float64{{0.43607, 0.22249, 0.01392}, {0.38515, 0.71687, 0.09708}, {0.14307, 0.06061, 0.71410}}
	flat := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := 0; i < len(flat.Pix); i += 4 {
		copy(flat.Pix[i:], []uint8{200, 120, 90, 255})
	}
	jpegWith := func(icc []byte) []byte {
		return withSegment(encodeJPEG(t, flat), 0xe2, append([]byte("ICC_PROFILE\x00\x01\x01"), icc...))
	}
	var z bytes.Buffer
	zw := zlib.NewWriter(&z)
	if _, err := zw.Write(matrixProfile(p3, 2.2)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	iccp := chunk("iCCP", append([]byte("P3\x00\x00"), z.Bytes()...))
	tests := []struct {
		name string
		data []byte
		note Note
		want color.NRGBA
	}{
		// Expected values: the same conversion by hand in double precision.
		{"Display P3", jpegWith(matrixProfile(p3, 2.2)), NoteProfile, color.NRGBA{213, 117, 83, 255}},
		{"Display P3 in PNG", withChunks(encodePNG(t, flat), iccp), NoteProfile, color.NRGBA{213, 117, 83, 255}},
		{"Adobe RGB", jpegWith(matrixProfile(adobe, 2.19921875)), NoteProfile, color.NRGBA{224, 120, 86, 255}},
		{"sRGB primaries with gamma 2.2", jpegWith(matrixProfile(srgb, 2.2)), NoteProfile, color.NRGBA{200, 120, 90, 255}},
		{"sRGB itself", jpegWith(matrixProfile(srgb, 0)), "", color.NRGBA{200, 120, 90, 255}},
		{"garbage", jpegWith([]byte("no profile at all")), NoteProfileIgn, color.NRGBA{200, 120, 90, 255}},
		{"black matrix", jpegWith(matrixProfile([3][3]float64{}, 2.2)), NoteProfileIgn, color.NRGBA{200, 120, 90, 255}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Read(tt.data, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if tt.note == "" && len(p.Notes) > 0 || tt.note != "" && !slices.Contains(p.Notes, tt.note) {
				t.Errorf("notes %v, want %q", p.Notes, tt.note)
			}
			near(t, p.Image, 30, 30, tt.want, 3)
		})
	}
}

func TestRefusals(t *testing.T) {
	ok := encodePNG(t, drawing(96, 64))
	sized := func(w, h uint32) []byte {
		body := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
		return append(append([]byte{}, ok[:8]...), append(chunk("IHDR", append(body, 8, 2, 0, 0, 0)), ok[33:]...)...)
	}
	jpegSized := func(w, h uint16) []byte {
		d := encodeJPEG(t, drawing(96, 64))
		i := bytes.Index(d, []byte{0xff, 0xc0})
		binary.BigEndian.PutUint16(d[i+5:], h)
		binary.BigEndian.PutUint16(d[i+7:], w)
		return d
	}
	tests := []struct {
		name string
		data []byte
		want error
		kind string
	}{
		{"empty", nil, ErrUnreadable, ""},
		{"60,000 × 60,000 PNG", sized(60000, 60000), ErrTooLarge, ""},
		{"11,000 × 11,000 PNG", sized(11000, 11000), ErrTooLarge, ""},
		{"zero width", sized(0, 100), ErrUnreadable, ""},
		{"1 × 4000", sized(1, 4000), ErrTooSmall, ""},
		{"63 × 64", encodePNG(t, drawing(63, 64)), ErrTooSmall, ""},
		{"size that disagrees with the data", sized(96, 65), ErrUnreadable, ""},
		{"65,535 × 65,535 JPEG", jpegSized(65535, 65535), ErrTooLarge, ""},
		{"zero-height JPEG", jpegSized(96, 0), ErrUnreadable, ""},
		{"GIF named .jpg", file(t, "first.gif"), ErrUnsupported, "GIF"},
		{"SVG", []byte("<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), ErrUnsupported, "SVG"},
		{"bare SVG", []byte("  <svg width='9'></svg>"), ErrUnsupported, "SVG"},
		{"HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic........"), ErrUnsupported, "HEIC"},
		{"HEIC by compatible brand", []byte("\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heicmiaf........"), ErrUnsupported, "HEIC"},
		{"AVIF", []byte("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf........"), ErrUnsupported, "AVIF"},
		{"AVIF by mif1", []byte("\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf........"), ErrUnsupported, "AVIF"},
		{"MP4", []byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42........"), ErrUnsupported, "a video or ISO media file"},
		{"TIFF", []byte("II*\x00\x08\x00\x00\x00............"), ErrUnsupported, "TIFF or camera raw"},
		{"BMP", []byte("BM........................"), ErrUnsupported, "BMP"},
		{"polyglot PDF", append([]byte("%PDF-1.7\n"), ok...), ErrUnsupported, "PDF"},
		{"text", []byte("hello, I am a picture"), ErrUnsupported, "unknown"},
		{"WebP without picture", []byte("RIFF\x04\x00\x00\x00WEBP"), ErrUnreadable, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Read(tt.data, Limits{})
			if !errors.Is(err, tt.want) {
				t.Fatalf("Read = %v, %v, want %v", p.Image, err, tt.want)
			}
			if u, ok := errors.AsType[*UnsupportedError](err); tt.kind != "" && (!ok || u.Kind != tt.kind || u.Hint == "") {
				t.Errorf("kind %+v, want %q", u, tt.kind)
			}
		})
	}
	t.Run("too many bytes", func(t *testing.T) {
		if _, err := Read(ok, Limits{Bytes: 100}); !errors.Is(err, ErrFileTooLarge) {
			t.Errorf("Read: %v", err)
		}
		if _, err := ReadFrom(bytes.NewReader(ok), Limits{Bytes: int64(len(ok)) - 1}); !errors.Is(err, ErrFileTooLarge) {
			t.Errorf("ReadFrom: %v", err)
		}
		if _, err := ReadFrom(bytes.NewReader(ok), Limits{Bytes: int64(len(ok))}); err != nil {
			t.Errorf("ReadFrom at the limit: %v", err)
		}
	})
	t.Run("small canvas over a huge bitstream", func(t *testing.T) {
		b := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x63\x00\x00\x63\x00\x00VP8L\x06\x00\x00\x00\x2f\xff\xff\xff\x0f\x00")
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
		if _, err := Read(b, Limits{}); !errors.Is(err, ErrUnreadable) {
			t.Errorf("Read: %v", err)
		}
	})
}

func TestTruncated(t *testing.T) {
	for name, data := range map[string][]byte{
		"JPEG": encodeJPEG(t, drawing(128, 128)), "progressive": file(t, "progressive.jpg"),
		"PNG": encodePNG(t, drawing(128, 128)), "WebP": file(t, "lossy.webp"), "lossless": file(t, "lossless.webp"), "animated": file(t, "animated.webp"),
	} {
		for i := 0; i < len(data); i += 10 {
			p, err := Read(data[:i], Limits{})
			if err == nil {
				// The first frame of an animation may be whole already.
				if name != "animated" {
					t.Errorf("%s cut at %d of %d decodes to %v", name, i, len(data), p.Image.Rect)
				}
			} else if !errors.Is(err, ErrUnreadable) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s cut at %d: %v", name, i, err)
			}
			if err := CheckComplete(bytes.NewReader(data[:i]), int64(i)); err == nil {
				t.Errorf("%s cut at %d: CheckComplete is content", name, i)
			}
		}
	}
}

func TestCheckHeaderOnPrefix(t *testing.T) {
	data := withSegment(encodeJPEG(t, drawing(96, 64)), 0xe1, append([]byte("Exif\x00\x00"), exifBlock(6)...))
	h, err := CheckHeader(bytes.NewReader(data), int64(len(data)), Limits{})
	if err != nil || h.Format != JPEG || h.Width != 96 || h.Orientation != 6 {
		t.Errorf("CheckHeader = %+v, %v", h, err)
	}
	if _, err := CheckHeader(bytes.NewReader(data[:40]), -1, Limits{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("CheckHeader of 40 bytes: %v", err)
	}
	if _, err := CheckHeader(bytes.NewReader(data), 11<<20, Limits{}); !errors.Is(err, ErrFileTooLarge) {
		t.Errorf("CheckHeader of 11 MiB: %v", err)
	}
}

func TestHostilePNG(t *testing.T) {
	base := encodePNG(t, drawing(96, 64))
	var bomb bytes.Buffer
	z := zlib.NewWriter(&bomb)
	if _, err := io.Copy(z, io.LimitReader(zeros{}, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("zip bomb in iCCP", func(t *testing.T) {
		p, err := Read(withChunks(base, chunk("iCCP", append([]byte("x\x00\x00"), bomb.Bytes()...))), Limits{})
		if err != nil || !slices.Contains(p.Notes, NoteProfileIgn) {
			t.Errorf("Read: %v, notes %v", err, p.Notes)
		}
	})
	t.Run("10,000 chunks", func(t *testing.T) {
		many := make([][]byte, 10_000)
		for i := range many {
			many[i] = chunk("tEXt", []byte("a\x00b"))
		}
		if _, err := Read(withChunks(base, many...), Limits{}); err != nil {
			t.Errorf("Read: %v", err)
		}
	})
	t.Run("animated", func(t *testing.T) {
		p, err := Read(withChunks(base, chunk("acTL", []byte{0, 0, 0, 2, 0, 0, 0, 0})), Limits{})
		if err != nil || !slices.Contains(p.Notes, NoteFirstFrame) {
			t.Errorf("Read: %v, notes %v", err, p.Notes)
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestPlainPictures(t *testing.T) {
	clearPic := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	p, err := Read(encodePNG(t, clearPic), Limits{})
	if err != nil || !p.HasAlpha || AlreadyCutOut(p.Image) {
		t.Errorf("fully transparent: %v, alpha %v, cut-out %v", err, p.HasAlpha, AlreadyCutOut(p.Image))
	}
	cut := drawing(96, 96)
	for y := range 96 {
		for x := range 96 {
			if x < 20 || x > 75 || y < 20 {
				cut.SetNRGBA(x, y, color.NRGBA{})
			}
		}
	}
	p, err = Read(encodePNG(t, cut), Limits{})
	if err != nil || !slices.Contains(p.Notes, NoteAlreadyAlpha) {
		t.Errorf("cut-out: %v, notes %v", err, p.Notes)
	}
}

// A file that is a picture to one program and an archive or a page to another is
// the picture here, and only that is kept.
func TestPolyglotsAreJustPictures(t *testing.T) {
	flat := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := 0; i < len(flat.Pix); i += 4 {
		copy(flat.Pix[i:], []uint8{70, 120, 90, 255}) // of one colour, too
	}
	for name, data := range map[string][]byte{"JPEG": encodeJPEG(t, flat), "PNG": encodePNG(t, flat)} {
		for what, tail := range map[string]string{"": "", "ZIP": "PK\x03\x04payload", "page": "<script>payload</script>"} {
			p, err := Read(append(slices.Clone(data), tail...), Limits{})
			if err != nil {
				t.Errorf("%s + %s: %v", name, what, err)
				continue
			}
			near(t, p.Image, 30, 30, color.NRGBA{70, 120, 90, 255}, 2)
			if bytes.Contains(encodePNG(t, p.Image), []byte("payload")) {
				t.Errorf("%s + %s survives", name, what)
			}
		}
	}
}

func TestKeepReduces(t *testing.T) {
	p, err := Read(encodePNG(t, drawing(960, 640)), Limits{Keep: 96 * 64})
	if err != nil || p.Image.Rect != image.Rect(0, 0, 96, 64) || !slices.Contains(p.Notes, NoteReduced) {
		t.Fatalf("Read: %v, %v, %v", err, p.Image.Rect, p.Notes)
	}
	near(t, p.Image, 8, 8, color.NRGBA{200, 30, 30, 255}, 1)
	near(t, p.Image, 48, 32, color.NRGBA{108, 100, 124, 255}, 2)
}

func TestMetadataIsGone(t *testing.T) {
	secret := "GPS 35.6586 N 139.7454 E"
	data := withSegment(encodeJPEG(t, drawing(96, 64)), 0xe1, append([]byte("Exif\x00\x00"), append(exifBlock(1), secret...)...))
	data = withSegment(data, 0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00"+secret))
	data = withSegment(data, 0xfe, []byte(secret))
	p, err := Read(data, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(encodePNG(t, p.Image)), "GPS") || strings.Contains(string(encodeJPEG(t, p.Image)), "GPS") {
		t.Error("metadata survives")
	}
}

func TestPool(t *testing.T) {
	pool := NewPool(96 * 64)
	data := encodePNG(t, drawing(96, 64))
	if _, err := pool.ReadFrom(t.Context(), bytes.NewReader(data), Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := pool.sem.Acquire(t.Context(), 1); err != nil { // somebody else is decoding
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pool.Read(ctx, data, Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Read without room: %v", err)
	}
	pool.sem.Release(1)
	big := encodePNG(t, drawing(192, 128)) // more than the pool: allowed, alone
	if _, err := pool.Read(t.Context(), big, Limits{}); err != nil {
		t.Errorf("Read of more than the pool holds: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encodeJPEG(f, drawing(64, 64)))
	f.Add(withSegment(encodeJPEG(f, drawing(64, 64)), 0xe1, append([]byte("Exif\x00\x00"), exifBlock(6)...)))
	f.Add(withChunks(encodePNG(f, drawing(64, 64)), chunk("eXIf", exifBlock(3))))
	for _, n := range []string{"progressive.jpg", "cmyk.jpg", "lossy.webp", "lossless.webp", "alpha.webp", "animated.webp", "first.gif"} {
		f.Add(file(f, n))
	}
	lim := Limits{MinSide: 1, Pixels: 1 << 20, Keep: 4096}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Read(data, lim)
		if err != nil {
			for _, known := range []error{ErrUnreadable, ErrUnsupported, ErrTooLarge, ErrTooSmall, ErrFileTooLarge} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("unclassified error: %v", err)
		}
		b := p.Image.Bounds()
		if b.Empty() || b.Min != (image.Point{}) || b.Dx()*b.Dy() > 4096+b.Dx()+b.Dy() {
			t.Fatalf("bounds %v", b)
		}
	})
}
