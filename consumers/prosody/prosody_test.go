package prosody

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
)

const (
	task     = "01kb0000000000000000000001"
	sentence = "はい、そう。うん"
)

// words of sentence, as a voice would have spoken them.
var words = []speech.Word{
	{Start: 0.1, End: 0.5, Text: "はい", CharStart: 0, CharEnd: 2},
	{Start: 0.8, End: 1.3, Text: "そう", CharStart: 3, CharEnd: 5},
	{Start: 1.8, End: 2.4, Text: "うん", CharStart: 6, CharEnd: 8},
}

// recording is a voice of which every boundary is known: a buzz with formants,
// whose pitch falls, for every word, and silence between.
func recording() (dsp.Audio, speech.Timings) {
	a := dsp.New(speech.Rate, 1, int(2.6*speech.Rate))
	t := speech.Timings{SampleRate: speech.Rate, Source: speech.Exact, Engine: "test", Words: words}
	at := 0.0
	for _, w := range words {
		phase := 0.0
		for i := int(w.Start * speech.Rate); i < int(w.End*speech.Rate); i++ {
			x := (float64(i)/speech.Rate - w.Start) / (w.End - w.Start)
			f0 := 180 - 40*x
			phase += 2 * math.Pi * f0 / speech.Rate
			v := 0.0
			for k := 1.0; k*f0 < 4000; k++ {
				f := k * f0
				v += math.Sin(k*phase) * (math.Exp(-sq((f-700)/150)) + 0.5*math.Exp(-sq((f-1200)/200)) + 0.05)
			}
			edge := min(1, float64(i-int(w.Start*speech.Rate))/240, float64(int(w.End*speech.Rate)-i)/240)
			a.Ch[0][i] = float32(0.1 * v * edge)
		}
		t.Phones = append(t.Phones, speech.Phone{Start: at, End: w.Start, P: "pau"}, speech.Phone{Start: w.Start, End: w.End, P: "a"})
		at = w.End
	}
	t.Phones = append(t.Phones, speech.Phone{Start: at, End: 2.6, P: "sil"})
	return a, t
}

func sq(x float64) float64 { return x * x }

// spans finds the words of a again: where its envelope over 2 ms is above 2 % of
// its peak.
func spans(a dsp.Audio) (out [][2]float64) {
	n := a.Rate / 100
	x := a.Mono().Ch[0]
	top := 0.0
	for _, v := range x {
		top = max(top, math.Abs(float64(v)))
	}
	on, last := -1, -1
	for i, v := range x {
		if math.Abs(float64(v)) < top/50 {
			if on >= 0 && i-last > n {
				out = append(out, [2]float64{float64(on) / float64(a.Rate), float64(last) / float64(a.Rate)})
				on = -1
			}
			continue
		}
		if on < 0 {
			on = i
		}
		last = i
	}
	if on >= 0 {
		out = append(out, [2]float64{float64(on) / float64(a.Rate), float64(last) / float64(a.Rate)})
	}
	return out
}

func newBlobs(t *testing.T) consumers.Blobs {
	t.Helper()
	s, err := dirstore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return consumers.Blobs{Store: s, Temp: t.TempDir()}
}

// work is a job after the voice stage; native is what that has done.
func work(t *testing.T, b consumers.Blobs, a dsp.Audio, line speech.Timings, p events.Prosody, native *events.Native) consumers.Work {
	t.Helper()
	sound, err := b.PutSound(t.Context(), objectstore.Intermediates, task, "voice", "speech.wav", a)
	if err != nil {
		t.Fatal(err)
	}
	times, err := b.PutJSON(t.Context(), objectstore.Intermediates, task, "voice", "timings.json", line)
	if err != nil {
		t.Fatal(err)
	}
	said, err := b.Put(t.Context(), objectstore.Inputs, task, "request", "text", "text/plain", strings.NewReader(sentence))
	if err != nil {
		t.Fatal(err)
	}
	return consumers.Work{
		Task: task, Attempt: 1, Progress: func(float64) {},
		Job: events.Job{
			Request: events.Request{Kind: events.KindProsody, Prosody: p},
			Blobs:   map[string]events.Blob{events.BlobSpeech: sound, events.BlobTimings: times, events.BlobText: said},
			Notes:   []events.Note{{Stage: "voice", Engine: "test", Native: native}},
		},
	}
}

