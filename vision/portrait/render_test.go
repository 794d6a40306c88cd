package portrait

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/face"
)

func render(t testing.TB, o Options, in Input, each func(*Frame)) (Report, error) {
	t.Helper()
	if in.Detector == nil {
		in.Detector = testDetector(t)
	}
	return Render(o, in, func(f *Frame) error {
		if len(f.Y) != f.W*f.H || len(f.U) != f.W*f.H/4 || len(f.V) != len(f.U) {
			return fmt.Errorf("planes of %d, %d and %d bytes for %d×%d", len(f.Y), len(f.U), len(f.V), f.W, f.H)
		}
		if each != nil {
			each(f)
		}
		return nil
	})
}

func sample320(t testing.TB) (Input, drawn.Truth) {
	t.Helper()
	im, truth := drawn.Portrait(drawn.Options{W: 320, H: 320, Size: 0.17})
	ph := speech("o m e d e t o o")
	return Input{Image: im, Phones: ph, Voice: utter(ph, 16000)}, truth
}

func digest(t testing.TB, o Options, in Input) string {
	t.Helper()
	h := sha256.New()
	if _, err := render(t, o, in, func(f *Frame) { h.Write(f.Y); h.Write(f.U); h.Write(f.V) }); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestRenderIsReproducible(t *testing.T) {
	in, truth := sample320(t)
	for _, masked := range []bool{false, true} {
		if masked {
			in.Alpha = truth.Alpha
		}
		o := Options{W: 256, H: 256, Motion: 1, Seed: 4, Threads: 1, Style: Talking}
		want := digest(t, o, in)
		for _, threads := range []int{1, 2, 5} {
			o.Threads = threads
			if got := digest(t, o, in); got != want {
				t.Errorf("masked %v: %d threads give other bytes", masked, threads)
			}
		}
		o.Seed = 5
		if digest(t, o, in) == want {
			t.Errorf("masked %v: another seed gives the same bytes", masked)
		}
	}
}

func TestRenderLengths(t *testing.T) {
	in, _ := sample320(t)
	in.Phones = nil
	for _, tt := range []struct {
		seconds float64
		fps     int
		frames  int
	}{{0.1, 25, 3}, {0.5, 25, 13}, {1, 30, 30}, {2.001, 25, 51}, {1, 60, 60}} {
		in.Voice = dsp.New(16000, 1, int(tt.seconds*16000))
		n := 0
		r, err := render(t, Options{W: 64, H: 64, FPS: tt.fps}, in, func(*Frame) { n++ })
		if err != nil {
			t.Fatal(err)
		}
		if n != tt.frames || r.Frames != n {
			t.Errorf("%v s at %d fps: %d frames, reported %d, want %d", tt.seconds, tt.fps, n, r.Frames, tt.frames)
		}
		if d := float64(n)/float64(tt.fps) - tt.seconds; d < -1e-9 || d > 1/float64(tt.fps) {
			t.Errorf("%v s at %d fps: picture is %.3f s longer than the sound", tt.seconds, tt.fps, d)
		}
	}
}

func TestRenderStopsWithTheSink(t *testing.T) {
	in, _ := sample320(t)
	in.Detector = testDetector(t)
	stop := errors.New("disk is full")
	n := 0
	_, err := Render(Options{W: 64, H: 64}, in, func(*Frame) error {
		if n++; n == 4 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || n != 4 {
		t.Errorf("got %v after %d frames, want %v after 4", err, n, stop)
	}
}

func psnr(a, b []byte, use func(i int) bool) float64 {
	var sum, n float64
	for i := range a {
		if use == nil || use(i) {
			d := float64(a[i]) - float64(b[i])
			sum, n = sum+d*d, n+1
		}
	}
	return 10 * math.Log10(255*255/(sum/max(n, 1)+1e-9))
}

// TestIdentity holds the face to the person: the neutral frame is the picture,
// and with a still head nothing changes but the mouth's part and the eyes.
func TestIdentity(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	im, _ := drawn.Portrait(drawn.Options{W: 320, H: 320, Size: 0.14})
	in := Input{Image: im, Phones: speech(greeting)}
	in.Voice = utter(in.Phones, 16000)
	want := newLayer(im)
	for _, motion := range []float64{0, 1} {
		var prev, prev2 []byte
		var flicker, count float64
		var fr face.Frame
		outside := func(i int) bool {
			u, v := fr.Canonical(float64(i%320), float64(i/320))
			return math.Abs(u) > 1.2 || v < -0.75 || v > 2.6
		}
		fs := testDetector(t).Detect(im)
		fr = fs[0].Frame
		_, err := render(t, Options{Style: Talking, W: 320, H: 320, Motion: motion}, in, func(f *Frame) {
			if f.Index == 0 {
				if got := psnr(f.Y, want.y.p, nil); got < 40 {
					t.Errorf("motion %v: first frame against the picture is %.1f dB, want at least 40", motion, got)
				}
			}
			if got := psnr(f.Y, want.y.p, outside); motion == 0 && got < 45 {
				t.Fatalf("frame %d: outside the face %.1f dB, want at least 45", f.Index, got)
			}
			if prev2 != nil {
				for i := 0; i < len(f.Y); i += 7 {
					if outside(i) {
						flicker += math.Abs(float64(int(f.Y[i]) - 2*int(prev[i]) + int(prev2[i])))
						count++
					}
				}
			}
			prev2 = append(prev2[:0], prev...)
			if len(prev2) == 0 {
				prev2 = nil
			}
			prev = append(prev[:0], f.Y...)
		})
		if err != nil {
			t.Fatal(err)
		}
		limit := 0.14
		if motion > 0 {
			limit = 0.6
		}
		if got := flicker / count; got > limit {
			t.Errorf("motion %v: flicker is %.2f grey levels, want at most %.2f", motion, got, limit)
		}
	}
}

// TestMaskedEdge: over its own background the person must look as before, and
// over another one no colour of the old background may remain.
func TestMaskedEdge(t *testing.T) {
	do := drawn.Options{W: 320, H: 320, Size: 0.14, Backdrop: color.NRGBA{20, 220, 20, 255}, Flat: true}
	im, truth := drawn.Portrait(do)
	grey := image.NewNRGBA(im.Rect)
	for i := range grey.Pix {
		grey.Pix[i] = 128
		if i%4 == 3 {
			grey.Pix[i] = 255
		}
	}
	in := Input{Image: im, Alpha: truth.Alpha, Background: grey, Phones: speech("a o a"), Voice: utter(speech("a o a"), 16000)}
	_, err := render(t, Options{Style: Talking, W: 320, H: 320, Motion: 1}, in, func(f *Frame) {
		green := 0
		for i := range f.U { // the green backdrop has U 84, V 70
			if f.U[i] < 104 && f.V[i] < 100 {
				green++
			}
		}
		if green > 20 {
			t.Errorf("frame %d: %d chroma samples of the old background", f.Index, green)
		}
		if f.Y[5*f.W+5] < 120 || f.Y[5*f.W+5] > 132 {
			t.Errorf("frame %d: background luma is %d, want that of grey", f.Index, f.Y[5*f.W+5])
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMouthOpensDarkAndCloses(t *testing.T) {
	tk := posed(t, drawn.Options{W: 400, H: 400, Size: 0.2}, Options{W: 400, H: 400}, nil)
	darkness := func(name string) (n int) {
		f := blank(400, 400)
		p := poseOf(name)
		tk.pose(f, &p)
		for s := -0.8; s < 0.8; s += 0.03 {
			for tt := -0.2; tt < 0.8; tt += 0.03 {
				x, y := tk.mouth.frame.Pixel(s, tt)
				if f.Y[int(y)*400+int(x)] < 70 {
					n++
				}
			}
		}
		return n
	}
	a, i, m := darkness("a"), darkness("i"), darkness("m")
	if !(a > 2*i && a > 2*m && a > 100) {
		t.Errorf("dark samples in a, i, m: %d, %d, %d; want many more in a", a, i, m)
	}
}

func TestBlinkHidesTheEyes(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	for name, do := range map[string]drawn.Options{"light": {}, "very dark": {Tone: 1, Smile: 1}, "glasses": {Glasses: true, Tone: 0.4}, "tilted": {Tilt: 0.2}} {
		do.W, do.H, do.Size = 400, 400, 0.2
		_, truth := drawn.Portrait(do)
		tk := posed(t, do, Options{W: 400, H: 400}, nil)
		f := blank(400, 400)
		spread := func(pose string) float64 {
			p := poseOf(pose)
			tk.pose(f, &p)
			lo, hi := 255.0, 0.0
			for dx := -6; dx <= 6; dx++ {
				v := float64(f.Y[(int(truth.EyeL.Y)-3)*400+int(truth.EyeL.X)+dx])
				lo, hi = min(lo, v), max(hi, v)
			}
			return hi - lo
		}
		if open, shut := spread("rest"), spread("blink"); shut > 0.35*open {
			t.Errorf("%s: contrast across the iris is %.0f open and %.0f shut, want it gone", name, open, shut)
		}
		// nothing of the open lid's lashes is left above the closed ones
		lashes := func(pose string) float64 {
			p := poseOf(pose)
			tk.pose(f, &p)
			lo, hi := 255.0, 0.0
			for dy := -0.17 * truth.IOD; dy < -0.01*truth.IOD; dy++ {
				v := float64(f.Y[int(truth.EyeL.Y+dy)*400+int(truth.EyeL.X)])
				lo, hi = min(lo, v), max(hi, v)
			}
			return hi - lo
		}
		if open, shut := lashes("rest"), lashes("blink"); shut > 0.35*open {
			t.Errorf("%s: contrast of the lid is %.0f open and %.0f shut, want it gone", name, open, shut)
		}
	}
}

func TestFallbacks(t *testing.T) {
	in, truth := sample320(t)
	cut := image.NewNRGBA(in.Image.Bounds())
	for i, a := range truth.Alpha.Pix {
		copy(cut.Pix[4*i:], in.Image.(*image.NRGBA).Pix[4*i:4*i+3])
		cut.Pix[4*i+3] = a
	}
	gray, _ := drawn.Portrait(drawn.Options{W: 320, H: 320, Size: 0.17, Gray: true})
	small, _ := drawn.Portrait(drawn.Options{W: 320, H: 320, Size: 0.0625}) // 20 px between the pupils
	profile, _ := drawn.Portrait(drawn.Options{W: 320, H: 320, Size: 0.17, Yaw: 0.7})
	wall := image.NewNRGBA(image.Rect(0, 0, 200, 100))
	for name, tt := range map[string]struct {
		edit   func(*Input)
		style  Style
		want   Style
		err    error
		reason string
		timing string
	}{
		"a good portrait talks":       {func(*Input) {}, Auto, Talking, nil, "", "phones"},
		"greyscale talks":             {func(i *Input) { i.Image = gray }, Auto, Talking, nil, "", "phones"},
		"a cut-out talks":             {func(i *Input) { i.Image = cut }, Auto, Talking, nil, "", "phones"},
		"no face becomes a card":      {func(i *Input) { i.Image = wall }, Auto, Card, nil, "no_face", "none"},
		"a 20 px face becomes a card": {func(i *Input) { i.Image = small }, Auto, Card, nil, "face_too_small", "none"},
		"a profile becomes a card":    {func(i *Input) { i.Image = profile }, Auto, Card, nil, "profile", "none"},
		"a line becomes a card":       {func(i *Input) { i.Image = image.NewGray(image.Rect(0, 0, 1, 4000)) }, Auto, Card, nil, "no_face", "none"},
		"no face cannot talk":         {func(i *Input) { i.Image = wall }, Talking, "", ErrNoFace, "", ""},
		"a chosen face that is none":  {func(i *Input) { i.Face = &face.Face{} }, Talking, "", ErrNoFace, "", ""},
		"an empty picture":            {func(i *Input) { i.Image = image.NewGray(image.Rectangle{}) }, Auto, "", ErrInput, "", ""},
		"no picture":                  {func(i *Input) { i.Image = nil }, Static, "", ErrInput, "", ""},
		"no sound":                    {func(i *Input) { i.Voice = dsp.Audio{} }, Auto, "", ErrInput, "", ""},
		"uneven channels": {func(i *Input) {
			i.Voice = dsp.Audio{Rate: 8000, Ch: [][]float32{make([]float32, 800), make([]float32, 8)}}
		}, Auto, "", ErrInput, "", ""},
		"alpha of another size":        {func(i *Input) { i.Alpha = image.NewAlpha(image.Rect(0, 0, 3, 3)) }, Auto, "", ErrInput, "", ""},
		"an unknown style":             {func(*Input) {}, "opera", "", ErrOptions, "", ""},
		"no timings":                   {func(i *Input) { i.Phones = nil }, Auto, Talking, nil, "", "sound"},
		"timings of another recording": {func(i *Input) { i.Phones = speech(another) }, Auto, Talking, nil, "timings", "sound"},
		"timings far after the end":    {func(i *Input) { i.Phones = []Phone{{50, 51, "a"}, {51, 52, "i"}} }, Auto, Talking, nil, "timings", "sound"},
		"timings of nonsense": {func(i *Input) {
			i.Phones = []Phone{{math.NaN(), 1, "a"}, {1, math.Inf(1), "i"}, {3, 2, "u"}, {-5, -4, "o"}}
		}, Auto, Talking, nil, "timings", "sound"},
		"timings with a gap":             {func(i *Input) { i.Phones = append(i.Phones[:3:3], i.Phones[5:]...) }, Auto, Talking, nil, "", "phones"},
		"timings that overlap":           {func(i *Input) { i.Phones = append(append([]Phone{}, i.Phones...), Phone{0.35, 0.5, "e"}) }, Auto, Talking, nil, "", "phones"},
		"a silent voice without timings": {func(i *Input) { i.Voice, i.Phones = dsp.New(16000, 1, 8000), nil }, Auto, Talking, nil, "", "sound"},
		"a tenth of a second":            {func(i *Input) { i.Voice, i.Phones = dsp.New(16000, 1, 1600), nil }, Auto, Talking, nil, "", "sound"},
		"sound of NaN and Inf": {func(i *Input) {
			i.Phones, i.Voice = nil, dsp.New(16000, 2, 8000)
			for k := range 8000 {
				i.Voice.Ch[0][k], i.Voice.Ch[1][k] = float32(math.NaN()), float32(math.Inf(k%2*2-1))
			}
		}, Auto, Talking, nil, "", "sound"},
		"stillness": {func(*Input) {}, Static, Static, nil, "", "none"},
		"a camera":  {func(i *Input) { i.Image = wall }, KenBurns, KenBurns, nil, "", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			in := in
			tt.edit(&in)
			last := ""
			r, err := render(t, Options{Style: tt.style, W: 96, H: 128, Motion: 1, Label: "AI生成"}, in, func(f *Frame) {
				lo, hi := f.Y[0], f.Y[0]
				for _, v := range f.Y {
					lo, hi = min(lo, v), max(hi, v)
				}
				if hi-lo < 20 {
					last = fmt.Sprintf("frame %d is blank", f.Index)
				}
			})
			if tt.err != nil {
				if !errors.Is(err, tt.err) {
					t.Errorf("got %v, want %v", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Style != tt.want || r.Timing != tt.timing {
				t.Errorf("style %q timing %q (%v), want %q %q", r.Style, r.Timing, r.Fallback, tt.want, tt.timing)
			}
			if got := strings.Join(r.Fallback, "; "); (got == "") != (tt.reason == "") || !strings.Contains(got, tt.reason) {
				t.Errorf("reason is %q, want %q", got, tt.reason)
			}
			if last != "" {
				t.Error(last)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	in, _ := sample320(t)
	for name, o := range map[string]Options{
		"odd width": {W: 65, H: 64}, "tiny": {W: 2, H: 2}, "huge": {W: 10000, H: 64}, "one side only": {W: 640},
		"slow": {FPS: 2}, "fast": {FPS: 1000}, "negative motion": {Motion: -1}, "motion NaN": {Motion: math.NaN()},
		"mouth": {Mouth: "beak"}, "label": {Label: "漢"},
	} {
		if _, err := render(t, o, in, nil); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: got %v, want %v", name, err, ErrOptions)
		}
	}
	r, err := render(t, Options{Style: Static}, in, nil)
	if err != nil || r.W != 320 || r.H != 320 || r.FPS != 25 {
		t.Errorf("defaults are %d×%d at %d fps, %v; want the picture's size at 25", r.W, r.H, r.FPS, err)
	}
}

func TestMouthModes(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	do := drawn.Options{W: 300, H: 300, Size: 0.2}
	for _, tt := range []struct {
		smile float64
		mode  MouthMode
		want  bool
	}{{0, MouthAuto, false}, {1, MouthAuto, true}, {0.7, MouthAuto, true}, {1, MouthClosed, false}, {0, MouthSmile, true}} {
		for _, tone := range []float64{0, 0.5, 1} {
			do.Smile, do.Tone = tt.smile, tone
			tk := posed(t, do, Options{W: 300, H: 300, Mouth: tt.mode}, nil)
			if tk.mouth.smile != tt.want {
				t.Errorf("smile %v, tone %v, mode %q: teeth %v, want %v", tt.smile, tone, tt.mode, tk.mouth.smile, tt.want)
			}
		}
	}
}

func TestSmileCornersAreMended(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	for _, do := range []drawn.Options{{Tone: 1, Smile: 1}, {Tone: 0.8, Smile: 0.7}, {Tone: 0.2, Smile: 1}, {Tone: 0.5, Smile: 0.8, Tilt: 0.2}, {Tone: 0.5}} {
		do.W, do.H, do.Size = 400, 400, 0.2
		im, truth := drawn.Portrait(do)
		f := mendCorners(im, testDetector(t).Detect(im)[0])
		for _, c := range []struct {
			got  face.Point
			want drawn.Point
		}{{f.MouthL, truth.MouthL}, {f.MouthR, truth.MouthR}} {
			x, y := f.Frame.Pixel(c.got.X, c.got.Y)
			if e := math.Hypot(x-c.want.X, y-c.want.Y) / truth.IOD; e > 0.12 {
				t.Errorf("tone %v, smile %v: corner is off by %.3f pupil distances, want at most 0.12", do.Tone, do.Smile, e)
			}
		}
	}
}

func TestSeamLiesBetweenTheLips(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	for name, do := range map[string]drawn.Options{"light": {}, "very dark": {Tone: 1}, "beard": {Beard: true, Tone: 0.4}, "noise": {Noise: 10}, "tilt": {Tilt: 0.25}} {
		do.W, do.H, do.Size = 400, 400, 0.2
		_, truth := drawn.Portrait(do)
		tk := posed(t, do, Options{W: 400, H: 400}, nil)
		// the middle of the drawn seam, from the corners and the line's known sag
		fx, fy := truth.MouthL.X/2+truth.MouthR.X/2, truth.MouthL.Y/2+truth.MouthR.Y/2
		sag := 0.055 * truth.IOD
		s, c := math.Sincos(do.Tilt)
		wantX, wantY := fx-sag*s, fy+sag*c
		x, y := tk.mouth.frame.Pixel(0, tk.mouth.seamAt(0))
		// compare across the seam only
		if e := math.Abs((x-wantX)*-s+(y-wantY)*c) / truth.IOD; e > 0.035 {
			t.Errorf("%s: seam is off by %.3f pupil distances, want at most 0.035", name, e)
		}
	}
}

func TestLabelIsSeen(t *testing.T) {
	in, _ := sample320(t)
	in.Voice = dsp.New(16000, 1, 1600)
	var plain, marked []byte
	for _, label := range []string{"", "AI生成"} {
		_, err := render(t, Options{Style: Static, W: 320, H: 320, Label: label}, in, func(f *Frame) {
			if f.Index == 2 {
				plain, marked = marked, append([]byte(nil), f.Y...)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	changed, outside := 0, 0
	for i := range plain {
		if d := int(plain[i]) - int(marked[i]); d > 8 || d < -8 {
			changed++
			if x, y := i%320, i/320; x < 240 || y < 280 {
				outside++
			}
		}
	}
	if changed < 150 || outside > 0 {
		t.Errorf("label changes %d pixels, %d of them outside its corner; want over 150 and none", changed, outside)
	}
}

func TestVisemes(t *testing.T) {
	for p, want := range map[string]string{
		"a": "a", "ky": "k", "by": "m", "cl": "cl", "pau": "pau", "N": "N", "": "pau",
		"ɑː": "a", "ˈiː": "i", "ŋ": "k", "tʃ": "sh", "dʒ": "sh", "ɹ": "r", "ã": "a", "pʰ": "m", "θ": "t", "ʃː": "sh",
	} {
		got, known := classesOf(p)
		if !known || len(got) != 1 || got[0] != want {
			t.Errorf("%q is %v (known %v), want %s", p, got, known, want)
		}
	}
	if got, _ := classesOf("aɪ"); len(got) != 2 || got[0] != "a" || got[1] != "i" {
		t.Errorf("diphthong aɪ is %v, want a then i", got)
	}
	if got, known := classesOf("\x00☃"); known || got[0] != "?" {
		t.Errorf("nonsense is %v, want unknown", got)
	}
	if s, _ := shapesOf("U", ""); s[0].open >= visemes["u"].open {
		t.Error("a devoiced vowel opens as far as a voiced one")
	}
	for c := range visemes {
		if v := visemes[c]; v.open < 0 || v.open > 1 || v.width < 0.7 || v.width > 1.15 {
			t.Errorf("class %s is out of range: %+v", c, v)
		}
	}
	for p, c := range classOf {
		if _, ok := visemes[c]; !ok && c != "h" {
			t.Errorf("phoneme %q has no class %q", p, c)
		}
	}
}

func FuzzTrack(f *testing.F) {
	f.Add(0.1, 0.2, "a", 0.2, 0.3, "m", []byte{1, 200, 3})
	f.Add(-1.0, 1e300, "aɪʊəy", 0.2, 0.1, "☃", []byte{})
	f.Fuzz(func(t *testing.T, a, b float64, p string, c, d float64, q string, sound []byte) {
		v := dsp.New(8000, 1, min(len(sound), 40000)+1)
		for i := range v.Ch[0][1:] {
			v.Ch[0][i+1] = float32(int8(sound[i])) / 128
		}
		r := &Report{Seconds: v.Duration().Seconds()}
		m := newMotion(Input{Voice: v, Phones: []Phone{{a, b, p}, {c, d, q}}}, 1, r)
		for i := range 30 {
			s := m.at(float64(i) / 25)
			for _, x := range []float64{s.Open, s.Blink, s.Press, s.Teeth, s.Tongue} {
				if !(x >= 0 && x <= 1.5) {
					t.Fatalf("pose %+v", s)
				}
			}
			if !(s.Width > 0.6 && s.Width < 1.3) || math.IsNaN(s.Yaw+s.Pitch+s.Roll) {
				t.Fatalf("pose %+v", s)
			}
		}
	})
}
