package main

import (
	"cmp"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/videomsg/videomsg/bench/vision/scenes"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/background"
	"github.com/videomsg/videomsg/vision/face"
	"github.com/videomsg/videomsg/vision/matting"
)

// photos cuts every picture of a folder as the image stage would. A matte of the
// same name in its folder alpha (as alpha channel or grey PNG) is the truth to
// score against. With out, each cut-out is written there on studio grey, and
// contact sheets.
func photos(w io.Writer, dir, out string) error {
	found, err := face.NewDetector()
	if err != nil {
		return err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list photos: %w", err)
	}
	var rows []*image.NRGBA
	var sum scenes.Score
	var good []float64
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		p, err := readPhoto(filepath.Join(dir, f.Name()))
		if err != nil {
			fmt.Fprintf(w, "%-16s %v\n", f.Name(), err)
			continue
		}
		name := strings.TrimSuffix(f.Name(), filepath.Ext(f.Name()))
		seen := found.Analyze(p)
		var faces []image.Rectangle
		for _, f := range seen.Faces {
			faces = append(faces, f.Box())
		}
		start := cpu()
		r, err := matting.Cut(p, matting.Options{Faces: faces})
		took := (cpu() - start).Round(time.Millisecond)
		if err != nil {
			fmt.Fprintf(w, "%-16s %v %v\n", name, err, seen.Reasons)
			continue
		}
		a := matting.Alpha(r.Cutout)
		truth := a
		if t, err := readMatte(filepath.Join(dir, "alpha", name+".png"), p.Rect); err == nil {
			truth = t
			s := scenes.Evaluate(vision.ResizeGray(a, 1000, 1000*p.Rect.Dy()/p.Rect.Dx()), vision.ResizeGray(t, 1000, 1000*p.Rect.Dy()/p.Rect.Dx()))
			fmt.Fprintf(w, "%-16s IoU %.3f MAE %.4f F %.3f grad %6.2f ", name, s.IoU, s.MAE, s.BoundaryF, s.Gradient)
			good = append(good, s.IoU)
			sum.MAE += s.MAE
			sum.BoundaryF += s.BoundaryF
		} else {
			fmt.Fprintf(w, "%-16s ", name)
		}
		fmt.Fprintf(w, "conf %.2f agree %.2f faces %d %v %v %v\n", r.Confidence, r.Agreement, len(faces), took, r.Reasons, seen.Reasons)
		if out == "" {
			continue
		}
		rows = append(rows, row(scenes.Scene{Image: p, Alpha: truth}, r.Cutout, a))
		back, err := background.Render(background.Spec{Kind: background.Preset, ID: "studio"}, p.Rect.Dx(), p.Rect.Dy())
		if err != nil {
			return err
		}
		if err := writePNG(filepath.Join(out, name+".png"), background.Compose(r.Cutout, back, background.Natural)); err != nil {
			return err
		}
	}
	if n := float64(len(good)); n > 0 {
		slices.SortFunc(good, cmp.Compare)
		var mean float64
		low := 0
		for _, v := range good {
			mean += v / n
			if v < 0.8 {
				low++
			}
		}
		fmt.Fprintf(w, "%d with a matte: IoU mean %.3f median %.3f, %d under 0.80; MAE %.4f, boundary F %.3f\n",
			len(good), mean, good[len(good)/2], low, sum.MAE/n, sum.BoundaryF/n)
	}
	for i := 0; i < len(rows); i += 6 {
		if err := writeSheet(filepath.Join(out, fmt.Sprintf("sheet-%d.png", i/6+1)), rows[i:min(i+6, len(rows))]); err != nil {
			return err
		}
	}
	return nil
}

func readPhoto(path string) (*image.NRGBA, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := vision.Read(data, vision.Limits{Bytes: 1 << 28})
	if err != nil {
		return nil, err
	}
	return p.Image, nil
}

// readMatte reads a matte and stretches it to the photo's size.
func readMatte(path string, size image.Rectangle) (*image.Gray, error) {
	p, err := readPhoto(path)
	if err != nil {
		return nil, err
	}
	m := matting.Alpha(p)
	if !slices.ContainsFunc(m.Pix, func(v uint8) bool { return v < 255 }) {
		for i := range m.Pix {
			m.Pix[i] = p.Pix[4*i]
		}
	}
	if m.Rect.Dx() == size.Dx() && m.Rect.Dy() == size.Dy() {
		return m, nil
	}
	return vision.ResizeGray(m, size.Dx(), size.Dy()), nil
}
