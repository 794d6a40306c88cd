package portrait

import (
	"image"
	"math"
	"testing"

	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/portrait/syncmeter"
)

// measured renders a clip and follows its jaw. The face is found again in the
// first frame, as it would be in somebody else's video.
func measured(t testing.TB, do drawn.Options, o Options, phones []Phone, edit func(*Input)) (jaw []float64, r Report) {
	t.Helper()
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	im, _ := drawn.Portrait(do)
	in := Input{Image: im, Detector: testDetector(t), Phones: phones, Voice: utter(phones, 16000)}
	if edit != nil {
		edit(&in)
	}
	var m *syncmeter.Meter
	r, err := Render(o, in, func(f *Frame) error {
		if m == nil {
			g := &image.Gray{Pix: f.Y, Stride: f.W, Rect: image.Rect(0, 0, f.W, f.H)}
			fs := testDetector(t).Detect(g)
			if len(fs) == 0 {
				t.Fatal("no face in the first frame")
			}
			var err error
			if m, err = syncmeter.New(fs[0]); err != nil {
				return err
			}
		}
		return m.Add(syncmeter.Luma{W: f.W, H: f.H, Pix: f.Y})
	})
	if err != nil {
		t.Fatal(err)
	}
	return m.Jaw(), r
}

func truthOf(phones []Phone, frames, fps int) []float64 {
	out := make([]float64, frames)
	for i := range out {
		out[i] = Openness(phones, (float64(i)+0.5)/float64(fps))
	}
	return out
}

var talk = Options{Style: Talking, W: 320, H: 320, Motion: 1, Seed: 3}

func TestSync(t *testing.T) {
	phones := speech(greeting)
	jaw, r := measured(t, drawn.Options{W: 480, H: 480, Size: 0.18}, talk, phones, nil)
	truth := truthOf(phones, r.Frames, 25)
	closures := Closures(phones)

	// The controls first: a meter that praises everything proves nothing.
	t.Run("a wrong sentence scores low", func(t *testing.T) {
		other := speech(another)
		s := syncmeter.Compare(jaw, truthOf(other, r.Frames, 25), Closures(other), 25)
		if s.Correlation > 0.30 {
			t.Errorf("correlation is %.2f, want at most 0.30", s.Correlation)
		}
		if s.Closures > 0.6 {
			t.Errorf("closure recall is %.2f, want at most 0.6", s.Closures)
		}
		t.Logf("correlation %.2f, closures %.2f", s.Correlation, s.Closures)
	})
	right := syncmeter.Compare(jaw, truth, closures, 25)
	t.Run("a shift of 120 ms is found", func(t *testing.T) {
		late := append(make([]float64, 3), jaw[:len(jaw)-3]...)
		s := syncmeter.Compare(late, truth, closures, 25)
		if d := s.Lag - right.Lag; math.Abs(d-0.120) > 0.010 {
			t.Errorf("found a shift of %.0f ms, want 120 ± 10", d*1000)
		}
	})
	t.Run("the lips follow the phonemes", func(t *testing.T) {
		check(t, right, 0.80, 0.90)
	})
}

// check holds a score against the product's figures.
func check(t *testing.T, s syncmeter.Score, correlation, closures float64) {
	t.Helper()
	t.Logf("correlation %.3f, lag %+.0f ms, closures %.2f, opening %.2f", s.Correlation, s.Lag*1000, s.Closures, s.Opening)
	if s.Correlation < correlation {
		t.Errorf("correlation is %.3f, want at least %.2f", s.Correlation, correlation)
	}
	if s.Lag < -0.040 || s.Lag > 0.020 {
		t.Errorf("lag is %+.0f ms, want -40 to +20", s.Lag*1000)
	}
	if s.Closures < closures {
		t.Errorf("closure recall is %.2f, want at least %.2f", s.Closures, closures)
	}
	if s.Opening < 0.15 || s.Opening > 0.65 {
		t.Errorf("the jaw opens by %.2f half mouth widths, want 0.15–0.65", s.Opening)
	}
}

func TestSyncOfFaces(t *testing.T) {
	phones := speech("o m e d e t o o g o z a i m a s U pau m i N n a d e b a N z a i")
	for name, do := range map[string]drawn.Options{
		"very dark":     {Tone: 1, Smile: 1},
		"smile":         {Tone: 0.4, Smile: 0.9},
		"beard":         {Tone: 0.3, Beard: true, Hair: drawn.Short},
		"glasses":       {Glasses: true},
		"tilted":        {Tilt: 0.2},
		"three-quarter": {Yaw: 0.35},
		"noise":         {Noise: 8},
		"greyscale":     {Gray: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			do.W, do.H, do.Size = 400, 400, 0.18
			jaw, r := measured(t, do, talk, phones, nil)
			check(t, syncmeter.Compare(jaw, truthOf(phones, r.Frames, 25), Closures(phones), 25), 0.80, 0.90)
		})
	}
}

func TestSyncBySoundAlone(t *testing.T) {
	phones := speech(greeting)
	jaw, r := measured(t, drawn.Options{W: 400, H: 400, Size: 0.18}, talk, phones, func(in *Input) { in.Phones = nil })
	if r.Timing != "sound" {
		t.Errorf("timing is %q, want sound", r.Timing)
	}
	s := syncmeter.Compare(jaw, truthOf(phones, r.Frames, 25), nil, 25)
	t.Logf("correlation %.3f, lag %+.0f ms", s.Correlation, s.Lag*1000)
	if s.Correlation < 0.55 {
		t.Errorf("correlation is %.2f, want at least 0.55", s.Correlation)
	}
}
