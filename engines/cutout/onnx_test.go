//go:build onnx

package cutout

import (
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/videomsg/videomsg/bench/vision/scenes"
	"github.com/videomsg/videomsg/vision/matting"
)

// Protocol buffers by hand: enough of ONNX for one convolution.
type message []byte

func (m message) varint(field int, v uint64) message {
	m = binary.AppendUvarint(m, uint64(field)<<3)
	return binary.AppendUvarint(m, v)
}

func (m message) bytes(field int, b []byte) message {
	m = binary.AppendUvarint(m, uint64(field)<<3|2)
	m = binary.AppendUvarint(m, uint64(len(b)))
	return append(m, b...)
}

func floats(v ...float32) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func valueInfo(name string, dims ...uint64) message {
	var shape message
	for _, d := range dims {
		shape = shape.bytes(1, message(nil).varint(1, d))
	}
	tensor := message(nil).varint(1, 1).bytes(2, shape)
	return message(nil).bytes(1, []byte(name)).bytes(2, message(nil).bytes(1, tensor))
}

// convolution is a model whose answer is the sum of its input's planes weighted
// by w: a 1 × 1 convolution.
func convolution(size uint64, w ...float32) []byte {
	weights := message(nil)
	for _, d := range []uint64{1, uint64(len(w)), 1, 1} {
		weights = weights.varint(1, d)
	}
	weights = weights.varint(2, 1).bytes(8, []byte("W")).bytes(9, floats(w...))
	node := message(nil).bytes(1, []byte("x")).bytes(1, []byte("W")).bytes(2, []byte("y")).bytes(4, []byte("Conv"))
	graph := message(nil).bytes(1, node).bytes(2, []byte("g")).bytes(5, weights).
		bytes(11, valueInfo("x", 1, uint64(len(w)), size, size)).bytes(12, valueInfo("y", 1, 1, size, size))
	return message(nil).varint(1, 8).bytes(7, graph).bytes(8, message(nil).varint(2, 13))
}

func library(t *testing.T) string {
	t.Helper()
	lib := os.Getenv("IMAGE_ONNX_LIB")
	if lib == "" {
		t.Skip("IMAGE_ONNX_LIB does not name libonnxruntime (for instance from the npm package onnxruntime-node)")
	}
	return lib
}

func TestONNXChannelsAndPlaces(t *testing.T) {
	p := ModelProfile{Name: "test", Size: 32, Range: 1, Std: [3]float32{1, 1, 1}, Post: 1, Answer: "sigmoid"}
	o, err := openONNX(library(t), convolution(32, 1, 2, 4), p, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	img := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for i := range 32 * 32 {
		img.SetNRGBA(i%32, i/32, color.NRGBA{uint8(i % 7), uint8(i % 5), uint8(i % 3), 255})
	}
	y, shape, err := o.run(p.tensor(img))
	if err != nil || len(shape) != 4 || shape[3] != 32 {
		t.Fatalf("run: %v, shape %v", err, shape)
	}
	for i, v := range y {
		if want := float32(i%7 + 2*(i%5) + 4*(i%3)); v != want {
			t.Fatalf("pixel %d is %v, want %v", i, v, want)
		}
	}
}

// A model that sees greenness and answers its opposite finds a person before a
// green screen.
func TestONNXEngineCutsAGreenScreen(t *testing.T) {
	lib := library(t)
	var s scenes.Scene
	for i, n := range scenes.Names() {
		if n == "green screen" {
			s = scenes.Draw(i, 480, 384)
		}
	}
	for _, coarse := range []bool{true, false} {
		// 20·(red + blue - green) in 0..1, as logits.
		p := ModelProfile{Name: "test", Size: 320, Range: 255, Std: [3]float32{1, 1, 1}, Post: 1, Answer: "sigmoid", Coarse: coarse}
		o, err := openONNX(lib, convolution(320, 20, -20, 20), p, 1)
		if err != nil {
			t.Fatal(err)
		}
		out, err := o.Engine().Run(t.Context(), Input{Image: s.Image, Faces: s.Faces})
		if err != nil {
			t.Fatal(err)
		}
		if e := scenes.Evaluate(matting.Alpha(out.Cutout), s.Alpha); e.IoU < 0.93 {
			t.Errorf("coarse %v: IoU %.3f", coarse, e.IoU)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestONNXIsConfigured(t *testing.T) {
	lib, model := library(t), filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(model, convolution(320, 1, 1, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	remove, _, err := Config{Order: "onnx", ONNX: ONNXConfig{Model: model, Library: lib, Profile: "u2net"}}.Chains()
	if err != nil || len(remove.Names()) != 1 {
		t.Errorf("chain %v, %v", remove.Names(), err)
	}
}

func TestONNXRefusals(t *testing.T) {
	lib := library(t)
	p, err := profileOf("u2net")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openONNX(lib, convolution(64, 1, 1, 1), p, 1); err == nil {
		t.Error("a model of another size loads")
	}
	if _, err := openONNX(lib, convolution(320, 1, 1, 1)[:40], p, 1); err == nil {
		t.Error("half a model loads")
	}
	if _, err := OpenONNX(lib, filepath.Join(t.TempDir(), "none"), "u2net", 0); err == nil {
		t.Error("no model loads")
	}
	if _, err := OpenONNX(lib, "x", "magic", 0); err == nil {
		t.Error("an unknown profile loads")
	}
}
