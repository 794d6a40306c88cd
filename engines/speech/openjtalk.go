package speech

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// Where Debian puts Open JTalk's dictionary and the voice that scripts/voices.sh
// installs.
const (
	DebianDictionary = "/var/lib/mecab/dic/open-jtalk/naist-jdic"
	DebianVoice      = "/usr/share/hts-voice/nitech-jp-atr503-m001/nitech_jp_atr503_m001.htsvoice"
)

// creditATR503 is owed under CC BY 3.0.
const creditATR503 = `HTS Voice "NIT ATR503 M001" (Nagoya Institute of Technology, CC BY 3.0)`

// OpenJTalk speaks Japanese with the program open_jtalk, one process per piece,
// several at once. Its timings are exact: they are the synthesiser's own. It is
// safe for concurrent use.
type OpenJTalk struct {
	Program    string // "" is open_jtalk in the system path
	Dictionary string // directory; "" is DebianDictionary
	Voice      string // .htsvoice file; "" is DebianVoice
	Workers    int    // processes at once for one request; 0 is the number of CPUs, at most 4
}

// openJTalkStyle is a voice made from the one voice file: all-pass constant
// (moves the formants; lower is a smaller head) and semitones.
type openJTalkStyle struct {
	id, name  string
	allPass   float64 // 0: the voice's own
	semitones float64
}

var openJTalkStyles = [...]openJTalkStyle{
	{id: "openjtalk:standard", name: "標準（男性）"},
	{id: "openjtalk:bright", name: "明るめ（高い声）", allPass: 0.51, semitones: 6},
	{id: "openjtalk:deep", name: "落ち着き（低い声）", allPass: 0.57, semitones: -2.5},
}

// framePeriod is the voice's frame at its own speed, in samples at Rate.
const framePeriod = 240

// pieceTimeout bounds one process: 200 characters take about two seconds.
const pieceTimeout = 60 * time.Second

func (o OpenJTalk) program() string {
	if o.Program == "" {
		return "open_jtalk"
	}
	return o.Program
}

func (o OpenJTalk) dictionary() string {
	if o.Dictionary == "" {
		return DebianDictionary
	}
	return o.Dictionary
}

func (o OpenJTalk) voice() string {
	if o.Voice == "" {
		return DebianVoice
	}
	return o.Voice
}

// Ready reports what is missing, wrapped in engines.ErrUnavailable; the message
// says how to mend it.
func (o OpenJTalk) Ready() error {
	if _, err := os.Stat(filepath.Join(o.dictionary(), "sys.dic")); err != nil {
		return &engines.MissingError{What: "the dictionary of Open JTalk", Mend: "install the package open-jtalk-mecab-naist-jdic or set OPEN_JTALK_DIC"}
	}
	if _, err := os.Stat(o.voice()); err != nil {
		return &engines.MissingError{What: "the voice of Open JTalk", Mend: "install the package hts-voice-nitech-jp-atr503-m001 (scripts/voices.sh) or set OPEN_JTALK_VOICE"}
	}
	return nil
}

func (o OpenJTalk) dictionaryReady() error {
	if _, err := os.Stat(filepath.Join(o.dictionary(), "sys.dic")); err != nil {
		return fmt.Errorf("dictionary: %w (install open-jtalk-mecab-naist-jdic or set OPEN_JTALK_DIC): %w", err, engines.ErrUnavailable)
	}
	return nil
}

// Engine is o as a link of a chain.
func (o OpenJTalk) Engine() engines.Engine[Request, Speech] {
	return engines.Engine[Request, Speech]{Name: "openjtalk", Run: o.Speak}
}

