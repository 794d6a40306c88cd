package matting_test

import (
	"image"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/videomsg/videomsg/vision/matting"
)

func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHostileCut is for pictures made to slow the graph cut down.
func BenchmarkHostileCut(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	pictures := map[string]func(x, y int) uint8{
		"noise":   func(int, int) uint8 { return uint8(rng.Uint32()) },
		"checker": func(x, y int) uint8 { return uint8((x/3 + y/3) % 2 * 255) },
		"stripes": func(x, _ int) uint8 { return uint8(x * 37) },
		"flat":    func(int, int) uint8 { return 128 },
		"ramp":    func(x, y int) uint8 { return uint8((x + y) / 4) },
	}
	for name, f := range pictures {
		m := image.NewNRGBA(image.Rect(0, 0, 640, 640))
		for y := range 640 {
			for x := range 640 {
				p := m.Pix[y*m.Stride+4*x:]
				p[0], p[1], p[2], p[3] = f(x, y), f(x, y), f(x, y), 255
			}
		}
		b.Run(name, func(b *testing.B) {
			start := processor()
			for b.Loop() {
				if _, err := matting.Cut(m, matting.Options{Faces: []image.Rectangle{image.Rect(220, 160, 420, 360)}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((processor()-start).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}
