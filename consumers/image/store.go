package image

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/face"
	"github.com/videomsg/videomsg/vision/matting"
)

// analysis is what the stage found out, for people and for later stages.
type analysis struct {
	Width      int           `json:"width"`
	Height     int           `json:"height"`
	Crop       [4]int        `json:"crop"` // left, top, right, bottom in the upright upload
	Faces      int           `json:"faces"`
	Face       [4]int        `json:"face"`   // the person shown: square from brow to chin in the result; zeros for none
	Usable     bool          `json:"usable"` // the face can be animated
	Reasons    []face.Reason `json:"reasons"`
	Notes      []vision.Note `json:"notes"`
	Confidence float64       `json:"confidence"` // of the cut-out, 0..1
}

// store keeps the composed picture and, when the person was cut out, its parts.
func (s stage) store(ctx context.Context, w consumers.Work, p *portrait) (map[string]events.Blob, error) {
	p.report.Width, p.report.Height = p.img.Rect.Dx(), p.img.Rect.Dy()
	if f := p.face(); !f.Empty() {
		p.report.Face = [4]int{f.Min.X, f.Min.Y, f.Max.X, f.Max.Y}
	}
	class := objectstore.Intermediates
	if w.Job.Request.Kind == events.KindImage {
		class = objectstore.Outputs
	}
	blobs := map[string]events.Blob{}
	type picture struct {
		name, file string
		img        image.Image
	}
	pictures := []picture{{events.BlobImage, "image.png", p.img}}
	if p.cut != nil {
		pictures = append(pictures, picture{events.BlobCutout, "cutout.png", p.cut}, picture{events.BlobMask, "mask.png", matting.Alpha(p.cut)})
	}
	if p.back != nil {
		pictures = append(pictures, picture{events.BlobBackground, "background.png", p.back})
	}
	for _, pic := range pictures {
		pr, pw := io.Pipe()
		go func() {
			enc := png.Encoder{CompressionLevel: png.BestSpeed}
			pw.CloseWithError(enc.Encode(pw, pic.img))
		}()
		b, err := s.blobs.Put(ctx, class, w.Task, Name, pic.file, "image/png", pr)
		_ = pr.Close() // ends the encoder when the store gave up
		if err != nil {
			return nil, err
		}
		blobs[pic.name] = b
	}
	b, err := s.blobs.PutJSON(ctx, class, w.Task, Name, "analysis.json", p.report)
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	blobs[events.BlobAnalysis] = b
	return blobs, nil
}
