package main

import (
	"fmt"
	"image"
	"image/draw"
	"path/filepath"

	"github.com/videomsg/videomsg/bench/vision/scenes"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/background"
	"github.com/videomsg/videomsg/vision/matting"
)

// backgrounds writes a sheet of all presets, four in a row in the order of the
// catalogue, each with a person before it.
func backgrounds(dir string) error {
	const w, h, columns = 400, 300, 4
	s := scenes.Draw(0, w, h)
	person := matting.Clean(s.Image, s.Alpha)
	list := background.Catalogue()
	rows := (len(list) + columns - 1) / columns
	sheet := image.NewNRGBA(image.Rect(0, 0, columns*w, rows*h))
	for i, e := range list {
		back, err := background.Render(background.Spec{Kind: background.Preset, ID: e.ID}, w, h)
		if err != nil {
			return fmt.Errorf("draw %s: %w", e.ID, err)
		}
		at := image.Pt(i%columns*w, i/columns*h)
		cell := vision.Resize(background.Compose(person, back, background.Natural), w, h)
		draw.Draw(sheet, image.Rectangle{Min: at, Max: at.Add(image.Pt(w, h))}, cell, image.Point{}, draw.Src)
	}
	return writePNG(filepath.Join(dir, "backgrounds.png"), sheet)
}
