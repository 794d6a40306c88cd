package cutout

import (
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/videomsg/videomsg/vision"
)

// A ModelProfile says how a family of ONNX models wants its picture and what it
// answers. All take float32 [1, 3, size, size], the picture squashed to a
// square, and answer [1, n, size, size] or [1, size, size].
type ModelProfile struct {
	Name string
	Size int  // side of the square
	BGR  bool // channel order
	// A sample is ((v·scale) - Mean) / Std · Post, where scale is 1/maximum of the
	// picture with ByMax, else 1/Range.
	ByMax     bool
	Range     float32
	Mean, Std [3]float32 // in the order red, green, blue
	Post      float32
	// Answer: "stretch" spreads minimum..maximum to 0..1, "sigmoid" takes logits,
	// "sigmoid-stretch" both, "plane1" takes the second plane as it is.
	Answer string
	// Last takes the last output instead of the first (models with side outputs).
	Last bool
	// Coarse models only lead the graph cut; the others' masks are taken as they are.
	Coarse bool
}

// profileOf knows the families by name; the list is rembg's and the model
// authors' preprocessing.
func profileOf(name string) (ModelProfile, error) {
	imageNet := [2][3]float32{{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}}
	u2 := ModelProfile{Size: 320, ByMax: true, Mean: imageNet[0], Std: imageNet[1], Post: 1, Answer: "stretch", Coarse: true}
	bi := u2
	bi.Size, bi.Answer, bi.Coarse = 1024, "sigmoid-stretch", false
	is := ModelProfile{Size: 1024, ByMax: true, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{1, 1, 1}, Post: 1, Answer: "stretch"}
	si := ModelProfile{Size: 320, BGR: true, Range: 1, Mean: [3]float32{126.91, 111.25, 102.89}, Std: [3]float32{66.36, 62.82, 62.93}, Post: 1.0 / 255, Answer: "plane1", Coarse: true}
	all := map[string]ModelProfile{
		"u2net": u2, "u2netp": u2, "u2net_human_seg": u2, "silueta": u2,
		"birefnet": bi, "isnet": is, "sinet": si,
	}
	p, ok := all[name]
	if !ok {
		var names []string
		for n := range all {
			names = append(names, n)
		}
		slices.Sort(names)
		return p, fmt.Errorf("model profile %q: not one of %v", name, names)
	}
	p.Name = name
	return p, nil
}

// tensor squashes the picture into the model's input.
func (p ModelProfile) tensor(img *image.NRGBA) []float32 {
	n := p.Size
	small := vision.Resize(flatten(img), n, n)
	scale := float32(1)
	switch {
	case p.ByMax:
		top := uint8(1)
		for i := 0; i < len(small.Pix); i += 4 {
			top = max(top, small.Pix[i], small.Pix[i+1], small.Pix[i+2])
		}
		scale = 1 / float32(top)
	case p.Range > 0:
		scale = 1 / p.Range
	}
	out := make([]float32, 3*n*n)
	for c := range 3 {
		plane := out[c*n*n : (c+1)*n*n]
		from := c
		if p.BGR {
			from = 2 - c
		}
		for i := range plane {
			plane[i] = (float32(small.Pix[4*i+from])*scale - p.Mean[from]) / p.Std[from] * p.Post
		}
	}
	return out
}

// mask turns the model's answer of the given shape into a square mask.
func (p ModelProfile) mask(data []float32, shape []int64) (*image.Gray, error) {
	if len(shape) < 3 {
		return nil, fmt.Errorf("model answers shape %v", shape)
	}
	h, w := shape[len(shape)-2], shape[len(shape)-1]
	planes := int64(1)
	if len(shape) == 4 {
		planes = shape[1]
	}
	at := int64(0)
	if p.Answer == "plane1" {
		at = 1
	}
	if h < 1 || w < 1 || h > 4096 || w > 4096 || at >= planes || int64(len(data)) < (at+1)*h*w {
		return nil, fmt.Errorf("model answers shape %v with %d values", shape, len(data))
	}
	v := slices.Clone(data[at*h*w : (at+1)*h*w])
	if p.Answer == "sigmoid" || p.Answer == "sigmoid-stretch" {
		for i, x := range v {
			v[i] = float32(1 / (1 + math.Exp(-float64(x))))
		}
	}
	lo, hi := float32(0), float32(1)
	if p.Answer == "stretch" || p.Answer == "sigmoid-stretch" {
		lo, hi = slices.Min(v), slices.Max(v)
	}
	m := image.NewGray(image.Rect(0, 0, int(w), int(h)))
	for i, x := range v {
		x = (x - lo) / max(hi-lo, 1e-6)
		if !(x >= 0) { // also NaN
			x = 0
		}
		m.Pix[i] = uint8(min(x, 1)*255 + 0.5)
	}
	return m, nil
}
