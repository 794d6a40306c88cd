package mecab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MaxWords is how many words Extend can add; MeCab knows at most 256 classes of
// characters.
const MaxWords = 200

// Extend writes to the directory to a dictionary that has the words of the one in
// from and, for each code point of words, a word of its own with that feature
// (class, …, reading, pronunciation, accent). It does so by the rules for unknown
// words: each code point becomes the only member of a class of characters. The
// large files are linked, so that it takes a millisecond and 300 kB. The code
// points must be of the basic plane and in no word of the dictionary.
func Extend(from, to string, words map[rune]string) error {
	if len(words) > MaxWords {
		return fmt.Errorf("add %d words, at most %d", len(words), MaxWords)
	}
	var d Dictionary
	if err := d.characters(filepath.Join(from, "char.bin")); err != nil {
		return err
	}
	unk, err := os.ReadFile(filepath.Join(from, "unk.dic"))
	if err != nil {
		return fmt.Errorf("read unknown words: %w", err)
	}
	lex, err := openLexicon(bytes.NewReader(unk), int64(len(unk)))
	if err != nil {
		return fmt.Errorf("read unk.dic: %w", err)
	}
	entries := map[string][]entry{}
	for _, class := range d.classes {
		if entries[class], err = lex.entries(class); err != nil {
			return err
		}
	}
	signs := slices.Sorted(maps.Keys(words))
	noun := entries["KATAKANA"]
	if len(noun) == 0 {
		return fmt.Errorf("no class KATAKANA: %w", ErrFormat)
	}
	for _, sign := range signs {
		if sign < 0 || int(sign) >= len(d.chars) {
			return fmt.Errorf("%U is not in the basic plane", sign)
		}
		class := fmt.Sprintf("WORD%04X", sign)
		d.chars[sign] = uint32(len(d.classes))<<18 | 1<<26 | 1<<31 // one alone, always
		d.classes = append(d.classes, class)
		entries[class] = []entry{{noun[0].left, noun[0].right, 0, words[sign]}}
	}
	links, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("list dictionary: %w", err)
	}
	for _, f := range links {
		if f.Name() == "char.bin" || f.Name() == "unk.dic" {
			continue
		}
		if err := os.Symlink(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
			return fmt.Errorf("link dictionary: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(to, "char.bin"), d.encodeCharacters(), 0o600); err != nil {
		return fmt.Errorf("write classes of characters: %w", err)
	}
	if err := os.WriteFile(filepath.Join(to, "unk.dic"), encodeLexicon(unk[:headerLength], entries), 0o600); err != nil {
		return fmt.Errorf("write unknown words: %w", err)
	}
	return nil
}

// An entry is a token with its feature.
type entry struct {
	left, right uint16
	cost        int16
	feature     string
}

// entries are those of one word.
func (l *lexicon) entries(word string) (out []entry, err error) {
	var tokens []token
	err = l.prefixes(word, func(length int, ts []token) {
		if length == len(word) {
			tokens = ts
		}
	})
	for _, t := range tokens {
		f, ferr := l.feature(t)
		if ferr != nil {
			return nil, ferr
		}
		out = append(out, entry{t.left, t.right, t.cost, f})
	}
	return out, err
}

func (d *Dictionary) encodeCharacters() []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(d.classes)))
	for _, c := range d.classes {
		var name [32]byte
		copy(name[:31], c)
		b = append(b, name[:]...)
	}
	for _, c := range d.chars {
		b = binary.LittleEndian.AppendUint32(b, c)
	}
	return b
}

// encodeLexicon is a .dic file of the kind that header is of.
func encodeLexicon(header []byte, entries map[string][]entry) []byte {
	var tokens, features []byte
	count := 0
	trie := &trieNode{}
	for _, word := range slices.Sorted(maps.Keys(entries)) {
		trie.add(word, count<<8|len(entries[word]))
		for _, e := range entries[word] {
			tokens = binary.LittleEndian.AppendUint16(tokens, e.left)
			tokens = binary.LittleEndian.AppendUint16(tokens, e.right)
			tokens = binary.LittleEndian.AppendUint16(tokens, 0) // number of the part of speech: unused
			tokens = binary.LittleEndian.AppendUint16(tokens, uint16(e.cost))
			tokens = binary.LittleEndian.AppendUint32(tokens, uint32(len(features)))
			tokens = binary.LittleEndian.AppendUint32(tokens, 0)
			features = append(append(features, e.feature...), 0)
			count++
		}
	}
	array := trie.doubleArray()
	h := bytes.Clone(header)
	size := len(h) + len(array) + len(tokens) + len(features)
	for at, v := range map[int]uint32{0: magic ^ uint32(size), 3: uint32(count), 6: uint32(len(array)), 7: uint32(len(tokens)), 8: uint32(len(features))} {
		binary.LittleEndian.PutUint32(h[4*at:], v)
	}
	return slices.Concat(h, array, tokens, features)
}

// A trieNode leads on by the bytes of words, each plus one; 0 ends a word.
type trieNode struct {
	next  map[int]*trieNode
	value int
}

func (n *trieNode) at(code int) *trieNode {
	if n.next == nil {
		n.next = map[int]*trieNode{}
	}
	if n.next[code] == nil {
		n.next[code] = &trieNode{}
	}
	return n.next[code]
}

func (n *trieNode) add(word string, value int) {
	for _, b := range []byte(strings.TrimRight(word, "\x00")) {
		n = n.at(int(b) + 1)
	}
	n.at(0).value = value
}

// doubleArray lays the trie out as lexicon.prefixes reads it: the children of a
// unit stand at its base plus their code, and say so by their check.
func (n *trieNode) doubleArray() []byte {
	type unit struct {
		base  int32
		check uint32
	}
	units := map[int]unit{0: {}}
	bases := map[int]bool{0: true}
	last := 0
	var place func(at int, n *trieNode)
	place = func(at int, n *trieNode) {
		codes := slices.Sorted(maps.Keys(n.next))
		base := 1
		for bases[base] || slices.ContainsFunc(codes, func(c int) bool { _, taken := units[base+c]; return taken }) {
			base++
		}
		bases[base] = true
		units[at] = unit{int32(base), units[at].check}
		for _, c := range codes {
			units[base+c] = unit{0, uint32(base)}
			last = max(last, base+c)
		}
		for _, c := range codes {
			if c == 0 {
				units[base] = unit{int32(-n.next[0].value - 1), uint32(base)}
			} else {
				place(base+c, n.next[c])
			}
		}
	}
	place(0, n)
	// A reader may look a byte's code beyond the last base.
	b := make([]byte, (last+258)*unitLength)
	for at, u := range units {
		binary.LittleEndian.PutUint32(b[at*unitLength:], uint32(u.base))
		binary.LittleEndian.PutUint32(b[at*unitLength+4:], u.check)
	}
	return b
}
