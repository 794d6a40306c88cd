package cutout

import (
	"image"
	"image/color"
	"math"
	"testing"
)

func TestModelProfiles(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 400, 200))
	for i := 0; i < len(img.Pix); i += 4 {
		copy(img.Pix[i:], []uint8{200, 100, 50, 255})
	}
	for name, want := range map[string][3]float64{
		"u2net":    {(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.25 - 0.406) / 0.225}, // by the maximum, 200
		"birefnet": {(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.25 - 0.406) / 0.225},
		"isnet":    {0.5, 0, -0.25},
		"sinet":    {(50 - 102.89) / 62.93 / 255, (100 - 111.25) / 62.82 / 255, (200 - 126.91) / 66.36 / 255}, // BGR
	} {
		p, err := profileOf(name)
		if err != nil {
			t.Fatal(err)
		}
		x := p.tensor(img)
		n := p.Size * p.Size
		if len(x) != 3*n {
			t.Fatalf("%s: %d values", name, len(x))
		}
		for c := range 3 {
			if got := float64(x[c*n+n/2]); math.Abs(got-want[c]) > 1e-3 {
				t.Errorf("%s: plane %d is %.4f, want %.4f", name, c, got, want[c])
			}
		}
	}
	if _, err := profileOf("magic"); err == nil {
		t.Error("unknown profile accepted")
	}
}

func TestModelAnswers(t *testing.T) {
	nan := float32(math.NaN())
	for _, tt := range []struct {
		name   string
		answer string
		data   []float32
		shape  []int64
		want   []uint8 // nil: error
	}{
		{"stretch", "stretch", []float32{0.2, 0.4, 0.3, 0.2}, []int64{1, 1, 2, 2}, []uint8{0, 255, 128, 0}},
		{"sigmoid", "sigmoid", []float32{-20, 20, 0, 0}, []int64{1, 1, 2, 2}, []uint8{0, 255, 128, 128}},
		{"second plane", "plane1", []float32{9, 9, 9, 9, 0, 1, 0.5, 2}, []int64{1, 2, 2, 2}, []uint8{0, 255, 128, 255}},
		{"three dimensions", "stretch", []float32{0, 1, 0, 1}, []int64{1, 2, 2}, []uint8{0, 255, 0, 255}},
		{"flat", "stretch", []float32{3, 3, 3, 3}, []int64{1, 1, 2, 2}, []uint8{0, 0, 0, 0}},
		{"not a number", "sigmoid", []float32{nan, 20, nan, nan}, []int64{1, 1, 2, 2}, []uint8{0, 255, 0, 0}},
		{"too short", "stretch", []float32{1}, []int64{1, 1, 2, 2}, nil},
		{"no second plane", "plane1", []float32{1, 1, 1, 1}, []int64{1, 1, 2, 2}, nil},
		{"huge", "stretch", []float32{1}, []int64{1, 1, 1 << 40, 1 << 40}, nil},
		{"a number", "stretch", []float32{1}, []int64{1}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := ModelProfile{Answer: tt.answer}.mask(tt.data, tt.shape)
			if tt.want == nil {
				if err == nil {
					t.Error("accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range tt.want {
				if got := m.GrayAt(i%2, i/2); got != (color.Gray{w}) {
					t.Errorf("pixel %d is %v, want %d", i, got, w)
				}
			}
		})
	}
}
