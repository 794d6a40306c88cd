// Package stages measures what a person waits for while moving sliders: the
// first sound of a voice's preview, and a sentence spoken and changed anew.
package stages

import (
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/prosody"
	"github.com/videomsg/videomsg/consumers/voice"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
)

const sentence = "お誕生日おめでとうございます。"

func studio(b *testing.B) *speech.Studio {
	b.Helper()
	if err := (speech.OpenJTalk{}).Ready(); err != nil {
		b.Skip(err)
	}
	s, err := speech.New(speech.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// program is how long open_jtalk itself takes for the sentence: what nobody who
// starts it can be faster than.
func program(b *testing.B) span {
	b.Helper()
	out := filepath.Join(b.TempDir(), "out.wav")
	cmd := exec.CommandContext(b.Context(), "open_jtalk", "-x", "/var/lib/mecab/dic/open-jtalk/naist-jdic", "-m", speech.DebianVoice, "-ow", out)
	cmd.Stdin = bytes.NewBufferString(sentence)
	start := now()
	if msg, err := cmd.CombinedOutput(); err != nil {
		b.Skipf("open_jtalk: %v: %s", err, msg)
	}
	return since(start)
}

// A span is time by the clock and time of processors, children's included: the
// second says what the first would be on a machine of one's own.
type span struct{ wall, cpu time.Duration }

func now() (s span) {
	s.wall = time.Duration(time.Now().UnixNano())
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			s.cpu += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return s
}

func since(start span) span {
	end := now()
	return span{end.wall - start.wall, end.cpu - start.cpu}
}

func (s *span) add(t span) { s.wall, s.cpu = s.wall+t.wall, s.cpu+t.cpu }

// report prints means over the runs.
func report(b *testing.B, name string, ours, peer span, goal string) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
	fmt.Printf("bench: %s ours=%.0fms peer=%.0fms ratio=%.2f (CPU; by the clock %.0f and %.0f ms; peer: open_jtalk alone; goal %s)\n",
		name, ms(ours.cpu), ms(peer.cpu), float64(peer.cpu)/float64(ours.cpu), ms(ours.wall), ms(peer.wall), goal)
}

// BenchmarkPreview is the time until the whole preview of a voice is there.
func BenchmarkPreview(b *testing.B) {
	s := studio(b)
	var ours, peer span
	for b.Loop() {
		start := now()
		if _, err := s.Speak(b.Context(), speech.Request{Text: sentence}, ""); err != nil {
			b.Fatal(err)
		}
		ours.add(since(start))
		peer.add(program(b))
	}
	report(b, "preview_first_audio", ours, peer, "300ms")
}

// BenchmarkDraft is a sentence spoken with an emotion and changed afterwards, as
// POST /api/voices/synthesize does, with the blobs on disk.
func BenchmarkDraft(b *testing.B) {
	s := studio(b)
	store, err := dirstore.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	blobs := consumers.Blobs{Store: store, Temp: b.TempDir()}
	speak, change := voice.Stage(blobs, s.Speak, nil), prosody.Stage(blobs)
	text, err := blobs.Put(b.Context(), objectstore.Inputs, "t", "request", "text", "text/plain", bytes.NewBufferString(sentence))
	if err != nil {
		b.Fatal(err)
	}
	var ours, peer span
	for b.Loop() {
		start := now()
		w := consumers.Work{Task: "t", Attempt: 1, Progress: func(float64) {}, Job: events.Job{
			Request: events.Request{Kind: events.KindProsody, Prosody: events.Prosody{Emotion: "happy"}},
			Blobs:   map[string]events.Blob{events.BlobText: text},
		}}
		for _, st := range []consumers.Stage{speak, change} {
			res, err := st.Run(b.Context(), w)
			if err != nil {
				b.Fatal(err)
			}
			maps.Copy(w.Job.Blobs, res.Blobs)
			w.Job.Notes = append(w.Job.Notes, events.Note{Stage: st.Name, Engine: res.Engine, Native: res.Native})
		}
		ours.add(since(start))
		peer.add(program(b))
	}
	report(b, "draft_sentence_with_emotion", ours, peer, "1000ms")
}
