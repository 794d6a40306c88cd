package speech

import (
	"strings"
	"sync"

	"github.com/videomsg/videomsg/engines/speech/mecab"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// Readings reads Japanese from the dictionary directory of Open JTalk, which it
// opens with the first text. It is safe for concurrent use.
type Readings struct {
	dir  string
	once sync.Once
	dict *mecab.Dictionary
	err  error
}

// NewReadings returns the readings of a dictionary directory; "" is
// DebianDictionary.
func NewReadings(dir string) *Readings {
	if dir == "" {
		dir = DebianDictionary
	}
	return &Readings{dir: dir}
}

// Close closes the dictionary, when it was opened. Nothing may be read after.
func (r *Readings) Close() error {
	if r.dict == nil {
		return nil
	}
	return r.dict.Close()
}

// A phrase is a word with the particles that hang on it.
type phrase struct {
	kana     string
	from, to int // code points of the piece
}

// phrases reads a piece.
func (r *Readings) phrases(p text.Piece) ([]phrase, error) {
	r.once.Do(func() { r.dict, r.err = mecab.Open(r.dir) })
	if r.err != nil {
		return nil, r.err
	}
	words, err := r.dict.Words(fullWidth(p.Text))
	if err != nil {
		return nil, err
	}
	var out []phrase
	for i, w := range words {
		kana := w.Pronunciation
		if kana == "、" {
			kana = ""
		}
		if i > 0 {
			kana = euphony(words[i-1].Surface, w.Surface, kana)
		}
		n := len(out)
		switch {
		case text.MarkOf(w.Surface) != "":
			if n > 0 {
				out[n-1].kana += "、"
			}
		case kana == "":
		case n > 0 && out[n-1].to == w.Start && (w.Class == "助詞" || w.Class == "助動詞" || numeral(w.Surface) && numeral(words[i-1].Surface)):
			out[n-1].kana += kana
			out[n-1].to = w.End
		default:
			out = append(out, phrase{kana, w.Start, w.End})
		}
	}
	return out, nil
}

func numeral(s string) bool {
	return s != "" && strings.Trim(s, "〇一二三四五六七八九十百千万億兆") == ""
}

// euphony is what a numeral does to the hundred and thousand behind it.
func euphony(before, word, kana string) string {
	switch {
	case word == "百" && strings.HasSuffix(before, "三"):
		return "ビャク"
	case word == "百" && (strings.HasSuffix(before, "六") || strings.HasSuffix(before, "八")):
		return "ピャク"
	case word == "千" && strings.HasSuffix(before, "三"):
		return "ゼン"
	}
	return kana
}
