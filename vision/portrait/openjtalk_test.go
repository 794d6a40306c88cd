package portrait

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/vision/drawn"
	"github.com/videomsg/videomsg/vision/portrait/syncmeter"
)

var traceLine = regexp.MustCompile(`(?m)^(\d+) (\d+) \S*?-(\S+?)\+`)

// spoken is a sentence by Open JTalk with its exact phonemes, where installed.
func spoken(t *testing.T, text string) (dsp.Audio, []Phone) {
	t.Helper()
	const dic = "/var/lib/mecab/dic/open-jtalk/naist-jdic"
	voices, _ := filepath.Glob("/usr/share/hts-voice/*/*.htsvoice") // the pattern is well formed
	bin, err := exec.LookPath("open_jtalk")
	if _, serr := os.Stat(dic); err != nil || serr != nil || len(voices) == 0 {
		t.Skip("open_jtalk with a voice is not installed")
	}
	dir := t.TempDir()
	wav, trace := filepath.Join(dir, "v.wav"), filepath.Join(dir, "v.txt")
	c := exec.Command(bin, "-x", dic, "-m", voices[0], "-ow", wav, "-ot", trace)
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("open_jtalk: %v: %s", err, out)
	}
	b, err := os.ReadFile(wav)
	if err != nil {
		t.Fatal(err)
	}
	rate := int(binary.LittleEndian.Uint32(b[24:]))
	pcm := b[44:]
	a := dsp.New(rate, 1, len(pcm)/2)
	for i := range a.Ch[0] {
		a.Ch[0][i] = float32(int16(binary.LittleEndian.Uint16(pcm[2*i:]))) / 32768
	}
	tr, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	_, tail, _ := strings.Cut(string(tr), "[Output label]")
	var phones []Phone
	for _, m := range traceLine.FindAllStringSubmatch(tail, -1) {
		from, err1 := strconv.ParseFloat(m[1], 64)
		to, err2 := strconv.ParseFloat(m[2], 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("trace line %q", m[0])
		}
		phones = append(phones, Phone{from / 1e7, to / 1e7, m[3]}) // 100 ns
	}
	return a, phones
}

func TestSyncWithOpenJTalk(t *testing.T) {
	if !measuring {
		t.Skip("a measurement; run without -race")
	}
	voice, phones := spoken(t, "お誕生日おめでとうございます。いつもありがとう。今年も素晴らしい一年になりますように。")
	_, other := spoken(t, "はじめまして、私は東京に住んでいます。今日は天気が良いので、公園まで散歩に行きました。")
	do := drawn.Options{W: 400, H: 400, Size: 0.18, Tone: 0.2}
	jaw, r := measured(t, do, talk, phones, func(in *Input) { in.Voice = voice })
	if r.Timing != "phones" || r.Unknown != 0 {
		t.Errorf("timing %q with %d unknown phonemes (%v), want phones with none", r.Timing, r.Unknown, r.Fallback)
	}
	if s := syncmeter.Compare(jaw, truthOf(other, r.Frames, 25), nil, 25); s.Correlation > 0.30 {
		t.Errorf("the wrong sentence correlates by %.2f, want at most 0.30", s.Correlation)
	}
	check(t, syncmeter.Compare(jaw, truthOf(phones, r.Frames, 25), Closures(phones), 25), 0.80, 0.90)

	jaw, _ = measured(t, do, talk, phones, func(in *Input) { in.Voice, in.Phones = voice, nil })
	s := syncmeter.Compare(jaw, truthOf(phones, r.Frames, 25), nil, 25)
	t.Logf("by sound alone: correlation %.3f, lag %+.0f ms", s.Correlation, s.Lag*1000)
	if s.Correlation < 0.55 {
		t.Errorf("by sound alone the correlation is %.2f, want at least 0.55", s.Correlation)
	}
}
