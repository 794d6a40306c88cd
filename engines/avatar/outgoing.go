package avatar

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/vision"
)

// picture is what a service is shown: opaque, without metadata, at most side
// pixels long and limit bytes large.
func (j Job) picture(side, limit int) ([]byte, error) {
	if j.Image == nil || j.Image.Bounds().Empty() {
		return nil, fmt.Errorf("%w: no picture", engines.ErrInput)
	}
	img := j.flat()
	for {
		small := img
		if w, h := img.Rect.Dx(), img.Rect.Dy(); max(w, h) > side {
			k := float64(side) / float64(max(w, h))
			small = vision.Resize(img, int(float64(w)*k+0.5), int(float64(h)*k+0.5))
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, small, &jpeg.Options{Quality: 93}); err != nil {
			return nil, fmt.Errorf("encode picture: %w", err)
		}
		if b.Len() <= limit {
			return b.Bytes(), nil
		}
		if side = side * 3 / 4; side < 128 {
			return nil, engines.WithReason(fmt.Errorf("picture of %d bytes: %w", b.Len(), engines.ErrPermanent), "the picture is too large for it")
		}
	}
}

// flat is the person before the background, opaque: JPEG has no transparency,
// and what is hidden must not be sent.
func (j Job) flat() *image.NRGBA {
	b := j.Image.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	if j.Background != nil {
		back := image.NewNRGBA(image.Rect(0, 0, j.Background.Bounds().Dx(), j.Background.Bounds().Dy()))
		draw.Draw(back, back.Rect, j.Background, j.Background.Bounds().Min, draw.Src)
		draw.Draw(out, out.Rect, vision.Cover(back, b.Dx(), b.Dy(), 0.5, 0.5), image.Point{}, draw.Src)
	} else {
		draw.Draw(out, out.Rect, image.NewUniform(color.Gray{Y: 128}), image.Point{}, draw.Src)
	}
	if j.Alpha != nil && j.Background != nil && j.Alpha.Bounds().Size() == b.Size() {
		draw.DrawMask(out, out.Rect, j.Image, b.Min, j.Alpha, j.Alpha.Bounds().Min, draw.Over)
	} else {
		draw.Draw(out, out.Rect, j.Image, b.Min, draw.Over)
	}
	for i := 3; i < len(out.Pix); i += 4 {
		out.Pix[i] = 255
	}
	return out
}

// sound is the voice as a service takes it: mono, lossless at the 16 kHz that
// services reduce it to, or MP3 when that would be more than limit bytes.
func (j Job) sound(ctx context.Context, limit int) (data []byte, name, mediaType string, err error) {
	for _, f := range []struct {
		name, mediaType string
		args            []string
	}{
		{"voice.flac", "audio/flac", []string{"-ar", "16000", "-c:a", "flac", "-f", "flac"}},
		{"voice.mp3", "audio/mpeg", []string{"-ar", "24000", "-c:a", "libmp3lame", "-b:a", "128k", "-f", "mp3"}},
		{"voice.mp3", "audio/mpeg", []string{"-ar", "16000", "-c:a", "libmp3lame", "-b:a", "64k", "-f", "mp3"}},
	} {
		path := filepath.Join(j.Dir, f.name)
		args := append([]string{"-nostdin", "-v", "error", "-y", "-f", "wav", "-i", "pipe:0", "-map_metadata", "-1", "-ac", "1"}, f.args...)
		if err := ffmpeg.RunWithAudio(ctx, ffmpeg.Cmd{Name: "ffmpeg", Package: "ffmpeg", Args: append(args, path), Dir: j.Dir}, j.Voice.Source().Stream()); err != nil {
			return nil, "", "", fmt.Errorf("encode voice: %w", err)
		}
		if data, err = os.ReadFile(path); err != nil {
			return nil, "", "", err
		}
		if len(data) <= limit {
			return data, f.name, f.mediaType, nil
		}
	}
	return nil, "", "", engines.WithReason(fmt.Errorf("voice of %d bytes: %w", len(data), engines.ErrPermanent), "the speech is too long for it")
}

// silent reports whether nothing is heard in a.
func silent(a dsp.Audio) bool {
	for _, ch := range a.Ch {
		for _, v := range ch {
			if v > quietest || v < -quietest {
				return false
			}
		}
	}
	return true
}

// quietest is −66 dB of full scale.
const quietest = 0.0005
