//go:build !onnx

package cutout

import (
	"errors"
	"testing"

	"github.com/videomsg/videomsg/engines"
)

func TestModelIsRefusedWithoutTheRuntime(t *testing.T) {
	if _, _, err := (Config{ONNX: ONNXConfig{Model: "u2net.onnx"}}).Chains(); !errors.Is(err, engines.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}
