package avatar

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/videomsg/videomsg/engines/ffmpeg"
)

// verified checks the finished file: its structure, and that something is seen
// and heard where there is something to see and to hear.
func (j Job) verified(ctx context.Context, v Video, w, h int) (Video, error) {
	seconds := j.Voice.Duration().Seconds()
	format, err := Verify(v.Path, seconds, w, h)
	v.Seconds = format.Video
	if err != nil {
		return v, err
	}
	if !dark(j.Image) {
		if err := lit(ctx, v.Path, seconds); err != nil {
			return v, err
		}
	}
	if !silent(j.Voice) {
		if err := heard(ctx, v.Path); err != nil {
			return v, err
		}
	}
	return v, nil
}

// dark reports whether a picture is black to begin with.
func dark(m image.Image) bool {
	if m == nil {
		return true
	}
	b := m.Bounds()
	sum, n := 0.0, 0.0
	for y := b.Min.Y; y < b.Max.Y; y += max(1, b.Dy()/64) {
		for x := b.Min.X; x < b.Max.X; x += max(1, b.Dx()/64) {
			r, g, bl, _ := m.At(x, y).RGBA()
			sum += 0.2126*float64(r) + 0.7152*float64(g) + 0.0722*float64(bl)
			n++
		}
	}
	return sum/max(n, 1) < 6*257
}

// lit decodes three frames and refuses a video that is black in one of them.
func lit(ctx context.Context, path string, seconds float64) error {
	const w, h = 32, 32
	for _, at := range []float64{0, seconds / 2, max(0, seconds-0.2)} {
		var out bytes.Buffer
		err := ffmpeg.Run(ctx, ffmpeg.Cmd{Name: "ffmpeg", Package: "ffmpeg", CPU: time.Minute, Stdout: &out, Args: []string{
			"-nostdin", "-v", "error", "-protocol_whitelist", "file", "-ss", strconv.FormatFloat(at, 'f', 3, 64),
			"-f", "mov", "-i", "file:" + path, "-map", "0:v:0", "-frames:v", "1", "-threads", "1",
			"-vf", fmt.Sprintf("scale=%d:%d:flags=area:out_range=pc,format=gray", w, h), "-f", "rawvideo", "pipe:1",
		}})
		if err != nil {
			return fmt.Errorf("decode frame: %w", err)
		}
		if out.Len() < w*h {
			return fmt.Errorf("%w: no picture at %.2f s", ErrBadVideo, at)
		}
		sum := 0
		for _, p := range out.Bytes()[:w*h] {
			sum += int(p)
		}
		if float64(sum)/(w*h) < 4 {
			return fmt.Errorf("%w: black at %.2f s", ErrBadVideo, at)
		}
	}
	return nil
}

// heard decodes the sound track and refuses one in which nothing is heard.
func heard(ctx context.Context, path string) error {
	peak := &peakMeter{}
	err := ffmpeg.Run(ctx, ffmpeg.Cmd{Name: "ffmpeg", Package: "ffmpeg", CPU: time.Minute, Stdout: peak, Args: []string{
		"-nostdin", "-v", "error", "-protocol_whitelist", "file", "-f", "mov", "-i", "file:" + path,
		"-map", "0:a:0", "-ac", "1", "-f", "s16le", "pipe:1",
	}})
	if err != nil {
		return fmt.Errorf("decode sound: %w", err)
	}
	if peak.max < quietest*math.MaxInt16 {
		return fmt.Errorf("%w: silent", ErrBadVideo)
	}
	return nil
}

// peakMeter keeps the largest 16-bit sample that is written to it.
type peakMeter struct {
	max  float64
	rest []byte
}

var _ io.Writer = (*peakMeter)(nil)

func (p *peakMeter) Write(b []byte) (int, error) {
	n := len(b)
	if len(p.rest) > 0 {
		b = append(p.rest, b...)
	}
	for ; len(b) >= 2; b = b[2:] {
		p.max = max(p.max, math.Abs(float64(int16(binary.LittleEndian.Uint16(b)))))
	}
	p.rest = append([]byte(nil), b...)
	return n, nil
}
