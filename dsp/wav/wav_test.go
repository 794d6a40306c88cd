package wav_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
)

func tone(rate, channels, samples int) dsp.Audio {
	a := dsp.New(rate, channels, samples)
	for c := range a.Ch {
		for i := range a.Ch[c] {
			a.Ch[c][i] = float32(0.7 * math.Sin(2*math.Pi*float64(i)*float64(220*(c+1))/float64(rate)))
		}
	}
	return a
}

func encode(t testing.TB, a dsp.Audio, e wav.Encoding) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := wav.Encode(&b, a, e); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(t testing.TB, b []byte) dsp.Audio {
	t.Helper()
	a, err := wav.Decode(bytes.NewReader(b), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func maxDiff(t testing.TB, a, b dsp.Audio) float64 {
	t.Helper()
	if a.Rate != b.Rate || len(a.Ch) != len(b.Ch) || a.Len() != b.Len() {
		t.Fatalf("shape %d Hz %d×%d, want %d Hz %d×%d", a.Rate, len(a.Ch), a.Len(), b.Rate, len(b.Ch), b.Len())
	}
	m := 0.0
	for c := range a.Ch {
		for i := range a.Ch[c] {
			m = max(m, math.Abs(float64(a.Ch[c][i])-float64(b.Ch[c][i])))
		}
	}
	return m
}

func TestRoundTripIsWithinOneStep(t *testing.T) {
	for e, step := range map[wav.Encoding]float64{
		wav.PCM8: 1.6 / 128, wav.PCM16: 1.6 / 32768, wav.PCM24: 0.6 / (1 << 23), wav.PCM32: 1e-8, wav.Float32: 0, wav.Float64: 0,
	} {
		for _, channels := range []int{1, 2, 6} {
			for _, n := range []int{0, 1, 3, 10001} {
				in := tone(44100, channels, n)
				if d := maxDiff(t, decode(t, encode(t, in, e)), in); d > step {
					t.Errorf("%s, %d channels, %d samples: off by %g, want ≤ %g", e, channels, n, d, step)
				}
			}
		}
	}
}

func TestSecondGenerationIsExact(t *testing.T) {
	for _, e := range []wav.Encoding{wav.PCM8, wav.PCM16, wav.PCM24, wav.PCM32, wav.Float32} {
		first := encode(t, tone(48000, 2, 5000), e)
		if second := encode(t, decode(t, first), e); !bytes.Equal(first, second) {
			t.Errorf("%s changed when it was written again", e)
		}
	}
}

// A tone far below one step vanishes when rounded; with TPDF dither it survives
// in the mean, and the noise has the textbook power of (1/4 step²).
func TestDitherKeepsWhatIsBelowOneStep(t *testing.T) {
	in := dsp.New(48000, 1, 200000)
	for i := range in.Ch[0] {
		in.Ch[0][i] = float32(0.3 / 32768 * math.Sin(2*math.Pi*float64(i)/480))
	}
	out := decode(t, encode(t, in, wav.PCM16))
	corr, power, noise := 0.0, 0.0, 0.0
	for i, x := range in.Ch[0] {
		x, y := float64(x)*32768, float64(out.Ch[0][i])*32768
		corr += x * y
		power += x * x
		noise += (y - x) * (y - x)
	}
	if g := corr / power; math.Abs(g-1) > 0.05 {
		t.Errorf("gain of a 0.3 step tone %.3f, want 1±0.05", g)
	}
	if v := noise / float64(in.Len()); math.Abs(v-0.25) > 0.02 {
		t.Errorf("noise power %.3f step², want 0.25", v)
	}
}

func TestExtremesSaturate(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	in := dsp.Audio{Rate: 48000, Ch: [][]float32{{2, -2, 1, -1, nan, inf, -inf, 1e30, 0}}}
	got := decode(t, encode(t, in, wav.PCM16)).Ch[0]
	const top = 32767.0 / 32768
	for i, want := range []float32{top, -1, top, -1, 0, top, -1, top, 0} {
		if got[i] != want {
			t.Errorf("sample %d: %g became %g, want %g", i, in.Ch[0][i], got[i], want)
		}
	}
	for i, v := range decode(t, encode(t, in, wav.Float32)).Ch[0] {
		if v != v || math.Abs(float64(v)) > 1e6 {
			t.Errorf("sample %d: %g survived as %g", i, in.Ch[0][i], v)
		}
	}
}

func TestReaderRepairsAndCounts(t *testing.T) {
	b := encode(t, tone(8000, 1, 100), wav.Float32)
	binary.LittleEndian.PutUint32(b[44+40:], math.Float32bits(float32(math.NaN())))
	binary.LittleEndian.PutUint32(b[44+80:], math.Float32bits(float32(math.Inf(-1))))
	r, err := wav.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	buf := [][]float32{make([]float32, 100)}
	if n, err := r.Read(buf); n != 100 || err != nil {
		t.Fatal(n, err)
	}
	if buf[0][10] != 0 || buf[0][20] != -1e6 || r.Repaired() != 2 {
		t.Errorf("got %g, %g and %d repairs, want 0, -1e6 and 2", buf[0][10], buf[0][20], r.Repaired())
	}
}

// chunk builds one RIFF chunk with its padding.
func chunk(id string, body ...byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	b = append(b, body...)
	if len(body)&1 == 1 {
		b = append(b, 0)
	}
	return b
}

func riff(chunks ...[]byte) []byte {
	body := bytes.Join(chunks, nil)
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body)))
	return append(append(b, "WAVE"...), body...)
}