// Speak says r. Errors: those of Request.Check, ErrLanguage, ErrVoice,
// engines.ErrUnavailable when something is not installed.
func (o OpenJTalk) Speak(ctx context.Context, r Request) (_ Speech, err error) {
	if err := r.Check(); err != nil {
		return Speech{}, err
	}
	if !text.Japanese(r.Language) {
		return Speech{}, fmt.Errorf("%q: %w", r.Language, ErrLanguage)
	}
	style := openJTalkStyles[0]
	var notes []Note
	if r.Voice != "" {
		s, ok := findStyle(r.Voice)
		switch {
		case ok:
			style = s
		case strings.HasPrefix(r.Voice, "openjtalk:"):
			return Speech{}, fmt.Errorf("%q: %w", r.Voice, ErrVoice)
		default:
			notes = append(notes, notUsed(r.Voice))
		}
	}
	if err := o.Ready(); err != nil {
		return Speech{}, err
	}
	o, words, done, err := o.accented(r)
	if err != nil {
		return Speech{}, err
	}
	defer func() { err = errors.Join(err, done()) }()
	sc := text.Prepare(r.Text, text.Options{Language: "ja", Words: words})
	notes = append(notes, dropped(sc)...)

	pieces := clauses(sc.Pieces)
	parts := make([]part, len(pieces))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(o.workers())
	for i, p := range pieces {
		g.Go(func() error {
			var err error
			parts[i], err = o.piece(gctx, p, surroundingsOf(pieces, i), r, style)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Speech{}, err
	}
	if parts, notes = audible(parts, []rune(r.Text), notes); len(parts) == 0 {
		return Speech{}, ErrNotSpeakable
	}
	audio, t := join(parts, sc, []rune(r.Text), r.Pauses)
	t.Engine = "openjtalk"
	return Speech{Audio: audio, Timings: t, Voice: style.id, Credit: o.credit(), Notes: notes, Native: Native{Rate: framePeriod / framesOf(r), Pitch: r.Pitch}}, nil
}

// framesOf is the frame period for the rate asked for, in whole samples.
func framesOf(r Request) float64 { return math.Round(framePeriod / r.rate()) }

// credit is what the voice file's licence asks for, as far as we know the file.
func (o OpenJTalk) credit() string {
	if strings.Contains(filepath.Base(o.voice()), "nitech_jp_atr503_m001") {
		return creditATR503
	}
	return ""
}

func (o OpenJTalk) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return min(runtime.NumCPU(), 4)
}

func findStyle(id string) (openJTalkStyle, bool) {
	for _, s := range openJTalkStyles {
		if s.id == id {
			return s, true
		}
	}
	return openJTalkStyle{}, false
}

// piece speaks one piece in its surroundings; no samples when Open JTalk finds no
// phoneme in it.
func (o OpenJTalk) piece(ctx context.Context, p text.Piece, s surroundings, r Request, style openJTalkStyle) (_ part, err error) {
	ctx, cancel := context.WithTimeout(ctx, pieceTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "speech-")
	if err != nil {
		return part{}, fmt.Errorf("make directory for speech: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	wavFile, traceFile := filepath.Join(dir, "s.wav"), filepath.Join(dir, "s.trace")
	args := []string{
		"-x", o.dictionary(), "-m", o.voice(), "-ow", wavFile, "-ot", traceFile,
		"-s", strconv.Itoa(Rate),
		// A shorter frame speaks all of it faster, where -r takes the time from the
		// silences first.
		"-p", strconv.Itoa(int(framesOf(r))),
		"-r", number(hurry(p, s)),
		"-fm", number(r.Pitch + style.semitones),
		"-jf", number(r.intonation()),
	}
	if style.allPass > 0 {
		args = append(args, "-a", number(style.allPass))
	}
	// The mark is not spoken, but a question is heard.
	line := s.around(fullWidth(p.Text))
	if p.Mark == "？" {
		line += "？"
	}
	err = ffmpeg.Run(ctx, ffmpeg.Cmd{
		Name: o.program(), Args: args, Stdin: strings.NewReader(line + "\n"),
		Package: "open-jtalk", Memory: 2 << 30, CPU: pieceTimeout,
	})
	if err != nil {
		if exit, ok := errors.AsType[*ffmpeg.ExitError](err); ok && exit.Code == 1 && empty(wavFile) && empty(traceFile) {
			return part{piece: p}, nil // it opened its files and found nothing to say
		}
		return part{}, fmt.Errorf("speak %d characters: %w", len(p.Source), err)
	}
	pcm, err := readWAV(wavFile)
	if err != nil {
		return part{}, err
	}
	f, err := os.Open(traceFile)
	if err != nil {
		return part{}, fmt.Errorf("open trace: %w", err)
	}
	tr, err := readTrace(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return part{}, err
	}
	tr, from, to, ok := s.within(tr)
	if !ok { // the analyser read the stand-ins as parts of words
		return o.piece(ctx, p, surroundings{}, r, style)
	}
	t := Timings{SampleRate: Rate, Source: Exact, Engine: "openjtalk", Phones: tr.phones}
	t.Words = tr.place(p)
	out := part{piece: p, samples: pcm[sample(from, len(pcm)):sample(to, len(pcm))], timings: t}
	if last := tr.phones[len(tr.phones)-1]; s.after {
		out.pause = last.End - last.Start
	}
	return out, nil
}

// hurry is the speed option for a piece. Open JTalk makes 0.9 s of silence around
// every sentence, as dear as speech, of which join keeps a tenth. A shorter whole
// has the most likely durations of all that are as long (Yoshimura et al. 1998,
// Duration modeling for HMM-based speech synthesis): what varies most, the
// silence, gives nearly all of the time. Pauses inside a piece would give some,
// too, and are heard.
func hurry(p text.Piece, s surroundings) float64 {
	if s != (surroundings{}) || strings.ContainsFunc(p.Text, unicode.IsPunct) {
		return 1
	}
	const (
		spare  = 0.25 // seconds
		around = 0.9
		each   = 0.15 // of a character
	)
	return 1 + spare/(around+each*float64(len(p.Source)))
}

func empty(path string) bool {
	st, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && st.Size() == 0
}

func readWAV(path string) ([]float32, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open speech: %w", err)
	}
	a, err := wav.Decode(f, maxSeconds*Rate)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("decode speech: %w", err)
	}
	return mono48(a)
}

// maxSeconds is the longest sound taken from an engine for one piece.
const maxSeconds = 600

// mono48 brings what an engine made to mono at Rate.
func mono48(a dsp.Audio) ([]float32, error) {
	a, err := dsp.Resample(a.Mono(), Rate)
	if err != nil {
		return nil, fmt.Errorf("resample speech: %w", err)
	}
	if len(a.Ch) == 0 {
		return nil, nil
	}
	return a.Ch[0], nil
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

// fullWidth turns printable ASCII into its full-width form, the only one that
// Open JTalk's dictionary knows.
func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '　'
		case r > ' ' && r < 0x7F:
			return r - '!' + '！'
		}
		return r
	}, s)
}

