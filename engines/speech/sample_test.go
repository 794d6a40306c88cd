package speech

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
	"github.com/videomsg/videomsg/dsp/music"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/speechtest"
)

// voiceWAV is a recording of a machine's voice at 16 kHz, quiet, with silence
// around it.
func voiceWAV(t *testing.T) []byte {
	t.Helper()
	s, err := (&Espeak{}).Speak(t.Context(), Request{Language: "en", Text: "Hello, this is my own voice. I use it to record a few sentences."})
	if errors.Is(err, engines.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]float32, Rate, len(s.Audio.Ch[0])+2*Rate)
	for _, v := range s.Audio.Ch[0] {
		pcm = append(pcm, 0.1*v)
	}
	pcm = append(pcm, make([]float32, Rate)...)
	a, err := dsp.Resample(dsp.Audio{Rate: Rate, Ch: [][]float32{pcm}}, 16000)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := wav.Encode(&out, a, wav.PCM16); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func tone(sec float64) []byte {
	x := make([]float64, int(sec*8000))
	for i := range x {
		x[i] = 0.3 * math.Sin(float64(i)*0.4)
	}
	return speechtest.WAV(x, 8000, 1, 1)
}

func TestPrepareSampleNormalises(t *testing.T) {
	data := voiceWAV(t)
	s, err := PrepareSample(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	a, err := wav.Decode(bytes.NewReader(s.WAV), math.MaxInt32)
	if err != nil || a.Rate != sampleRate || len(a.Ch) != 1 {
		t.Fatalf("%d Hz, %d channels, %v", a.Rate, len(a.Ch), err)
	}
	st, err := loudness.Measure(a)
	if err != nil || math.Abs(st.Integrated+20) > 0.6 {
		t.Errorf("%.1f LUFS, %v", st.Integrated, err)
	}
	whole := float64(len(data)-44) / 2 / 16000
	if s.Seconds > whole-1.5 || math.Abs(s.Seconds-a.Duration().Seconds()) > 0.001 {
		t.Errorf("%.2f s of %.2f", s.Seconds, whole)
	}
}

func TestPrepareSampleReadsWhatPhonesRecord(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	in := filepath.Join(dir, "in.wav")
	if err := os.WriteFile(in, voiceWAV(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{"mp3", "m4a", "ogg", "flac", "webm"} {
		out := filepath.Join(dir, "out."+ext)
		args := []string{"-v", "error", "-i", in, "-ar", "48000"}
		if ext == "webm" {
			args = append(args, "-c:a", "libopus")
		}
		if msg, err := exec.CommandContext(t.Context(), "ffmpeg", append(args, out)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", ext, err, msg)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := PrepareSample(t.Context(), data); err != nil {
			t.Errorf("%s: %v", ext, err)
		}
		if _, err := PrepareSample(t.Context(), data[:len(data)/40]); !errors.Is(err, ErrSamples) {
			t.Errorf("start of %s: %v", ext, err)
		}
	}
}

func TestPrepareSampleRefuses(t *testing.T) {
	tune := func(style music.Style) []byte {
		tr, err := music.Piece(style, 1, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		a, err := dsp.Resample(tr.Audio.Mono(), 16000)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := wav.Encode(&out, a, wav.PCM16); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	header := func(rate uint32, channels uint16) []byte {
		b := tone(2)
		binary.LittleEndian.PutUint32(b[24:], rate)
		binary.LittleEndian.PutUint16(b[22:], channels)
		binary.LittleEndian.PutUint16(b[32:], 2*channels)
		return b
	}
	for name, c := range map[string]struct {
		data   []byte
		reason string
	}{
		"nothing":      {nil, "unreadable"},
		"text":         {[]byte("#EXTM3U\nhttp://example.com/a.ts"), "unreadable"},
		"200 ms":       {tone(0.2), "too_short"},
		"10 minutes":   {tone(600), "too_long"},
		"61 s":         {tone(60.5), "too_long"},
		"11 MB":        {make([]byte, 11<<20), "size"},
		"silence":      {speechtest.WAV(make([]float64, 32000), 16000, 1, 1), "silent"},
		"a tone":       {tone(3), "not_speech"},
		"calm music":   {tune(music.Styles()[0]), "not_speech"},
		"lively music": {tune(music.Styles()[1]), "not_speech"},
		"1 MHz":        {header(1_000_000, 1), "unreadable"},
		"256 channels": {header(8000, 256), "unreadable"},
		"RIFF only":    {[]byte("RIFF\x00\x00\x00\x00WAVE"), "unreadable"},
		"fake FLAC":    {append([]byte("fLaC"), make([]byte, 100)...), "unreadable"},
		"fake MP3":     {append([]byte("ID3"), make([]byte, 100)...), "unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := PrepareSample(t.Context(), c.data)
			if errors.Is(err, engines.ErrUnavailable) {
				t.Skip(err)
			}
			e, ok := errors.AsType[*SampleError](err)
			if !ok || e.Reason != c.reason || !errors.Is(err, engines.ErrInput) {
				t.Errorf("%v, want %s", err, c.reason)
			}
		})
	}
	for n, ok := range map[int]bool{0: false, 1: true, 5: true, 6: false} {
		if err := CheckCount(n); (err == nil) != ok {
			t.Errorf("%d samples: %v", n, err)
		}
	}
}
