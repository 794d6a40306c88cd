//go:build !onnx

package cutout

import (
	"fmt"

	"github.com/videomsg/videomsg/engines"
)

func (ONNXConfig) engine() (Engine, error) {
	return Engine{}, fmt.Errorf("run an ONNX model: this program was built without -tags onnx: %w", engines.ErrUnavailable)
}
