package portrait

import (
	"fmt"
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
	in, sound := message()
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
	for _, burn := range []bool{false, true} {
		name := map[bool]string{false: "plain", true: "captions"}[burn]
		b.Run("1280x720-"+name, func(b *testing.B) {
			for b.Loop() {
				dir := b.TempDir()
				j := avatar.Job{Task: "bench", Image: im, Voice: in.Voice, Phones: in.Phones, Dir: dir, Label: "AI生成", Sound: filepath.Join(dir, "sound.wav")}
				j.Options = portrait.Options{Style: portrait.Talking, W: 1280, H: 720, Motion: 1, Seed: 1}
				if err := os.WriteFile(j.Sound, sound, 0o600); err != nil {
					b.Fatal(err)
				}
				if burn {
					j.Subtitles = filepath.Join(dir, "c.ass")
					doc := captions.ASS(captions.Make(text, line, seconds), captions.Card{}, captions.Look{W: 1280, H: 720})
					if err := os.WriteFile(j.Subtitles, []byte(doc), 0o600); err != nil {
						b.Fatal(err)
					}
				}
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
				wall := time.Since(start).Seconds()
				own2, _ := usage(syscall.RUSAGE_SELF)
				child2, rss := usage(syscall.RUSAGE_CHILDREN)
				ours := own2 - own + child2 - child
				st, err := os.Stat(v.Path)
				if err != nil {
					b.Fatal(err)
				}
				picture := filepath.Join(dir, "p.png")
				f, err := os.Create(picture)
				if err != nil {
					b.Fatal(err)
				}
				if err := png.Encode(f, im); err != nil {
					b.Fatal(err)
				}
				if err := f.Close(); err != nil {
					b.Fatal(err)
				}
				theirs := still(b, dir, j.Sound, picture)
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				fmt.Printf("bench: avatar-engine-1280x720-%s ours=%.1f cpu-s peer=%.1f cpu-s (ffmpeg -loop 1 -shortest) ratio=%.2f wall=%.1f s bytes=%.2f MB go=%d MiB ffmpeg=%d MiB render+label=%.1f encode+check=%.1f cpu-s\n",
					name, ours, theirs, ours/theirs, wall, float64(st.Size())/1e6, m.Sys>>20, rss, own2-own, child2-child)
			}
		})
	}
}
