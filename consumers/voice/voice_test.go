package voice

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/bgm"
	"github.com/videomsg/videomsg/consumers/prosody"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/mix"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/engines/speech/text"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
)

const task = "01kb0000000000000000000001"

func newBlobs(t testing.TB) consumers.Blobs {
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

// studio is the voices of this machine.
func studio(t testing.TB) *speech.Studio {
	t.Helper()
	if err := (speech.OpenJTalk{}).Ready(); err != nil {
		t.Skip(err)
	}
	s, err := speech.New(speech.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// work is a task with one uploaded blob.
func work(t testing.TB, b consumers.Blobs, name string, content []byte, req events.Request) consumers.Work {
	t.Helper()
	blob, err := b.Put(t.Context(), objectstore.Inputs, task, "request", name, "application/octet-stream", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return consumers.Work{Task: task, Attempt: 1, Progress: func(float64) {}, Job: events.Job{Request: req, Blobs: map[string]events.Blob{name: blob}}}
}

// do runs a stage and adds what it made to the job, as consumers.Serve does.
func do(t testing.TB, st consumers.Stage, w *consumers.Work) consumers.Result {
	t.Helper()
	res, err := st.Run(t.Context(), *w)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(w.Job.Blobs, res.Blobs)
	w.Job.Notes = append(w.Job.Notes, events.Note{Stage: st.Name, Engine: res.Engine, Native: res.Native})
	return res
}

func line(t testing.TB, b consumers.Blobs, job events.Job, name string) (l speech.Timings) {
	t.Helper()
	if err := b.JSON(t.Context(), job, name, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

func sound(t testing.TB, b consumers.Blobs, job events.Job, name string) dsp.Audio {
	t.Helper()
	a, err := b.Sound(t.Context(), job, name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// checkPauses finds every silence of the timeline again in the sound: it is quiet
// inside, and loud within tolerance of both ends.
func checkPauses(t testing.TB, a dsp.Audio, l speech.Timings, tolerance float64) {
	t.Helper()
	x := a.Mono().Ch[0]
	level := func(from, to float64) float64 {
		i, j := max(int(from*float64(a.Rate)), 0), min(int(to*float64(a.Rate)), len(x))
		e := 0.0
		for _, v := range x[i:max(i, j)] {
			e += float64(v) * float64(v)
		}
		return 10 * math.Log10(e/float64(max(j-i, 1))+1e-12)
	}
	speaks := level(0, a.Duration().Seconds())
	checked := 0
	for i, p := range l.Phones {
		if !p.Silent() || p.End-p.Start < 0.15 || i == 0 || i == len(l.Phones)-1 {
			continue
		}
		checked++
		const ring = 0.06 // the voice rings out
		if quiet := level(p.Start+ring+tolerance, p.End-tolerance); quiet > speaks-35 {
			t.Errorf("the pause from %.3f to %.3f is %.1f dB under the speech only", p.Start, p.End, speaks-quiet)
		}
		if on := level(p.End+tolerance, p.End+tolerance+0.06); on < speaks-25 {
			t.Errorf("nothing is heard after the pause that ends at %.3f (%.1f dB under the speech)", p.End, speaks-on)
		}
		if before := level(p.Start-tolerance-0.06, p.Start-tolerance); before < speaks-32 {
			t.Errorf("nothing is heard before the pause that starts at %.3f (%.1f dB under the speech)", p.Start, speaks-before)
		}
	}
	if checked == 0 {
		t.Errorf("no pause in %v", l.Phones)
	}
}

const message = "お誕生日、おめでとう。元気ですか？また、会おう！"

func TestTimelineHoldsThroughAllStagesOfSound(t *testing.T) {
	s := studio(t)
	music := func(context.Context, events.Job, string, time.Duration) (bgm.Track, error) {
		a := dsp.New(mix.Rate, 1, 4*mix.Rate)
		for i := range a.Ch[0] {
			a.Ch[0][i] = float32(0.1 * math.Sin(float64(i)/50))
		}
		return bgm.Track{Music: mix.Music{Sound: a.Source()}}, nil
	}
	for _, c := range []struct {
		name string
		p    events.Prosody
	}{
		{"as it is", events.Prosody{}},
		{"sad, with long pauses", events.Prosody{Emotion: "sad", Pauses: map[string]float64{"。": 1, "、": 0.4}}},
		{"excited", events.Prosody{Emotion: "excited"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBlobs(t)
			w := work(t, b, events.BlobText, []byte(message), events.Request{Kind: events.KindVideo, Language: "ja", Prosody: c.p})
			res := do(t, Stage(b, s.Speak, nil), &w)
			if res.Engine != "openjtalk" || res.Credit == "" || res.Native == nil {
				t.Errorf("%+v", res)
			}
			plan, err := prosody.Params(c.p).Resolve()
			if err != nil {
				t.Fatal(err)
			}
			if n := res.Native; n != nil && (math.Abs(n.Rate/plan.Rate-1) > 0.01 || n.Pitch != plan.Semitones) {
				t.Errorf("the voice did %+v of %+v", *n, plan)
			}
			spoken, said := sound(t, b, w.Job, events.BlobSpeech), line(t, b, w.Job, events.BlobTimings)
			checkPauses(t, spoken, said, 0.012)
			if want, ok := prosody.Pauses(c.p, plan)["。"]; ok {
				gap := said.Sentences[1].Start - said.Sentences[0].End
				if math.Abs(gap-want) > 0.01 {
					t.Errorf("the pause after the first sentence is %.3f s, want %.3f", gap, want)
				}
			}
			last, times := events.BlobSpeech, events.BlobTimings
			if res := do(t, prosody.Stage(b), &w); !res.Skipped {
				last, times = events.BlobProsody, events.BlobProsodyT
				// The voice has the speed already.
				if d := sound(t, b, w.Job, last).Duration() - spoken.Duration(); d.Abs() > 20*time.Millisecond {
					t.Errorf("prosody changed the length by %v", d)
				}
			}
			checkPauses(t, sound(t, b, w.Job, last), line(t, b, w.Job, times), 0.015)
			do(t, bgm.Stage(b, music), &w)
			checkPauses(t, sound(t, b, w.Job, events.BlobStem), line(t, b, w.Job, events.BlobMixTimings), 0.015)
		})
	}
}

func TestOwnSound(t *testing.T) {
	tone := dsp.New(44100, 2, 44100)
	for c := range tone.Ch {
		for i := range tone.Ch[c] {
			if i > 11025 && i < 33075 {
				tone.Ch[c][i] = float32(0.4 * math.Sin(float64(i)/40))
			}
		}
	}
	encode := func(f func(b *bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	asWAV := func(a dsp.Audio) []byte {
		return encode(func(b *bytes.Buffer) error { return wav.Encode(b, a, wav.PCM16) })
	}
	mp3 := encode(func(b *bytes.Buffer) error { return ffmpeg.EncodeMP3(t.Context(), b, tone.Source().Stream()) })
	long := dsp.New(8000, 1, 8000*301)
	long.Ch[0][5] = 1
	for _, c := range []struct {
		name    string
		content []byte
		seconds float64
		code    string
	}{
		{"WAV", asWAV(tone), 1, ""},
		{"MP3", mp3, 1, ""},
		{"0.1 s", asWAV(dsp.Audio{Rate: 44100, Ch: [][]float32{tone.Ch[0][15000:19410]}}), 0.1, ""},
		{"half an MP3", mp3[:len(mp3)/2], 0.5, ""},
		{"more than 5 min", asWAV(long), 0, "AUDIO_UNREADABLE"},
		{"nothing", nil, 0, "AUDIO_UNREADABLE"},
		{"a web page", []byte("<html><body>sound</body></html>"), 0, "AUDIO_UNREADABLE"},
		{"a playlist", []byte("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n"), 0, "AUDIO_UNREADABLE"},
		{"a list of files", []byte("ffconcat version 1.0\nfile /etc/passwd\n"), 0, "AUDIO_UNREADABLE"},
		{"half a WAV header", asWAV(tone)[:20], 0, "AUDIO_UNREADABLE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBlobs(t)
			w := work(t, b, events.BlobAudio, c.content, events.Request{Kind: events.KindBGM})
			res, err := Stage(b, nil, own).Run(t.Context(), w)
			if c.code != "" {
				var f *consumers.Failure
				if !errors.As(err, &f) || f.Code != c.code {
					t.Errorf("error %v, want %s", err, c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			job := events.Job{Blobs: res.Blobs}
			a, l := sound(t, b, job, events.BlobSpeech), line(t, b, job, events.BlobTimings)
			if d := a.Duration().Seconds(); a.Rate != speech.Rate || len(a.Ch) != 1 || math.Abs(d-c.seconds) > 0.06 {
				t.Errorf("%d Hz, %d channels, %.3f s", a.Rate, len(a.Ch), d)
			}
			if err := l.Validate(a.Duration().Seconds()); err != nil {
				t.Error(err)
			}
			if res.Engine != "upload" || l.Source != speech.Approximate || res.Native != nil {
				t.Errorf("%+v, %s", res, l.Source)
			}
			if left, err := os.ReadDir(b.Temp); err != nil || len(left) > 0 {
				t.Errorf("files are left: %v %v", left, err)
			}
		})
	}
}

func own(ctx context.Context, path string) (speech.Speech, error) {
	f, err := os.Open(path)
	if err != nil {
		return speech.Speech{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	a, _, err := ffmpeg.DecodeAudio(ctx, f, ffmpeg.Limits{Bytes: 50_000_000, Duration: 300 * time.Second})
	if err != nil {
		return speech.Speech{}, err
	}
	return speech.FromSound(a)
}

func TestWhatTheSpeakerSaysIsPassedOn(t *testing.T) {
	tone := speech.Speech{
		Audio:   dsp.New(speech.Rate, 1, speech.Rate),
		Timings: speech.Timings{SampleRate: speech.Rate, Source: speech.Exact, Engine: "x"},
	}
	failure := errors.New("GET http://10.0.0.1/: refused")
	for _, c := range []struct {
		name string
		err  error
		code string // of a failure that ends the task
	}{
		{"speech", nil, ""},
		{"no consent", speech.ErrConsent, "CONSENT_REQUIRED"},
		{"not speakable", speech.ErrNotSpeakable, "TEXT_NOT_SPEAKABLE"},
		{"out of order", failure, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBlobs(t)
			w := work(t, b, events.BlobText, []byte("はい"), events.Request{
				Kind: events.KindVoice, Owner: "mika", Profile: "p1", Voice: "voicevox:3", Require: map[string]string{Name: "openvoice"},
				Prosody: events.Prosody{Emotion: "happy"},
			})
			words, err := b.PutJSON(t.Context(), objectstore.Inputs, task, "request", "words", []map[string]any{
				{"id": "w1", "surface": "灰", "reading": "はい", "accent": 1, "language": "ja", "created_at": time.Now()},
			})
			if err != nil {
				t.Fatal(err)
			}
			w.Job.Blobs[events.BlobWords] = words
			var got speech.Request
			var owner, required string
			st := Stage(b, func(ctx context.Context, r speech.Request, require string) (engines.Served[speech.Speech], error) {
				got, owner, required = r, Owner(ctx), require
				out := tone
				out.Notes = []speech.Note{{Code: speech.NoteProfileNotUsed, Detail: "Another voice speaks."}}
				return engines.Served[speech.Speech]{Out: out, Engine: "x", Skipped: []engines.Skip{{Engine: "openvoice", Err: failure}}}, c.err
			}, nil)
			res, err := st.Run(t.Context(), w)
			if got.Text != "はい" || got.Profile != "p1" || got.Voice != "voicevox:3" || owner != "mika" || required != "openvoice" {
				t.Errorf("%+v for %q, required %q", got, owner, required)
			}
			if d := cmp.Diff(got.Words, []text.Entry{{Surface: "灰", Reading: "はい", Accent: new(1)}}); d != "" {
				t.Errorf("dictionary: %s", d)
			}
			if got.Rate != 1.1 || got.Pitch != 2 || !(got.Pauses["。"] < 0.45) {
				t.Errorf("happy is rate %g, pitch %g, pauses %v", got.Rate, got.Pitch, got.Pauses)
			}
			var f *consumers.Failure
			switch {
			case c.code != "":
				if !errors.As(err, &f) || f.Code != c.code || strings.Contains(f.Detail, "10.0.0.1") {
					t.Errorf("error %v, want %s", err, c.code)
				}
			case c.err != nil:
				if !errors.Is(err, c.err) || errors.Is(err, consumers.ErrPermanent) {
					t.Errorf("error %v ends the task", err)
				}
			case err != nil:
				t.Error(err)
			default:
				if res.Native != nil || len(res.Fallback) != 1 || len(res.Remarks) != 1 || res.Engine != "x" {
					t.Errorf("%+v", res)
				}
			}
		})
	}
}

func TestBadWork(t *testing.T) {
	b := newBlobs(t)
	for _, c := range []struct {
		name, code string
		spoil      func(w *consumers.Work)
	}{
		{"no text", "INPUT_MISSING", func(w *consumers.Work) { delete(w.Job.Blobs, events.BlobText) }},
		{"text is gone", "INPUT_GONE", func(w *consumers.Work) {
			w.Job.Blobs[events.BlobText] = events.Blob{Key: "inputs/none/text"}
		}},
		{"words are gone", "INPUT_GONE", func(w *consumers.Work) {
			w.Job.Blobs[events.BlobWords] = events.Blob{Key: "inputs/none/words"}
		}},
		{"unknown emotion", "PARAMETER_OUT_OF_RANGE", func(w *consumers.Work) { w.Job.Request.Prosody.Emotion = "hungry" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := work(t, b, events.BlobText, []byte("はい"), events.Request{Kind: events.KindVoice})
			c.spoil(&w)
			_, err := Stage(b, nil, nil).Run(t.Context(), w)
			var f *consumers.Failure
			if !errors.As(err, &f) || f.Code != c.code {
				t.Errorf("error %v, want %s", err, c.code)
			}
		})
	}
}

func TestCancelEndsTheVoice(t *testing.T) {
	s := studio(t)
	b := newBlobs(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	w := work(t, b, events.BlobText, []byte(strings.Repeat("これは長い文章です。", 90)), events.Request{Kind: events.KindVoice})
	if _, err := Stage(b, s.Speak, nil).Run(ctx, w); err == nil {
		t.Error("a canceled voice spoke")
	}
}
