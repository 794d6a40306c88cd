package ffmpeg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
)

// MP3Bitrate is what the music stage delivers, in kbit/s.
const MP3Bitrate = 192

// mp3Rates are the sampling rates of MPEG-1 layer III that a constant 192
// kbit/s stream may have; others become 48 kHz.
var mp3Rates = [...]int{32000, 44100, 48000}

// EncodeMP3 writes s as MP3 of constant bitrate, with the header that lets
// players cut the encoder's delay. s has one or two channels. It needs ffmpeg
// with libmp3lame; without ffmpeg it fails with engines.ErrUnavailable.
func EncodeMP3(ctx context.Context, w io.Writer, s dsp.Stream) (err error) {
	if err := dsp.CheckRate(s.Rate); err != nil {
		return fmt.Errorf("encode mp3: %w", err)
	}
	if s.Channels < 1 || s.Channels > 2 {
		return fmt.Errorf("encode mp3: %d channels, not 1 or 2", s.Channels)
	}
	dir, err := os.MkdirTemp("", "videomsg-encode-")
	if err != nil {
		return fmt.Errorf("encode mp3: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	path, err := filepath.Abs(filepath.Join(dir, "out.mp3"))
	if err != nil {
		return fmt.Errorf("encode mp3: %w", err)
	}
	rate := s.Rate
	if !slices.Contains(mp3Rates[:], rate) {
		rate = 48000
	}
	// A file and not a pipe: the length is written into its head at the end.
	err = RunWithAudio(ctx, Cmd{Name: "ffmpeg", Package: "ffmpeg", Args: []string{
		"-nostdin", "-v", "error", "-f", "wav", "-i", "pipe:0", "-map_metadata", "-1", "-c:a", "libmp3lame",
		"-b:a", strconv.Itoa(MP3Bitrate) + "k", "-ar", strconv.Itoa(rate), "-id3v2_version", "0", "-f", "mp3", "file:" + path,
	}}, s)
	if err != nil {
		return fmt.Errorf("encode mp3: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("encode mp3: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("encode mp3: %w", err)
	}
	return nil
}

// RunWithAudio runs c with s on its standard input, as a WAVE file of float
// samples. Errors are those of Run.
func RunWithAudio(ctx context.Context, c Cmd, s dsp.Stream) error {
	r, w := io.Pipe()
	c.Stdin = r
	var made error
	var wg sync.WaitGroup
	wg.Go(func() {
		made = wav.EncodeStream(w, s, wav.Float32)
		w.CloseWithError(made)
	})
	err := Run(ctx, c)
	_ = r.Close() // sets the writer free when the program did not read everything
	wg.Wait()
	// A pipe that the program closed is reported as the program's end.
	if made != nil && !errors.Is(made, io.ErrClosedPipe) {
		return made
	}
	return err
}
