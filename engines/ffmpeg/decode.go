package ffmpeg

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
)

// Limits bound what DecodeAudio accepts.
type Limits struct {
	Bytes    int64         // size of the upload
	Duration time.Duration // length of the sound
}

// ErrTooLong: more bytes or a longer sound than the Limits allow. It is always
// found together with engines.ErrInput.
var ErrTooLong = errors.New("audio too long")

// DecodeAudio reads the sound of an upload: WAVE files by our own reader,
// everything else by ffmpeg, from a private copy, since some containers keep
// their table of contents at the end. The name and type that came with the
// upload play no part. The result has the file's own sampling rate (48 kHz if
// that is out of the ordinary) and one or two channels; damaged samples are
// repaired. What cannot be decoded is engines.ErrInput, and additionally
// ErrTooLong when only its size is at fault.
func DecodeAudio(ctx context.Context, r io.Reader, lim Limits) (dsp.Audio, Info, error) {
	dir, err := os.MkdirTemp("", "videomsg-decode-")
	if err != nil {
		return dsp.Audio{}, Info{}, fmt.Errorf("decode audio: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	// ffmpeg runs with / as its directory, and relative TMPDIRs exist.
	path, err := filepath.Abs(filepath.Join(dir, "input"))
	if err != nil {
		return dsp.Audio{}, Info{}, fmt.Errorf("decode audio: %w", err)
	}
	if err := save(path, r, lim.Bytes); err != nil {
		return dsp.Audio{}, Info{}, fmt.Errorf("decode audio: %w", err)
	}
	if a, info, err := decodeWAV(path, lim); !errors.Is(err, wav.ErrFormat) {
		return a, info, err
	}
	info, err := Probe(ctx, path)
	if err != nil {
		return dsp.Audio{}, Info{}, err
	}
	if info.Duration > lim.Duration+time.Second {
		return dsp.Audio{}, info, tooLong(lim)
	}
	a, err := decode(ctx, path, info, lim)
	return a, info, err
}

func tooLong(lim Limits) error {
	return fmt.Errorf("decode audio: longer than %s: %w: %w", lim.Duration, ErrTooLong, engines.ErrInput)
}

// save copies at most limit bytes.
func save(path string, r io.Reader, limit int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(r, limit+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if n > limit {
		return fmt.Errorf("more than %d bytes: %w: %w", limit, ErrTooLong, engines.ErrInput)
	}
	if n == 0 {
		return fmt.Errorf("empty file: %w", engines.ErrInput)
	}
	return nil
}

// decodeWAV answers wav.ErrFormat for everything that ffmpeg should try.
func decodeWAV(path string, lim Limits) (dsp.Audio, Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return dsp.Audio{}, Info{}, fmt.Errorf("decode audio: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	head, err := wav.NewReader(f)
	if err != nil {
		return dsp.Audio{}, Info{}, wavError(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return dsp.Audio{}, Info{}, fmt.Errorf("decode audio: %w", err)
	}
	info := Info{Format: "wav", Codec: head.Encoding.String(), Rate: head.Rate, Channels: head.Channels}
	most := int(math.Ceil(lim.Duration.Seconds() * float64(head.Rate)))
	a, err := wav.Decode(f, most)
	if errors.Is(err, wav.ErrLimit) {
		return dsp.Audio{}, info, tooLong(lim)
	}
	if err != nil {
		return dsp.Audio{}, info, fmt.Errorf("decode audio: %w", err)
	}
	if a.Len() == 0 {
		return dsp.Audio{}, info, fmt.Errorf("decode audio: no samples: %w", engines.ErrInput)
	}
	info.Duration = a.Duration()
	if len(a.Ch) > 2 {
		a = a.Mono()
	}
	return a, info, nil
}

func wavError(err error) error {
	if errors.Is(err, wav.ErrLimit) {
		return fmt.Errorf("decode audio: %w: %w", engines.ErrInput, err)
	}
	return err
}

// decode lets ffmpeg write raw float samples, which are taken apart as they
// come.
func decode(ctx context.Context, path string, info Info, lim Limits) (dsp.Audio, error) {
	rate, channels := info.Rate, min(2, max(1, info.Channels))
	if rate < dsp.MinRate || rate > dsp.MaxRate {
		rate = 48000
	}
	most := int(math.Ceil(lim.Duration.Seconds() * float64(rate)))
	out := &samples{audio: dsp.New(rate, channels, 0), most: most}
	// One second more than allowed is decoded, so that too long is noticed.
	t := strconv.FormatFloat(lim.Duration.Seconds()+1, 'f', 3, 64)
	args := append([]string{"-nostdin", "-threads", "1"}, untrusted(path)...)
	args = append(args, "-t", t, "-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1",
		"-ac", strconv.Itoa(channels), "-ar", strconv.Itoa(rate), "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1")
	err := Run(ctx, Cmd{
		Name: "ffmpeg", Package: "ffmpeg", Args: args, Stdout: out, Memory: memoryLimit,
		CPU: probeCPU + lim.Duration/10,
	})
	switch {
	case errors.Is(err, errTooMuch):
		return dsp.Audio{}, tooLong(lim)
	case err != nil:
		return dsp.Audio{}, fmt.Errorf("decode audio: %w", blameInput(err))
	case out.audio.Len() == 0:
		return dsp.Audio{}, fmt.Errorf("decode audio: no samples: %w", engines.ErrInput)
	}
	return out.audio, nil
}

// samples takes interleaved little-endian float32 apart.
type samples struct {
	audio dsp.Audio
	most  int
	rest  []byte // of a frame that is not complete yet
}

func (s *samples) Write(p []byte) (int, error) {
	frame := 4 * len(s.audio.Ch)
	b := append(s.rest, p...)
	n := len(b) / frame
	if s.audio.Len()+n > s.most {
		return 0, errTooMuch
	}
	for c := range s.audio.Ch {
		for i := range n {
			v := math.Float32frombits(binary.LittleEndian.Uint32(b[i*frame+4*c:]))
			if !(math.Abs(float64(v)) <= dsp.MaxLevel) {
				v = 0 // a broken decoder's NaN must not spread
			}
			s.audio.Ch[c] = append(s.audio.Ch[c], v)
		}
	}
	s.rest = append(s.rest[:0], b[n*frame:]...)
	return len(p), nil
}
