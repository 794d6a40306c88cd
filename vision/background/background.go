// Package background draws what stands behind a cut-out person and puts the
// person in front of it.
//
// Every picture is drawn by code at the size asked for, so there are no files,
// no licences and no stretching. The same arguments give the same picture.
// All functions are pure and safe for concurrent use.
package background

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"strconv"
	"strings"

	"github.com/videomsg/videomsg/vision"
)

// ErrUnknown: no background has this name.
var ErrUnknown = errors.New("unknown background")

// Default is the preset used when nothing is asked for.
const Default = "soft"

// A Kind says where a background comes from.
type Kind string

// The kinds.
const (
	Original    Kind = "original"    // the picture as it is; nothing is cut out
	Transparent Kind = "transparent" // the cut-out alone
	Colour      Kind = "color"       // one colour
	Gradient    Kind = "gradient"    // two or three colours
	Blur        Kind = "blur"        // the original, out of focus, without the person
	Image       Kind = "image"       // the sender's own picture
	Preset      Kind = "preset"      // one of Catalogue
)

// A Spec is a parsed choice of background.
type Spec struct {
	Kind   Kind
	ID     string        // of a preset
	Colour color.NRGBA   // of Colour
	Stops  []color.NRGBA // of Gradient, from the start of the line to its end
	Angle  float64       // of Gradient: degrees clockwise from pointing down
	Radial bool          // of Gradient: from the middle outwards
}

// Parse reads the API's notation: "original", "transparent", "blur", "image",
// "#rgb" or "#rrggbb", "gradient:#rrggbb,#rrggbb[,#rrggbb][@degrees|@radial]",
// or the id of a preset; empty means Default. Anything else is ErrUnknown.
func Parse(s string) (Spec, error) {
	switch k := Kind(s); k {
	case "":
		return Spec{Kind: Preset, ID: Default}, nil
	case Original, Transparent, Blur, Image:
		return Spec{Kind: k}, nil
	}
	if strings.HasPrefix(s, "#") {
		c, err := parseColour(s)
		if err != nil {
			return Spec{}, err
		}
		return Spec{Kind: Colour, Colour: c}, nil
	}
	if rest, ok := strings.CutPrefix(s, "gradient:"); ok {
		return parseGradient(rest)
	}
	for _, p := range presets() {
		if p.ID == s {
			return Spec{Kind: Preset, ID: s}, nil
		}
	}
	return Spec{}, fmt.Errorf("background %.40q: %w", s, ErrUnknown)
}

func parseGradient(s string) (Spec, error) {
	list, how, _ := strings.Cut(s, "@")
	g := Spec{Kind: Gradient, Radial: how == "radial"}
	for part := range strings.SplitSeq(list, ",") {
		c, err := parseColour(strings.TrimSpace(part))
		if err != nil {
			return Spec{}, err
		}
		g.Stops = append(g.Stops, c)
	}
	if len(g.Stops) < 2 || len(g.Stops) > 3 {
		return Spec{}, fmt.Errorf("gradient of %d colours, want 2 or 3: %w", len(g.Stops), ErrUnknown)
	}
	if how != "" && !g.Radial {
		a, err := strconv.ParseFloat(how, 64)
		if err != nil || !(a >= -360 && a <= 360) {
			return Spec{}, fmt.Errorf("gradient angle %.20q: %w", how, ErrUnknown)
		}
		g.Angle = a
	}
	return g, nil
}

func parseColour(s string) (color.NRGBA, error) {
	hex, ok := strings.CutPrefix(s, "#")
	if ok && len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	v, err := strconv.ParseUint(hex, 16, 32)
	if !ok || len(hex) != 6 || err != nil {
		return color.NRGBA{}, fmt.Errorf("colour %.20q, want #rrggbb: %w", s, ErrUnknown)
	}
	return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}, nil
}

// An Entry is a preset as a catalogue shows it.
type Entry struct {
	ID string
	Ja string // name in Japanese
	En string // name in English
}

// Catalogue lists the presets in the order in which to show them.
func Catalogue() []Entry {
	var out []Entry
	for _, p := range presets() {
		out = append(out, p.Entry)
	}
	return out
}

// Most pixels that Render draws; deliveries have at most 4 megapixels.
const maxPixels = 40_000_000

// Render draws a colour, gradient or preset of w × h pixels. The other kinds
// need pictures: see Defocus and vision.Cover.
func Render(s Spec, w, h int) (*image.NRGBA, error) {
	if w < 1 || h < 1 || int64(w)*int64(h) > maxPixels {
		return nil, fmt.Errorf("draw background of %d × %d pixels: size out of range", w, h)
	}
	switch s.Kind {
	case Colour:
		out := image.NewNRGBA(image.Rect(0, 0, w, h))
		for i := 0; i < len(out.Pix); i += 4 {
			out.Pix[i], out.Pix[i+1], out.Pix[i+2], out.Pix[i+3] = s.Colour.R, s.Colour.G, s.Colour.B, 255
		}
		return out, nil
	case Gradient:
		if len(s.Stops) == 0 {
			return nil, fmt.Errorf("gradient without colours: %w", ErrUnknown)
		}
		c := newCanvas(w, h, 1)
		c.gradient(s)
		return c.image(), nil
	case Transparent:
		return image.NewNRGBA(image.Rect(0, 0, w, h)), nil
	case Preset:
		for _, p := range presets() {
			if p.ID == s.ID {
				c := newCanvas(w, h, p.seed)
				p.draw(c)
				return c.image(), nil
			}
		}
		return nil, fmt.Errorf("background %.40q: %w", s.ID, ErrUnknown)
	}
	return nil, fmt.Errorf("background %q cannot be drawn without a picture: %w", s.Kind, ErrUnknown)
}

// Defocus blurs the original after filling the person with what surrounds them,
// so that no glow of their colours remains behind them. cutout must have the
// original's size. The result has the original's size.
func Defocus(original, cutout *image.NRGBA) *image.NRGBA {
	// The blur is wide, so it is computed small.
	small := vision.Shrink(original, 480)
	w, h := small.Rect.Dx(), small.Rect.Dy()
	cut := vision.Resize(cutout, w, h)
	sigma := 0.025 * float64(max(w, h))
	c := newCanvas(w, h, 1)
	weight := make([]float32, w*h)
	for y := range h {
		for x := range w {
			i := y*w + x
			p := small.Pix[y*small.Stride+4*x:]
			// A wide margin around the person is left out too: masks are never perfect.
			a := 1 - float32(cut.Pix[y*cut.Stride+4*x+3])/255
			weight[i] = a * a * a
			for k := range 3 {
				c.pix[i][k] = linear[p[k]] * weight[i]
			}
		}
	}
	c.blurred(sigma, weight)
	return vision.Resize(c.image(), original.Rect.Dx(), original.Rect.Dy())
}
