package mix_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
	"github.com/videomsg/videomsg/dsp/mix"
	"github.com/videomsg/videomsg/dsp/music"
)

// voice speaks in bursts of noise with harmonics: on for the first 70 % of every
// period.
func voice(rate int, seconds, period, level float64) dsp.Audio {
	rng := rand.New(rand.NewPCG(1, 1))
	a := dsp.New(rate, 1, int(seconds*float64(rate)))
	for i := range a.Ch[0] {
		t := float64(i) / float64(rate)
		x := 1e-5 * rng.NormFloat64()
		if p := math.Mod(t, period) / period; p < 0.7 {
			env := min(1, p*period/0.02, (0.7-p)*period/0.02)
			for k := 1.0; k < 12; k++ {
				x += level * env * math.Sin(2*math.Pi*150*k*t+k*k) / k
			}
		}
		a.Ch[0][i] = float32(x)
	}
	return a
}

// track is pink-like noise with a beat, in stereo.
func track(seconds, level float64) dsp.Audio {
	rng := rand.New(rand.NewPCG(2, 2))
	a := dsp.New(44100, 2, int(seconds*44100))
	for c := range a.Ch {
		lp := 0.0
		for i := range a.Ch[c] {
			lp += 0.1 * (rng.NormFloat64() - lp)
			a.Ch[c][i] = float32(level * lp * (0.7 + 0.3*math.Exp(-math.Mod(float64(i)/44100, 0.5)*8)))
		}
	}
	return a
}

