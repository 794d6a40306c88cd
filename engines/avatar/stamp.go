package avatar

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/vision/portrait"
)

// A Corner is where the label stands.
type Corner string

// Corners; the zero value is BottomRight.
const (
	TopLeft     Corner = "top-left"
	TopRight    Corner = "top-right"
	BottomLeft  Corner = "bottom-left"
	BottomRight Corner = "bottom-right"
)

// A stamp is the label that says that a video is synthetic, ready to be laid on
// frames of one size: what a pixel becomes is (1−cover)·pixel + cover·light.
type stamp struct {
	x, y, w, h int
	cover      []float32 // 0..1
	light      []uint8   // luma, limited range
}

// newStamp draws text for a corner of a w×h frame. The renderer draws it, on
// black and on white: from both it is seen how much of the picture shows through
// and what is laid on it, whatever the lettering.
func newStamp(text string, corner Corner, w, h int) (*stamp, error) {
	black, err := labelled(text, color.Black, w, h)
	if err != nil {
		return nil, err
	}
	white, err := labelled(text, color.White, w, h)
	if err != nil {
		return nil, err
	}
	lo, hi := float32(black[0]), float32(white[0]) // a corner without label
	box := image.Rectangle{}
	cover := make([]float32, w*h)
	for i := range black {
		// Rounding makes a pixel or two of the plain ground differ by one.
		if c := 1 - (float32(white[i])-float32(black[i]))/(hi-lo); c > 0.02 {
			cover[i] = min(c, 1)
			box = box.Union(image.Rect(i%w, i/w, i%w+1, i/w+1))
		}
	}
	if box.Empty() {
		return nil, errors.New("the label cannot be seen")
	}
	box = image.Rect(box.Min.X&^1, box.Min.Y&^1, min((box.Max.X+1)&^1, w), min((box.Max.Y+1)&^1, h))
	s := &stamp{x: box.Min.X, y: box.Min.Y, w: box.Dx(), h: box.Dy()}
	s.cover, s.light = make([]float32, s.w*s.h), make([]uint8, s.w*s.h)
	for y := range s.h {
		for x := range s.w {
			from, to := (s.y+y)*w+s.x+x, y*s.w+x
			s.cover[to] = cover[from]
			if c := cover[from]; c > 0 {
				s.light[to] = uint8(min(max((float32(black[from])-(1-c)*lo)/c+0.5, 16), 235))
			}
		}
	}
	right, bottom := w-s.x-s.w, h-s.y-s.h
	if strings.HasSuffix(string(corner), "left") {
		s.x = right &^ 1
	}
	if strings.HasPrefix(string(corner), "top") {
		s.y = bottom &^ 1
	}
	return s, nil
}

// labelled is the luma of a plain frame with the label in its lower right.
func labelled(text string, ground color.Color, w, h int) ([]byte, error) {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	c := color.NRGBAModel.Convert(ground).(color.NRGBA)
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = c.R, c.G, c.B, 255
	}
	var luma []byte
	o := portrait.Options{Style: portrait.Static, W: w, H: h, FPS: 10, Label: text, Threads: 1}
	voice := dsp.New(1000, 1, 1)
	if _, err := portrait.Render(o, portrait.Input{Image: img, Voice: voice}, func(f *portrait.Frame) error {
		luma = append(luma[:0], f.Y...)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("draw label: %w", err)
	}
	if len(luma) != w*h {
		return nil, errors.New("draw label: no frame")
	}
	return luma, nil
}

// draw lays the stamp on a frame.
func (s *stamp) draw(f *portrait.Frame) {
	for y := range s.h {
		for x := range s.w {
			c := s.cover[y*s.w+x]
			if c == 0 {
				continue
			}
			p := &f.Y[(s.y+y)*f.W+s.x+x]
			*p = uint8((1-c)*float32(*p) + c*float32(s.light[y*s.w+x]) + 0.5)
			if x&1 == 0 && y&1 == 0 {
				i := (s.y+y)/2*(f.W/2) + (s.x+x)/2
				f.U[i] = uint8((1-c)*float32(f.U[i]) + c*128 + 0.5)
				f.V[i] = uint8((1-c)*float32(f.V[i]) + c*128 + 0.5)
			}
		}
	}
}

// writePNG writes the stamp for ffmpeg's overlay.
func (s *stamp) writePNG(path string) (err error) {
	img := image.NewNRGBA(image.Rect(0, 0, s.w, s.h))
	for i, c := range s.cover {
		l := rgb(s.light[i], 128, 128).R
		copy(img.Pix[4*i:], []byte{l, l, l, byte(c*255 + 0.5)})
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return png.Encode(f, img)
}
