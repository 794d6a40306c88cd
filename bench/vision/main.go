// Command vision measures the local cut-out on drawn scenes with exact alpha and
// writes contact sheets to look at.
//
//	go run ./bench/vision -out sheets            table and sheets
//	go run ./bench/vision -peer                  OpenCV's grabCut with the same prior (python3-opencv)
//	go run ./bench/vision -rss                   peak memory of a 12-megapixel photo
//	go run ./bench/vision -backgrounds -out DIR  a sheet of every background
//	go run ./bench/vision -photos DIR -out DIR   photographs of your own, scored against DIR/alpha/NAME.png
package main

import (
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/videomsg/videomsg/bench/vision/scenes"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/matting"
)

func main() {
	out := flag.String("out", "", "folder for contact sheets")
	peer := flag.Bool("peer", false, "compare with OpenCV's grabCut")
	python := flag.String("python", "/usr/bin/python3", "Python with cv2")
	w := flag.Int("w", 1152, "scene width")
	h := flag.Int("h", 896, "scene height")
	dir := flag.String("photos", "", "folder of photographs to cut instead of drawn scenes")
	presets := flag.Bool("backgrounds", false, "draw every background preset")
	rss := flag.Bool("rss", false, "measure the peak memory of a 12-megapixel photo")
	file := flag.String("measure", "", "used by -rss: picture to read and cut")
	face := flag.String("face", "", "used by -rss: x0,y0,x1,y1")
	flag.Parse()
	var err error
	switch {
	case *file != "":
		err = measure(os.Stdout, *file, *face)
	case *dir != "":
		err = photos(os.Stdout, *dir, *out)
	case *presets:
		err = backgrounds(*out)
	case *rss:
		err = memory(os.Stdout)
	case *peer:
		err = compare(os.Stdout, *python)
	default:
		err = run(os.Stdout, *out, *w, *h)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(w io.Writer, dir string, width, height int) error {
	var sum scenes.Score
	var rows []*image.NRGBA
	names := scenes.Names()
	for i, name := range names {
		s := scenes.Draw(i, width, height)
		t := cpu()
		r, err := matting.Cut(s.Image, matting.Options{Faces: s.Faces})
		if err != nil {
			return fmt.Errorf("cut %s: %w", name, err)
		}
		took := cpu() - t
		a := matting.Alpha(r.Cutout)
		e := scenes.Evaluate(a, s.Alpha)
		fmt.Fprintf(w, "%-18s IoU %.3f MAE %.4f SAD %5.1f F %.3f grad %6.2f spill %4.1f conf %.2f agree %.2f %v %v\n",
			name, e.IoU, e.MAE, e.SAD, e.BoundaryF, e.Gradient, scenes.Spill(r.Cutout, s), r.Confidence, r.Agreement, took.Round(time.Millisecond), r.Reasons)
		sum.IoU += e.IoU / float64(len(names))
		sum.MAE += e.MAE / float64(len(names))
		sum.SAD += e.SAD / float64(len(names))
		sum.BoundaryF += e.BoundaryF / float64(len(names))
		sum.Gradient += e.Gradient / float64(len(names))
		if dir != "" {
			rows = append(rows, row(s, r.Cutout, a))
		}
	}
	fmt.Fprintf(w, "%-18s IoU %.3f MAE %.4f SAD %5.1f F %.3f grad %6.2f\n", "mean", sum.IoU, sum.MAE, sum.SAD, sum.BoundaryF, sum.Gradient)
	for i := 0; i < len(rows); i += 5 {
		if err := writeSheet(filepath.Join(dir, fmt.Sprintf("matting-%d.png", i/5+1)), rows[i:min(i+5, len(rows))]); err != nil {
			return err
		}
	}
	return nil
}

// row shows a scene, its true alpha, ours, and the cut-out on pink.
func row(s scenes.Scene, cut *image.NRGBA, a *image.Gray) *image.NRGBA {
	w, h := s.Image.Rect.Dx(), s.Image.Rect.Dy()
	grey := func(m *image.Gray) *image.NRGBA {
		o := image.NewNRGBA(image.Rect(0, 0, w, h))
		for i, v := range m.Pix {
			o.Pix[4*i], o.Pix[4*i+1], o.Pix[4*i+2], o.Pix[4*i+3] = v, v, v, 255
		}
		return o
	}
	pink := image.NewNRGBA(cut.Rect)
	for i := 0; i < len(pink.Pix); i += 4 {
		al := int(cut.Pix[i+3])
		for k, b := range [3]int{255, 90, 200} {
			pink.Pix[i+k] = uint8((int(cut.Pix[i+k])*al + b*(255-al)) / 255)
		}
		pink.Pix[i+3] = 255
	}
	tw := 400
	th := tw * h / w
	out := image.NewNRGBA(image.Rect(0, 0, 4*tw, th))
	for k, m := range []*image.NRGBA{s.Image, grey(s.Alpha), grey(a), pink} {
		t := vision.Resize(m, tw, th)
		for y := range th {
			copy(out.Pix[y*out.Stride+4*k*tw:], t.Pix[y*t.Stride:y*t.Stride+4*tw])
		}
	}
	return out
}

func writeSheet(path string, rows []*image.NRGBA) error {
	h := 0
	for _, r := range rows {
		h += r.Rect.Dy()
	}
	sheet := image.NewNRGBA(image.Rect(0, 0, rows[0].Rect.Dx(), h))
	at := 0
	for _, r := range rows {
		at += copy(sheet.Pix[at:], r.Pix)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(f, sheet); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// cpu is this process's processor time so far; wall time says little on a
// machine that others use too.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMB is the largest resident memory so far, in megabytes. Getrusage is no
// use here: its maximum survives exec and is the parent's.
func peakMB() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kb float64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		return 0
	}
	return kb * 1024 / 1e6
}
