package speech

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A trace is what Open JTalk says about one piece: its phonemes with times, and
// its words with the number of moras each takes.
type trace struct {
	phones []Phone // seconds from the start of the piece's sound
	words  []traceWord
}

type traceWord struct {
	surface string // full-width, as the analyser saw it
	read    string // pronunciation in katakana
	moras   int    // 0 for punctuation
}

// hundredNanoseconds is the unit of HTS label times.
const hundredNanoseconds = 1e-7

// readTrace reads the sections [Text analysis result] and [Output label] of a
// trace written by open_jtalk -ot and stops after them: what follows is the
// synthesiser's state sequence, a hundred times as long.
func readTrace(r io.Reader) (trace, error) {
	var t trace
	section := ""
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), 64<<10)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = line
			if section != "[Text analysis result]" && section != "[Output label]" {
				break
			}
			continue
		}
		if line == "" {
			continue
		}
		switch section {
		case "[Text analysis result]":
			w, err := parseWord(line)
			if err != nil {
				return trace{}, err
			}
			t.words = append(t.words, w)
		case "[Output label]":
			p, err := parseLabel(line)
			if err != nil {
				return trace{}, err
			}
			t.phones = append(t.phones, p)
		}
	}
	if err := lines.Err(); err != nil {
		return trace{}, fmt.Errorf("read trace: %w", err)
	}
	if len(t.phones) == 0 {
		return trace{}, errors.New("trace without labels")
	}
	return t, nil
}

// parseLabel reads "START END a^b-PHONE+c=d/…".
func parseLabel(line string) (Phone, error) {
	f := strings.Fields(line)
	if len(f) != 3 {
		return Phone{}, fmt.Errorf("label %q: want three fields", line)
	}
	start, err1 := strconv.ParseInt(f[0], 10, 64)
	end, err2 := strconv.ParseInt(f[1], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return Phone{}, fmt.Errorf("label %q: %w", line, err)
	}
	_, rest, ok1 := strings.Cut(f[2], "-")
	name, _, ok2 := strings.Cut(rest, "+")
	if !ok1 || !ok2 || name == "" || end < start || start < 0 {
		return Phone{}, fmt.Errorf("label %q: no phoneme", line)
	}
	return Phone{Start: float64(start) * hundredNanoseconds, End: float64(end) * hundredNanoseconds, P: name}, nil
}

// parseWord reads a line of thirteen fields, of which we need the surface, the
// pronunciation and "accent/moras". A surface may hold a comma only in its
// full-width form.
func parseWord(line string) (traceWord, error) {
	f := strings.Split(line, ",")
	if len(f) < 13 {
		return traceWord{}, fmt.Errorf("word %q: %d fields, want 13", line, len(f))
	}
	f = f[len(f)-13:]
	_, moras, ok := strings.Cut(f[10], "/")
	n, err := strconv.Atoi(moras)
	if !ok || err != nil || n < 0 {
		return traceWord{}, fmt.Errorf("word %q: mora count %q", line, f[10])
	}
	return traceWord{surface: f[0], read: f[9], moras: n}, nil
}

// vowel reports whether a phone closes a mora.
func vowel(p string) bool {
	switch p {
	case "a", "i", "u", "e", "o", "A", "I", "U", "E", "O", "N", "cl":
		return true
	}
	return false
}

// spans returns, per word, the index range of its phones; words without moras
// have an empty range. ok is false when the moras of the words and those of the
// labels differ, so that nothing can be said about words.
func (t trace) spans() (spans [][2]int, ok bool) {
	spans = make([][2]int, len(t.words))
	i := 0
	for w, word := range t.words {
		for word.moras > 0 && i < len(t.phones) && t.phones[i].Silent() {
			i++
		}
		spans[w] = [2]int{i, i}
		for range word.moras {
			for i < len(t.phones) && !vowel(t.phones[i].P) {
				if t.phones[i].Silent() {
					return nil, false
				}
				i++
			}
			if i == len(t.phones) {
				return nil, false
			}
			i++
		}
		spans[w][1] = i
	}
	for ; i < len(t.phones); i++ {
		if !t.phones[i].Silent() {
			return nil, false
		}
	}
	return spans, true
}
