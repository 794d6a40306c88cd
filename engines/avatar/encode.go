package avatar

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/vision/portrait"
)

// encoder feeds frames to ffmpeg, which writes H.264 and AAC into an MP4 file.
// It starts with the first frame, because only then the size is known.
type encoder struct {
	job     Job
	threads int
	seconds float64
	pipe    *io.PipeWriter
	done    chan struct{}
	failed  error // of ffmpeg, once done is closed
	path    string
	poster  string
	frames  int
	cancel  context.CancelFunc
}

// frame hands on one frame; it blocks while ffmpeg is busy.
func (e *encoder) frame(ctx context.Context, f *portrait.Frame) error {
	if e.pipe == nil {
		if err := e.start(ctx, f); err != nil {
			return err
		}
	}
	for _, plane := range [][]byte{f.Y, f.U, f.V} {
		if _, err := e.pipe.Write(plane); err != nil {
			return fmt.Errorf("hand frame to encoder: %w", err)
		}
	}
	e.frames++
	if e.job.Progress != nil && e.seconds > 0 {
		// The last hundredth is ffmpeg's, which is a few frames behind.
		e.job.Progress(0.99 * float64(e.frames) / (e.seconds*float64(e.fps()) + 1))
	}
	return ctx.Err()
}

func (e *encoder) fps() int {
	if e.job.Options.FPS == 0 {
		return 25
	}
	return e.job.Options.FPS
}

func (e *encoder) start(ctx context.Context, f *portrait.Frame) error {
	e.poster = filepath.Join(e.job.Dir, "poster.jpg")
	if err := writePoster(e.poster, f); err != nil {
		return err
	}
	pr, pw := io.Pipe()
	e.pipe, e.done = pw, make(chan struct{})
	e.path = filepath.Join(e.job.Dir, "video.mp4")
	ctx, e.cancel = context.WithCancel(ctx)
	go func() {
		defer close(e.done)
		e.failed = ffmpeg.Run(ctx, ffmpeg.Cmd{
			Name: "ffmpeg", Package: "ffmpeg", Args: e.args(f.W, f.H), Stdin: pr, Dir: e.job.Dir, CPU: time.Hour,
		})
		pr.CloseWithError(errors.Join(errEncoder, e.failed))
	}()
	return nil
}

var errEncoder = errors.New("the encoder has ended")

// args is the command line. Sizes and colours are said for input and output;
// the length is said exactly, since -shortest overshoots by up to seconds; the
// key frames are two seconds apart for seeking; faststart lets players begin
// before everything is there.
func (e *encoder) args(w, h int) []string {
	fps := e.fps()
	colour := []string{"-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"}
	args := []string{"-hide_banner", "-nostdin", "-v", "error", "-y"}
	args = append(args, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", fmt.Sprintf("%dx%d", w, h), "-r", strconv.Itoa(fps))
	args = append(args, colour...)
	args = append(args, "-i", "pipe:0", "-protocol_whitelist", "file", "-f", "wav", "-i", e.job.Sound, "-map", "0:v:0", "-map", "1:a:0")
	if e.job.Subtitles != "" {
		args = append(args, "-vf", "ass="+filepath.Base(e.job.Subtitles))
	}
	args = append(args, colour...)
	args = append(args,
		"-t", strconv.FormatFloat(e.seconds, 'f', 6, 64),
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-pix_fmt", "yuv420p",
		"-g", strconv.Itoa(2*fps), "-threads", strconv.Itoa(max(e.threads, 1)),
		"-c:a", "aac", "-b:a", "128k", "-ar", "48000",
		"-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
		"-movflags", "+faststart+use_metadata_tags")
	for _, m := range [][2]string{{"title", e.job.Title}, {"comment", e.job.Comment}} {
		if m[1] != "" {
			args = append(args, "-metadata", m[0]+"="+m[1])
		}
	}
	return append(args, "-f", "mp4", e.path)
}

// finish closes the pictures and waits for the file.
func (e *encoder) finish() (string, error) {
	if e.pipe == nil {
		return "", errors.New("no frame was rendered")
	}
	if err := e.pipe.Close(); err != nil {
		return "", err
	}
	<-e.done
	e.cancel()
	return e.path, e.failed
}

// abort stops ffmpeg and waits for its end; after finish it does nothing.
func (e *encoder) abort() {
	if e.pipe == nil {
		return
	}
	e.cancel()
	e.pipe.CloseWithError(context.Canceled)
	<-e.done
}

// err is why ffmpeg ended on its own.
func (e *encoder) err() error {
	if e.done == nil || errors.Is(e.failed, context.Canceled) {
		return nil
	}
	return e.failed
}

// writePoster writes a frame as JPEG.
func writePoster(path string, f *portrait.Frame) (err error) {
	img := image.NewRGBA(image.Rect(0, 0, f.W, f.H))
	for y := range f.H {
		for x := range f.W {
			i := (y/2)*(f.W/2) + x/2
			img.SetRGBA(x, y, rgb(f.Y[y*f.W+x], f.U[i], f.V[i]))
		}
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return jpeg.Encode(file, img, &jpeg.Options{Quality: 88})
}

// rgb is ITU-R BT.709, limited range.
func rgb(y, u, v byte) color.RGBA {
	l := 1.164383 * (float64(y) - 16)
	cb, cr := float64(u)-128, float64(v)-128
	c := func(x float64) byte { return byte(min(max(x+0.5, 0), 255)) }
	return color.RGBA{c(l + 1.792741*cr), c(l - 0.213249*cb - 0.532909*cr), c(l + 2.112402*cb), 255}
}
