package avatar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abema/go-mp4"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/face"
	"github.com/videomsg/videomsg/vision/portrait"
)

func needFFmpeg(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
}

func job(t testing.TB, seconds float64, side int) Job {
	t.Helper()
	im, _ := drawn.Portrait(drawn.Options{W: 256, H: 256, Size: 0.16})
	j := Job{Task: "t", Image: im, Voice: dsp.New(16000, 1, int(math.Round(seconds*16000))), Dir: t.TempDir(), Label: "AI生成"}
	for i := range j.Voice.Ch[0] {
		s := float64(i) / 16000
		j.Voice.Ch[0][i] = float32(0.3 * math.Sin(2*math.Pi*180*s) * math.Abs(math.Sin(7*s)))
	}
	j.Options.W, j.Options.H, j.Options.Style = side, side, portrait.Static
	j.Sound = filepath.Join(j.Dir, "sound.wav")
	var b bytes.Buffer
	if err := wav.Encode(&b, j.Voice, wav.PCM16); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.Sound, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return j
}

func detector(t testing.TB) *face.Detector {
	t.Helper()
	d, err := face.NewDetector()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// program is a stand-in for ffmpeg.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return path
}

// A broken ffmpeg ends in the next engine or in a clear error, soon, with no
// process left.
func TestBrokenEncoders(t *testing.T) {
	needFFmpeg(t)
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, script, reason string }{
		{"it may write no more", "trap '' XFSZ; ulimit -f 2; exec " + ffmpeg + ` "$@"`, "the video could not be encoded"},
		{"the disk is full", `for o; do :; done; ln -sf /dev/full "$o"; exec ` + ffmpeg + ` "$@"`, "there was no room on the disk for the video"},
		{"it hangs without reading", "sleep 300 & wait", "the encoder stopped responding"},
		{"it reads everything and never ends", "cat >/dev/null; sleep 300 & wait", "the encoder stopped responding"},
		{"it dies at once", "exit 3", "the video could not be encoded"},
		{"it is killed in the middle", "head -c 20000 >/dev/null; kill -9 $$", "the video could not be encoded"},
		{"it writes nothing and is content", "cat >/dev/null", ""},
		{"it writes half a file", `cat >/dev/null; for o; do :; done; head -c 1000 /dev/zero >"$o"`, "the finished video was not as it should be"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := local{faces: detector(t), threads: 1, program: program(t, tt.script), stall: 400 * time.Millisecond}
			if !strings.Contains(tt.script, "sleep") { // a busy machine takes its time to start the others
				l.stall = time.Minute
			}
			start := time.Now()
			chain := Chain{l.portrait(), Still(l.faces, 1)}
			served, err := chain.Run(t.Context(), job(t, 1, 96))
			if err != nil {
				t.Fatal(err)
			}
			if served.Engine != "still" || len(served.Skipped) != 1 {
				t.Fatalf("%s served, skipped %v", served.Engine, served.Skipped)
			}
			why := served.Skipped[0].Err
			if got := engines.Reason(why); tt.reason != "" && got != tt.reason {
				t.Errorf("reason %q, want %q (%v)", got, tt.reason, why)
			}
			if strings.Contains(tt.name, "disk") && !strings.Contains(why.Error(), "No space left") {
				t.Errorf("the operator is not told: %v", why)
			}
			if d := time.Since(start); d > 2*time.Minute {
				t.Errorf("took %s", d)
			}
		})
	}
}

func TestMissingFFmpegIsSaid(t *testing.T) {
	l := local{faces: detector(t), threads: 1, program: "/nonexistent/ffmpeg"}
	_, err := Chain{l.portrait(), l.still()}.Run(t.Context(), job(t, 1, 96))
	if !errors.Is(err, engines.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	if m, ok := errors.AsType[*engines.MissingError](err); !ok || !strings.Contains(m.Reason(), "install the package ffmpeg") {
		t.Errorf("got %v", err)
	}
}

func TestCancelEndsTheEncoder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := local{faces: detector(t), threads: 1, program: program(t, "sleep 300 & wait")}
	time.AfterFunc(200*time.Millisecond, cancel)
	start := time.Now()
	if _, err := l.portrait().Run(ctx, job(t, 1, 96)); err == nil {
		t.Error("no error")
	}
	if d := time.Since(start); d > 2*time.Minute {
		t.Errorf("took %s", d)
	}
}

