package bgm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
	"github.com/videomsg/videomsg/dsp/mix"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
)

const task = "01kb0000000000000000000001"

// bursts is a voice whose timeline is known to the sample: tones with silence
// between them.
func bursts(spans ...[2]float64) (dsp.Audio, speech.Timings) {
	end := spans[len(spans)-1][1] + 0.2
	a := dsp.New(speech.Rate, 1, int(end*speech.Rate))
	t := speech.Timings{SampleRate: speech.Rate, Source: speech.Exact, Engine: "test"}
	for _, s := range spans {
		for i := int(s[0] * speech.Rate); i < int(s[1]*speech.Rate); i++ {
			x := float64(i) / speech.Rate
			a.Ch[0][i] = float32(0.2*math.Sin(2*math.Pi*220*x) + 0.1*math.Sin(2*math.Pi*1330*x))
		}
		t.Phones = append(t.Phones, speech.Phone{Start: s[0], End: s[1], P: "a"})
	}
	return a, t
}

// bench is a stage on a store of its own.
type bench struct {
	t     *testing.T
	dir   string
	blobs consumers.Blobs
	asked []string // owner/id of the music asked for
	track Track
	err   error
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	s, err := dirstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	tone, _ := bursts([2]float64{0.05, 3})
	return &bench{t: t, dir: dir, blobs: consumers.Blobs{Store: s, Temp: t.TempDir()}, track: Track{Music: mix.Music{Sound: tone.Source()}, Credit: "Song by Somebody (CC-BY-4.0)"}}
}

func (b *bench) put(stage, name string, content []byte) events.Blob {
	b.t.Helper()
	blob, err := b.blobs.Put(b.t.Context(), objectstore.Intermediates, task, stage, name, "application/octet-stream", bytes.NewReader(content))
	if err != nil {
		b.t.Fatal(err)
	}
	return blob
}

// work is a job after the voice stage.
func (b *bench) work(a dsp.Audio, t speech.Timings, req events.BGM) consumers.Work {
	b.t.Helper()
	sound, err := b.blobs.PutSound(b.t.Context(), objectstore.Intermediates, task, "voice", "speech.wav", a)
	if err != nil {
		b.t.Fatal(err)
	}
	line, err := json.Marshal(t)
	if err != nil {
		b.t.Fatal(err)
	}
	return consumers.Work{
		Task: task, Attempt: 1, Progress: func(float64) {},
		Job: events.Job{
			Request: events.Request{Kind: events.KindVideo, Owner: "mika", BGM: req},
			Blobs:   map[string]events.Blob{events.BlobSpeech: sound, events.BlobTimings: b.put("voice", "timings.json", line)},
		},
	}
}

func (b *bench) stage() consumers.Stage {
	return Stage(b.blobs, func(_ context.Context, job events.Job, id string, _ time.Duration) (Track, error) {
		b.asked = append(b.asked, job.Request.Owner+"/"+id)
		return b.track, b.err
	})
}

func (b *bench) run(w consumers.Work) consumers.Result {
	b.t.Helper()
	res, err := b.stage().Run(b.t.Context(), w)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

func (b *bench) sound(res consumers.Result, name string) dsp.Audio {
	b.t.Helper()
	a, err := b.blobs.Sound(b.t.Context(), events.Job{Blobs: res.Blobs}, name)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *bench) timings(res consumers.Result) (t speech.Timings) {
	b.t.Helper()
	if err := b.blobs.JSON(b.t.Context(), events.Job{Blobs: res.Blobs}, events.BlobMixTimings, &t); err != nil {
		b.t.Fatal(err)
	}
	return t
}

// spans finds the bursts of a again: where its envelope over 2 ms is above −40 dB
// of its peak.
func spans(a dsp.Audio) (out [][2]float64) {
	n := a.Rate / 500
	x := a.Mono().Ch[0]
	var env []float64
	top := 0.0
	for i := 0; i+n <= len(x); i += n {
		e := 0.0
		for _, v := range x[i : i+n] {
			e = max(e, math.Abs(float64(v)))
		}
		env = append(env, e)
		top = max(top, e)
	}
	on := -1
	for i, e := range append(env, 0) {
		switch {
		case e > top/100 && on < 0:
			on = i
		case e <= top/100 && on >= 0:
			out = append(out, [2]float64{float64(on*n) / float64(a.Rate), float64(i*n) / float64(a.Rate)})
			on = -1
		}
	}
	return out
}

var syllables = [][2]float64{{0.1, 0.3}, {0.45, 0.6}, {1.1, 1.5}}

func TestStemLiesOnTheClockOfTheMix(t *testing.T) {
	for _, c := range []struct {
		name   string
		req    events.BGM
		offset float64
	}{
		{"with music", events.BGM{}, 1},
		{"with music that starts early", events.BGM{LeadIn: new(3.5), Tail: new(float64(0)), FadeOut: new(0.5)}, 3.5},
		{"with music for a title card", events.BGM{LeadIn: new(0.5)}, events.CardSeconds},
		{"with the voice at once", events.BGM{LeadIn: new(float64(0))}, 0},
		{"without music", events.BGM{Type: None}, 0.25},
		{"with music turned off", events.BGM{Volume: new(float64)}, 0.25},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			a, line := bursts(syllables...)
			w := b.work(a, line, c.req)
			if strings.Contains(c.name, "title") {
				w.Job.Blobs[events.BlobTitle] = b.put("request", "title.json", []byte(`{"to":"Hanako"}`))
			}
			res := b.run(w)
			mixed, stem := b.sound(res, events.BlobMix), b.sound(res, events.BlobStem)
			if d := mixed.Duration() - stem.Duration(); d.Abs() > time.Millisecond {
				t.Errorf("mix of %v, stem of %v", mixed.Duration(), stem.Duration())
			}
			got := b.timings(res)
			if err := got.Validate(mixed.Duration().Seconds()); err != nil {
				t.Error(err)
			}
			heard := spans(stem)
			if len(heard) != len(syllables) || len(got.Phones) != len(syllables) {
				t.Fatalf("heard %v, timeline %v", heard, got.Phones)
			}
			for i, p := range got.Phones {
				if math.Abs(p.Start-syllables[i][0]-c.offset) > 1e-4 {
					t.Errorf("phone %d at %.4f, want %.4f later than %.4f", i, p.Start, c.offset, syllables[i][0])
				}
				if math.Abs(p.Start-heard[i][0]) > 0.004 || math.Abs(p.End-heard[i][1]) > 0.004 {
					t.Errorf("phone %d from %.3f to %.3f is heard from %.3f to %.3f", i, p.Start, p.End, heard[i][0], heard[i][1])
				}
			}
			st, err := loudness.Measure(mixed)
			if err != nil || math.Abs(st.Integrated+16) > 0.5 || st.TruePeak > -0.9 {
				t.Errorf("the mix is at %.1f LUFS, %.1f dBTP, %v", st.Integrated, st.TruePeak, err)
			}
		})
	}
}

