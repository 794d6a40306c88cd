package portrait

import (
	"fmt"
	"image/color"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/videomsg/videomsg/vision/drawn"
)

// cpu is the processor time of the process, which other jobs on the machine
// disturb less than wall time.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFrame measures the renderer alone, in CPU time per frame: the figure
// per core. "masked" puts the person on another background.
func BenchmarkFrame(b *testing.B) {
	perFrame := map[string]float64{}
	for _, size := range []struct{ w, h int }{{512, 512}, {1280, 720}, {1920, 1080}} {
		for _, masked := range []bool{false, true} {
			name := fmt.Sprintf("%dx%d", size.w, size.h)
			if masked {
				name += "-masked"
			}
			b.Run(name, func(b *testing.B) {
				do := drawn.Options{W: size.w, H: size.h, Size: 0.135}
				tk := posed(b, do, Options{W: size.w, H: size.h, Motion: 1, Threads: 1, Seed: 2}, func(in *Input, truth drawn.Truth) {
					in.Phones = speech(greeting)
					in.Voice = utter(in.Phones, 16000)
					if masked {
						in.Alpha = truth.Alpha
						bg, _ := drawn.Portrait(drawn.Options{W: 640, H: 360, CenterY: 2, Backdrop: color.NRGBA{90, 140, 90, 255}})
						in.Background = bg
					}
				})
				f := blank(size.w, size.h)
				b.ReportAllocs()
				start, n := cpu(), 0
				for b.Loop() {
					f.Index = n % 220
					tk.paint(f)
					n++
				}
				ms := float64(cpu()-start) / float64(n) / 1e6
				perFrame[name] = ms
				b.ReportMetric(1000/ms, "frames/cpu-s")
				b.Logf("bench: portrait-%s ours=%.0f frames/s/core", name, 1000/ms)
			})
		}
	}
	for _, n := range []string{"512x512", "1280x720", "1920x1080"} {
		if p, m := perFrame[n], perFrame[n+"-masked"]; p > 0 && m > 0 {
			fmt.Printf("bench: portrait-%s ours=%.1f frames/s/core masked=%.1f frames/s/core ratio=%.2f (masked/unmasked time)\n", n, 1000/p, 1000/m, m/p)
		}
	}
}

// BenchmarkRender measures a whole message of about 9 s at 720p with setup.
func BenchmarkRender(b *testing.B) {
	im, _ := drawn.Portrait(drawn.Options{W: 1280, H: 720, Size: 0.135})
	phones := speech(greeting)
	in := Input{Image: im, Detector: testDetector(b), Phones: phones, Voice: utter(phones, 16000)}
	for _, style := range []Style{Talking, Card, KenBurns, Static} {
		b.Run(string(style), func(b *testing.B) {
			start, n := cpu(), 0
			var r Report
			for b.Loop() {
				var err error
				if r, err = Render(Options{Style: style, W: 1280, H: 720, Motion: 1, Threads: 1}, in, func(*Frame) error { return nil }); err != nil {
					b.Fatal(err)
				}
				n++
			}
			sec := (cpu() - start).Seconds() / float64(n)
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Printf("bench: portrait-render-%s-720p ours=%.2f cpu-s/10s memory=%d MiB\n", style, sec*10/r.Seconds, m.Sys>>20)
		})
	}
}
