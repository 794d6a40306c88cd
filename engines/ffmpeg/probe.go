package ffmpeg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/videomsg/videomsg/engines"
)

// formats are the containers an upload may be. Without the list ffmpeg follows
// playlists (HLS, concat) that name other files and addresses, whatever the
// file is called.
const formats = "wav,mp3,flac,ogg,aac,mov,matroska"

// Info is what a media file says about its first audio stream.
type Info struct {
	Format   string // such as "mp3" or "mov,mp4,m4a,3gp,3g2,mj2"
	Codec    string // such as "aac"
	Rate     int    // Hz
	Channels int
	Duration time.Duration // 0 when the file does not say
}

// untrusted are the options in front of the input of every program that reads
// an upload.
func untrusted(input string) []string {
	return []string{
		"-v", "error", "-protocol_whitelist", "file,pipe", "-format_whitelist", formats,
		"-max_alloc", "268435456", "-probesize", "5000000", "-analyzeduration", "5000000", "-max_streams", "16",
		"-i", "file:" + input,
	}
}

// Limits of a process that reads an upload.
const (
	memoryLimit = 2 << 30
	probeCPU    = 20 * time.Second
)

// Probe asks ffprobe about the file at the absolute path. A file that is not
// sound in one of the accepted formats is engines.ErrInput; a missing ffprobe
// is engines.ErrUnavailable.
func Probe(ctx context.Context, path string) (Info, error) {
	var out bytes.Buffer
	err := Run(ctx, Cmd{
		Name: "ffprobe", Package: "ffmpeg", Stdout: &capped{w: &out, left: 1 << 20}, Memory: memoryLimit, CPU: probeCPU,
		Args: append([]string{
			"-select_streams", "a:0", "-of", "json",
			"-show_entries", "format=format_name,duration:stream=codec_name,sample_rate,channels,duration",
		}, untrusted(path)...),
	})
	if err != nil {
		return Info{}, fmt.Errorf("probe audio: %w", blameInput(err))
	}
	var r struct {
		Streams []struct {
			Codec    string `json:"codec_name"`
			Rate     string `json:"sample_rate"`
			Channels int    `json:"channels"`
			Duration string `json:"duration"`
		} `json:"streams"`
		Format struct {
			Name     string `json:"format_name"`
			Duration string `json:"duration"`
		} `json:"format"`
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return Info{}, fmt.Errorf("probe audio: %w", err)
	}
	if len(r.Streams) == 0 {
		return Info{}, fmt.Errorf("probe audio: no audio stream: %w", engines.ErrInput)
	}
	s := r.Streams[0]
	info := Info{Format: r.Format.Name, Codec: s.Codec, Channels: s.Channels}
	if info.Rate, err = strconv.Atoi(s.Rate); err != nil {
		return Info{}, fmt.Errorf("probe audio: sample rate %q: %w", s.Rate, engines.ErrInput)
	}
	info.Duration = max(seconds(s.Duration), seconds(r.Format.Duration))
	return info, nil
}

// seconds is 0 for what is not a plausible length.
func seconds(s string) time.Duration {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v < 1e6) {
		return 0
	}
	return time.Duration(v * float64(time.Second))
}

// blameInput marks the failure of a program on a file as the file's. Being
// absent, cancelled, or short of disk is not.
func blameInput(err error) error {
	if _, ok := errors.AsType[*ExitError](err); ok {
		return fmt.Errorf("%w: %w", engines.ErrInput, err)
	}
	return err
}

var errTooMuch = errors.New("output larger than expected")

// capped refuses to take more than left bytes.
type capped struct {
	w    io.Writer
	left int64
}

func (c *capped) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		return 0, errTooMuch
	}
	c.left -= int64(len(p))
	return c.w.Write(p)
}
