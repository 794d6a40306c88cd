package avatar

import (
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/abema/go-mp4"
)

// ErrBadVideo says that a file is not the video it should be.
var ErrBadVideo = errors.New("not the expected video")

// Verify checks that the file is an MP4 of one AVC track of w × h pixels (both 0
// for any) and one AAC track, ready for progressive download, and that both
// tracks are seconds long within 0.1 s. It returns the picture track's length.
func Verify(path string, seconds float64, w, h int) (float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := mp4.Probe(f)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrBadVideo, err)
	}
	if !info.FastStart {
		return 0, fmt.Errorf("%w: the index is not at the start", ErrBadVideo)
	}
	var video, audio float64
	var nv, na int
	for _, t := range info.Tracks {
		if t.Timescale == 0 {
			return 0, fmt.Errorf("%w: track without time scale", ErrBadVideo)
		}
		sec := trackSeconds(t, info.Timescale)
		switch t.Codec {
		case mp4.CodecAVC1:
			nv++
			video = sec
			if t.AVC != nil && w != 0 && (int(t.AVC.Width) != w || int(t.AVC.Height) != h) {
				return 0, fmt.Errorf("%w: %d×%d pixels, want %d×%d", ErrBadVideo, t.AVC.Width, t.AVC.Height, w, h)
			}
		case mp4.CodecMP4A:
			na++
			audio = sec
		}
	}
	switch {
	case nv != 1 || na != 1 || len(info.Tracks) != 2:
		return 0, fmt.Errorf("%w: %d picture and %d sound tracks of %d", ErrBadVideo, nv, na, len(info.Tracks))
	case math.Abs(video-seconds) > 0.1 || math.Abs(audio-seconds) > 0.1:
		return 0, fmt.Errorf("%w: %.3f s of picture, %.3f s of sound, want %.3f s", ErrBadVideo, video, audio, seconds)
	}
	return video, nil
}

// trackSeconds is what a player shows: the edit list, which leaves out the AAC
// encoder's priming, counts if there is one.
func trackSeconds(t *mp4.Track, movie uint32) float64 {
	var edited uint64
	for _, e := range t.EditList {
		if e.MediaTime >= 0 {
			edited += e.SegmentDuration
		}
	}
	if edited > 0 && movie > 0 {
		return float64(edited) / float64(movie)
	}
	return float64(t.Duration) / float64(t.Timescale)
}
