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
	"strings"
	"syscall"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/vision/portrait"
)

// encoder feeds frames to ffmpeg, which writes H.264 and AAC into an MP4 file.
// It starts with the first frame, because only then the size is known.
type encoder struct {
	job     Job
	program string // empty: ffmpeg
	threads int
	stall   time.Duration // how long ffmpeg may take no frame; 0 means 45 s
	seconds float64
	stamp   *stamp
	own     []byte // a frame with the stamp on it
	pipe    *io.PipeWriter
	done    chan struct{}
	failed  error // of ffmpeg, once done is closed
	path    string
	poster  string
	frames  int
	cancel  context.CancelCauseFunc
	watch   *time.Timer
}

// errStalled is an ffmpeg that hangs.
var errStalled = errors.New("the encoder hangs")

// frame hands on one frame; it blocks while ffmpeg is busy.
func (e *encoder) frame(ctx context.Context, f *portrait.Frame) error {
	if e.pipe == nil {
		if err := e.start(ctx, f); err != nil {
			return err
		}
	}
	e.watch.Reset(e.patience())
	planes := [][]byte{f.Y, f.U, f.V}
	if e.stamp != nil {
		planes = e.stamped(f)
	}
	for _, plane := range planes {
		if _, err := e.pipe.Write(plane); err != nil {
			return fmt.Errorf("hand frame to encoder: %w", err)
		}
	}
	e.frames++
	if e.seconds > 0 {
		// The last hundredth is ffmpeg's, which is a few frames behind.
		e.job.progress(0.99 * float64(e.frames) / (e.seconds*float64(e.job.fps()) + 1))
	}
	return ctx.Err()
}

// stamped is the frame with the label on it. It is a copy, since a renderer may
// give the same frame again.
func (e *encoder) stamped(f *portrait.Frame) [][]byte {
	n := len(f.Y)
	e.own = append(append(append(e.own[:0], f.Y...), f.U...), f.V...)
	c := &portrait.Frame{W: f.W, H: f.H, Y: e.own[:n], U: e.own[n : n+len(f.U)], V: e.own[n+len(f.U):]}
	e.stamp.draw(c)
	return [][]byte{e.own}
}

func (e *encoder) patience() time.Duration {
	if e.stall > 0 {
		return e.stall
	}
	return 45 * time.Second
}

func (j Job) fps() int {
	if j.Options.FPS == 0 {
		return 25
	}
	return j.Options.FPS
}

func (e *encoder) start(ctx context.Context, f *portrait.Frame) (err error) {
	if e.job.Label != "" {
		if e.stamp, err = newStamp(e.job.Label, e.job.Corner, f.W, f.H); err != nil {
			return err
		}
	}
	e.poster = filepath.Join(e.job.Dir, "poster.jpg")
	if err := writePoster(e.poster, f, e); err != nil {
		return err
	}
	pr, pw := io.Pipe()
	e.pipe, e.done = pw, make(chan struct{})
	e.path = filepath.Join(e.job.Dir, "video.mp4")
	if err := os.Remove(e.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // of an engine before
	}
	name := e.program
	if name == "" {
		name = "ffmpeg"
	}
	ctx, e.cancel = context.WithCancelCause(ctx)
	e.watch = time.AfterFunc(e.patience(), func() { e.cancel(errStalled) })
	go func() {
		defer close(e.done)
		e.failed = ffmpeg.Run(ctx, ffmpeg.Cmd{
			Name: name, Package: "ffmpeg", Args: e.args(f.W, f.H), Stdin: pr, Dir: e.job.Dir, CPU: time.Hour,
		})
		pr.CloseWithError(errors.Join(errEncoder, e.failed))
	}()
	return nil
}

var errEncoder = errors.New("the encoder has ended")

