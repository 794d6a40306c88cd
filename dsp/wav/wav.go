// Package wav reads and writes WAVE files: RIFF, RF64 and the headers that
// pipes and crashed recorders leave behind. Samples cross the API as planar
// float32 in [-1, 1), whatever the file holds. Reading is streaming: a Reader
// keeps one block and trusts no size in the file, so a hostile header costs
// nothing.
//
// Sources: "Multimedia Programming Interface and Data Specifications 1.0"
// (RIFF), EBU Tech 3306 (RF64), WAVEFORMATEXTENSIBLE, ITU-T G.711.
package wav

import (
	"errors"
	"fmt"
)

// Errors that callers branch on.
var (
	// ErrFormat: not a WAVE file, or one with an encoding that is not listed
	// under Encoding; another decoder may still read it.
	ErrFormat = errors.New("not a readable WAVE file")
	// ErrLimit: more channels, samples or a rate outside what is accepted.
	ErrLimit = errors.New("WAVE file beyond the limits")
)

// Bounds of what is read and written.
const (
	MinRate     = 1000   // Hz
	MaxRate     = 384000 // Hz
	MaxChannels = 8
)

// Encoding is how one sample is stored.
type Encoding int

// The encodings that are read; all but ALaw and MuLaw are written too.
const (
	PCM8 Encoding = iota + 1 // unsigned
	PCM16
	PCM24
	PCM32
	Float32
	Float64
	ALaw
	MuLaw
)

var encodingNames = [...]string{"none", "pcm_u8", "pcm_s16", "pcm_s24", "pcm_s32", "pcm_f32", "pcm_f64", "alaw", "mulaw"}

// String is the name that media tools use, such as "pcm_s16".
func (e Encoding) String() string {
	if e < 0 || int(e) >= len(encodingNames) {
		return fmt.Sprintf("encoding %d", int(e))
	}
	return encodingNames[e]
}

// bytes is the size of one sample in the file; 0 for an unknown encoding.
func (e Encoding) bytes() int {
	switch e {
	case PCM8, ALaw, MuLaw:
		return 1
	case PCM16:
		return 2
	case PCM24:
		return 3
	case PCM32, Float32:
		return 4
	case Float64:
		return 8
	}
	return 0
}

// Format describes the samples of a file.
type Format struct {
	Rate     int // Hz
	Channels int
	Encoding Encoding
}

// Validate reports a rate, channel count or encoding out of bounds.
func (f Format) Validate() error {
	if f.Rate < MinRate || f.Rate > MaxRate {
		return fmt.Errorf("sample rate %d Hz outside %d..%d: %w", f.Rate, MinRate, MaxRate, ErrLimit)
	}
	if f.Channels < 1 || f.Channels > MaxChannels {
		return fmt.Errorf("%d channels outside 1..%d: %w", f.Channels, MaxChannels, ErrLimit)
	}
	if f.Encoding.bytes() == 0 {
		return fmt.Errorf("%s: %w", f.Encoding, ErrFormat)
	}
	return nil
}

// Format tags of the fmt chunk.
const (
	tagPCM        = 0x0001
	tagFloat      = 0x0003
	tagALaw       = 0x0006
	tagMuLaw      = 0x0007
	tagExtensible = 0xFFFE
)

// subFormatTail is the fixed part of the KSDATAFORMAT_SUBTYPE GUIDs; the first
// two bytes before it are the format tag.
const subFormatTail = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71"

const unknownSize = 0xFFFFFFFF // the size that pipes and RF64 write
