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

// A Format is what a file says it is.
type Format struct {
	Width, Height int     // pixels
	Video, Audio  float64 // seconds of each track as a player shows it
}

// Probe reads the structure of an MP4 file, which must have one AVC and one AAC
// track, at most one track of captions, and its index at the start.
func Probe(path string) (Format, error) {
	f, err := os.Open(path)
	if err != nil {
		return Format{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := mp4.Probe(f)
	if err != nil {
		return Format{}, fmt.Errorf("%w: %w", ErrBadVideo, err)
	}
	if !info.FastStart {
		return Format{}, fmt.Errorf("%w: the index is not at the start", ErrBadVideo)
	}
	var out Format
	var pictures, sounds int
	for _, t := range info.Tracks {
		if t.Timescale == 0 {
			return Format{}, fmt.Errorf("%w: track without time scale", ErrBadVideo)
		}
		switch {
		case t.Codec == mp4.CodecAVC1 && t.AVC != nil:
			pictures++
			out.Video = trackSeconds(t, info.Timescale)
			out.Width, out.Height = int(t.AVC.Width), int(t.AVC.Height)
		case t.Codec == mp4.CodecMP4A:
			sounds++
			out.Audio = trackSeconds(t, info.Timescale)
		}
	}
	if pictures != 1 || sounds != 1 || len(info.Tracks) > 3 {
		return Format{}, fmt.Errorf("%w: %d picture and %d sound tracks of %d", ErrBadVideo, pictures, sounds, len(info.Tracks))
	}
	return out, nil
}

// frame is the longest frame there is, in seconds, and a little for rounding.
const frame = 1/10.0 + 0.002

// Verify probes the file and checks that both tracks are seconds long within
// 0.1 s, and equally long within a frame, and that the picture has w × h pixels.
func Verify(path string, seconds float64, w, h int) (Format, error) {
	f, err := Probe(path)
	switch {
	case err != nil:
		return f, err
	case f.Width != w || f.Height != h:
		return f, fmt.Errorf("%w: %d×%d pixels, want %d×%d", ErrBadVideo, f.Width, f.Height, w, h)
	case math.Abs(f.Video-f.Audio) > frame:
		return f, fmt.Errorf("%w: %.3f s of picture beside %.3f s of sound", ErrBadVideo, f.Video, f.Audio)
	case math.Abs(f.Video-seconds) > 0.1 || math.Abs(f.Audio-seconds) > 0.1:
		return f, fmt.Errorf("%w: %.3f s of picture, %.3f s of sound, want %.3f s", ErrBadVideo, f.Video, f.Audio, seconds)
	}
	return f, nil
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