func TestVoiceIsHeardWhereTheTimelineSaysInTheMix(t *testing.T) {
	b := newBench(t)
	a, line := bursts(syllables...)
	vol := 0.3
	res := b.run(b.work(a, line, events.BGM{Type: "own", Volume: &vol}))
	if len(b.asked) != 1 || b.asked[0] != "mika/own" {
		t.Errorf("asked for %v", b.asked)
	}
	if res.Credit != b.track.Credit || res.Engine != "dsp" || len(res.Fallback) > 0 {
		t.Errorf("%+v", res)
	}
	mixed := b.sound(res, events.BlobMix)
	// Take the voice's level in and between the syllables at 1330 Hz, which the
	// music, 14 LU lower, has as well.
	level := func(from, to float64) float64 {
		e := 0.0
		for i := int(from * mix.Rate); i < int(to*mix.Rate); i++ {
			v := float64(mixed.Ch[0][i])
			e += v * v
		}
		return 10 * math.Log10(e/((to-from)*mix.Rate)+1e-12)
	}
	got := b.timings(res)
	for i, p := range got.Phones {
		in := level(p.Start+0.01, p.End-0.01)
		if out := level(p.End+0.01, p.End+0.1); in-out < 6 {
			t.Errorf("phone %d stands %.1f dB above what follows it", i, in-out)
		}
		if out := level(p.Start-0.1, p.Start-0.01); in-out < 6 {
			t.Errorf("phone %d stands %.1f dB above what is before it", i, in-out)
		}
	}
}

func TestMusicThatCannotBePlayedLeavesTheVoice(t *testing.T) {
	silent := mix.Music{Sound: dsp.New(48000, 2, 96000).Source()}
	for _, c := range []struct {
		name   string
		track  Track
		err    error
		reason string
	}{
		{"deleted", Track{}, engines.WithReason(objectstore.ErrNotFound, "the music was deleted"), "the music was deleted"},
		{"silent", Track{Music: silent, Credit: "x"}, nil, "the music is silent or too short"},
		{"too short", Track{Music: mix.Music{Sound: dsp.New(48000, 1, 100).Source()}, Credit: "x"}, nil, "the music is silent or too short"},
		{"no decoder", Track{}, &engines.MissingError{What: "ffmpeg", Mend: "install the package ffmpeg"}, "ffmpeg is not installed: install the package ffmpeg"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.track, b.err = c.track, c.err
			a, line := bursts(syllables...)
			w := b.work(a, line, events.BGM{Type: "own"})
			if c.name == "deleted" {
				w.Job.Request.Kind = events.KindBGM
			}
			res := b.run(w)
			if len(res.Fallback) != 1 || engines.Reason(res.Fallback[0].Err) != c.reason {
				t.Errorf("fallback %+v", res.Fallback)
			}
			if res.Credit != "" || res.Engine != "voice" || len(res.Remarks) == 0 {
				t.Errorf("%+v", res)
			}
			if n := len(spans(b.sound(res, events.BlobMix))); n != len(syllables) {
				t.Errorf("the mix has %d syllables", n)
			}
			if c.name == "deleted" && res.Blobs[events.BlobMP3].Type != "audio/mpeg" {
				t.Error("there is nothing to download")
			}
		})
	}
}