// outcome runs the stage and reads what it made.
func outcome(t *testing.T, b consumers.Blobs, w consumers.Work) (consumers.Result, dsp.Audio, speech.Timings) {
	t.Helper()
	res, err := Stage(b).Run(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if res.Skipped {
		return res, dsp.Audio{}, speech.Timings{}
	}
	made := events.Job{Blobs: res.Blobs}
	a, err := b.Sound(t.Context(), made, events.BlobProsody)
	if err != nil {
		t.Fatal(err)
	}
	var line speech.Timings
	if err := b.JSON(t.Context(), made, events.BlobProsodyT, &line); err != nil {
		t.Fatal(err)
	}
	if err := line.Validate(a.Duration().Seconds()); err != nil {
		t.Error(err)
	}
	return res, a, line
}

// checkWords compares the timeline with what is heard.
func checkWords(t *testing.T, a dsp.Audio, line speech.Timings, tolerance float64) {
	t.Helper()
	heard := spans(a)
	if len(heard) != len(line.Words) {
		t.Fatalf("heard %v, the timeline says %v", heard, line.Words)
	}
	for i, w := range line.Words {
		if math.Abs(w.Start-heard[i][0]) > tolerance || math.Abs(w.End-heard[i][1]) > tolerance {
			t.Errorf("%s from %.3f to %.3f is heard from %.3f to %.3f", w.Text, w.Start, w.End, heard[i][0], heard[i][1])
		}
	}
	at := 0.0
	for _, p := range line.Phones {
		if math.Abs(p.Start-at) > 2e-3 {
			t.Errorf("nothing says what is heard from %.3f to %.3f", at, p.Start)
		}
		at = p.End
	}
}

func TestEveryEmotionCarriesTheTimelineAlong(t *testing.T) {
	a, line := recording()
	b := newBlobs(t)
	for _, e := range prosody.Emotions() {
		for _, intensity := range []float64{0.5, 1} {
			if intensity < 1 && e != prosody.Sad {
				continue
			}
			p := events.Prosody{Emotion: string(e), Intensity: &intensity}
			res, out, got := outcome(t, b, work(t, b, a, line, p, nil))
			if e == prosody.Neutral {
				if !res.Skipped || len(res.Fallback) > 0 {
					t.Errorf("neutral: %+v", res)
				}
				continue
			}
			if res.Engine != "dsp" || len(res.Remarks) == 0 {
				t.Errorf("%s: %+v", e, res)
			}
			checkWords(t, out, got, 0.015)
			plan, err := Params(p).Resolve()
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range got.Words {
				if want := (words[i].End - words[i].Start) / plan.Rate; math.Abs(w.End-w.Start-want) > 0.02 {
					t.Errorf("%s at %g: %s lasts %.3f s, want %.3f", e, intensity, w.Text, w.End-w.Start, want)
				}
			}
			// The pauses follow the emotion, not only the speed.
			for i, mark := range []string{"、", "。"} {
				if gap := got.Words[i+1].Start - got.Words[i].End; math.Abs(gap-plan.Pauses[mark]) > 0.002 {
					t.Errorf("%s at %g: the pause at %s is %.3f s, want %.3f", e, intensity, mark, gap, plan.Pauses[mark])
				}
			}
		}
	}
}

func TestPausesAskedForAreExact(t *testing.T) {
	a, line := recording()
	b := newBlobs(t)
	for _, c := range []struct {
		name   string
		p      events.Prosody
		pauses [2]float64
	}{
		{"longer", events.Prosody{Pauses: map[string]float64{"。": 1.2}}, [2]float64{0.3, 1.2}},
		{"shorter, by another sign for the same mark", events.Prosody{Pauses: map[string]float64{",": 0.1, ".": 0.2}}, [2]float64{0.1, 0.2}},
		{"none", events.Prosody{Pauses: map[string]float64{"、": 0}}, [2]float64{0, 0.5}},
		{"with another speed", events.Prosody{TimeStretch: new(1.5), Pauses: map[string]float64{"、": 0.6, "。": 0.9}}, [2]float64{0.6, 0.9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, out, got := outcome(t, b, work(t, b, a, line, c.p, nil))
			for i, want := range c.pauses {
				if gap := got.Words[i+1].Start - got.Words[i].End; math.Abs(gap-want) > 0.005 {
					t.Errorf("pause %d is %.3f s, want %.3f", i, gap, want)
				}
			}
			if c.pauses[0] > 0 {
				checkWords(t, out, got, 0.015)
			}
		})
	}
	t.Run("as they are already", func(t *testing.T) {
		res, _, _ := outcome(t, b, work(t, b, a, line, events.Prosody{Pauses: map[string]float64{"、": 0.3, "newline": 1, "space": 2}}, nil))
		if !res.Skipped {
			t.Errorf("%+v", res)
		}
	})
}

func TestWhatTheVoiceDidIsNotDoneAgain(t *testing.T) {
	a, line := recording()
	b := newBlobs(t)
	t.Run("all of it", func(t *testing.T) {
		res, _, _ := outcome(t, b, work(t, b, a, line, events.Prosody{TimeStretch: new(1.2), PitchShift: new(float64(2)), Pauses: map[string]float64{"、": 0.3, "。": 0.5}}, &events.Native{Rate: 1.2, Pitch: 2}))
		if !res.Skipped || res.Engine != "voice" {
			t.Errorf("%+v", res)
		}
	})
	t.Run("speed and half of the pitch", func(t *testing.T) {
		// The pauses are as a voice leaves them for this wish.
		p := events.Prosody{TimeStretch: new(1.2), PitchShift: new(float64(4)), Pauses: map[string]float64{"、": 0.3, "。": 0.5}}
		res, out, got := outcome(t, b, work(t, b, a, line, p, &events.Native{Rate: 1.2, Pitch: 2}))
		checkWords(t, out, got, 0.015)
		if d := out.Duration() - a.Duration(); d.Abs() > time.Millisecond {
			t.Errorf("%v long, was %v", out.Duration(), a.Duration())
		}
		ratio := pitch(t, out) / pitch(t, a)
		if st := 12 * math.Log2(ratio); math.Abs(st-2) > 0.2 {
			t.Errorf("raised by %.2f semitones, want 2", st)
		}
		want := []string{"Done by the voice itself: speed.", "Done afterwards: pitch."}
		if !slices.Equal(res.Remarks, want) {
			t.Errorf("remarks %q, want %q", res.Remarks, want)
		}
	})
	t.Run("and is taken back when a rerun asks for less", func(t *testing.T) {
		_, out, _ := outcome(t, b, work(t, b, a, line, events.Prosody{}, &events.Native{Rate: 0.8, Pitch: -2}))
		if want := 2.6 * 0.8; math.Abs(out.Duration().Seconds()-want) > 0.01 {
			t.Errorf("%v long, want %.2f s", out.Duration(), want)
		}
		if st := 12 * math.Log2(pitch(t, out)/pitch(t, a)); math.Abs(st-2) > 0.2 {
			t.Errorf("raised by %.2f semitones, want 2", st)
		}
	})
}

// pitch is the median fundamental frequency.
func pitch(t *testing.T, a dsp.Audio) float64 {
	t.Helper()
	p := prosody.NeutralPlan()
	p.NoBypass = true
	_, _, rep, err := prosody.Apply(a, p, nil)
	if err != nil || rep.MedianF0 == 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	return rep.MedianF0
}

func TestSoundThatCannotBeChangedGoesOn(t *testing.T) {
	b := newBlobs(t)
	a, line := recording()
	a.Rate = 2000 // below what the analysis takes
	res, _, _ := outcome(t, b, work(t, b, a, line, events.Prosody{PitchShift: new(float64(2))}, nil))
	if !res.Skipped || res.Engine != "original" || len(res.Fallback) != 1 || engines.Reason(res.Fallback[0].Err) != "the sound could not be changed" {
		t.Errorf("%+v", res)
	}
}

func TestOddSounds(t *testing.T) {
	b := newBlobs(t)
	for name, n := range map[string]int{"silence": speech.Rate, "0.1 s": speech.Rate / 10, "1 sample": 1, "6 s": 6 * speech.Rate} {
		t.Run(name, func(t *testing.T) {
			a := dsp.New(speech.Rate, 1, n)
			if name != "silence" {
				for i := range a.Ch[0] {
					a.Ch[0][i] = float32(0.3 * math.Sin(2*math.Pi*150/speech.Rate*float64(i)))
				}
			}
			line := speech.Timings{SampleRate: speech.Rate, Source: speech.Approximate}
			_, out, _ := outcome(t, b, work(t, b, a, line, events.Prosody{Emotion: "sad"}, nil))
			if err := out.Check(); err != nil {
				t.Error(err)
			}
			if want := float64(n) / 0.9; math.Abs(float64(out.Len())-want) > 2 {
				t.Errorf("%d samples, want %.0f", out.Len(), want)
			}
		})
	}
}

func TestBadWork(t *testing.T) {
	a, line := recording()
	for _, c := range []struct {
		name, code string
		p          events.Prosody
		spoil      func(b consumers.Blobs, w consumers.Work)
	}{
		{"unknown emotion", "PARAMETER_OUT_OF_RANGE", events.Prosody{Emotion: "hungry"}, nil},
		{"pitch out of range", "PARAMETER_OUT_OF_RANGE", events.Prosody{PitchShift: new(float64(13))}, nil},
		{"a pause without end", "PARAMETER_OUT_OF_RANGE", events.Prosody{Pauses: map[string]float64{"。": 1e9}}, nil},
		{"no timeline", "INPUT_MISSING", events.Prosody{Emotion: "sad"}, func(_ consumers.Blobs, w consumers.Work) { delete(w.Job.Blobs, events.BlobTimings) }},
		{"no sound", "INPUT_MISSING", events.Prosody{Emotion: "sad"}, func(_ consumers.Blobs, w consumers.Work) { delete(w.Job.Blobs, events.BlobSpeech) }},
		{"sound is gone", "INPUT_GONE", events.Prosody{Emotion: "sad"}, func(b consumers.Blobs, w consumers.Work) {
			if err := b.Store.Delete(t.Context(), w.Job.Blobs[events.BlobSpeech].Key); err != nil {
				t.Fatal(err)
			}
		}},
		{"sound is text", "INPUT_DAMAGED", events.Prosody{Emotion: "sad"}, func(b consumers.Blobs, w consumers.Work) {
			if _, err := b.Store.Put(t.Context(), w.Job.Blobs[events.BlobSpeech].Key, strings.NewReader("#EXTM3U")); err != nil {
				t.Fatal(err)
			}
		}},
		{"timeline is half", "INPUT_DAMAGED", events.Prosody{Emotion: "sad"}, func(b consumers.Blobs, w consumers.Work) {
			half, err := json.Marshal(line)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Store.Put(t.Context(), w.Job.Blobs[events.BlobTimings].Key, bytes.NewReader(half[:len(half)/2])); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBlobs(t)
			w := work(t, b, a, line, c.p, nil)
			if c.spoil != nil {
				c.spoil(b, w)
			}
			_, err := Stage(b).Run(t.Context(), w)
			var f *consumers.Failure
			if !errors.As(err, &f) || f.Code != c.code {
				t.Errorf("error %v, want %s", err, c.code)
			}
		})
	}
}

func TestTimelineOfAnotherTextIsNotTrusted(t *testing.T) {
	a, line := recording()
	line.Words = slices.Clone(words)
	line.Words[2].CharStart, line.Words[2].CharEnd = 500, 900
	line.Words[1].CharStart, line.Words[1].CharEnd = -5, -7
	b := newBlobs(t)
	_, out, got := outcome(t, b, work(t, b, a, line, events.Prosody{TimeStretch: new(0.8)}, nil))
	checkWords(t, out, got, 0.015)
}

func TestCancelEndsTheStage(t *testing.T) {
	a, line := recording()
	b := newBlobs(t)
	ctx, cancel := context.WithCancel(t.Context())
	w := work(t, b, a, line, events.Prosody{Emotion: "happy"}, nil)
	w.Progress = func(float64) { cancel() }
	if res, err := Stage(b).Run(ctx, w); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", res, err)
	}
}
