package dsp

import (
	"fmt"
	"math"
)

// Limits that every operation of this module accepts. They are wide enough for
// any recording of speech or music and narrow enough that a damaged header
// cannot make an operation allocate without bound.
const (
	MinRate     = 4000   // hertz
	MaxRate     = 384000 // hertz
	MaxChannels = 8
	// MaxLevel is the largest sample magnitude taken for sound (+120 dBFS);
	// anything above it is damage, and its squares would drown the rest.
	MaxLevel = 1e6
)

// Check reports why a cannot be processed: a rate outside MinRate..MaxRate, no
// channel or more than MaxChannels, channels of different lengths, or a sample
// that is NaN, infinite or larger than MaxLevel. A length of 0 is allowed.
func (a Audio) Check() error {
	if err := CheckRate(a.Rate); err != nil {
		return err
	}
	if len(a.Ch) < 1 || len(a.Ch) > MaxChannels {
		return fmt.Errorf("audio has %d channels, not 1 to %d", len(a.Ch), MaxChannels)
	}
	for c, ch := range a.Ch {
		if len(ch) != len(a.Ch[0]) {
			return fmt.Errorf("audio channel %d has %d samples, channel 0 has %d", c, len(ch), len(a.Ch[0]))
		}
		if i := firstBad(ch); i >= 0 {
			return fmt.Errorf("audio channel %d sample %d is %g", c, i, ch[i])
		}
	}
	return nil
}

// CheckRate reports a sampling rate outside MinRate..MaxRate.
func CheckRate(rate int) error {
	if rate < MinRate || rate > MaxRate {
		return fmt.Errorf("audio rate %d Hz is outside %d to %d", rate, MinRate, MaxRate)
	}
	return nil
}

// firstBad is the index of the first sample that is not a plausible number, or
// -1. Written so that NaN, for which every comparison is false, is caught.
func firstBad(x []float32) int {
	for i, v := range x {
		if !(math.Abs(float64(v)) <= MaxLevel) {
			return i
		}
	}
	return -1
}