func TestMP3IsTheMix(t *testing.T) {
	b := newBench(t)
	a, line := bursts(syllables...)
	w := b.work(a, line, events.BGM{})
	w.Job.Request.Kind = events.KindBGM
	res := b.run(w)
	rc, err := b.blobs.Open(t.Context(), events.Job{Blobs: res.Blobs}, events.BlobMP3)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close() //nolint:errcheck // read only
	got, info, err := ffmpeg.DecodeAudio(t.Context(), rc, ffmpeg.Limits{Bytes: 10 << 20, Duration: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	mixed := b.sound(res, events.BlobMix)
	if info.Codec != "mp3" || (got.Duration()-mixed.Duration()).Abs() > 30*time.Millisecond {
		t.Errorf("%+v of %v, the mix has %v", info, got.Duration(), mixed.Duration())
	}
	one, _ := loudness.Measure(got)
	two, _ := loudness.Measure(mixed)
	if math.Abs(one.Integrated-two.Integrated) > 0.3 {
		t.Errorf("MP3 at %.2f LUFS, mix at %.2f", one.Integrated, two.Integrated)
	}
}

func TestOddVoices(t *testing.T) {
	silent := dsp.New(48000, 1, 48000)
	short := dsp.New(48000, 1, 4800)
	for i := range short.Ch[0] {
		short.Ch[0][i] = float32(0.3 * math.Sin(float64(i)/20))
	}
	long := dsp.New(16000, 1, 16000*8)
	for i := range long.Ch[0] {
		if i/8000%2 == 0 {
			long.Ch[0][i] = float32(0.3 * math.Sin(float64(i)/9))
		}
	}
	for name, a := range map[string]dsp.Audio{"silence": silent, "0.1 s": short, "8 s": long} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			line := speech.Timings{SampleRate: a.Rate, Source: speech.Approximate}
			res := b.run(b.work(a, line, events.BGM{}))
			m := b.sound(res, events.BlobMix)
			if want := a.Duration() + 3*time.Second; (m.Duration() - want).Abs() > 10*time.Millisecond {
				t.Errorf("mix of %v, want %v (%+v)", m.Duration(), want, res.Fallback)
			}
			if err := m.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBadBlobs(t *testing.T) {
	a, line := bursts(syllables...)
	var file bytes.Buffer
	if err := wav.Encode(&file, a, wav.PCM16); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, code string
		spoil      func(b *bench, w consumers.Work)
	}{
		{"no speech", "INPUT_MISSING", func(_ *bench, w consumers.Work) { delete(w.Job.Blobs, events.BlobSpeech) }},
		{"no timeline", "INPUT_MISSING", func(_ *bench, w consumers.Work) { delete(w.Job.Blobs, events.BlobTimings) }},
		{"speech is gone", "INPUT_GONE", func(b *bench, w consumers.Work) {
			if err := b.blobs.Store.Delete(b.t.Context(), w.Job.Blobs[events.BlobSpeech].Key); err != nil {
				b.t.Fatal(err)
			}
		}},
		{"speech is text", "INPUT_DAMAGED", func(b *bench, w consumers.Work) {
			w.Job.Blobs[events.BlobSpeech] = b.put("voice", "speech.wav", []byte("<html>"))
		}},
		{"speech is empty", "INPUT_DAMAGED", func(b *bench, w consumers.Work) {
			w.Job.Blobs[events.BlobSpeech] = b.put("voice", "speech.wav", nil)
		}},
		{"timeline is half", "INPUT_DAMAGED", func(b *bench, w consumers.Work) {
			w.Job.Blobs[events.BlobTimings] = b.put("voice", "timings.json", []byte(`{"phones":[`))
		}},
		{"a bit of the file has flipped", "INPUT_DAMAGED", func(b *bench, w consumers.Work) {
			spoilFiles(b.t, b.dir, w.Job.Blobs[events.BlobSpeech].Key)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			w := b.work(a, line, events.BGM{})
			c.spoil(b, w)
			_, err := b.stage().Run(t.Context(), w)
			var f *consumers.Failure
			if !errors.As(err, &f) || f.Code != c.code {
				t.Errorf("error %v, want %s", err, c.code)
			}
		})
	}
}

// spoilFiles flips a bit in the middle of every file that holds key.
func spoilFiles(t *testing.T, dir, key string) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, filepath.Base(key)) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 0x10
		found++
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil || found == 0 {
		t.Fatalf("%d files, %v", found, err)
	}
}

func TestCancelEndsTheStage(t *testing.T) {
	b := newBench(t)
	a, line := bursts(syllables...)
	w := b.work(a, line, events.BGM{})
	ctx, cancel := context.WithCancel(t.Context())
	st := Stage(b.blobs, func(ctx context.Context, _ events.Job, _ string, _ time.Duration) (Track, error) {
		cancel()
		return Track{}, ctx.Err()
	})
	if res, err := st.Run(ctx, w); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := b.blobs.Store.Get(t.Context(), objectstore.Key(objectstore.Intermediates, task, Name, "mix.wav")); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("a canceled stage left a mix: %v", err)
	}
}
