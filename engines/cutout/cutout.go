// Package cutout separates a person from the background of a portrait, by
// whichever matting engine is configured and answers.
//
// What is served where: BiRefNet runs in a rembg server or behind a user's own
// SageMaker endpoint, SAM 2 behind a user's own SageMaker endpoint or MCP
// server, SAM (the first) in rembg. Amazon Bedrock hosts neither; it offers
// Stability's Remove Background. "mcp" is any MCP server with the tools
// remove_background and refine_segmentation, for which [Handler] is a server.
// "local" needs nothing and nobody.
//
// An engine answers in the size and orientation of the picture it was given:
// that picture has been read by vision.Read, so it is upright, and what is sent
// out is encoded anew, without metadata. Remote masks are checked for size and
// plausibility before they are believed.
package cutout

import (
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/matting"
)

// Input is one portrait.
type Input struct {
	// Image is upright sRGB, as vision.Read returns it.
	Image *image.NRGBA
	// Faces are squares from brow to chin, the person to keep first.
	Faces []image.Rectangle
	// Only keeps the first face's person alone (local engine).
	Only bool
	// Mask is the alpha to improve, for a refining chain; nil when removing.
	Mask *image.Gray
	// MinConfidence overrides matting.Accept for engines that rate themselves;
	// 0 means the default.
	MinConfidence float64
}

func (in Input) accept() float64 {
	if in.MinConfidence > 0 {
		return in.MinConfidence
	}
	return matting.Accept
}

// Output is a cut-out.
type Output struct {
	// Cutout has the input's size, straight alpha, and edge colours free of the
	// old background. From the original engine it is the picture itself.
	Cutout *image.NRGBA
	// Original is true when nothing was cut out.
	Original bool
	// Confidence is 0..1; 0 when the engine has no opinion.
	Confidence float64
	// Model names the model, when there is one.
	Model string
	// Reasons say what lowered the confidence.
	Reasons []matting.Reason
}

// Engine and Chain are what a stage runs.
type (
	Engine = engines.Engine[Input, Output]
	Chain  = engines.Chain[Input, Output]
)

// Local returns the engine that cuts with vision/matting. It declines
// (engines.ErrPermanent) a picture without a face and a cut it does not trust.
func Local() Engine {
	return Engine{Name: "local", Run: runLocal}
}

// LocalRefine returns the engine that fits a given mask's edge to the picture.
func LocalRefine() Engine {
	return Engine{Name: "local", Run: refineLocal}
}

// Original returns the engine that leaves the picture as it is: the chain's
// last resort, which cannot fail.
func Original() Engine {
	return Engine{Name: "original", Run: runOriginal}
}

// Names of the engines in the order in which they are tried by default.
var defaultOrder = [...]string{"mcp", "sagemaker", "bedrock", "rembg", "onnx", "local", "original"}

// Order parses the MATTING_ENGINES list: comma separated names, "none" meaning
// "original", empty meaning the default order. An unknown name is an error.
func Order(s string) ([]string, error) {
	if strings.TrimSpace(s) == "" {
		return slices.Clone(defaultOrder[:]), nil
	}
	var out []string
	for name := range strings.SplitSeq(s, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "none" {
			name = "original"
		}
		if !slices.Contains(defaultOrder[:], name) {
			return nil, fmt.Errorf("matting engine %q: not one of %s", name, strings.Join(defaultOrder[:], ", "))
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// Arrange sorts the engines at hand by order; names without an engine are not
// configured and skipped.
func Arrange(order []string, have ...Engine) Chain {
	var c Chain
	for _, name := range order {
		for _, e := range have {
			if e.Name == name {
				c = append(c, e)
			}
		}
	}
	return c
}

// sameSize reports whether two pictures have the same size.
func sameSize(a, b image.Rectangle) bool { return a.Dx() == b.Dx() && a.Dy() == b.Dy() }

// finish turns a model's mask, in the size of what was sent, into an output in
// the input's size. A mask in another shape, as after a forgotten or doubled
// orientation, is an engine's failure; a mask that cannot be a person is a
// refusal.
func finish(in Input, m *image.Gray, sent image.Point, model string) (Output, error) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if w < 16 || h < 16 || abs(w*sent.Y-h*sent.X)*50 > w*sent.Y {
		return Output{}, fmt.Errorf("mask is %d × %d for a picture of %d × %d", w, h, sent.X, sent.Y)
	}
	c, reasons := matting.Judge(m, matting.Options{Faces: scaleFaces(in, w)})
	if c < 0.5 {
		return Output{}, fmt.Errorf("mask is no person %v: %w", reasons, engines.ErrPermanent)
	}
	out := Output{Confidence: c, Reasons: reasons, Model: model}
	// A mask as fine as the picture is kept; a coarser one gets the picture's
	// own edges.
	if w >= in.Image.Rect.Dx() && max(w, h) <= 1100 {
		out.Cutout = matting.Clean(in.Image, m)
	} else {
		out.Cutout = matting.Refine(in.Image, m)
	}
	return out, nil
}

func abs(v int) int { return max(v, -v) }

func scaleFaces(in Input, w int) []image.Rectangle {
	k := float64(w) / float64(max(in.Image.Rect.Dx(), 1))
	var out []image.Rectangle
	for _, f := range in.Faces {
		out = append(out, image.Rect(int(float64(f.Min.X)*k), int(float64(f.Min.Y)*k), int(float64(f.Max.X)*k), int(float64(f.Max.Y)*k)))
	}
	return out
}

// mergeRefined combines a coarse alpha with what a segmenter made of it. The
// segmenter is right about which regions belong to the person, the alpha about
// how soft their edge is: near the segmenter's outline the alpha stays, away
// from it the segmenter decides. A segmentation that has little to do with the
// alpha is refused.
func mergeRefined(alpha, refined *image.Gray) (*image.Gray, error) {
	w, h := alpha.Rect.Dx(), alpha.Rect.Dy()
	r := resizeGray(refined, w, h)
	var in, un int
	for i, a := range alpha.Pix[:w*h] {
		if a > 127 && r.Pix[i] > 127 {
			in++
		}
		if a > 127 || r.Pix[i] > 127 {
			un++
		}
	}
	if un == 0 || float64(in) < 0.7*float64(un) {
		return nil, fmt.Errorf("refined mask shares %d of %d pixels with the first: %w", in, un, engines.ErrPermanent)
	}
	near := matting.Blur(r, max(2, max(w, h)*8/1024))
	out := image.NewGray(alpha.Rect)
	for i, a := range alpha.Pix[:w*h] {
		switch {
		case near.Pix[i] < 5:
			out.Pix[i] = 0
		case near.Pix[i] > 250:
			out.Pix[i] = 255
		default:
			out.Pix[i] = a
		}
	}
	return out, nil
}

// resizeGray scales a mask to w × h.
func resizeGray(m *image.Gray, w, h int) *image.Gray {
	if m.Rect.Dx() == w && m.Rect.Dy() == h && m.Stride == w {
		return m
	}
	return vision.ResizeGray(m, w, h)
}
