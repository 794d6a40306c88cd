package matting

import (
	"image"
	"testing"
)

func TestBeyondShape(t *testing.T) {
	seeds := seedsOf(Options{Faces: []image.Rectangle{image.Rect(80, 40, 120, 80)}}, 200, 200)
	of := func(in func(x, y int) bool) mask {
		m := newMask(200, 200)
		for i := range m.pix {
			if in(i%200, i/200) {
				m.pix[i] = 1
			}
		}
		return m
	}
	shape := shapePrior(200, 200, seeds, 1)
	for name, tt := range map[string]struct {
		mask mask
		far  bool
	}{
		"a person":                        {of(func(x, y int) bool { return shape.pix[y*200+x] > 0.5 }), false},
		"a person and the wall beside it": {of(func(x, y int) bool { return shape.pix[y*200+x] > 0.5 || x < 50 && y < 100 }), true},
		"nothing":                         {newMask(200, 200), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := beyondShape(tt.mask, seeds); got > 0.05 != tt.far {
				t.Errorf("share beyond the shape %.3f, far = %v", got, tt.far)
			}
		})
	}
}

func TestInnerBodyHoldsTheHairAboveTheBrow(t *testing.T) {
	seeds := seedsOf(Options{Faces: []image.Rectangle{image.Rect(80, 60, 120, 100)}}, 200, 200)
	m := innerBody(200, 200, seeds)
	for y, want := range map[int]uint8{48: 0, 52: 1, 60: 1, 80: 1, 98: 1, 150: 1} {
		if got := m.pix[y*200+100]; got != want {
			t.Errorf("row %d under the face's middle is %d, want %d", y, got, want)
		}
	}
}