// args is the command line. Sizes and colours are said for input and output.
func (e *encoder) args(w, h int) []string {
	fps := e.job.fps()
	// Without -xerror, ffmpeg 5 is content with a file that the disk had no room for.
	args := []string{"-hide_banner", "-nostdin", "-v", "error", "-y", "-xerror"}
	args = append(args, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", fmt.Sprintf("%dx%d", w, h), "-r", strconv.Itoa(fps))
	args = append(args, bt709...)
	args = append(args, "-i", "pipe:0", "-protocol_whitelist", "file", "-f", "wav", "-i", e.job.Sound)
	args = append(args, e.job.softInput()...)
	args = append(args, "-map", "0:v:0", "-map", "1:a:0")
	if e.job.Subtitles != "" {
		args = append(args, "-vf", "ass="+filepath.Base(e.job.Subtitles))
	}
	return append(append(args, e.job.output(2, e.threads, e.seconds)...), e.path)
}

// bt709 tags what is encoded as what it is.
var bt709 = []string{"-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"}

// softInput is the caption track's input, if there is one.
func (j Job) softInput() []string {
	if j.Captions == "" {
		return nil
	}
	return []string{"-protocol_whitelist", "file", "-f", "srt", "-sub_charenc", "UTF-8", "-i", j.Captions}
}

// output is how every video is written, whoever made its pictures. The length is
// said exactly, since -shortest overshoots by up to seconds; the key frames are
// two seconds apart for seeking; faststart lets players begin before everything
// is there. Input number captions is the caption track.
func (j Job) output(captions, threads int, seconds float64) []string {
	fps := j.fps()
	args := append([]string{}, bt709...)
	if j.Captions != "" {
		language := j.Language3
		if language == "" {
			language = "und"
		}
		args = append(args, "-map", strconv.Itoa(captions)+":s:0", "-c:s", "mov_text", "-metadata:s:s:0", "language="+language)
	}
	args = append(args,
		"-t", strconv.FormatFloat(seconds, 'f', 6, 64),
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-pix_fmt", "yuv420p",
		"-g", strconv.Itoa(2*fps), "-threads", strconv.Itoa(max(threads, 1)),
		"-c:a", "aac", "-b:a", "128k", "-ar", "48000",
		"-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
		// -timelimit counts processor seconds; it ends an ffmpeg that spins.
		"-timelimit", strconv.Itoa(120+int(60*seconds)),
		"-movflags", "+faststart+use_metadata_tags")
	for _, m := range j.Tags {
		if m[1] != "" {
			args = append(args, "-metadata", m[0]+"="+m[1])
		}
	}
	return append(args, "-f", "mp4")
}

// finish closes the pictures and waits for the file.
func (e *encoder) finish() (string, error) {
	if e.pipe == nil {
		return "", errors.New("no frame was rendered")
	}
	if err := e.pipe.Close(); err != nil {
		return "", err
	}
	// What is left to encode and to move to the front takes longer with length.
	e.watch.Reset(e.patience() + time.Duration(e.seconds*float64(time.Second)))
	<-e.done
	e.watch.Stop()
	e.cancel(nil)
	return e.path, e.failed
}

// abort stops ffmpeg and waits for its end; after finish it does nothing.
func (e *encoder) abort() {
	if e.pipe == nil {
		return
	}
	e.watch.Stop()
	e.cancel(nil)
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

// blameEncoder gives what went wrong with ffmpeg words for the user.
func blameEncoder(err error) error {
	var r interface{ Reason() string }
	switch {
	case err == nil || errors.As(err, &r):
		return err
	case errors.Is(err, errStalled):
		return engines.WithReason(err, "the encoder stopped responding")
	case errors.Is(err, ErrBadVideo):
		return engines.WithReason(err, "the finished video was not as it should be")
	}
	exit, ok := errors.AsType[*ffmpeg.ExitError](err)
	if errors.Is(err, syscall.ENOSPC) || ok && strings.Contains(exit.Stderr, "No space left on device") {
		return engines.WithReason(err, "there was no room on the disk for the video")
	}
	if ok {
		return engines.WithReason(err, "the video could not be encoded")
	}
	return err
}

// writePoster writes a frame as JPEG.
func writePoster(path string, f *portrait.Frame, e *encoder) (err error) {
	y, u, v := f.Y, f.U, f.V
	if e.stamp != nil {
		all := e.stamped(f)[0]
		y, u, v = all[:len(y)], all[len(y):len(y)+len(u)], all[len(y)+len(u):]
	}
	img := image.NewRGBA(image.Rect(0, 0, f.W, f.H))
	for row := range f.H {
		for x := range f.W {
			i := (row/2)*(f.W/2) + x/2
			img.SetRGBA(x, row, rgb(y[row*f.W+x], u[i], v[i]))
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
