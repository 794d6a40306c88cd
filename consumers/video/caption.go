package video

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/video/captions"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/speech/text"
	"github.com/videomsg/videomsg/events"
)

// font is the family captions are set in, or what fontconfig has instead.
const font = "Noto Sans CJK JP"

// caption makes cues of what was said, and what is drawn on the picture: the
// captions, when they shall be burned in, and the title card.
func (s stage) caption(ctx context.Context, w consumers.Work, m *material) error {
	kind := w.Job.Request.Video.Captions
	shown := m.card.To + m.card.From
	if kind == "file" || kind == "burn" {
		if _, ok := w.Job.Blobs[events.BlobText]; !ok {
			m.remarks = append(m.remarks, "There are no captions: what is said is not known as text.")
			kind = ""
		} else {
			written, err := s.blobs.Bytes(ctx, w.Job, events.BlobText, 1<<20)
			if err != nil {
				return err
			}
			m.cues = captions.Make(string(written), m.timings, m.job.Voice.Duration().Seconds())
			shown += string(written)
		}
	}
	burn := kind == "burn" && len(m.cues) > 0
	if burn || m.card.To+m.card.From != "" {
		if why := s.fonts.check(ctx, m.job.Dir, shown); why != nil {
			if ctx.Err() != nil {
				return why
			}
			if burn {
				m.remarks = append(m.remarks, "The captions are not in the picture but beside it: "+reason(why)+".")
			}
			if m.card.To+m.card.From != "" {
				m.remarks = append(m.remarks, "The title card is left out: "+reason(why)+".")
			}
			burn, m.card = false, captions.Card{}
		}
	}
	var drawn []captions.Cue
	if burn {
		drawn = m.cues
	} else if len(m.cues) > 0 {
		m.job.Captions = filepath.Join(m.job.Dir, "captions.srt")
		if err := write(m.job.Captions, captions.SRT(m.cues)); err != nil {
			return err
		}
	}
	if burn || m.card.To+m.card.From != "" {
		size := m.job.Image.Bounds().Size()
		m.job.Subtitles = filepath.Join(m.job.Dir, "drawn.ass")
		return write(m.job.Subtitles, captions.ASS(drawn, m.card, captions.Look{W: size.X, H: size.Y, Font: font}))
	}
	return nil
}

func write(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return fmt.Errorf("write captions: %w", err)
	}
	return nil
}

func reason(err error) string { return engines.Reason(err) }

// fonts remembers which scripts can be drawn on this machine.
type fonts struct {
	mu    sync.Mutex
	known map[string]error
}

// samples are two characters of each script that look different in any font.
var samples = []struct {
	name string
	in   []*unicode.RangeTable
	a, b rune
}{
	{"cjk", []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana}, '永', 'の'},
	{"hangul", []*unicode.RangeTable{unicode.Hangul}, '한', '국'},
	{"arabic", []*unicode.RangeTable{unicode.Arabic}, 'ع', 'ل'},
	{"thai", []*unicode.RangeTable{unicode.Thai}, 'ก', 'ม'},
	{"devanagari", []*unicode.RangeTable{unicode.Devanagari}, 'क', 'म'},
	{"cyrillic", []*unicode.RangeTable{unicode.Cyrillic}, 'Ж', 'Л'},
	{"latin", []*unicode.RangeTable{unicode.Latin}, 'A', 'G'},
}

// check returns why s cannot be drawn; nil when it can. An answer other than
// that something is missing is not kept.
func (f *fonts) check(ctx context.Context, dir, s string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sc := range samples {
		if !strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, sc.in...) }) {
			continue
		}
		err, ok := f.known[sc.name]
		if !ok {
			err = avatar.Legible(ctx, dir, font, sc.a, sc.b)
			if ctx.Err() != nil {
				return err
			}
			if f.known == nil {
				f.known = map[string]error{}
			}
			f.known[sc.name] = err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// iso639 is the three-letter code that MP4 files use for a language.
func iso639(tag string) string {
	codes := map[string]string{
		"ja": "jpn", "en": "eng", "zh": "zho", "ko": "kor", "de": "deu", "fr": "fra", "es": "spa", "it": "ita", "pt": "por", "ru": "rus",
	}
	if c, ok := codes[text.Primary(tag)]; ok {
		return c
	}
	return "und"
}