func format(tag, channels uint16, rate uint32, bits uint16, align uint16) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, tag)
	b = le.AppendUint16(b, channels)
	b = le.AppendUint32(b, rate)
	b = le.AppendUint32(b, rate*uint32(align))
	b = le.AppendUint16(b, align)
	return le.AppendUint16(b, bits)
}

func set32(b []byte, at int, v uint32) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[at:], v)
	return b
}

func TestDamagedHeaders(t *testing.T) {
	whole := encode(t, tone(48000, 2, 1000), wav.PCM16) // 44 + 4000 bytes
	fmt16 := chunk("fmt ", format(1, 1, 8000, 16, 2)...)
	four := chunk("data", 1, 0, 2, 0, 3, 0, 4, 0)
	rf64 := append([]byte("RF64\xff\xff\xff\xffWAVE"), chunk("ds64", append(make([]byte, 8), append(binary.LittleEndian.AppendUint64(nil, 8), make([]byte, 12)...)...)...)...)
	rf64 = append(append(rf64, fmt16...), append([]byte("data\xff\xff\xff\xff"), 1, 0, 2, 0, 3, 0, 4, 0, 'L', 'I', 'S', 'T')...)
	for name, c := range map[string]struct {
		in        []byte
		samples   int
		truncated bool
	}{
		"a whole file":                           {whole, 1000, false},
		"data size 0xFFFFFFFF from a pipe":       {set32(whole, 40, 0xFFFFFFFF), 1000, false},
		"data and RIFF size 0 from a crash":      {set32(set32(whole, 40, 0), 4, 0), 1000, false},
		"data size 0, RIFF size of a header":     {set32(set32(whole, 40, 0), 4, 36), 1000, false},
		"data size 0 with more chunks announced": {riff(fmt16, chunk("data"), chunk("LIST", 1, 2, 3, 4)), 0, false},
		"cut in the middle":                      {whole[:44+2002], 500, true},
		"cut before the first sample":            {whole[:44], 0, true},
		"data size 0x7FFFFFFF":                   {set32(whole, 40, 0x7FFFFFFF), 1000, true},
		"chunks before, odd padding":             {riff(chunk("JUNK", 1, 2, 3), chunk("bext", make([]byte, 601)...), fmt16, chunk("fact", 4, 0, 0, 0), four), 4, false},
		"chunks behind":                          {riff(fmt16, four, chunk("LIST", 9, 9, 9)), 4, false},
		"RF64":                                   {rf64, 4, false},
		"a wrong frame size":                     {riff(chunk("fmt ", format(1, 1, 8000, 16, 7)...), four), 4, false},
		"a long fmt chunk":                       {riff(chunk("fmt ", append(format(1, 1, 8000, 16, 2), make([]byte, 100)...)...), four), 4, false},
		"half a frame at the end":                {riff(fmt16, chunk("data", 1, 0, 2, 0, 3)), 2, false},
	} {
		for kind, r := range map[string]io.Reader{"": bytes.NewReader(c.in), "byte by byte: ": iotest.OneByteReader(bytes.NewReader(c.in))} {
			d, err := wav.NewReader(r)
			if err != nil {
				t.Errorf("%s%s: %v", kind, name, err)
				continue
			}
			buf := dsp.New(0, d.Channels, 300)
			n := 0
			for {
				k, err := d.Read(buf.Ch)
				n += k
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Errorf("%s%s: %v", kind, name, err)
					}
					break
				}
			}
			if n != c.samples || d.Truncated() != c.truncated {
				t.Errorf("%s%s: %d samples, truncated %v; want %d, %v", kind, name, n, d.Truncated(), c.samples, c.truncated)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	good := chunk("fmt ", format(1, 1, 8000, 16, 2)...)
	data := chunk("data", 1, 0)
	for name, c := range map[string]struct {
		in   []byte
		err  error
		text string
	}{
		"nothing":              {nil, wav.ErrFormat, "file ends in the RIFF header"},
		"an MP3":               {[]byte("ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), wav.ErrFormat, `begins with "ID3\x04`},
		"a playlist":           {[]byte("#EXTM3U\n#EXT-X-VERSION:3\n"), wav.ErrFormat, "begins with"},
		"an AVI":               {[]byte("RIFF\x00\x00\x00\x00AVI LIST"), wav.ErrFormat, "begins with"},
		"data before fmt":      {riff(data, good), wav.ErrFormat, "data before fmt"},
		"no data":              {riff(good), wav.ErrFormat, "file ends in the chunk before data"},
		"a cut fmt":            {riff(good)[:24], wav.ErrFormat, "file ends in the fmt  chunk"},
		"a short fmt":          {riff(chunk("fmt ", 1, 0, 1, 0), data), wav.ErrFormat, "fmt chunk of 4 bytes"},
		"IMA ADPCM":            {riff(chunk("fmt ", format(0x11, 1, 8000, 4, 2)...), data), wav.ErrFormat, "format tag 0x0011 with 4 bits"},
		"64-bit integers":      {riff(chunk("fmt ", format(1, 1, 8000, 64, 8)...), data), wav.ErrFormat, "with 64 bits"},
		"0 bits":               {riff(chunk("fmt ", format(1, 1, 8000, 0, 2)...), data), wav.ErrFormat, "with 0 bits"},
		"0 channels":           {riff(chunk("fmt ", format(1, 0, 8000, 16, 2)...), data), wav.ErrLimit, "0 channels outside 1..8"},
		"256 channels":         {riff(chunk("fmt ", format(1, 256, 8000, 16, 512)...), data), wav.ErrLimit, "256 channels outside 1..8"},
		"1 Hz":                 {riff(chunk("fmt ", format(1, 1, 1, 16, 2)...), data), wav.ErrLimit, "sample rate 1 Hz outside"},
		"1 MHz":                {riff(chunk("fmt ", format(1, 1, 1000000, 16, 2)...), data), wav.ErrLimit, "sample rate 1000000 Hz outside"},
		"a rate of 2³²-1":      {riff(chunk("fmt ", format(1, 1, math.MaxUint32, 16, 2)...), data), wav.ErrLimit, "sample rate 4294967295 Hz outside"},
		"an endless chunk":     {append(riff(good), "JUNK\xff\xff\xff\xff"...), wav.ErrLimit, "MiB before the samples"},
		"extensible, no GUID":  {riff(chunk("fmt ", append(format(0xFFFE, 1, 8000, 16, 2), make([]byte, 24)...)...), data), wav.ErrFormat, "sub-format"},
		"more than was agreed": {encode(t, tone(8000, 1, 101), wav.PCM16), wav.ErrLimit, "101 samples, at most 100"},
		"more, undeclared":     {set32(encode(t, tone(8000, 1, 101), wav.PCM16), 40, 0xFFFFFFFF), wav.ErrLimit, "more than 100 samples"},
	} {
		_, err := wav.Decode(bytes.NewReader(c.in), 100)
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v; want %q", name, err, c.text)
		}
	}
}

func TestReadErrorsPassThrough(t *testing.T) {
	b := encode(t, tone(8000, 1, 1000), wav.PCM16)
	for _, at := range []int{0, 20, 44, 700} {
		broken := io.MultiReader(bytes.NewReader(b[:at]), iotest.ErrReader(os.ErrPermission))
		if _, err := wav.Decode(broken, 1000); !errors.Is(err, os.ErrPermission) {
			t.Errorf("an error at byte %d became %v", at, err)
		}
	}
}

func TestEncodingsOfOthers(t *testing.T) {
	guid := "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71"
	ext := func(tag, valid, bits, align uint16) []byte {
		b := append(format(0xFFFE, 1, 8000, bits, align), 22, 0)
		b = binary.LittleEndian.AppendUint16(b, valid)
		b = append(b, 4, 0, 0, 0)
		b = binary.LittleEndian.AppendUint16(b, tag)
		return chunk("fmt ", append(b, guid...)...)
	}
	for name, c := range map[string]struct {
		fmt, data []byte
		want      []float32
	}{
		"µ-law":                    {chunk("fmt ", format(7, 1, 8000, 8, 1)...), []byte{0xFF, 0x7F, 0x80, 0x00, 0xFE}, []float32{0, 0, 32124. / 32768, -32124. / 32768, 8. / 32768}},
		"A-law":                    {chunk("fmt ", format(6, 1, 8000, 8, 1)...), []byte{0xD5, 0x55, 0xAA, 0x2A}, []float32{8. / 32768, -8. / 32768, 32256. / 32768, -32256. / 32768}},
		"extensible 20 in 24":      {ext(1, 20, 24, 3), []byte{0, 0, 0x40, 0, 0, 0xC0}, []float32{0.5, -0.5}},
		"extensible 24 in 32":      {ext(1, 24, 24, 4), []byte{0, 0, 0, 0x40, 0, 0, 0, 0xC0}, []float32{0.5, -0.5}},
		"extensible float":         {ext(3, 32, 32, 4), []byte{0, 0, 0, 0x3F}, []float32{0.5}},
		"12 bits in 16":            {chunk("fmt ", format(1, 1, 8000, 12, 2)...), []byte{0, 0x40}, []float32{0.5}},
		"float of 64 bits":         {chunk("fmt ", format(3, 1, 8000, 64, 8)...), []byte{0, 0, 0, 0, 0, 0, 0xE0, 0x3F}, []float32{0.5}},
		"float too large for 32":   {chunk("fmt ", format(3, 1, 8000, 64, 8)...), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xEF, 0x7F}, []float32{1e6}},
		"8 bits are unsigned":      {chunk("fmt ", format(1, 1, 8000, 8, 1)...), []byte{0, 128, 255}, []float32{-1, 0, 127. / 128}},
		"32-bit integers and sign": {chunk("fmt ", format(1, 1, 8000, 32, 4)...), []byte{0, 0, 0, 0x80, 0, 0, 0, 0x40}, []float32{-1, 0.5}},
	} {
		got := decode(t, riff(c.fmt, chunk("data", c.data...)))
		if got.Len() != len(c.want) {
			t.Errorf("%s: %d samples, want %d", name, got.Len(), len(c.want))
			continue
		}
		for i, w := range c.want {
			if got.Ch[0][i] != w {
				t.Errorf("%s: sample %d is %g, want %g", name, i, got.Ch[0][i], w)
			}
		}
	}
}

func TestWriterOfUnknownLength(t *testing.T) {
	in := tone(48000, 1, 1001) // odd size in 24 bit
	write := func(w io.Writer) {
		e, err := wav.NewWriter(w, wav.Format{Rate: 48000, Channels: 1, Encoding: wav.PCM24}, -1)
		if err != nil {
			t.Fatal(err)
		}
		for _, half := range [][]float32{in.Ch[0][:400], in.Ch[0][400:]} {
			if err := e.Write([][]float32{half}); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var pipe bytes.Buffer
	write(&pipe)
	name := filepath.Join(t.TempDir(), "a.wav")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write(f)
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, encode(t, in, wav.PCM24)) {
		t.Error("a file written in parts differs from one written at once")
	}
	if got := decode(t, file); got.Len() != in.Len() {
		t.Errorf("%d samples from the file, want %d", got.Len(), in.Len())
	}
	// Through a pipe nobody knows the padding byte from sound; it is less than a frame here.
	if got := decode(t, pipe.Bytes()); got.Len() != in.Len() {
		t.Errorf("%d samples from the pipe, want %d", got.Len(), in.Len())
	}
}

func TestWriterRefuses(t *testing.T) {
	for name, f := range map[string]wav.Format{
		"no channels": {Rate: 48000, Encoding: wav.PCM16},
		"no rate":     {Channels: 1, Encoding: wav.PCM16},
		"no encoding": {Rate: 48000, Channels: 1},
		"A-law":       {Rate: 48000, Channels: 1, Encoding: wav.ALaw},
		"1 MHz":       {Rate: 1000000, Channels: 1, Encoding: wav.PCM16},
	} {
		if _, err := wav.NewWriter(io.Discard, f, 0); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	e, err := wav.NewWriter(io.Discard, wav.Format{Rate: 48000, Channels: 2, Encoding: wav.PCM16}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Write([][]float32{{1}, {1, 2}}); err == nil {
		t.Error("channels of different length were accepted")
	}
	if err := e.Close(); err == nil {
		t.Error("a promise of 5 samples was not checked")
	}
}

// Four gigabytes are not written, only announced: the header must be RF64 and
// read back with the same length.
func TestRF64Header(t *testing.T) {
	var b bytes.Buffer
	if _, err := wav.NewWriter(&b, wav.Format{Rate: 48000, Channels: 2, Encoding: wav.Float32}, 1<<30); err != nil {
		t.Fatal(err)
	}
	r, err := wav.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	if r.Len() != 1<<30 {
		t.Errorf("%d samples announced, want %d", r.Len(), 1<<30)
	}
}

func FuzzReader(f *testing.F) {
	for _, e := range []wav.Encoding{wav.PCM8, wav.PCM16, wav.PCM24, wav.PCM32, wav.Float32, wav.Float64} {
		f.Add(encode(f, tone(8000, 2, 20), e))
	}
	f.Add(encode(f, tone(8000, 6, 5), wav.PCM16))
	f.Add(riff(chunk("JUNK", 1, 2, 3), chunk("fmt ", format(7, 1, 8000, 8, 1)...), chunk("data", 1, 2, 3)))
	f.Add([]byte("RF64\xff\xff\xff\xffWAVEds64"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := wav.Decode(bytes.NewReader(b), 1<<16)
		if err != nil {
			if !errors.Is(err, wav.ErrFormat) && !errors.Is(err, wav.ErrLimit) {
				t.Fatalf("an error of neither kind: %v", err)
			}
			return
		}
		if a.Len()*len(a.Ch) > len(b) {
			t.Fatalf("%d samples from %d bytes", a.Len()*len(a.Ch), len(b))
		}
		for _, ch := range a.Ch {
			for _, v := range ch {
				if !(v >= -1e6 && v <= 1e6) {
					t.Fatalf("sample %g", v)
				}
			}
		}
		if got := decode(t, encode(t, a, wav.Float32)); maxDiff(t, got, a) != 0 {
			t.Fatal("changed when written again")
		}
	})
}
