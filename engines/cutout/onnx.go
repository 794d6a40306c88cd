//go:build onnx

package cutout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/vision/matting"
)

// ONNX runs a user's own model file in this process through ONNX Runtime. It
// needs cgo at build time (-tags onnx) and libonnxruntime 1.24 or newer at run
// time. Models can take gigabytes: run it in a worker of its own.
type ONNX struct {
	mu      sync.Mutex // one run at a time: the runtime uses its own threads
	session *ort.DynamicAdvancedSession
	profile ModelProfile
}

// engine loads the model for as long as the process lives.
func (c ONNXConfig) engine() (Engine, error) {
	o, err := OpenONNX(c.Library, c.Model, c.Profile, c.Threads)
	if err != nil {
		return Engine{}, err
	}
	return o.Engine(), nil
}

// OpenONNX loads the runtime library and a model. profile is the family: u2net,
// u2netp, u2net_human_seg, silueta, isnet, birefnet or sinet. threads 0 means
// the runtime's choice. The library of the first call serves the whole process.
func OpenONNX(library, model, profile string, threads int) (*ONNX, error) {
	p, err := profileOf(profile)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(model)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	return openONNX(library, data, p, threads)
}

func openONNX(library string, model []byte, p ModelProfile, threads int) (*ONNX, error) {
	if !ort.IsInitialized() {
		if _, err := os.Stat(library); err != nil {
			return nil, fmt.Errorf("find ONNX Runtime: %w: %w", err, engines.ErrUnavailable)
		}
		ort.SetSharedLibraryPath(library)
		if err := ort.InitializeEnvironment(); err != nil {
			return nil, fmt.Errorf("load ONNX Runtime %s: %w: %w", library, err, engines.ErrUnavailable)
		}
	}
	in, out, err := ort.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if len(in) != 1 || len(out) == 0 {
		return nil, fmt.Errorf("model has %d inputs and %d outputs, want one picture in", len(in), len(out))
	}
	want := []int64{1, 3, int64(p.Size), int64(p.Size)}
	if d := in[0].Dimensions; len(d) != 4 {
		return nil, fmt.Errorf("model takes shape %v, profile %s gives %v", d, p.Name, want)
	}
	for i, d := range in[0].Dimensions {
		if d > 0 && d != want[i] {
			return nil, fmt.Errorf("model takes shape %v, profile %s gives %v", in[0].Dimensions, p.Name, want)
		}
	}
	opts, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("configure ONNX Runtime: %w", err)
	}
	defer opts.Destroy()
	// Calls are rare: give memory back between them.
	if err := opts.SetCpuMemArena(false); err != nil {
		return nil, fmt.Errorf("configure ONNX Runtime: %w", err)
	}
	if threads > 0 {
		if err := opts.SetIntraOpNumThreads(threads); err != nil {
			return nil, fmt.Errorf("configure ONNX Runtime: %w", err)
		}
	}
	name := out[0].Name
	if p.Last {
		name = out[len(out)-1].Name
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(model, []string{in[0].Name}, []string{name}, opts)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	return &ONNX{session: s, profile: p}, nil
}

// Close frees the model. The engine must not be running.
func (o *ONNX) Close() error { return o.session.Destroy() }

// Engine returns the engine: a coarse model leads the graph cut as its prior, a
// fine one's mask is taken with the picture's own edges.
func (o *ONNX) Engine() Engine {
	return Engine{Name: "onnx", Run: func(ctx context.Context, in Input) (Output, error) {
		if in.Image == nil {
			return Output{}, fmt.Errorf("no picture: %w", engines.ErrInput)
		}
		if err := ctx.Err(); err != nil {
			return Output{}, err
		}
		data, shape, err := o.run(o.profile.tensor(in.Image))
		if err != nil {
			return Output{}, err
		}
		square, err := o.profile.mask(data, shape)
		if err != nil {
			return Output{}, err
		}
		// Back to the picture's shape at the model's own resolution.
		w, h := in.Image.Rect.Dx(), in.Image.Rect.Dy()
		k := min(1, float64(o.profile.Size)/float64(max(w, h)))
		m := resizeGray(square, max(16, int(float64(w)*k+0.5)), max(16, int(float64(h)*k+0.5)))
		if !o.profile.Coarse {
			return finish(in, m, in.Image.Rect.Size(), o.profile.Name)
		}
		faces := in.Faces
		if !in.Only {
			faces = nil // the model has seen everybody
		}
		r, err := matting.Cut(in.Image, matting.Options{Faces: faces, Only: in.Only, Prior: m, Quick: true})
		if err != nil {
			return Output{}, fmt.Errorf("%w: %w", err, engines.ErrPermanent)
		}
		c, reasons := matting.Judge(matting.Alpha(r.Cutout), matting.Options{Faces: in.Faces})
		if c < 0.5 {
			return Output{}, fmt.Errorf("mask is no person %v: %w", reasons, engines.ErrPermanent)
		}
		return Output{Cutout: r.Cutout, Confidence: c, Reasons: reasons, Model: o.profile.Name}, nil
	}}
}

func (o *ONNX) run(input []float32) ([]float32, []int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := int64(o.profile.Size)
	in, err := ort.NewTensor(ort.NewShape(1, 3, n, n), input)
	if err != nil {
		return nil, nil, fmt.Errorf("make tensor: %w", err)
	}
	defer in.Destroy()
	out := []ort.Value{nil}
	if err := o.session.Run([]ort.Value{in}, out); err != nil {
		return nil, nil, fmt.Errorf("run model: %w", err)
	}
	defer out[0].Destroy()
	t, ok := out[0].(*ort.Tensor[float32])
	if !ok {
		return nil, nil, errors.New("model does not answer float32")
	}
	return append([]float32(nil), t.GetData()...), append([]int64(nil), t.GetShape()...), nil
}
