// Package mecab reads Japanese with a compiled MeCab dictionary, such as the one
// Open JTalk uses, without any program: it cuts a text into words and gives
// their pronunciation. It is what makes kana of kanji where Open JTalk's voice
// is not installed.
//
// The method is MeCab's: all words of the dictionary that begin at a place form
// a lattice, and the path with the least sum of word costs and connection costs
// is the text (Kudo, Yamamoto and Matsumoto 2004, Applying Conditional Random
// Fields to Japanese Morphological Analysis; here with costs given).
package mecab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Dictionary is an open dictionary directory. It is safe for concurrent use.
// Words are read from the file as they are needed, so that a hundred megabytes
// of dictionary cost no memory.
type Dictionary struct {
	file    *os.File
	system  lexicon
	unknown lexicon
	matrix  []int16
	left    int // contexts
	classes []string
	chars   []uint32 // class bits per code point of the basic plane
}

// ErrFormat: not a MeCab dictionary in UTF-8, or a damaged one.
var ErrFormat = errors.New("not a MeCab dictionary")

// A Word is one word of a text.
type Word struct {
	Surface string
	// Pronunciation is in katakana, long vowels as ー; "" for what is not spoken
	// or unknown to the dictionary.
	Pronunciation string
	Class         string // part of speech, such as 名詞
	Start, End    int    // code points of the text
}

// Open reads the directory's tables. Close it after use.
func Open(dir string) (*Dictionary, error) {
	d := &Dictionary{}
	if err := d.connections(filepath.Join(dir, "matrix.bin")); err != nil {
		return nil, err
	}
	if err := d.characters(filepath.Join(dir, "char.bin")); err != nil {
		return nil, err
	}
	unk, err := os.ReadFile(filepath.Join(dir, "unk.dic"))
	if err != nil {
		return nil, fmt.Errorf("read unknown words: %w", err)
	}
	if d.unknown, err = openLexicon(strings.NewReader(string(unk)), int64(len(unk))); err != nil {
		return nil, fmt.Errorf("read unk.dic: %w", err)
	}
	f, err := os.Open(filepath.Join(dir, "sys.dic"))
	if err != nil {
		return nil, fmt.Errorf("open words: %w", err)
	}
	st, err := f.Stat()
	if err == nil {
		d.system, err = openLexicon(f, st.Size())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read sys.dic: %w", err), f.Close())
	}
	d.file = f
	return d, nil
}

// Close closes the dictionary.
func (d *Dictionary) Close() error { return d.file.Close() }

func (d *Dictionary) connections(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read connections: %w", err)
	}
	if len(b) < 4 {
		return fmt.Errorf("matrix.bin of %d bytes: %w", len(b), ErrFormat)
	}
	left, right := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
	if len(b) != 4+2*left*right {
		return fmt.Errorf("matrix.bin of %d bytes for %d × %d: %w", len(b), left, right, ErrFormat)
	}
	d.left, d.matrix = left, make([]int16, left*right)
	for i := range d.matrix {
		d.matrix[i] = int16(binary.LittleEndian.Uint16(b[4+2*i:]))
	}
	return nil
}

// connect is the cost of a word with left context lc after one with right
// context rc.
func (d *Dictionary) connect(rc, lc uint16) int {
	i := int(rc) + d.left*int(lc)
	if i >= len(d.matrix) {
		return 1 << 20
	}
	return int(d.matrix[i])
}

const plane = 0xFFFF

func (d *Dictionary) characters(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read characters: %w", err)
	}
	if len(b) < 4 {
		return fmt.Errorf("char.bin of %d bytes: %w", len(b), ErrFormat)
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n > 256 || len(b) != 4+32*n+4*plane {
		return fmt.Errorf("char.bin of %d bytes for %d classes: %w", len(b), n, ErrFormat)
	}
	for i := range n {
		name, _, _ := strings.Cut(string(b[4+32*i:4+32*i+32]), "\x00")
		d.classes = append(d.classes, name)
	}
	d.chars = make([]uint32, plane)
	for i := range d.chars {
		d.chars[i] = binary.LittleEndian.Uint32(b[4+32*n+4*i:])
	}
	return nil
}

// A class of characters: 18 bits of kinds, 8 of the main kind, 4 of the length
// of unknown words, and whether to group and to look for unknown words always.
type class uint32

func (d *Dictionary) class(r rune) class {
	if r < 0 || int(r) >= len(d.chars) {
		r = 0
	}
	return class(d.chars[r])
}

