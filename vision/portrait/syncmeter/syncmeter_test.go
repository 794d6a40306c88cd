package syncmeter

import (
	"math"
	"testing"

	"github.com/videomsg/videomsg/vision/face"
)

func testFace() face.Face {
	return face.Face{
		Frame:  face.Frame{Origin: face.Point{X: 100, Y: 60}, C: 50},
		MouthL: face.Point{X: -0.4, Y: 1.1}, MouthR: face.Point{X: 0.4, Y: 1.1},
		LipBot: face.Point{Y: 1.25},
	}
}

// scene is a textured picture whose part below the mouth is moved down.
func scene(shift, nod float64) Luma {
	l := Luma{200, 200, make([]byte, 200*200)}
	tex := func(x, y float64) float64 {
		return 120 + 50*math.Sin(x*0.31+0.7*math.Sin(y*0.23)) + 40*math.Sin(y*0.27+x*0.05)
	}
	for y := range 200 {
		for x := range 200 {
			fy := float64(y) - nod
			if y > 112 {
				fy -= shift
			}
			l.Pix[y*200+x] = byte(tex(float64(x), fy))
		}
	}
	return l
}

func TestMeterFollowsTheJaw(t *testing.T) {
	m, err := New(testFace())
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{0, 2, 5, 7.5, 3, 0.5, 0}
	for i, d := range want {
		if err := m.Add(scene(d, math.Sin(float64(i)))); err != nil {
			t.Fatal(err)
		}
	}
	for i, got := range m.Jaw() {
		if e := got*20 - want[i]; math.Abs(e) > 0.35 { // 20 px are half a mouth
			t.Errorf("frame %d: jaw is %.2f px down, want %.2f", i, got*20, want[i])
		}
	}
}

func TestMeterRefuses(t *testing.T) {
	if _, err := New(face.Face{}); err == nil {
		t.Error("a face of no size is measured")
	}
	m, err := New(testFace())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Add(Luma{200, 200, make([]byte, 10)}); err == nil {
		t.Error("a short frame is accepted")
	}
}

func TestCompare(t *testing.T) {
	truth := make([]float64, 250)
	for i := range truth {
		truth[i] = max(0, math.Sin(float64(i)*0.7)*math.Sin(float64(i)*0.11+1))
	}
	jaw := make([]float64, len(truth))
	for i := range jaw {
		jaw[i] = 0.3*truth[max(0, i-2)] + 0.02*math.Sin(float64(i)*0.02) // 80 ms late, drifting
	}
	s := Compare(jaw, truth, []float64{0.34}, 25)
	if s.Correlation < 0.97 || math.Abs(s.Lag-0.080) > 0.005 {
		t.Errorf("correlation %.3f at %+.0f ms, want near 1 at +80 ms", s.Correlation, s.Lag*1000)
	}
	still := Compare(make([]float64, 250), truth, nil, 25)
	if still.Correlation > 0 || still.Opening != 0 {
		t.Errorf("a still mouth scores %+v", still)
	}
	for _, bad := range []Score{Compare(nil, nil, nil, 25), Compare(jaw, truth, nil, math.NaN())} {
		if bad.Correlation != 0 {
			t.Errorf("nothing scores %+v", bad)
		}
	}
}
