package ffmpeg_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
)

var limits = ffmpeg.Limits{Bytes: 20 << 20, Duration: 10 * time.Minute}

// needFFmpeg skips where the program is not installed; the code itself says
// ErrUnavailable then, which TestRunNamesTheMissingPackage covers.
func needFFmpeg(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
}

func tone(rate, channels int, seconds float64) dsp.Audio {
	a := dsp.New(rate, channels, int(seconds*float64(rate)))
	for c := range a.Ch {
		for i := range a.Ch[c] {
			a.Ch[c][i] = float32(0.5 * math.Sin(2*math.Pi*440*float64(c+1)*float64(i)/float64(rate)))
		}
	}
	return a
}

// convert makes a file of another format out of a.
func convert(t *testing.T, a dsp.Audio, name string, args ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	args = append(append([]string{"-v", "error", "-nostdin", "-f", "wav", "-i", "pipe:0"}, args...), "file:"+path)
	if err := ffmpeg.RunWithAudio(t.Context(), ffmpeg.Cmd{Name: "ffmpeg", Args: args}, a.Source().Stream()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asWAV(t *testing.T, a dsp.Audio, e wav.Encoding) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := wav.Encode(&b, a, e); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// level is the amplitude of the sine of f hertz in the middle of x.
func level(x []float32, rate int, f float64) float64 {
	x = x[len(x)/4 : len(x)*3/4]
	re, im := 0.0, 0.0
	for i, v := range x {
		s, c := math.Sincos(2 * math.Pi * f * float64(i) / float64(rate))
		w := 1 - math.Cos(2*math.Pi*float64(i)/float64(len(x)))
		re += w * c * float64(v)
		im += w * s * float64(v)
	}
	return 2 * math.Hypot(re, im) / float64(len(x))
}

func TestDecodeAudio(t *testing.T) {
	needFFmpeg(t)
	mono, two := tone(44100, 1, 1), tone(48000, 2, 1)
	for name, c := range map[string]struct {
		in       []byte
		rate     int
		channels int
	}{
		"MP3":                       {convert(t, two, "a.mp3", "-b:a", "192k"), 48000, 2},
		"MP3 named .wav":            {convert(t, mono, "a.wav", "-f", "mp3"), 44100, 1},
		"FLAC":                      {convert(t, mono, "a.flac"), 44100, 1},
		"Ogg Vorbis":                {convert(t, two, "a.ogg", "-c:a", "libvorbis", "-b:a", "160k"), 48000, 2},
		"Opus in WebM":              {convert(t, two, "a.webm", "-c:a", "libopus", "-b:a", "128k"), 48000, 2},
		"AAC in MP4, moov behind":   {convert(t, two, "a.m4a", "-c:a", "aac", "-b:a", "192k"), 48000, 2},
		"AAC alone":                 {convert(t, mono, "a.aac", "-c:a", "aac", "-b:a", "128k"), 44100, 1},
		"WAVE, 24 bit":              {asWAV(t, mono, wav.PCM24), 44100, 1},
		"WAVE with ADPCM":           {convert(t, mono, "a.wav", "-c:a", "adpcm_ima_wav"), 44100, 1},
		"WAVE with A-law":           {convert(t, mono, "a.wav", "-c:a", "pcm_alaw"), 44100, 1},
		"WAVE with mu-law":          {convert(t, mono, "a.wav", "-c:a", "pcm_mulaw"), 44100, 1},
		"WAVE of ffmpeg, 6 channel": {convert(t, tone(48000, 6, 1), "a.wav", "-c:a", "pcm_s16le"), 48000, 1},
	} {
		a, info, err := ffmpeg.DecodeAudio(t.Context(), bytes.NewReader(c.in), limits)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a.Rate != c.rate || len(a.Ch) != c.channels || math.Abs(a.Duration().Seconds()-1) > 0.1 {
			t.Errorf("%s: %d Hz, %d channels, %s", name, a.Rate, len(a.Ch), a.Duration())
			continue
		}
		if g := level(a.Ch[0], a.Rate, 440); math.Abs(20*math.Log10(g/0.5)) > 0.5 && c.channels == len(a.Ch) && !strings.Contains(name, "6 channel") {
			t.Errorf("%s: tone of %.3f, want 0.5", name, g)
		}
		if info.Codec == "" || info.Rate != c.rate {
			t.Errorf("%s: %+v", name, info)
		}
	}
}

func TestDecodeAudioRefuses(t *testing.T) {
	needFFmpeg(t)
	secret := filepath.Join(t.TempDir(), "secret.mp3")
	if err := os.WriteFile(secret, convert(t, tone(44100, 1, 1), "s.mp3"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := convert(t, tone(8000, 1, 30), "a.mp3", "-b:a", "32k")
	for name, c := range map[string]struct {
		in   []byte
		lim  ffmpeg.Limits
		text string
	}{
		"an empty file":        {nil, limits, "empty file"},
		"text":                 {[]byte("hello, this is no sound at all\n"), limits, ""},
		"zeros":                {make([]byte, 10000), limits, ""},
		"an HLS playlist":      {[]byte("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://" + secret + "\n#EXT-X-ENDLIST\n"), limits, "whitelist"},
		"an ffconcat list":     {[]byte("ffconcat version 1.0\nfile '" + secret + "'\n"), limits, "whitelist"},
		"an SDP":               {[]byte("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"), limits, ""},
		"a WAVE without sound": {asWAV(t, dsp.New(48000, 1, 0), wav.PCM16), limits, "no samples"},
		"a WAVE of 1 MHz":      {bad(asWAV(t, tone(8000, 1, 1), wav.PCM16), 24, 0x40, 0x42, 0x0F, 0), limits, "1000000 Hz"},
		"too many bytes":       {long, ffmpeg.Limits{Bytes: 1000, Duration: time.Minute}, "more than 1000 bytes"},
		"too long":             {long, ffmpeg.Limits{Bytes: 1 << 20, Duration: 10 * time.Second}, "longer than 10s"},
		"a little too long":    {long, ffmpeg.Limits{Bytes: 1 << 20, Duration: 29500 * time.Millisecond}, "longer than 29.5s"},
		"a WAVE too long":      {asWAV(t, tone(8000, 1, 2), wav.PCM16), ffmpeg.Limits{Bytes: 1 << 20, Duration: time.Second}, "longer than 1s"},
		"a picture":            {append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"), make([]byte, 100)...), limits, ""},
	} {
		_, _, err := ffmpeg.DecodeAudio(t.Context(), bytes.NewReader(c.in), c.lim)
		if !errors.Is(err, engines.ErrInput) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want an input error with %q", name, err, c.text)
		}
		if errors.Is(err, ffmpeg.ErrTooLong) != strings.Contains(name, "too") {
			t.Errorf("%s: ErrTooLong is %v", name, errors.Is(err, ffmpeg.ErrTooLong))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := ffmpeg.DecodeAudio(ctx, bytes.NewReader(long), limits); !errors.Is(err, context.Canceled) || errors.Is(err, engines.ErrInput) {
		t.Errorf("cancelled: %v", err)
	}
}

func bad(b []byte, at int, v ...byte) []byte {
	copy(b[at:], v)
	return b
}

func TestDamagedFilesGiveWhatIsThere(t *testing.T) {
	needFFmpeg(t)
	whole := convert(t, tone(44100, 1, 4), "a.mp3")
	a, _, err := ffmpeg.DecodeAudio(t.Context(), bytes.NewReader(whole[:len(whole)/2]), limits)
	if err != nil || math.Abs(a.Duration().Seconds()-2) > 0.2 {
		t.Errorf("half an MP3: %s, %v", a.Duration(), err)
	}
	w := asWAV(t, tone(44100, 1, 4), wav.PCM16)
	a, _, err = ffmpeg.DecodeAudio(t.Context(), bytes.NewReader(w[:len(w)/2]), limits)
	if err != nil || math.Abs(a.Duration().Seconds()-2) > 0.01 {
		t.Errorf("half a WAVE: %s, %v", a.Duration(), err)
	}
}

func TestEncodeMP3(t *testing.T) {
	needFFmpeg(t)
	for _, in := range []dsp.Audio{tone(48000, 2, 2), tone(24000, 1, 2), tone(44100, 1, 2)} {
		var b bytes.Buffer
		if err := ffmpeg.EncodeMP3(t.Context(), &b, in.Source().Stream()); err != nil {
			t.Fatal(err)
		}
		if kbit := float64(b.Len()) * 8 / 2 / 1000; math.Abs(kbit-192) > 8 {
			t.Errorf("%d Hz: %.0f kbit/s, want 192", in.Rate, kbit)
		}
		out, info, err := ffmpeg.DecodeAudio(t.Context(), &b, limits)
		if err != nil {
			t.Fatal(err)
		}
		if info.Codec != "mp3" || len(out.Ch) != len(in.Ch) || math.Abs(out.Duration().Seconds()-2) > 0.002 {
			t.Errorf("%d Hz came back as %+v, %s", in.Rate, info, out.Duration())
		}
		// LAME itself scales by 0.97 at this bitrate, −0.26 dB.
		if g := level(out.Ch[0], out.Rate, 440); math.Abs(20*math.Log10(g/0.5)) > 0.4 {
			t.Errorf("%d Hz: tone of %.3f, want 0.5", in.Rate, g)
		}
	}
	for name, a := range map[string]dsp.Audio{"nothing": {}, "3 channels": dsp.New(48000, 3, 100), "NaN": {Rate: 48000, Ch: [][]float32{{float32(math.NaN())}}}} {
		if err := ffmpeg.EncodeMP3(t.Context(), &bytes.Buffer{}, a.Source().Checked().Stream()); err == nil {
			t.Errorf("%s was encoded", name)
		}
	}
}