// place turns the analyser's words into words of the original text. Words whose
// characters all stand for the same stretch ("2026" read as four words) are one.
func (t trace) place(p text.Piece) []Word {
	spans, ok := t.spans()
	if !ok {
		return nil
	}
	line := []rune(fullWidth(p.Text))
	var words []Word
	at := 0
	for i, w := range t.words {
		surface := []rune(w.surface)
		from := at
		if j := find(line, surface, at); j >= 0 {
			from, at = j, j+len(surface)
		} else {
			surface = nil // the analyser wrote this word itself
		}
		if spans[i][0] == spans[i][1] {
			continue
		}
		at = min(at, len(p.Source))
		from = min(from, max(at-1, 0))
		if len(p.Source) == 0 {
			continue
		}
		cover := p.Source[from]
		for _, s := range p.Source[from:max(at, from+1)] {
			cover.From, cover.To = min(cover.From, s.From), max(cover.To, s.To)
		}
		word := Word{
			Start: t.phones[spans[i][0]].Start, End: t.phones[spans[i][1]-1].End,
			CharStart: cover.From, CharEnd: cover.To,
		}
		if n := len(words); n > 0 && (word.CharStart < words[n-1].CharEnd || surface == nil) {
			words[n-1].End = word.End
			words[n-1].CharEnd = max(words[n-1].CharEnd, word.CharEnd)
			continue
		}
		words = append(words, word)
	}
	return words
}

// find returns where needle begins in line at or after from, looking ahead no
// further than a reading could have changed; -1 when it does not.
func find(line, needle []rune, from int) int {
	const ahead = 8
	for i := from; i <= min(from+ahead, len(line)-len(needle)); i++ {
		if string(line[i:i+len(needle)]) == string(needle) {
			return i
		}
	}
	return -1
}
