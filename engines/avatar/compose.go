package avatar

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/abema/go-mp4"

	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/vision/portrait"
)

// compose makes our video of one that a service has made of the voice: its
// pictures, our sound, label, captions and container.
func compose(ctx context.Context, j Job, from string) (Video, error) {
	seconds := j.Voice.Duration().Seconds()
	size, length, err := pictures(from)
	if err != nil {
		return Video{}, blameEncoder(err)
	}
	if length < seconds-max(1, 0.05*seconds) {
		return Video{}, blameEncoder(fmt.Errorf("%w: %.2f s of pictures for %.2f s of speech", ErrBadVideo, length, seconds))
	}
	w, h := size.X&^1, size.Y&^1
	args := []string{"-hide_banner", "-nostdin", "-v", "error", "-y"}
	// The file came from outside: nothing in it may name other files or addresses.
	args = append(args, "-protocol_whitelist", "file,pipe", "-format_whitelist", "mov", "-max_streams", "8", "-i", "file:"+from,
		"-protocol_whitelist", "file", "-f", "wav", "-i", j.Sound)
	chain := fmt.Sprintf("[0:v:0]fps=%d,scale=%d:%d:out_color_matrix=bt709:out_range=tv,setsar=1,format=yuv420p,tpad=stop_mode=clone:stop_duration=3600",
		j.fps(), w, h)
	if j.Subtitles != "" {
		chain += ",ass=" + filepath.Base(j.Subtitles)
	}
	captions := 2
	if j.Label != "" {
		s, err := newStamp(j.Label, j.Corner, w, h)
		if err != nil {
			return Video{}, err
		}
		mark := filepath.Join(j.Dir, "label.png")
		if err := s.writePNG(mark); err != nil {
			return Video{}, err
		}
		args = append(args, "-protocol_whitelist", "file", "-f", "png_pipe", "-i", mark)
		chain += fmt.Sprintf("[p];[p][2:v:0]overlay=x=%d:y=%d:format=yuv420", s.x, s.y)
		captions = 3
	}
	args = append(args, j.softInput()...)
	args = append(args, "-filter_complex", chain+"[v]", "-map", "[v]", "-map", "1:a:0")
	v := Video{Path: filepath.Join(j.Dir, "video.mp4"), Style: portrait.Talking, Timing: "service"}
	args = append(append(args, j.output(captions, 2, seconds)...), v.Path)
	ctx2, cancel := context.WithTimeoutCause(ctx, 2*time.Minute+time.Duration(10*seconds*float64(time.Second)), errStalled)
	defer cancel()
	stop := j.alive(ctx2, 0.75, 0.98)
	err = ffmpeg.Run(ctx2, ffmpeg.Cmd{Name: "ffmpeg", Package: "ffmpeg", Dir: j.Dir, CPU: time.Hour, Args: args})
	stop()
	if err != nil {
		return Video{}, blameEncoder(fmt.Errorf("encode video: %w", err))
	}
	v, err = j.verified(ctx, v, w, h)
	return v, blameEncoder(err)
}

// alive keeps saying that something goes on, from one share of the job to
// another, until stop is called.
func (j Job) alive(ctx context.Context, from, to float64) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for left := 1.0; ; left *= 0.95 {
			j.progress(to - (to-from)*left)
			select {
			case <-tick.C:
			case <-done:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// pictures is size and length of the picture track of a service's MP4 file.
func pictures(path string) (image.Point, float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return image.Point{}, 0, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := mp4.Probe(f)
	if err != nil {
		return image.Point{}, 0, fmt.Errorf("%w: %w", ErrBadVideo, err)
	}
	for _, t := range info.Tracks {
		if t.Codec != mp4.CodecAVC1 || t.AVC == nil || t.Timescale == 0 {
			continue
		}
		size := image.Pt(int(t.AVC.Width), int(t.AVC.Height))
		if size.X < 64 || size.Y < 64 || size.X > 4096 || size.Y > 4096 {
			return size, 0, fmt.Errorf("%w: %v pixels", ErrBadVideo, size)
		}
		return size, trackSeconds(t, info.Timescale), nil
	}
	return image.Point{}, 0, fmt.Errorf("%w: no H.264 pictures", ErrBadVideo)
}

// WebM is the MP4 file at path once more, as VP9 and Opus, in dir.
func WebM(ctx context.Context, dir, path string, threads int) (string, error) {
	to := filepath.Join(dir, strings.TrimSuffix(filepath.Base(path), ".mp4")+".webm")
	err := ffmpeg.Run(ctx, ffmpeg.Cmd{Name: "ffmpeg", Package: "ffmpeg", Dir: dir, CPU: time.Hour, Args: []string{
		"-hide_banner", "-nostdin", "-v", "error", "-y", "-protocol_whitelist", "file", "-f", "mov", "-i", "file:" + path,
		"-map", "0:v:0", "-map", "0:a:0", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1",
		"-crf", "34", "-b:v", "0", "-g", "50", "-threads", strconv.Itoa(max(threads, 1)), "-c:a", "libopus", "-b:a", "96k",
		"-bitexact", "-f", "webm", to,
	}})
	if err != nil {
		return "", fmt.Errorf("encode webm: %w", err)
	}
	return to, nil
}
