package gateway

import (
	"errors"
	"io"
	"net/http"

	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/face"
)

// Analysis is what POST /api/image/analyze says about a portrait before a task
// is made of it. Pixels count in the upright picture, from its upper left corner.
type Analysis struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	// Usable says that the first face can be animated.
	Usable  bool        `json:"usable"`
	Reasons []string    `json:"reasons"` // why not, and warnings, worst first
	Faces   []FoundFace `json:"faces"`   // the most prominent first; face=N chooses
	// Crops are what each aspect would keep around the chosen face.
	Crops map[string]Box `json:"crops"`
	Notes []string       `json:"notes"` // what was done to read the picture
}

// A FoundFace is one face of an Analysis.
type FoundFace struct {
	Number     int     `json:"number"` // 1 for the most prominent
	Box        Box     `json:"box"`
	Confidence float64 `json:"confidence"`
	LeftEye    Point   `json:"left_eye"` // left and right of the picture
	RightEye   Point   `json:"right_eye"`
}

// A Box is a rectangle of pixels.
type Box struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

// A Point is a position in pixels.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// analyzeImage is POST /api/image/analyze: nothing is kept.
func (g *Gateway) analyzeImage(w http.ResponseWriter, r *http.Request) error {
	total := g.conf.MaxImage + 64<<10
	r.Body = http.MaxBytesReader(w, r.Body, total)
	parts, err := openForm(r)
	if err != nil {
		return err
	}
	// A slot is held while a picture is in memory, so that many at once cost time
	// and not memory.
	select {
	case g.pictures <- struct{}{}:
		defer func() { <-g.pictures }()
	case <-r.Context().Done():
		return nil
	}
	var data []byte
	form := &form{values: map[string]string{}}
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return broken(err)
		}
		name := part.FormName()
		_, again := form.values[name]
		switch {
		case n >= maxFields:
			return newProblem(codeBadRequest, "The form has too many fields.")
		case again || name == "image" && data != nil:
			return badField(codeBadRequest, clipName(name), "is given more than once")
		case name == "image":
			if data, err = readLimited(part, g.conf.MaxImage); err != nil {
				return err
			}
		default:
			if err := readValue(form, name, part); err != nil {
				return err
			}
		}
	}
	f := &fields{values: form.values}
	number := faceNumber(f)
	if err := f.done(); err != nil {
		return err
	}
	if len(data) == 0 {
		return badField(codeMissing, "image", "is missing")
	}
	pic, err := vision.Read(data, vision.Limits{Bytes: g.conf.MaxImage, Keep: analysisPixels})
	if err != nil {
		p := imageProblem(err)
		return fieldOf(p, "image")
	}
	return writeJSON(w, http.StatusOK, analysis(pic, g.Faces.Analyze(pic.Image), number))
}

func readLimited(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, broken(err)
	}
	if int64(len(b)) > limit {
		return nil, badField(codeFileTooLarge, "image", "is larger than 10 MB")
	}
	return b, nil
}

// fieldOf names the field a problem is about.
func fieldOf(err error, name string) error {
	var p *Problem
	if errors.As(err, &p) {
		p.Errors = []FieldError{{Field: name, Detail: p.Detail}}
	}
	return err
}

func analysis(pic vision.Picture, rep face.Report, number int) Analysis {
	// The picture may have been read smaller than it is.
	w, h := pic.Header.Width, pic.Header.Height
	size := pic.Image.Bounds().Size()
	if (w > h) != (size.X > size.Y) {
		w, h = h, w
	}
	k := float64(w) / float64(size.X)
	up := func(b Box) Box {
		return Box{int(float64(b.X) * k), int(float64(b.Y) * k), int(float64(b.Width) * k), int(float64(b.Height) * k)}
	}
	a := Analysis{Width: w, Height: h, Usable: rep.Usable, Reasons: []string{}, Faces: []FoundFace{}, Crops: map[string]Box{}, Notes: []string{}}
	for _, r := range rep.Reasons {
		a.Reasons = append(a.Reasons, string(r))
	}
	for _, n := range pic.Notes {
		a.Notes = append(a.Notes, string(n))
	}
	frame := vision.Framing{}
	for i, f := range rep.Faces {
		b := f.Box()
		lx, ly := f.Frame.Pixel(-0.5, 0)
		rx, ry := f.Frame.Pixel(0.5, 0)
		a.Faces = append(a.Faces, FoundFace{
			Number: i + 1, Confidence: f.Confidence,
			Box:     up(Box{b.Min.X, b.Min.Y, b.Dx(), b.Dy()}),
			LeftEye: Point{lx * k, ly * k}, RightEye: Point{rx * k, ry * k},
		})
		if i == max(number, 1)-1 {
			frame.Face = b
		}
	}
	for _, name := range aspects {
		aspect, err := vision.ParseAspect(name)
		if err != nil {
			continue
		}
		frame.Aspect = aspect
		c := frame.Rect(size.X, size.Y)
		a.Crops[name] = up(Box{c.Min.X, c.Min.Y, c.Dx(), c.Dy()})
	}
	return a
}

// aspects of finished videos.
var aspects = []string{"1:1", "9:16", "16:9", "source"}

// analysisPixels is how much of a picture is looked at.
const analysisPixels = 2_500_000
