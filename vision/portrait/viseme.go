package portrait

import (
	"strings"
	"unicode"
)

// viseme is the mouth's shape for a class of phonemes.
type viseme struct {
	open   float64 // 0 closed … 1 as for "a"
	width  float64 // factor of the mouth's width; below 1 rounded
	tongue float64 // 0 low … 1 behind the teeth
	teeth  float64 // 0 hidden … 1 teeth together, lower teeth seen
	closed bool    // the lips must touch, or the sound looks wrong
}

// press is how far the lips of a smile must come together for this shape.
func (v viseme) press() float64 {
	switch {
	case v.closed:
		return 1
	case v.open == 0: // a pause shows the picture's own smile
		return 0
	case v.width < 0.9:
		return 0.3
	}
	return clamp((0.34-v.open)/0.68, 0, 0.25)
}

// The classes. Openness and width were fitted by eye and are what the sync
// meter compares with.
var visemes = map[string]viseme{
	"a":   {open: 1, width: 1, tongue: 0.3},
	"i":   {open: 0.34, width: 1.10, tongue: 0.6, teeth: 0.5},
	"u":   {open: 0.30, width: 0.84},
	"e":   {open: 0.62, width: 1.06, tongue: 0.55, teeth: 0.4},
	"o":   {open: 0.62, width: 0.80, tongue: 0.2},
	"@":   {open: 0.45, width: 1, tongue: 0.3}, // neutral vowel
	"N":   {open: 0.16, width: 0.98},
	"m":   {open: 0, width: 0.98, closed: true},
	"w":   {open: 0.20, width: 0.76},
	"f":   {open: 0.12, width: 0.96, teeth: 0.8},
	"s":   {open: 0.20, width: 1.04, teeth: 1},
	"sh":  {open: 0.24, width: 0.90, teeth: 1},
	"t":   {open: 0.28, width: 1, tongue: 0.9},
	"n":   {open: 0.26, width: 1, tongue: 0.9},
	"r":   {open: 0.34, width: 1, tongue: 0.9},
	"k":   {open: 0.34, width: 1, tongue: 0.3},
	"y":   {open: 0.30, width: 1.05, tongue: 0.6},
	"cl":  {open: 0.16, width: 1, tongue: 0.8},
	"pau": {open: 0, width: 1},
	"?":   {open: 0.25, width: 1}, // unknown
}

// classOf folds phonemes onto classes; "h" takes the shape of what follows.
var classOf = map[string]string{
	"": "pau", "pau": "pau", "sil": "pau", "sp": "pau", "_": "pau", "#": "pau", "|": "pau",
	"a": "a", "i": "i", "u": "u", "e": "e", "o": "o", "N": "N",
	"m": "m", "b": "m", "p": "m", "my": "m", "by": "m", "py": "m",
	"w": "w", "f": "f", "v": "f", "fy": "f",
	"s": "s", "z": "s", "ts": "s", "dz": "s",
	"sh": "sh", "ch": "sh", "j": "sh",
	"t": "t", "d": "t", "ty": "t", "dy": "t", "n": "n", "ny": "n", "r": "r", "ry": "r", "l": "r",
	"k": "k", "g": "k", "ky": "k", "gy": "k", "kw": "k", "gw": "k",
	"y": "y", "h": "h", "hy": "h", "cl": "cl", "q": "cl", "Q": "cl",
	// IPA
	"ɑ": "a", "æ": "a", "ɐ": "a", "ʌ": "a", "ɒ": "o", "ä": "a",
	"ɪ": "i", "ɨ": "i", "ɯ": "u", "ʊ": "u", "y̯": "u", "ʉ": "u", "ɛ": "e", "ø": "o", "œ": "o", "ɔ": "o", "ɤ": "o",
	"ã": "a", "õ": "o", "ẽ": "e", "ĩ": "i", "ũ": "u", // precomposed nasals
	"ə": "@", "ɜ": "@", "ɚ": "@", "ɝ": "@", "ɘ": "@",
	"ɱ": "f", "ɸ": "f", "β": "f", "ʋ": "f", "θ": "t", "ð": "t", "ŋ": "k", "ɴ": "N", "ɲ": "n", "ɳ": "n",
	"ʃ": "sh", "ʒ": "sh", "ɕ": "sh", "ʑ": "sh", "ʂ": "sh", "ʐ": "sh", "tʃ": "sh", "dʒ": "sh", "tɕ": "sh", "dʑ": "sh",
	"ɹ": "r", "ɾ": "r", "ɻ": "r", "ʁ": "k", "ʀ": "k", "ɫ": "r", "ɭ": "r", "ʎ": "y",
	"c": "k", "ɟ": "k", "ɡ": "k", "x": "k", "ɣ": "k", "χ": "k", "ç": "h", "ɥ": "w", "ʍ": "w", "ɰ": "w", "ʔ": "cl", "ʕ": "cl", "ħ": "h", "ɦ": "h",
	"ʈ": "t", "ɖ": "t",
}

// devoiced vowels, as Open JTalk writes them, are spoken with less movement.
var devoiced = map[string]string{"A": "a", "I": "i", "U": "u", "E": "e", "O": "o"}

// shapesOf returns the shapes of one phoneme in order: several for a diphthong.
// next is the class of the following phoneme, for "h".
func shapesOf(p, next string) (shapes []viseme, known bool) {
	if v, ok := devoiced[p]; ok {
		s := visemes[v]
		s.open *= 0.6
		return []viseme{s}, true
	}
	classes, known := classesOf(p)
	for _, c := range classes {
		if c == "h" {
			s := visemes["@"]
			if v, ok := visemes[next]; ok && !v.closed {
				s = v
			}
			s.open *= 0.8
			shapes = append(shapes, s)
			continue
		}
		shapes = append(shapes, visemes[c])
	}
	return shapes, known
}

// classesOf splits a phoneme into classes. IPA marks of stress, length and tone
// are dropped; consonant clusters count by their last member, vowels each.
func classesOf(p string) (classes []string, known bool) {
	if c, ok := classOf[p]; ok {
		return []string{c}, true
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune("ˈˌːˑ.ʰʲʷ˞‿͡'-~\"1234567890", r), unicode.Is(unicode.Mn, r):
			return -1
		}
		return r
	}, p)
	if c, ok := classOf[clean]; ok {
		return []string{c}, true
	}
	if v, ok := devoiced[clean]; ok {
		return []string{v}, true
	}
	for _, r := range clean {
		c, ok := classOf[string(r)]
		if !ok {
			continue
		}
		known = true
		vowel := strings.Contains("aiueo@", c)
		if n := len(classes); !vowel && n > 0 && !strings.Contains("aiueo@", classes[n-1]) {
			classes[n-1] = c
			continue
		}
		if len(classes) < 4 {
			classes = append(classes, c)
		}
	}
	if len(classes) == 0 {
		return []string{"?"}, false
	}
	return classes, known
}

// first is the class with which a phoneme begins.
func first(p string) string {
	if v, ok := devoiced[p]; ok {
		return v
	}
	c, _ := classesOf(p)
	return c[0]
}