func (c class) kinds() uint32 { return uint32(c) & 0x3FFFF }
func (c class) main() int     { return int(c>>18) & 0xFF }
func (c class) length() int   { return int(c>>26) & 0xF }
func (c class) group() bool   { return c>>30&1 == 1 }
func (c class) always() bool  { return c>>31 == 1 }

// A node is a word at a place of the lattice.
type node struct {
	token
	from, to int // code points
	unknown  bool
	cost     int
	prev     *node
}

// maxText bounds a text, in code points; the lattice grows with it.
const maxText = 10000

// Words cuts s into words. s should be full-width, as the dictionary is. An
// error means that the dictionary could not be read or is damaged.
func (d *Dictionary) Words(s string) ([]Word, error) {
	rs := []rune(strings.ToValidUTF8(s, "�"))
	if len(rs) > maxText {
		return nil, fmt.Errorf("text of %d characters, at most %d", len(rs), maxText)
	}
	ends := make([][]*node, len(rs)+1) // nodes by where they end
	ends[0] = []*node{{}}
	for i := range rs {
		if len(ends[i]) == 0 {
			continue
		}
		found, err := d.at(rs, i)
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			n.cost = math.MaxInt
			for _, p := range ends[i] {
				if c := p.cost + d.connect(p.right, n.left) + int(n.token.cost); c < n.cost {
					n.cost, n.prev = c, p
				}
			}
			ends[n.to] = append(ends[n.to], n)
		}
	}
	var best *node
	least := math.MaxInt
	for _, p := range ends[len(rs)] {
		if c := p.cost + d.connect(p.right, 0); c < least {
			best, least = p, c
		}
	}
	var words []Word
	for n := best; n != nil && n.prev != nil; n = n.prev {
		w := Word{Surface: string(rs[n.from:n.to]), Start: n.from, End: n.to}
		lex := &d.system
		if n.unknown {
			lex = &d.unknown
		}
		feature, err := lex.feature(n.token)
		if err != nil {
			return nil, err
		}
		f := strings.Split(feature, ",")
		w.Class = f[0]
		if len(f) > 8 && f[8] != "*" && f[8] != w.Surface {
			w.Pronunciation = strings.ReplaceAll(f[8], "’", "")
		} else if strings.ContainsFunc(w.Surface, kana) {
			w.Pronunciation = katakana(w.Surface)
		}
		words = append(words, w)
	}
	for i, j := 0, len(words)-1; i < j; i, j = i+1, j-1 {
		words[i], words[j] = words[j], words[i]
	}
	return words, nil
}

// at returns the words that begin at i: those of the dictionary, and unknown
// ones where their class wants it or nothing else is there.
func (d *Dictionary) at(rs []rune, i int) ([]*node, error) {
	var out []*node
	rest := string(rs[i:min(len(rs), i+64)])
	err := d.system.prefixes(rest, func(length int, tokens []token) {
		to := i + utf8.RuneCountInString(rest[:length])
		for _, t := range tokens {
			out = append(out, &node{token: t, from: i, to: to})
		}
	})
	if err != nil {
		return nil, err
	}
	c := d.class(rs[i])
	if len(out) > 0 && !c.always() {
		return out, nil
	}
	same := i + 1
	for same < len(rs) && same-i < 24 && d.class(rs[same]).kinds()&c.kinds() != 0 {
		same++
	}
	lengths := map[int]bool{}
	if c.group() {
		lengths[same-i] = true
	}
	for n := 1; n <= c.length() && i+n <= same; n++ {
		lengths[n] = true
	}
	if len(lengths) == 0 {
		lengths[1] = true
	}
	if c.main() >= len(d.classes) {
		return nil, fmt.Errorf("character class %d: %w", c.main(), ErrFormat)
	}
	name := d.classes[c.main()]
	err = d.unknown.prefixes(name, func(length int, tokens []token) {
		if length != len(name) {
			return
		}
		for n := 1; n <= same-i; n++ {
			if !lengths[n] {
				continue
			}
			for _, t := range tokens {
				out = append(out, &node{token: t, from: i, to: i + n, unknown: true})
			}
		}
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("no word for class %q: %w", name, ErrFormat)
	}
	return out, err
}

func kana(r rune) bool { return unicode.In(r, unicode.Hiragana, unicode.Katakana) }

func katakana(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'ぁ' && r <= 'ゖ' {
			return r + 'ァ' - 'ぁ'
		}
		return r
	}, s)
}
