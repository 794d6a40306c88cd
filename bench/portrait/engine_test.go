package portrait

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/videomsg/videomsg/consumers/video/captions"
	"github.com/videomsg/videomsg/consumers/video/provenance"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/face"
	"github.com/videomsg/videomsg/vision/portrait"
)

// BenchmarkEngine measures what the product does for a message: render, label,
// captions burned in, encode, check by decoding, sign. The peer is ffmpeg's usual
// still-image command, which does none of this.
func BenchmarkEngine(b *testing.B) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		b.Skip("ffmpeg is not installed")
	}
	in, sound := message(seconds)
	d, err := face.NewDetector()
	if err != nil {
		b.Fatal(err)
	}
	key, err := provenance.Key(filepath.Join(b.TempDir(), "key"))
	if err != nil {
		b.Fatal(err)
	}
	im, _ := drawn.Portrait(drawn.Options{W: 1280, H: 720, Size: 0.135, Noise: 1})
	text := "お誕生日おめでとうございます。いつも優しくしてくれて、本当にありがとう。"
	line := speech.Timings{}
	for i, r := range []rune(text) {
		s := 0.3 + 0.25*float64(i)
		line.Words = append(line.Words, speech.Word{Start: s, End: s + 0.25, CharStart: i, CharEnd: i + 1, Text: string(r)})
	}
	for b.Loop() {
		// The peer comes last: the kernel knows only the largest child so far.
		plain := speakEngine(b, d, key, in, sound, im, "")
		doc := captions.ASS(captions.Make(text, line, seconds), captions.Card{}, captions.Look{W: 1280, H: 720})
		burned := speakEngine(b, d, key, in, sound, im, doc)
		picture, voice := filepath.Join(b.TempDir(), "p.png"), filepath.Join(b.TempDir(), "v.wav")
		f, err := os.Create(picture)
		if err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(png.Encode(f, im), f.Close(), os.WriteFile(voice, sound, 0o600)); err != nil {
			b.Fatal(err)
		}
		theirs := still(b, b.TempDir(), voice, picture)
		for _, c := range []cost{plain, burned} {
			fmt.Printf("bench: avatar-engine-1280x720-%s ours=%.1f cpu-s peer=%.1f cpu-s (ffmpeg -loop 1 -shortest) ratio=%.2f wall=%.1f s bytes=%.2f MB go=%d MiB ffmpeg=%d MiB render+label=%.1f encode+check=%.1f cpu-s\n",
				c.name, c.own+c.child, theirs, (c.own+c.child)/theirs, c.wall, float64(c.size)/1e6, c.heap, c.rss, c.own, c.child)
		}
	}
}

// BenchmarkFiveMinutes is the longest speech there is: neither memory nor the
// clocks of picture and sound may grow apart with length.
func BenchmarkFiveMinutes(b *testing.B) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		b.Skip("ffmpeg is not installed")
	}
	const long = 300
	in, sound := message(long)
	d, err := face.NewDetector()
	if err != nil {
		b.Fatal(err)
	}
	im, _ := drawn.Portrait(drawn.Options{W: 512, H: 512, Size: 0.135, Noise: 1})
	for b.Loop() {
		dir := b.TempDir()
		j := avatar.Job{Task: "bench", Image: im, Voice: in.Voice, Phones: in.Phones, Dir: dir, Label: "AI生成", Sound: filepath.Join(dir, "sound.wav")}
		j.Options = portrait.Options{Style: portrait.Talking, W: 512, H: 512, Motion: 1, Seed: 1}
		if err := os.WriteFile(j.Sound, sound, 0o600); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		own, _ := usage(syscall.RUSAGE_SELF)
		child, _ := usage(syscall.RUSAGE_CHILDREN)
		start := time.Now()
		v, err := avatar.Portrait(d, 2).Run(b.Context(), j)
		if err != nil {
			b.Fatal(err)
		}
		wall := time.Since(start).Seconds()
		own2, _ := usage(syscall.RUSAGE_SELF)
		child2, rss := usage(syscall.RUSAGE_CHILDREN)
		f, err := avatar.Probe(v.Path)
		if err != nil {
			b.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		// The peer is the clock: a second of video per second.
		fmt.Printf("bench: avatar-engine-300s-512x512 ours=%.1f cpu-s peer=%d s (its length) ratio=%.2f wall=%.1f s picture=%.3f s sound=%.3f s go=%d MiB ffmpeg=%d MiB voice=%d MiB\n",
			own2-own+child2-child, long, (own2-own+child2-child)/long, wall, f.Video, f.Audio, (m.Sys-m.HeapReleased)>>20, rss, in.Voice.Len()*4>>20)
	}
}

type cost struct {
	name             string
	own, child, wall float64 // seconds
	size, heap, rss  int64   // bytes, MiB, MiB
}

// speakEngine makes one message of ten seconds as the video stage does.
func speakEngine(b *testing.B, d *face.Detector, key ed25519.PrivateKey, in portrait.Input, sound []byte, im image.Image, ass string) cost {
	b.Helper()
	dir := b.TempDir()
	c := cost{name: "plain"}
	j := avatar.Job{Task: "bench", Image: im, Voice: in.Voice, Phones: in.Phones, Dir: dir, Label: "AI生成", Sound: filepath.Join(dir, "sound.wav")}
	j.Options = portrait.Options{Style: portrait.Talking, W: 1280, H: 720, Motion: 1, Seed: 1}
	if err := os.WriteFile(j.Sound, sound, 0o600); err != nil {
		b.Fatal(err)
	}
	if ass != "" {
		c.name, j.Subtitles = "captions", filepath.Join(dir, "c.ass")
		if err := os.WriteFile(j.Subtitles, []byte(ass), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC() // what made the test picture does not count
	start := time.Now()
	own, _ := usage(syscall.RUSAGE_SELF)
	child, _ := usage(syscall.RUSAGE_CHILDREN)
	v, err := avatar.Portrait(d, 2).Run(b.Context(), j)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := provenance.Sign(v.Path, provenance.Record{Task: "bench", SourceType: provenance.Composite}, key); err != nil {
		b.Fatal(err)
	}
	c.wall = time.Since(start).Seconds()
	own2, _ := usage(syscall.RUSAGE_SELF)
	child2, rss := usage(syscall.RUSAGE_CHILDREN)
	c.own, c.child, c.rss = own2-own, child2-child, rss
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.heap = int64((m.Sys - m.HeapReleased) >> 20) //nolint:gosec // far below
	st, err := os.Stat(v.Path)
	if err != nil {
		b.Fatal(err)
	}
	c.size = st.Size()
	return c
}
