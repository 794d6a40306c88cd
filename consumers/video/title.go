package video

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/video/captions"
	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines/speech/text"
	"github.com/videomsg/videomsg/events"
)

// title reads for whom and from whom the message is, and makes room for a card
// that says so: what is heard and when begins later, if the music before the
// first word is too short to read it.
func (s stage) title(ctx context.Context, w consumers.Work, m *material) error {
	if _, ok := w.Job.Blobs[events.BlobTitle]; !ok {
		return nil
	}
	var t struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	if err := s.blobs.JSON(ctx, w.Job, events.BlobTitle, &t); err != nil {
		return err
	}
	if t.From == "" && t.To == "" {
		return nil
	}
	m.card = captions.Card{To: t.To, From: t.From, Japanese: text.Japanese(m.language)}
	lead := begins(m.job.Voice)
	extra := max(0, events.CardSeconds-lead)
	m.card.End = lead + extra
	if extra == 0 {
		return nil
	}
	sound, err := s.blobs.Sound(ctx, w.Job, first(w.Job, sounds...))
	if err != nil {
		return err
	}
	m.job.Voice = later(m.job.Voice, extra)
	m.timings = m.timings.Shift(extra)
	m.job.Phones = phones(m.timings)
	return rewrite(m.job.Sound, later(sound, extra))
}

// begins is when something is first heard, in seconds.
func begins(a dsp.Audio) float64 {
	n := a.Len()
	for _, ch := range a.Ch {
		for i, v := range ch[:min(n, len(ch))] {
			if v > 0.01 || v < -0.01 {
				n = i
				break
			}
		}
	}
	return float64(n) / float64(max(a.Rate, 1))
}

// later is a with silence before it.
func later(a dsp.Audio, seconds float64) dsp.Audio {
	n := int(time.Duration(seconds*float64(time.Second)).Seconds() * float64(a.Rate))
	out := dsp.New(a.Rate, len(a.Ch), a.Len()+n)
	for c := range a.Ch {
		copy(out.Ch[c][n:], a.Ch[c])
	}
	return out
}

func rewrite(path string, a dsp.Audio) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := wav.Encode(f, a, wav.PCM16); err != nil {
		return fmt.Errorf("write sound: %w", err)
	}
	return nil
}
