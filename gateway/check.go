package gateway

import (
	"bytes"
	"errors"
	"io"

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

// checkAudio tells sound files from others by their first bytes; whether they
// can be decoded is for the stage that does it.
func checkAudio(r io.ReaderAt, size int64) (string, error) {
	head := make([]byte, min(size, 16))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	for _, k := range audioKinds {
		if len(head) >= k.offset+len(k.magic) && bytes.Equal(head[k.offset:k.offset+len(k.magic)], []byte(k.magic)) {
			return k.mediaType, nil
		}
	}
	return "", newProblem(codeMediaType, "The sound must be a WAV, MP3, M4A, OGG or FLAC file.")
}
