package speech

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// Espeak speaks about a hundred languages with the program espeak-ng. It prints
// which phonemes it says but not when, so its timings are aligned: the known
// phonemes are laid over the sound. It is safe for concurrent use; the zero
// value is ready.
//
// Japanese it can only read from kana: see Readings.
type Espeak struct {
	Program string // "" is espeak-ng in the system path
	// Readings turns Japanese into kana; nil means that this engine refuses
	// Japanese. espeak-ng itself reads kanji as the words "Chinese letter".
	Readings *Readings

	mu     sync.Mutex
	voices []espeakVoice
}

type espeakVoice struct{ language, name, file string }

// espeakWords is the speaking rate of espeak-ng at rate 1, in words per minute.
const espeakWords = 175

func (e *Espeak) run(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	name := e.Program
	if name == "" {
		name = "espeak-ng"
	}
	out := &head{limit: 1 << 20}
	err := ffmpeg.Run(ctx, ffmpeg.Cmd{
		Name: name, Args: args, Stdin: strings.NewReader(stdin), Stdout: out,
		Package: "espeak-ng", Memory: 1 << 30, CPU: pieceTimeout,
	})
	if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// A head keeps the first limit bytes written to it and refuses more.
type head struct {
	bytes.Buffer
	limit int
}

func (h *head) Write(p []byte) (int, error) {
	if len(p) > h.limit-h.Len() {
		return 0, fmt.Errorf("more than %d bytes of output", h.limit)
	}
	return h.Buffer.Write(p)
}

// list returns the program's languages, asking it once.
func (e *Espeak) list(ctx context.Context) ([]espeakVoice, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.voices != nil {
		return e.voices, nil
	}
	out, err := e.run(ctx, "", "--voices")
	if err != nil {
		return nil, fmt.Errorf("list voices: %w", err)
	}
	for i, line := range strings.Split(string(out), "\n") {
		f := strings.Fields(line)
		if i == 0 || len(f) < 5 || slices.ContainsFunc(e.voices, func(v espeakVoice) bool { return v.language == f[1] }) {
			continue
		}
		e.voices = append(e.voices, espeakVoice{language: f[1], name: strings.ReplaceAll(f[3], "_", " "), file: f[4]})
	}
	if len(e.voices) == 0 {
		return nil, fmt.Errorf("espeak-ng knows no voice (install espeak-ng-data): %w", engines.ErrUnavailable)
	}
	return e.voices, nil
}

// match returns the language of espeak-ng for a BCP 47 tag: the tag itself, else
// its primary language, else any of its regions.
func match(voices []espeakVoice, tag string) (string, bool) {
	tag = strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
	primary := text.Primary(tag)
	if alias, ok := map[string]string{"zh": "cmn", "no": "nb", "iw": "he", "in": "id", "tl": "fil"}[primary]; ok {
		if tag == primary || primary == "zh" {
			tag = alias
		}
		primary = alias
	}
	if tag == "en" {
		tag = "en-us"
	}
	for _, want := range []string{tag, primary} {
		if slices.ContainsFunc(voices, func(v espeakVoice) bool { return v.language == want }) {
			return want, true
		}
	}
	for _, v := range voices {
		if strings.HasPrefix(v.language, primary+"-") {
			return v.language, true
		}
	}
	return "", false
}

// Engine is e as a link of a chain.
func (e *Espeak) Engine() engines.Engine[Request, Speech] {
	return engines.Engine[Request, Speech]{Name: "espeak-ng", Run: e.Speak}
}

// Speak says r. Errors: those of Request.Check, ErrLanguage, ErrVoice,
// engines.ErrUnavailable when the program is not installed.
func (e *Espeak) Speak(ctx context.Context, r Request) (Speech, error) {
	if err := r.Check(); err != nil {
		return Speech{}, err
	}
	japanese := text.Japanese(r.Language)
	if japanese && e.Readings == nil {
		return Speech{}, fmt.Errorf("%q without readings: %w", r.Language, ErrLanguage)
	}
	voices, err := e.list(ctx)
	if err != nil {
		return Speech{}, err
	}
	tag := r.Language
	if tag == "" {
		tag = "ja"
	}
	voice, ok := match(voices, tag)
	if !ok {
		return Speech{}, fmt.Errorf("%q: %w", r.Language, ErrLanguage)
	}
	var notes []Note
	if r.Voice != "" {
		name, own := strings.CutPrefix(r.Voice, "espeak:")
		base, variant, _ := strings.Cut(name, "+")
		switch {
		case !own:
			notes = append(notes, notUsed(r.Voice))
		case base != voice && text.Primary(base) != text.Primary(voice),
			variant != "" && variant != espeakFemale,
			!slices.ContainsFunc(voices, func(v espeakVoice) bool { return v.language == base }):
			return Speech{}, fmt.Errorf("%q: %w", r.Voice, ErrVoice)
		default:
			voice = name
		}
	}
	if japanese {
		notes = append(notes, Note{NoteRobotic, "The makeshift voice espeak-ng reads Japanese from kana; install the voice of Open JTalk for natural speech."})
	}
	sc := text.Prepare(r.Text, text.Options{Language: tag, Words: r.Words})
	notes = append(notes, dropped(sc)...)
	var parts []part
	for _, p := range sc.Pieces {
		q, err := e.piece(ctx, p, r, voice, japanese)
		if err != nil {
			return Speech{}, err
		}
		parts = append(parts, q)
	}
	if parts, notes = audible(parts, []rune(r.Text), notes); len(parts) == 0 {
		return Speech{}, ErrNotSpeakable
	}
	audio, t := join(parts, sc, []rune(r.Text), r.Pauses)
	t.Engine = "espeak-ng"
	return Speech{Audio: audio, Timings: t, Voice: "espeak:" + voice, Notes: notes, Native: Native{Rate: r.rate(), Pitch: r.Pitch}}, nil
}

// mandarin is the name under which a voice reads Chinese characters: to the one
// that is called cmn, version 1.51 gives English letters to read instead.
func mandarin(voice string) string {
	base, variant, _ := strings.Cut(voice, "+")
	if base != "cmn" {
		return voice
	}
	if variant != "" {
		variant = "+" + variant
	}
	return "cmn-latn-pinyin" + variant
}

// espeakFemale is the variant offered beside each language's own voice.
const espeakFemale = "f3"

func (e *Espeak) piece(ctx context.Context, p text.Piece, r Request, voice string, japanese bool) (_ part, err error) {
	ctx, cancel := context.WithTimeout(ctx, pieceTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "speech-")
	if err != nil {
		return part{}, fmt.Errorf("make directory for speech: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "s.wav")
	line := p.Text
	var written []text.Span // of p.Text: what is one word to the voice
	if japanese {
		phrases, err := e.Readings.phrases(p)
		if err != nil {
			return part{}, fmt.Errorf("read %d characters: %w: %w", len(p.Source), err, engines.ErrUnavailable)
		}
		var kana []string
		for _, ph := range phrases {
			kana = append(kana, ph.kana)
			written = append(written, text.Span{From: ph.from, To: ph.to})
		}
		line = strings.Join(kana, " ")
	} else {
		written = spaced(p.Text)
	}
	// The mark shapes the melody of the clause before it.
	line += map[string]string{"？": "?", "！": "!", "。": ".", "\n": ".", "、": ","}[p.Mark]
	out, err := e.run(
		ctx, line+"\n", "-v", mandarin(voice), "-b", "1", "-z", "-w", file, "--ipa", "--sep=_",
		"-s", strconv.Itoa(int(math.Round(espeakWords*r.rate()))),
		// Setting 0 to 99 is two octaves around 50.
		"-p", strconv.Itoa(min(max(int(math.Round(50+r.Pitch*50/12)), 0), 99)),
		"--stdin",
	)
	if err != nil {
		return part{}, fmt.Errorf("speak %d characters: %w", len(p.Source), err)
	}
	if empty(file) {
		return part{piece: p}, nil
	}
	pcm, err := readWAV(file)
	if err != nil {
		return part{}, err
	}
	said := readIPA(string(out))
	if len(said) == 0 {
		return part{piece: p}, nil
	}
	t := lay(said, pcm, p, written)
	t.Engine = "espeak-ng"
	return part{piece: p, samples: pcm, timings: t}, nil
}
