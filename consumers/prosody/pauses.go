package prosody

import (
	"context"
	"math"

	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/engines/speech/text"
	"github.com/videomsg/videomsg/events"
)

// sign is the mark of speech engines for a name or mark of the API; empty for
// what carries no pause.
func sign(mark string) string {
	switch mark {
	case "newline":
		return "\n"
	case "space":
		return " "
	}
	return text.MarkOf(mark)
}

// Pauses are the seconds of silence that a voice shall leave at marks: those
// that were asked for and, with an emotion or another speed, the natural ones as
// they become by it. Marks that are absent stay as the voice makes them. plan is
// what p resolves to.
func Pauses(p events.Prosody, plan prosody.Plan) map[string]float64 {
	out := map[string]float64{}
	natural := prosody.DefaultPauses()
	for _, mark := range []string{"、", "。", "！", "？", "\n"} {
		if sec := plan.Pauses[mark]; math.Abs(sec-natural[mark]) > 1e-9 {
			out[mark] = sec
		}
	}
	for mark, sec := range p.Pauses {
		if m := sign(mark); m != "" {
			out[m] = sec
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// heard is how far a pause may be from what was asked for, in seconds, without
// being made again.
const heard = 0.02

// breaks puts into the plan which gaps of the recording shall get which length,
// when some are not yet as they should be or would be stretched.
func (s stage) breaks(ctx context.Context, job events.Job, t speech.Timings, pauses map[string]float64, plan *prosody.Plan) error {
	if _, ok := job.Blobs[events.BlobText]; !ok || t.Source == speech.Approximate || len(pauses) == 0 {
		return nil
	}
	said, err := s.blobs.Bytes(ctx, job, events.BlobText, 1<<20)
	if err != nil {
		return err
	}
	original := []rune(string(said))
	needed := plan.Rate != 1
	var breaks []prosody.Break
	for i := 1; i < len(t.Words); i++ {
		a, b := t.Words[i-1], t.Words[i]
		if a.CharEnd < 0 || a.CharEnd > b.CharStart || b.CharStart > len(original) {
			continue
		}
		mark := text.MarkOf(string(original[a.CharEnd:b.CharStart]))
		want, ok := pauses[mark]
		// A space is a pause only where the voice has made one.
		if !ok || mark == " " && b.Start-a.End < heard {
			continue
		}
		breaks = append(breaks, prosody.Break{Mark: mark, Start: a.End, End: b.Start})
		needed = needed || math.Abs(b.Start-a.End-want) > heard
	}
	if needed && len(breaks) > 0 {
		plan.Pauses, plan.Breaks = pauses, breaks
	}
	return nil
}

// carry takes the timeline through a change of time. What ends where a pause was
// put in ends before it, what begins there begins after it, and the pause itself
// becomes a phone.
func carry(t speech.Timings, m prosody.TimeMap) speech.Timings {
	phones := t.Phones
	t.Phones = make([]speech.Phone, 0, len(phones))
	last := 0.0
	span := func(from, to float64) (float64, float64) {
		a, b := m.Span(from, to)
		a = max(a, last)
		last = max(a, b)
		return a, last
	}
	for i, p := range phones {
		p.Start, p.End = span(p.Start, p.End)
		if n := len(t.Phones); n > 0 && i > 0 && phones[i-1].End == phones[i].Start && p.Start-t.Phones[n-1].End > 1e-3 {
			if prev := &t.Phones[n-1]; prev.Silent() {
				prev.End = p.Start
			} else if p.Silent() {
				p.Start = prev.End
			} else {
				t.Phones = append(t.Phones, speech.Phone{Start: prev.End, End: p.Start, P: "pau"})
			}
		}
		t.Phones = append(t.Phones, p)
	}
	words := func(in []speech.Word) []speech.Word {
		out := make([]speech.Word, len(in))
		last = 0
		for i, w := range in {
			w.Start, w.End = span(w.Start, w.End)
			out[i] = w
		}
		return out
	}
	t.Words, t.Sentences = words(t.Words), words(t.Sentences)
	return t
}
