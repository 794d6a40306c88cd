package speech

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/engines/speech/text"
)

// The library knows when it says each phoneme; the program does not tell. Where
// the library can be asked, what the alignment found is held against it.
func TestEspeakAlignmentAgainstTheLibrary(t *testing.T) {
	e := espeakNG(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct{ voice, in string }{
		{"en-us", "Happy birthday, my dear friend, I wish you all the best for the coming year"},
		{"de", "Herzlichen Glückwunsch zum Geburtstag und alles Gute für das neue Jahr"},
		{"es", "Muchas felicidades y que cumplas muchos más, te queremos mucho"},
	} {
		out, err := exec.CommandContext(t.Context(), "python3", "testdata/espeak_events.py", c.voice, c.in).Output()
		if err != nil {
			t.Skipf("ask the library: %v", err)
		}
		var truth Timings
		lines := bufio.NewScanner(bytes.NewReader(out))
		for lines.Scan() {
			ms, ipa, _ := strings.Cut(lines.Text(), " ")
			var at int
			if _, err := fmt.Sscan(ms, &at); err != nil {
				t.Fatal(err)
			}
			sec := float64(at) / 1000
			if n := len(truth.Phones); n > 0 && truth.Phones[n-1].End == 0 {
				truth.Phones[n-1].End = sec
			}
			ps := fold(ipa)
			if len(ps) > 0 {
				truth.Phones = append(truth.Phones, Phone{Start: sec, P: strings.Join(ps, " ")})
			}
		}
		p := text.Prepare(c.in, text.Options{Language: c.voice}).Pieces[0]
		got, err := e.piece(t.Context(), p, Request{}, c.voice, false)
		if err != nil {
			t.Fatal(err)
		}
		// Where the library counts a diphthong once, ours is two phones: the
		// comparison goes by the truth's phones, through both lists.
		ours := got.timings.Phones
		var ms []float64
		i := 0
		for _, ph := range truth.Phones {
			want := strings.Fields(ph.P)
			for i < len(ours) && ours[i].Silent() {
				i++
			}
			if i+len(want) > len(ours) || ours[i].P != want[0] {
				t.Logf("%s: %q against %v", c.voice, ph.P, ours[i:min(i+2, len(ours))])
				break
			}
			ms = append(ms, 1000*max(ours[i].Start-ph.Start, ph.Start-ours[i].Start))
			i += len(want)
		}
		if len(ms) < 20 {
			t.Errorf("%s: only %d of %d phonemes compared", c.voice, len(ms), len(truth.Phones))
			continue
		}
		slices.Sort(ms)
		t.Logf("%s: %d phonemes, %s", c.voice, len(ms), report(ms))
		if ms[len(ms)/2] > 30 || ms[len(ms)*9/10] > 90 {
			t.Errorf("%s: %s", c.voice, report(ms))
		}
	}
}
