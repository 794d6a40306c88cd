package cutout

import (
	"context"
	"fmt"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/vision/matting"
)

func runLocal(ctx context.Context, in Input) (Output, error) {
	if in.Image == nil {
		return Output{}, fmt.Errorf("no picture: %w", engines.ErrInput)
	}
	if err := ctx.Err(); err != nil {
		return Output{}, err
	}
	r, err := matting.Cut(in.Image, matting.Options{Faces: in.Faces, Only: in.Only})
	if err != nil {
		return Output{}, engines.WithReason(fmt.Errorf("%w: %w", err, engines.ErrPermanent), "no face was found to start from")
	}
	if r.Confidence < in.accept() {
		err := fmt.Errorf("confidence %.2f below %.2f %v: %w", r.Confidence, in.accept(), r.Reasons, engines.ErrPermanent)
		return Output{}, engines.WithReason(err, "the cut-out is not certain enough")
	}
	return Output{Cutout: r.Cutout, Confidence: r.Confidence, Reasons: r.Reasons, Model: "graph cut"}, nil
}

func refineLocal(ctx context.Context, in Input) (Output, error) {
	if in.Image == nil || in.Mask == nil {
		return Output{}, fmt.Errorf("no picture or mask: %w", engines.ErrInput)
	}
	if err := ctx.Err(); err != nil {
		return Output{}, err
	}
	c, reasons := matting.Judge(in.Mask, matting.Options{Faces: scaleFaces(in, in.Mask.Rect.Dx())})
	return Output{Cutout: matting.Refine(in.Image, in.Mask), Confidence: c, Reasons: reasons, Model: "guided filter"}, nil
}

func runOriginal(_ context.Context, in Input) (Output, error) {
	if in.Image == nil {
		return Output{}, fmt.Errorf("no picture: %w", engines.ErrInput)
	}
	return Output{Cutout: in.Image, Original: true}, nil
}
