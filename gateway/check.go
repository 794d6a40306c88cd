package gateway

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/vision"
)

// checkImage reads a picture's structure, not its pixels, so that a bad upload
// is refused before a task exists.
func (g *Gateway) checkImage(r io.ReaderAt, size int64) (string, error) {
	lim := vision.Limits{Bytes: g.conf.MaxImage}
	h, err := vision.CheckHeader(r, size, lim)
	if err == nil {
		err = vision.CheckComplete(r, size)
	}
	if err != nil {
		return "", imageProblem(err)
	}
	return "image/" + string(h.Format), nil
}

func imageProblem(err error) error {
	var kind *vision.UnsupportedError
	switch {
	case errors.As(err, &kind):
		return newProblem(codeMediaType, "The picture must be a JPEG, PNG or WebP file. "+kind.Hint).because(err)
	case errors.Is(err, vision.ErrFileTooLarge):
		return newProblem(codeFileTooLarge, "The picture is larger than 10 MB.").because(err)
	case errors.Is(err, vision.ErrTooLarge):
		return newProblem(codeImageTooLarge, "The picture may have at most 12,000 pixels a side and 50 megapixels.").because(err)
	case errors.Is(err, vision.ErrTooSmall):
		return newProblem(codeImageBroken, "The picture must have at least 64 pixels a side.").because(err)
	case errors.Is(err, vision.ErrTruncated):
		return newProblem(codeImageBroken, "The picture file is incomplete.").because(err)
	case errors.Is(err, vision.ErrUnreadable):
		return newProblem(codeImageBroken, "The picture file is damaged.").because(err)
	default:
		return err
	}
}

// audioKinds are the sound files that may be uploaded, by their first bytes.
var audioKinds = []struct {
	offset    int
	magic     string
	mediaType string
}{
	{8, "WAVE", "audio/wav"},
	{0, "fLaC", "audio/flac"},
	{0, "OggS", "audio/ogg"},
	{0, "ID3", "audio/mpeg"},
	{0, "\xff\xfb", "audio/mpeg"},
	{0, "\xff\xf3", "audio/mpeg"},
	{0, "\xff\xf2", "audio/mpeg"},
	{0, "\xff\xfa", "audio/mpeg"},
	{4, "ftyp", "audio/mp4"},
}

// maxSound is the longest sound that may be uploaded, in seconds.
const maxSound = 300

// maxTrack is the longest music, in seconds, and maxTrackBytes its largest file.
const (
	maxTrack      = 600
	maxTrackBytes = 20_000_000
)

// checkAudio tells sound files from others by their first bytes, and refuses
// those whose header says that they cannot be used. Whether the rest can be
// decoded is for the stage that does it.
func checkAudio(r io.ReaderAt, size int64) (string, error) { return checkSound(r, size, maxSound) }

// checkTrack is checkAudio for music.
func checkTrack(r io.ReaderAt, size int64) (string, error) { return checkSound(r, size, maxTrack) }

func checkSound(r io.ReaderAt, size int64, longest float64) (string, error) {
	head := make([]byte, min(size, 64))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	for _, k := range audioKinds {
		if len(head) < k.offset+len(k.magic) || string(head[k.offset:k.offset+len(k.magic)]) != k.magic {
			continue
		}
		var seconds float64
		var err error
		switch k.mediaType {
		case "audio/wav":
			seconds, err = wavSeconds(io.NewSectionReader(r, 0, size))
		case "audio/flac":
			seconds, err = flacSeconds(head)
		}
		if err != nil {
			return "", newProblem(codeAudioBroken, "The sound file is damaged or of an unusual kind.").because(err)
		}
		if seconds > longest {
			return "", newProblem(codeAudioTooLong, fmt.Sprintf("The sound is longer than %g s.", longest))
		}
		return k.mediaType, nil
	}
	return "", newProblem(codeMediaType, "The sound must be a WAV, MP3, M4A, OGG or FLAC file.")
}

func wavSeconds(r io.Reader) (float64, error) {
	w, err := wav.NewReader(r)
	if err != nil {
		return 0, err
	}
	one := make([][]float32, w.Channels)
	for c := range one {
		one[c] = make([]float32, 1)
	}
	if n, err := w.Read(one); n == 0 {
		return 0, fmt.Errorf("no samples: %w", err)
	}
	return float64(w.Len()) / float64(w.Rate), nil
}

// flacSeconds reads STREAMINFO (RFC 9639, 8.2): 20 bits of rate, 36 of length.
func flacSeconds(head []byte) (float64, error) {
	if len(head) < 4+4+34 || head[4]&0x7f != 0 {
		return 0, errors.New("no STREAMINFO")
	}
	v := binary.BigEndian.Uint64(head[18:26])
	rate, samples := v>>44, v&(1<<36-1)
	if rate == 0 {
		return 0, errors.New("no sampling rate")
	}
	return float64(samples) / float64(rate), nil // 0 samples: unknown
}
