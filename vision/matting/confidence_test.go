package matting

import (
	"image"
	"slices"
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

func TestEndsInTheAir(t *testing.T) {
	seeds := seedsOf(Options{Faces: []image.Rectangle{image.Rect(90, 20, 110, 40)}}, 200, 200)
	for bottom, want := range map[int]bool{60: true, 140: true, 170: false, 200: false} {
		m := newMask(200, 200)
		for i := range 200 * bottom {
			if x := i % 200; x > 85 && x < 115 {
				m.pix[i] = 1
			}
		}
		if got := endsInTheAir(m, seeds[0]); got != want {
			t.Errorf("a person down to row %d of 200 ends in the air: %v", bottom, got)
		}
	}
	if !endsInTheAir(newMask(200, 200), seeds[0]) {
		t.Error("nobody does not end in the air")
	}
}

func TestConfidenceFallsWithWhatMakesCutsFail(t *testing.T) {
	m := newMask(100, 100)
	picture := func(fore, back uint8) *raster {
		img := image.NewNRGBA(image.Rect(0, 0, 100, 100))
		for i := range m.pix {
			m.pix[i] = uint8(i % 100 / 50)
			v := back
			if m.pix[i] == 1 {
				v = fore
			}
			copy(img.Pix[4*i:], []uint8{v, v, v, 255})
		}
		return newRaster(img)
	}
	of := func(r *raster, agreement, aspect float64) Result {
		res := Result{Confidence: 1, Agreement: agreement}
		res.judgeColours(r, m, seed{aspect: aspect})
		return res
	}
	unlike, alike := picture(200, 30), picture(100, 100)
	if r := of(unlike, 0.97, 0.3); r.Confidence < Accept || len(r.Reasons) > 0 {
		t.Errorf("a clear portrait is rated %.2f %v", r.Confidence, r.Reasons)
	}
	for _, tt := range []struct {
		r                 *raster
		agreement, aspect float64
		why               Reason
	}{
		{alike, 0.97, 0.3, Alike},
		{unlike, 0.3, 0.06, SmallFace},
		{unlike, 0.3, 0.15, Unsure},
	} {
		if r := of(tt.r, tt.agreement, tt.aspect); r.Confidence >= Accept || !slices.Contains(r.Reasons, tt.why) {
			t.Errorf("rated %.2f %v, want %s", r.Confidence, r.Reasons, tt.why)
		}
	}
}
