package mecab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// A lexicon is a .dic file: a header of 72 bytes, a double array from words to
// ranges of tokens, the tokens, and their features as strings.
type lexicon struct {
	r                      io.ReaderAt
	units                  int64 // of the double array
	array, tokens, feats   int64 // where they begin
	tokenCount, featLength int64
}

// A token is one reading of a word.
type token struct {
	left, right uint16 // contexts
	cost        int16
	feat        uint32 // offset of its feature
}

const (
	headerLength = 72
	unitLength   = 8
	tokenLength  = 16
	magic        = 0xEF718F77
	version      = 102
)

func openLexicon(r io.ReaderAt, size int64) (lexicon, error) {
	var h [headerLength]byte
	if _, err := r.ReadAt(h[:], 0); err != nil {
		return lexicon{}, fmt.Errorf("read header: %w: %w", err, ErrFormat)
	}
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint32(h[4*i:])) }
	charset, _, _ := strings.Cut(string(h[40:72]), "\x00")
	d, t, f := word(6), word(7), word(8)
	switch {
	case uint32(word(0))^magic != uint32(size), word(1) != version:
		return lexicon{}, fmt.Errorf("header %x: %w", h[:8], ErrFormat)
	case !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8"):
		return lexicon{}, fmt.Errorf("charset %q: %w", charset, ErrFormat)
	case headerLength+d+t+f != size:
		return lexicon{}, fmt.Errorf("%d bytes of sections in %d: %w", headerLength+d+t+f, size, ErrFormat)
	}
	return lexicon{
		r: r, units: d / unitLength, array: headerLength, tokens: headerLength + d, feats: headerLength + d + t,
		tokenCount: t / tokenLength, featLength: f,
	}, nil
}

// unit reads a unit of the double array; outside of it there is nothing.
func (l *lexicon) unit(i int64) (base int32, check uint32, err error) {
	if i < 0 || i >= l.units {
		return 0, 0, nil
	}
	var b [unitLength]byte
	if _, err := l.r.ReadAt(b[:], l.array+i*unitLength); err != nil {
		return 0, 0, fmt.Errorf("read double array: %w", err)
	}
	return int32(binary.LittleEndian.Uint32(b[:])), binary.LittleEndian.Uint32(b[4:]), nil
}

// prefixes calls f for every word that key begins with (Aoe 1989, An Efficient
// Digital Search Algorithm by Using a Double-Array Structure).
func (l *lexicon) prefixes(key string, f func(length int, tokens []token)) error {
	base, _, err := l.unit(0)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		// A word ends here when the unit of the terminator is a leaf.
		leaf, check, err := l.unit(int64(base))
		if err != nil {
			return err
		}
		if check == uint32(base) && leaf < 0 {
			ts, err := l.readings(-int64(leaf) - 1)
			if err != nil {
				return err
			}
			f(i, ts)
		}
		if i == len(key) {
			return nil
		}
		next, check, err := l.unit(int64(base) + int64(key[i]) + 1)
		if err != nil {
			return err
		}
		if check != uint32(base) {
			return nil
		}
		base = next
	}
}

// readings reads the tokens of a word: the value holds the first and, in its low
// byte, how many there are.
func (l *lexicon) readings(value int64) ([]token, error) {
	first, n := value>>8, value&0xFF
	if first+n > l.tokenCount {
		return nil, fmt.Errorf("token %d of %d: %w", first+n, l.tokenCount, ErrFormat)
	}
	b := make([]byte, n*tokenLength)
	if _, err := l.r.ReadAt(b, l.tokens+first*tokenLength); err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	out := make([]token, n)
	for i := range out {
		t := b[i*tokenLength:]
		out[i] = token{
			left: binary.LittleEndian.Uint16(t), right: binary.LittleEndian.Uint16(t[2:]),
			cost: int16(binary.LittleEndian.Uint16(t[6:])), feat: binary.LittleEndian.Uint32(t[8:]),
		}
	}
	return out, nil
}

// maxFeature is longer than any feature.
const maxFeature = 1024

func (l *lexicon) feature(t token) (string, error) {
	at := int64(t.feat)
	if at >= l.featLength {
		return "", fmt.Errorf("feature at %d of %d: %w", at, l.featLength, ErrFormat)
	}
	b := make([]byte, min(maxFeature, l.featLength-at))
	if _, err := l.r.ReadAt(b, l.feats+at); err != nil {
		return "", fmt.Errorf("read feature: %w", err)
	}
	before, _, ok := bytes.Cut(b, []byte{0})
	if !ok {
		return "", fmt.Errorf("feature without an end: %w", ErrFormat)
	}
	return string(before), nil
}