func TestPictureAndSoundAreEquallyLong(t *testing.T) {
	needFFmpeg(t)
	all := []float64{0.5, 1.03, 2.999, 11.43, 60.01}
	if !testing.Short() && !race {
		all = append(all, 300)
	}
	d := detector(t)
	for _, seconds := range all {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			v, err := Still(d, 1).Run(t.Context(), job(t, seconds, 64))
			if err != nil {
				t.Fatal(err)
			}
			f, err := Verify(v.Path, seconds, 64, 64)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(f.Video-f.Audio) > 1.0/25+0.001 || math.Abs(f.Audio-seconds) > 1.0/25+0.001 {
				t.Errorf("%.4f s of picture, %.4f s of sound", f.Video, f.Audio)
			}
		})
	}
}

// The container is looked at by another library than the encoder's.
func TestContainer(t *testing.T) {
	needFFmpeg(t)
	j := job(t, 5, 128)
	j.Captions, j.Language3 = filepath.Join(j.Dir, "c.srt"), "jpn"
	j.Tags = [][2]string{{"title", "videomsg"}, {"comment", "AI生成 AI generated"}, {"description", "made by a test"}}
	if err := os.WriteFile(j.Captions, []byte("1\n00:00:00,500 --> 00:00:02,000\nこんにちは\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := Still(detector(t), 1).Run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Remarks) == 0 {
		t.Error("the still video does not say that captions are missing")
	}
	j.Options.Style = portrait.KenBurns
	if v, err = Portrait(detector(t), 1).Run(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(v.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := mp4.Probe(f)
	if err != nil {
		t.Fatal(err)
	}
	if !info.FastStart || len(info.Tracks) != 3 {
		t.Errorf("fast start %v, %d tracks", info.FastStart, len(info.Tracks))
	}
	for _, tr := range info.Tracks {
		if tr.Codec == mp4.CodecMP4A && tr.Timescale != 48000 {
			t.Errorf("sound at %d Hz", tr.Timescale)
		}
		if tr.Codec == mp4.CodecAVC1 && (tr.AVC == nil || tr.AVC.Profile != 100) {
			t.Errorf("H.264 %+v, want High profile", tr.AVC)
		}
	}
	keys, colour := 0, false
	_, err = mp4.ReadBoxStructure(f, func(h *mp4.ReadHandle) (any, error) {
		switch h.BoxInfo.Type.String() {
		case "stss":
			b, _, err := h.ReadPayload()
			if s, ok := b.(*mp4.Stss); ok {
				keys = int(s.EntryCount)
			}
			return nil, err
		case "colr":
			b, _, err := h.ReadPayload()
			if c, ok := b.(*mp4.Colr); ok {
				colour = c.ColourPrimaries == 1 && c.TransferCharacteristics == 1 && c.MatrixCoefficients == 1 && !c.FullRangeFlag
			}
			return nil, err
		}
		if h.BoxInfo.IsSupportedType() {
			return h.Expand()
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if keys < 3 || !colour {
		t.Errorf("%d key frames in 5 s, BT.709 %v", keys, colour)
	}
	data, err := os.ReadFile(v.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"AI生成 AI generated", "made by a test"} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("no %q in the metadata", want)
		}
	}
	w, err := WebM(t.Context(), j.Dir, v.Path, 1)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(w); err != nil || !bytes.HasPrefix(b, []byte{0x1a, 0x45, 0xdf, 0xa3}) {
		t.Errorf("no WebM: %v", err)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	needFFmpeg(t)
	var files [2][]byte
	d := detector(t)
	for i := range files {
		j := job(t, 1, 256)
		j.Options.Style, j.Label = portrait.Talking, ""
		v, err := Portrait(d, 2).Run(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		if files[i], err = os.ReadFile(v.Path); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			break
		}
		// The first thing seen is the picture that was sent.
		var b bytes.Buffer
		if err := ffmpeg.Run(t.Context(), ffmpeg.Cmd{Name: "ffmpeg", Args: []string{"-v", "error", "-i", v.Path, "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"}, Stdout: &b}); err != nil {
			t.Fatal(err)
		}
		want := j.Image.(*image.NRGBA).Pix
		if 4*b.Len() != len(want) {
			t.Fatalf("the first frame has %d pixels, want %d", b.Len(), len(want)/4)
		}
		var sum float64
		for k, v := range b.Bytes() {
			p := want[4*k:]
			e := float64(v) - (0.2126*float64(p[0]) + 0.7152*float64(p[1]) + 0.0722*float64(p[2]))
			sum += e * e
		}
		if db := 10 * math.Log10(255*255*float64(b.Len())/sum); db < 40 {
			t.Errorf("the first frame is %.1f dB from the picture, want at least 40", db)
		} else {
			t.Logf("the first frame is %.1f dB from the picture", db)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the bytes differ")
	}
}

// What is black or silent is never handed out.
func TestBlackAndSilentAreFound(t *testing.T) {
	needFFmpeg(t)
	j := job(t, 1, 64)
	for name, source := range map[string][]string{
		"black":  {"color=black:s=64x64:r=25:d=1", "sine=d=1:r=48000"},
		"silent": {"testsrc=s=64x64:r=25:d=1", "anullsrc=r=48000:d=1"},
		"fine":   {"testsrc=s=64x64:r=25:d=1", "sine=d=1:r=48000"},
	} {
		path := filepath.Join(j.Dir, name+".mp4")
		args := []string{"-v", "error", "-y", "-f", "lavfi", "-i", source[0], "-f", "lavfi", "-i", source[1], "-t", "1", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart", path}
		if err := ffmpeg.Run(t.Context(), ffmpeg.Cmd{Name: "ffmpeg", Args: args}); err != nil {
			t.Fatal(err)
		}
		_, err := j.verified(t.Context(), Video{Path: path}, 64, 64)
		if name == "fine" && err != nil || name != "fine" && !errors.Is(err, ErrBadVideo) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A night picture with nobody speaking is what it is.
	j.Image, j.Voice = image.NewGray(image.Rect(0, 0, 64, 64)), dsp.New(16000, 1, 16000)
	if _, err := j.verified(t.Context(), Video{Path: filepath.Join(j.Dir, "black.mp4")}, 64, 64); err != nil {
		t.Error(err)
	}
}

func TestStampStandsInItsCorner(t *testing.T) {
	const w, h = 320, 240
	for corner, at := range map[Corner]image.Point{TopLeft: {0, 0}, TopRight: {1, 0}, BottomLeft: {0, 1}, BottomRight: {1, 1}, "": {1, 1}} {
		s, err := newStamp("AI生成", corner, w, h)
		if err != nil {
			t.Fatal(err)
		}
		f := &portrait.Frame{W: w, H: h, Y: bytes.Repeat([]byte{120}, w*h), U: bytes.Repeat([]byte{90}, w*h/4), V: bytes.Repeat([]byte{160}, w*h/4)}
		s.draw(f)
		n, outside := 0, 0
		for i, p := range f.Y {
			if p == 120 {
				continue
			}
			n++
			if (i%w >= w/2) != (at.X == 1) || (i/w >= h/2) != (at.Y == 1) {
				outside++
			}
		}
		if n < 100 || outside > 0 {
			t.Errorf("%q: %d pixels, %d of them elsewhere", corner, n, outside)
		}
	}
	if _, err := newStamp("漢", TopLeft, w, h); err == nil {
		t.Error("a label that cannot be drawn is accepted")
	}
}