func do(t testing.TB, v dsp.Audio, m mix.Music, p mix.Plan) (dsp.Audio, mix.Report) {
	t.Helper()
	out, r, err := mix.Mix(v, m, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, ch := range out.Ch {
		for i, x := range ch {
			if !(math.Abs(float64(x)) <= 1) {
				t.Fatalf("sample %d is %g", i, x)
			}
		}
	}
	return out, r
}

func loudnessOf(t testing.TB, a dsp.Audio) float64 {
	t.Helper()
	s, err := loudness.Measure(a)
	if err != nil {
		t.Fatal(err)
	}
	return s.Integrated
}

// part is the music alone: the mix without what the voice contributes is found
// by mixing a silent stretch, so it is read off the lead-in instead.
func TestVolumeLaw(t *testing.T) {
	v := voice(48000, 2, 1, 0.1)
	for _, volume := range []float64{0.05, 0.3, 1} {
		p := mix.Default()
		p.Volume = volume
		_, r := do(t, v, mix.Music{Sound: track(2, 0.3).Source()}, p)
		want := r.Voice.Integrated - 20*(1-volume)
		if got := r.MusicBefore.Integrated + r.MusicGain; math.Abs(got-want) > 0.01 {
			t.Errorf("volume %.2f: music at %.2f LUFS, want %.2f", volume, got, want)
		}
	}
}

// The law must hold in the sound, not only in the report: the lead-in of a mix
// without fades is music alone, at its distance from the voice.
func TestVolumeLawIsAudible(t *testing.T) {
	if underRace {
		t.Skip("measured in the plain run")
	}
	v := voice(48000, 3, 1, 0.1)
	p := mix.Default()
	p.FadeIn, p.FadeOut, p.LeadIn, p.Tail = 0, 0, 3*time.Second, 0
	for _, volume := range []float64{0.3, 0.6} {
		p.Volume = volume
		out, r := do(t, v, mix.Music{Sound: track(6, 2).Source()}, p)
		lead := dsp.Audio{Rate: out.Rate, Ch: [][]float32{out.Ch[0][:2*48000], out.Ch[1][:2*48000]}}
		voiceNow := r.Voice.Integrated + r.Out.Gain
		if got, want := voiceNow-loudnessOf(t, lead), 20*(1-volume); math.Abs(got-want) > 0.5 {
			t.Errorf("volume %.1f: music %.2f LU under the voice, want %.1f", volume, got, want)
		}
	}
}

func TestResultIsAtItsTarget(t *testing.T) {
	if underRace {
		t.Skip("measured in the plain run")
	}
	for _, target := range []loudness.Target{loudness.Message, loudness.Streaming, loudness.Broadcast} {
		for _, level := range []float64{0.003, 0.1, 3} {
			p := mix.Default()
			p.Target, p.Target.MaxGain = target, 40
			out, r := do(t, voice(22050, 3, 1.3, level), mix.Music{Sound: track(2, 1/level).Source()}, p)
			s, err := loudness.Measure(out)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(s.Integrated-target.LUFS) > 0.05 || s.TruePeak > target.TruePeak+0.1 {
				t.Errorf("level %g: %.2f LUFS, %.2f dBTP, want %.0f and ≤ %.0f", level, s.Integrated, s.TruePeak, target.LUFS, target.TruePeak)
			}
			if r.Loops == 0 {
				t.Errorf("2 s of music for a mix of %s did not loop", out.Duration())
			}
		}
	}
}

func TestVolumeZeroIsTheVoiceAlone(t *testing.T) {
	v := voice(48000, 3, 1, 0.1)
	p := mix.Default()
	p.Volume = 0
	out, r := do(t, v, mix.Music{}, p)
	if out.Len() != v.Len() || r.VoiceOffset != 0 || r.MusicGain != loudness.Floor {
		t.Fatalf("%d samples, offset %s, music %.0f dB", out.Len(), r.VoiceOffset, r.MusicGain)
	}
	g := math.Pow(10, r.Out.Gain/20)
	for i, x := range v.Ch[0] {
		if r.Out.MaxReduction == 0 && math.Abs(float64(out.Ch[0][i])-g*float64(x)) > 1e-6 {
			t.Fatalf("sample %d is not the voice", i)
		}
	}
}

// The voice's place in the mix is where the report says, to the sample, and at
// its own level relative to the whole.
func TestVoiceOffsetAndLevel(t *testing.T) {
	v := voice(48000, 4, 1, 0.1)
	p := mix.Default()
	p.Volume, p.LeadIn = 0.05, 1370*time.Millisecond
	out, r := do(t, v, mix.Music{Sound: track(6, 0.3).Source()}, p)
	if r.VoiceOffset != p.LeadIn || out.Duration() != p.Length(v.Duration()) {
		t.Fatalf("offset %s, %s long", r.VoiceOffset, out.Duration())
	}
	at := int(math.Round(r.VoiceOffset.Seconds() * 48000))
	project := func(shift int) float64 {
		xy, xx := 0.0, 0.0
		for i, x := range v.Ch[0] {
			xy += float64(x) * float64(out.Ch[0][at+shift+i])
			xx += float64(x) * float64(x)
		}
		return xy / xx
	}
	if g, want := project(0), math.Pow(10, r.Out.Gain/20); math.Abs(g/want-1) > 0.02 {
		t.Errorf("voice at %.3f, want %.3f", g, want)
	}
	for _, s := range []int{-20, 20} {
		if project(s) > project(0) {
			t.Errorf("voice fits better %d samples away", s)
		}
	}
}

func TestAccessibleKeepsTwentyUnits(t *testing.T) {
	if underRace {
		t.Skip("measured in the plain run")
	}
	v := voice(48000, 4, 1, 0.1)
	for _, volume := range []float64{0.3, 1} {
		p := mix.Default()
		p.Volume, p.Accessible = volume, true
		_, r := do(t, v, mix.Music{Sound: track(7, 0.3).Source()}, p)
		if gap := r.Voice.Integrated - r.MusicBefore.Integrated - r.MusicGain; gap < 20 {
			t.Errorf("volume %.1f: music only %.1f LU under the voice", volume, gap)
		}
		if r.SpeechToMusic < 18 {
			t.Errorf("volume %.1f: 5%% of speech is within %.1f LU of the music", volume, r.SpeechToMusic)
		}
	}
}

func TestLoopHasNoSeam(t *testing.T) {
	if underRace {
		t.Skip("measured in the plain run")
	}
	t.Run("seamless music repeats to the sample", func(t *testing.T) {
		m, err := music.Loop(music.Upbeat, 3)
		if err != nil {
			t.Fatal(err)
		}
		p := mix.Default()
		p.FadeIn, p.FadeOut, p.LeadIn, p.Tail = 0, 0, 0, 0
		// A silent voice leaves the music alone.
		out, r := do(t, dsp.New(48000, 1, m.Audio.Len()+5*48000), mix.Music{Sound: m.Audio.Source(), Seamless: true}, p)
		if r.Loops != 1 {
			t.Fatalf("%d loops, want 1", r.Loops)
		}
		n := m.Audio.Len()
		for i := 5000; i < 4*48000; i++ { // away from the limiter's start
			if math.Abs(float64(out.Ch[0][i]-out.Ch[0][n+i])) > 1e-3 {
				t.Fatalf("sample %d of the second round differs", i)
			}
		}
	})
	t.Run("a crossfade keeps the level", func(t *testing.T) {
		tone := dsp.New(48000, 2, 3*48000)
		rng := rand.New(rand.NewPCG(9, 9))
		for name, f := range map[string]func(i int) float64{
			"a tone":  func(i int) float64 { return 0.2 * math.Sin(2*math.Pi*float64(i)*313/48000) },
			"a noise": func(int) float64 { return 0.1 * rng.NormFloat64() },
		} {
			for i := range tone.Ch[0] {
				tone.Ch[0][i] = float32(f(i))
				tone.Ch[1][i] = tone.Ch[0][i]
			}
			p := mix.Default()
			p.FadeIn, p.FadeOut, p.LeadIn, p.Tail = 0, 0, 0, 0
			out, r := do(t, dsp.New(48000, 1, 8*48000), mix.Music{Sound: tone.Source()}, p)
			if r.Loops < 2 {
				t.Fatalf("%s: %d loops", name, r.Loops)
			}
			lo, hi := math.Inf(1), math.Inf(-1)
			for i := 4800; i+4800 < out.Len(); i += 2400 {
				sum := 0.0
				for _, v := range out.Ch[0][i : i+4800] {
					sum += float64(v) * float64(v)
				}
				l := 10 * math.Log10(sum)
				lo, hi = min(lo, l), max(hi, l)
			}
			if hi-lo > 1 {
				t.Errorf("%s: level moves by %.2f dB", name, hi-lo)
			}
		}
	})
}

func TestMusicThatEndsIsNotFaded(t *testing.T) {
	if underRace {
		t.Skip("measured in the plain run")
	}
	v := voice(24000, 20, 1, 0.1)
	p := mix.Default()
	m, err := music.Piece(music.Calm, 1, p.Length(v.Duration()))
	if err != nil {
		t.Fatal(err)
	}
	out, r := do(t, v, mix.Music{Sound: m.Audio.Source(), Ends: true}, p)
	if r.Loops != 0 {
		t.Errorf("%d loops", r.Loops)
	}
	// Half a second into the fade a plan would have made, the final chord still
	// rings at its level.
	at := out.Len() - 48000
	got, want := 0.0, 0.0
	g := math.Pow(10, (r.MusicGain+r.Out.Gain)/20)
	for i := at; i < at+4800; i++ {
		got += math.Abs(float64(out.Ch[0][i]))
		want += g * math.Abs(float64(m.Audio.Ch[0][i]))
	}
	if math.Abs(got/want-1) > 0.05 {
		t.Errorf("end at %.2f of its level", got/want)
	}
}

// Gain of the ducked music is read from a music that is one tone, through the
// pauses and the speech of a voice that has no energy there.
func TestDucking(t *testing.T) {
	if underRace {
		t.Skip("measured in the plain run")
	}
	v := voice(48000, 24, 6, 0.1) // 4.2 s speech, 1.8 s pause
	tone := dsp.New(48000, 1, 40*48000)
	for i := range tone.Ch[0] {
		tone.Ch[0][i] = float32(0.2 * math.Sin(2*math.Pi*5000*float64(i)/48000))
	}
	p := mix.Default()
	p.Duck = true
	out, r := do(t, v, mix.Music{Sound: tone.Source()}, p)
	if math.Abs(r.Ducked-6) > 1e-9 || r.SpeechToMusic < 10 {
		t.Errorf("ducked by %.1f dB, speech to music %.1f LU", r.Ducked, r.SpeechToMusic)
	}
	// Demodulate at 5 kHz in windows of 10 ms: the voice's harmonics end at 1650 Hz.
	var gain []float64
	for i := 0; i+480 <= out.Len(); i += 480 {
		re, im := 0.0, 0.0
		for k := i; k < i+480; k++ {
			s, c := math.Sincos(2 * math.Pi * 5000 * float64(k) / 48000)
			w := 1 - math.Cos(2*math.Pi*float64(k-i)/480)
			re += w * c * float64(out.Ch[0][k])
			im += w * s * float64(out.Ch[0][k])
		}
		gain = append(gain, 10*math.Log10(re*re+im*im+1e-20))
	}
	ref := gain[(1+2)*100] // in the middle of the first speech
	slope, down, up := 0.0, 0, 0
	for i := 70; i < len(gain)-220; i++ {
		d := gain[i+1] - gain[i]
		slope = max(slope, math.Abs(d)*100)
	}
	for round := range 4 {
		start := int(100 * (1 + 6*float64(round)))
		if math.Abs(gain[start+1]-ref) < 0.3 {
			down++ // already down at the first syllable
		}
		if math.Abs(gain[start-32]-ref-6) < 0.5 {
			up++ // and up just before it is needed
		}
	}
	if slope > 40 || down != 4 || up < 3 {
		t.Errorf("slope %.0f dB/s, down in time %d of 4, up in %d of 4", slope, down, up)
	}
}

func TestOddInputs(t *testing.T) {
	good := mix.Music{Sound: track(1, 0.3).Source()}
	for name, v := range map[string]dsp.Audio{
		"nothing":      dsp.New(48000, 1, 0),
		"one sample":   {Rate: 48000, Ch: [][]float32{{0.5}}},
		"10 ms":        voice(48000, 0.01, 1, 0.1),
		"silence":      dsp.New(48000, 1, 48000),
		"DC":           {Rate: 8000, Ch: [][]float32{constant(0.5, 8000)}},
		"clipped":      {Rate: 48000, Ch: [][]float32{constant(100, 48000), constant(-100, 48000)}},
		"8 channels":   dsp.New(48000, 8, 4800),
		"384 kHz":      voice(384000, 0.5, 1, 0.1),
		"noise all on": track(3, 1),
	} {
		for _, duck := range []bool{false, true} {
			if underRace && !duck {
				continue
			}
			p := mix.Default()
			p.Duck = duck
			out, _ := do(t, v, good, p)
			if want := p.Length(v.Duration()); (out.Duration() - want).Abs() > time.Millisecond {
				t.Errorf("%s: %s long, want %s", name, out.Duration(), want)
			}
		}
	}
	p := mix.Default()
	p.FadeIn, p.FadeOut, p.Tail, p.LeadIn = mix.MaxFade, mix.MaxFade, 0, 0
	do(t, dsp.New(48000, 1, 10), good, p)
}

func constant(v float32, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

func TestRefusals(t *testing.T) {
	v := voice(48000, 1, 1, 0.1)
	for name, m := range map[string]mix.Music{
		"no music":   {},
		"empty":      {Sound: dsp.New(48000, 2, 0).Source()},
		"10 ms":      {Sound: track(0.01, 0.3).Source()},
		"silent":     {Sound: dsp.New(48000, 2, 480000).Source()},
		"NaN":        {Sound: dsp.Audio{Rate: 48000, Ch: [][]float32{constant(float32(math.NaN()), 48000)}}.Source()},
		"1 Hz":       {Sound: dsp.New(1, 1, 100).Source()},
		"9 channels": {Sound: dsp.New(48000, 9, 48000).Source()},
	} {
		if _, _, err := mix.Mix(v, m, mix.Default()); err == nil {
			t.Errorf("%s was mixed", name)
		}
	}
	if _, _, err := mix.Mix(v, mix.Music{Sound: dsp.New(48000, 2, 480000).Source()}, mix.Default()); !errors.Is(err, mix.ErrMusic) {
		t.Errorf("silent music: %v, want ErrMusic", err)
	}
	if _, _, err := mix.Mix(dsp.New(4000, 1, 4000*3*3600), mix.Music{Sound: track(1, 1).Source()}, mix.Default()); err == nil {
		t.Error("3 hours were mixed")
	}
	for name, change := range map[string]func(*mix.Plan){
		"volume NaN":   func(p *mix.Plan) { p.Volume = math.NaN() },
		"volume −0.1":  func(p *mix.Plan) { p.Volume = -0.1 },
		"volume 1.1":   func(p *mix.Plan) { p.Volume = 1.1 },
		"volume Inf":   func(p *mix.Plan) { p.Volume = math.Inf(1) },
		"lead-in −1":   func(p *mix.Plan) { p.LeadIn = -1 },
		"lead-in 6 s":  func(p *mix.Plan) { p.LeadIn = 6 * time.Second },
		"tail 6 s":     func(p *mix.Plan) { p.Tail = 6 * time.Second },
		"fade 11 s":    func(p *mix.Plan) { p.FadeOut = 11 * time.Second },
		"target 0":     func(p *mix.Plan) { p.Target.LUFS = 0 },
		"no target":    func(p *mix.Plan) { p.Target = loudness.Target{} },
		"fade-in −1 s": func(p *mix.Plan) { p.FadeIn = -time.Second },
	} {
		p := mix.Default()
		change(&p)
		if _, _, err := mix.Mix(v, mix.Music{Sound: track(1, 1).Source()}, p); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
