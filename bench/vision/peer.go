package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/videomsg/videomsg/bench/vision/scenes"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/matting"
)

//go:embed grabcut.py
var grabcut string

// sizes to compare at, with the scenes to use: all at 1 MP, fewer where drawing
// takes long.
var sizes = []struct {
	name string
	w, h int
	step int
}{{"1MP", 1152, 896, 1}, {"4MP", 2304, 1792, 3}, {"12MP", 4000, 3000, 5}}

// A peer is a running grabcut.py.
type peer struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func (p peer) cut(picture, prior string, side int, result string) (seconds float64, err error) {
	if _, err := fmt.Fprintf(p.in, "%s\t%s\t%d\t5\t%s\n", picture, prior, side, result); err != nil {
		return 0, fmt.Errorf("ask grabCut: %w", err)
	}
	if !p.out.Scan() {
		return 0, fmt.Errorf("grabCut ended early: %w", p.out.Err())
	}
	return strconv.ParseFloat(strings.TrimSpace(p.out.Text()), 64)
}

// compare prints the bench lines. Both sides use one thread and get the same
// prior; times are processor seconds from the decoded picture to the full-size
// result (ours includes the edge refinement and the freed colours, which
// grabCut does not have).
func compare(w io.Writer, python string) error {
	dir, err := os.MkdirTemp("", "grabcut")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command(python, "-c", grabcut)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", python, err)
	}
	p := peer{in, bufio.NewScanner(out)}
	runtime.GOMAXPROCS(1)
	for _, size := range sizes {
		if err := compareAt(w, p, dir, size.name, size.w, size.h, size.step); err != nil {
			return err
		}
	}
	if err := in.Close(); err != nil {
		return err
	}
	return cmd.Wait()
}

type tally struct{ seconds, iou, f, n float64 }

func (t *tally) add(seconds float64, m *image.Gray, s scenes.Scene) {
	// Scored at one size, so that the sizes can be compared.
	w := 1000
	h := w * s.Alpha.Rect.Dy() / s.Alpha.Rect.Dx()
	e := scenes.Evaluate(vision.ResizeGray(m, w, h), vision.ResizeGray(s.Alpha, w, h))
	t.seconds += seconds
	t.iou += e.IoU
	t.f += e.BoundaryF
	t.n++
}

func compareAt(w io.Writer, p peer, dir, name string, width, height, step int) error {
	var ours, small, large tally
	for i := 0; i < len(scenes.Names()); i += step {
		s := scenes.Draw(i, width, height)
		picture, prior, result := filepath.Join(dir, "p.png"), filepath.Join(dir, "q.png"), filepath.Join(dir, "r.png")
		if err := writePNG(picture, s.Image); err != nil {
			return err
		}
		if err := writePNG(prior, matting.Shape(width/2, height/2, halve(s.Faces))); err != nil {
			return err
		}
		start := cpu()
		r, err := matting.Cut(s.Image, matting.Options{Faces: s.Faces, Quick: true})
		if err != nil {
			return fmt.Errorf("cut %s: %w", s.Name, err)
		}
		ours.add((cpu() - start).Seconds(), matting.Alpha(r.Cutout), s)
		for side, t := range map[int]*tally{320: &small, 1024: &large} {
			seconds, err := p.cut(picture, prior, side, result)
			if err != nil {
				return err
			}
			m, err := readGray(result)
			if err != nil {
				return err
			}
			t.add(seconds, m, s)
		}
	}
	line := func(what string, a, b, ratio float64) {
		fmt.Fprintf(w, "bench: %s ours=%.4f peer=%.4f ratio=%.2f\n", what, a, b, ratio)
	}
	line("matting-"+name+"-cpu-seconds(grabCut-320)", ours.seconds/ours.n, small.seconds/small.n, small.seconds/ours.seconds)
	line("matting-"+name+"-cpu-seconds(grabCut-1024)", ours.seconds/ours.n, large.seconds/large.n, large.seconds/ours.seconds)
	line("matting-"+name+"-iou(grabCut-320)", ours.iou/ours.n, small.iou/small.n, ours.iou/small.iou)
	line("matting-"+name+"-iou(grabCut-1024)", ours.iou/ours.n, large.iou/large.n, ours.iou/large.iou)
	line("matting-"+name+"-boundary-f(grabCut-320)", ours.f/ours.n, small.f/small.n, ours.f/small.f)
	line("matting-"+name+"-boundary-f(grabCut-1024)", ours.f/ours.n, large.f/large.n, ours.f/large.f)
	return nil
}

func halve(faces []image.Rectangle) []image.Rectangle {
	var out []image.Rectangle
	for _, f := range faces {
		out = append(out, image.Rect(f.Min.X/2, f.Min.Y/2, f.Max.X/2, f.Max.Y/2))
	}
	return out
}

func writePNG(path string, m image.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(f, m); err != nil {
		f.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}

func readGray(path string) (*image.Gray, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := vision.Read(b, vision.Limits{Bytes: 1 << 30})
	if err != nil {
		return nil, err
	}
	m := image.NewGray(p.Image.Rect)
	for i := range m.Pix {
		m.Pix[i] = p.Image.Pix[4*i]
	}
	return m, nil
}

// memory draws a 12-megapixel photo and lets a new process read and cut it, so
// that the drawing does not count.
func memory(w io.Writer) error {
	dir, err := os.MkdirTemp("", "memory")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := scenes.Draw(0, 4000, 3000)
	path := filepath.Join(dir, "12mp.jpg")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := jpeg.Encode(f, s.Image, &jpeg.Options{Quality: 90}); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := s.Faces[0]
	cmd := exec.Command(self, "-measure", path, "-face", fmt.Sprintf("%d,%d,%d,%d", b.Min.X, b.Min.Y, b.Max.X, b.Max.Y))
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	return cmd.Run()
}

// measure reads and cuts one file and prints the peak of resident memory.
func measure(w io.Writer, path, face string) error {
	var r image.Rectangle
	if _, err := fmt.Sscanf(face, "%d,%d,%d,%d", &r.Min.X, &r.Min.Y, &r.Max.X, &r.Max.Y); err != nil {
		return fmt.Errorf("face %q: %w", face, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	p, err := vision.Read(data, vision.Limits{})
	if err != nil {
		return err
	}
	start := cpu()
	if _, err := matting.Cut(p.Image, matting.Options{Faces: []image.Rectangle{r}}); err != nil {
		return err
	}
	fmt.Fprintf(w, "bench: matting-12MP-peak-rss-MB ours=%.0f peer=250 ratio=%.2f\n", peakMB(), 250/peakMB())
	fmt.Fprintf(w, "12 MP with confidence: %.0f ms of processor time\n", (cpu()-start).Seconds()*1000)
	return nil
}
