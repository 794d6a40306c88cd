// Package portrait measures a whole speaking message, picture and voice to MP4,
// against what ffmpeg's usual still-image command costs on the same machine in
// the same run.
//
//	go test ./bench/portrait -run '^$' -bench . -benchtime 1x
package portrait

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/face"
	"github.com/videomsg/videomsg/vision/portrait"
)

const seconds = 10

// message is so many seconds of syllables with their phonemes.
func message(seconds int) (portrait.Input, []byte) {
	const rate = 48000
	voice := dsp.New(rate, 1, seconds*rate)
	var phones []portrait.Phone
	t := 0.3
	for i := 0; t < float64(seconds)-0.6; i++ {
		c, v := []string{"k", "m", "s", "t", "n", "r"}[i*5%6], []string{"a", "i", "u", "e", "o"}[i*3%5]
		phones = append(phones, portrait.Phone{Start: t, End: t + 0.06, P: c}, portrait.Phone{Start: t + 0.06, End: t + 0.16, P: v})
		for k := int((t + 0.06) * rate); k < int((t+0.16)*rate); k++ {
			s := float64(k) / rate
			for h := 1.0; h < 12; h++ {
				voice.Ch[0][k] += float32(0.15 / h * math.Sin(2*math.Pi*140*h*s))
			}
		}
		t += 0.16
		if i%14 == 13 {
			t += 0.3
		}
	}
	var wav bytes.Buffer
	wav.WriteString("RIFF")
	le := func(v any) { _ = binary.Write(&wav, binary.LittleEndian, v) } // a bytes.Buffer never fails
	n := uint32(len(voice.Ch[0]) * 2)
	le(36 + n)
	wav.WriteString("WAVEfmt ")
	le([]uint32{16, 1 | 1<<16, rate, rate * 2, 2 | 16<<16})
	wav.WriteString("data")
	le(n)
	for _, v := range voice.Ch[0] {
		le(int16(v * 32000))
	}
	return portrait.Input{Voice: voice, Phones: phones}, wav.Bytes()
}

func usage(who int) (cpu float64, rss int64) {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0, 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds(), u.Maxrss >> 10
}

func BenchmarkMessage(b *testing.B) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		b.Skip("ffmpeg is not installed")
	}
	dir := b.TempDir()
	in, wav := message(seconds)
	audio := filepath.Join(dir, "voice.wav")
	if err := os.WriteFile(audio, wav, 0o600); err != nil {
		b.Fatal(err)
	}
	d, err := face.NewDetector()
	if err != nil {
		b.Fatal(err)
	}
	in.Detector = d
	for _, size := range []struct{ w, h int }{{512, 512}, {1280, 720}} {
		im, truth := drawn.Portrait(drawn.Options{W: size.w, H: size.h, Size: 0.135, Noise: 1})
		picture := filepath.Join(dir, fmt.Sprintf("%d.png", size.w))
		var buf bytes.Buffer
		if err := png.Encode(&buf, im); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(picture, buf.Bytes(), 0o600); err != nil {
			b.Fatal(err)
		}
		in.Image, in.Alpha = im, nil
		for _, name := range []string{"plain", "masked"} {
			if name == "masked" {
				in.Alpha = truth.Alpha
			}
			b.Run(fmt.Sprintf("%dx%d-%s", size.w, size.h, name), func(b *testing.B) {
				for b.Loop() {
					ours, bytes, wall, rss := speak(b, dir, audio, in, size.w, size.h)
					theirs := still(b, dir, audio, picture)
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					fmt.Printf("bench: portrait-message-%dx%d-%s ours=%.1f cpu-s peer=%.1f cpu-s (ffmpeg -loop 1 -shortest) ratio=%.2f wall=%.1f s bytes=%.2f MB go=%d MiB ffmpeg=%d MiB\n",
						size.w, size.h, name, ours, theirs, ours/theirs, wall, float64(bytes)/1e6, m.Sys>>20, rss)
				}
			})
		}
	}
}

// speak renders and encodes one message.
func speak(b *testing.B, dir, audio string, in portrait.Input, w, h int) (cpu float64, size int64, wall float64, rss int64) {
	b.Helper()
	out := filepath.Join(dir, "talking.mp4")
	c := exec.Command("ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p",
		"-s", strconv.Itoa(w)+"x"+strconv.Itoa(h), "-r", "25", "-i", "pipe:0", "-f", "wav", "-i", audio, "-map", "0:v", "-map", "1:a",
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-g", "50", "-threads", "2", "-c:a", "aac", "-b:a", "128k", "-ar", "48000",
		"-t", strconv.Itoa(seconds), "-movflags", "+faststart", out)
	pipe, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	own0, _ := usage(syscall.RUSAGE_SELF)
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	_, err = portrait.Render(portrait.Options{Style: portrait.Talking, W: w, H: h, Motion: 1}, in, func(f *portrait.Frame) error {
		for _, p := range [][]byte{f.Y, f.U, f.V} {
			if _, err := pipe.Write(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := pipe.Close(); err != nil {
		b.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		b.Fatal(err)
	}
	wall = time.Since(start).Seconds()
	own1, _ := usage(syscall.RUSAGE_SELF)
	u := c.ProcessState.SysUsage().(*syscall.Rusage)
	st, err := os.Stat(out)
	if err != nil {
		b.Fatal(err)
	}
	return own1 - own0 + (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds(), st.Size(), wall, u.Maxrss >> 10
}

// still is the command that tutorials give for a picture with sound.
func still(b *testing.B, dir, audio, picture string) float64 {
	b.Helper()
	c := exec.Command("ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-y", "-loop", "1", "-i", picture, "-i", audio,
		"-c:v", "libx264", "-tune", "stillimage", "-c:a", "aac", "-b:a", "192k", "-pix_fmt", "yuv420p", "-shortest", filepath.Join(dir, "still.mp4"))
	if out, err := c.CombinedOutput(); err != nil {
		b.Fatalf("ffmpeg: %v: %s", err, out)
	}
	return (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
}
