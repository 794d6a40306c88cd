package avatar

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/videomsg/videomsg/engines/ffmpeg"
)

// verified checks the finished file: its structure, and that something is seen
// and heard where there is something to see and to hear. A video without a
// poster gets its first picture.
func (j Job) verified(ctx context.Context, v Video, w, h int) (Video, error) {
	seconds := j.Voice.Duration().Seconds()
	format, err := Verify(v.Path, seconds, w, h)
	v.Seconds = format.Video
	if err != nil {
		return v, err
	}
	poster := ""
	if v.Poster == "" {
		v.Poster = filepath.Join(j.Dir, "poster.jpg")
		poster = v.Poster
	}
	luma, peak, err := sample(ctx, j.Dir, v.Path, seconds, poster)
	switch {
	case err != nil:
		return v, err
	case !dark(j.Image) && luma < 4:
		return v, fmt.Errorf("%w: black", ErrBadVideo)
	case !silent(j.Voice) && peak < quietest:
		return v, fmt.Errorf("%w: silent", ErrBadVideo)
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

// sample decodes three pictures, of which it gives the mean luma of the darkest,
// 0..255, and the whole sound, of which it gives the peak, 0..1. With a poster
// it writes the first picture there as JPEG.
func sample(ctx context.Context, dir, path string, seconds float64, poster string) (luma, peak float64, err error) {
	const side, n = 32, 3
	var pictures bytes.Buffer
	sound := filepath.Join(dir, "check.raw")
	defer os.Remove(sound) //nolint:errcheck // the directory goes with the attempt
	args := []string{"-nostdin", "-v", "error", "-y"}
	filter, stack := "", ""
	for i, at := range []float64{0, seconds / 2, max(0, seconds-0.3)} {
		args = append(args, "-protocol_whitelist", "file", "-ss", strconv.FormatFloat(at, 'f', 3, 64), "-threads", "1", "-f", "mov", "-i", "file:"+path)
		filter += fmt.Sprintf("[%d:v:0]trim=end_frame=1,setpts=0,scale=%d:%d:flags=area:out_range=pc,format=gray[p%d];", i, side, side, i)
		stack += fmt.Sprintf("[p%d]", i)
	}
	args = append(args, "-filter_complex", fmt.Sprintf("%s%svstack=inputs=%d[p]", filter, stack, n),
		"-map", "[p]", "-frames:v", "1", "-f", "rawvideo", "pipe:1",
		"-map", "0:a:0", "-ac", "1", "-ar", "16000", "-f", "s16le", sound)
	if poster != "" {
		args = append(args, "-map", "0:v:0", "-frames:v", "1", "-q:v", "3", "-bitexact", "-f", "image2", "-update", "1", poster)
	}
	err = ffmpeg.Run(ctx, ffmpeg.Cmd{Name: "ffmpeg", Package: "ffmpeg", CPU: 2 * time.Minute, Dir: dir, Stdout: &pictures, Args: args})
	if err != nil {
		return 0, 0, fmt.Errorf("decode the finished video: %w", err)
	}
	if pictures.Len() < n*side*side {
		return 0, 0, fmt.Errorf("%w: a picture is missing", ErrBadVideo)
	}
	luma = 255
	for i := range n {
		sum := 0
		for _, p := range pictures.Bytes()[i*side*side : (i+1)*side*side] {
			sum += int(p)
		}
		luma = min(luma, float64(sum)/(side*side))
	}
	samples, err := os.ReadFile(sound)
	if err != nil {
		return 0, 0, err
	}
	for ; len(samples) >= 2; samples = samples[2:] {
		peak = max(peak, math.Abs(float64(int16(binary.LittleEndian.Uint16(samples)))))
	}
	return luma, peak / math.MaxInt16, nil
}
