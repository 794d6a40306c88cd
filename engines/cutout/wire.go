package cutout

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/vision"
)

const (
	maxSent   = 2048     // long side of what is sent out
	maxAnswer = 48 << 20 // bytes of an answer
)

// answerLimits bound pictures that servers send back.
var answerLimits = vision.Limits{Bytes: maxAnswer, MinSide: 16, MaxSide: 8192, Pixels: 40_000_000, Keep: 40_000_000}

// toJPEG encodes img without metadata, scaled so that its long side is at most
// side and the file at most limit bytes.
func toJPEG(img *image.NRGBA, side, limit int) ([]byte, image.Point, error) {
	for {
		small := fit(img, side)
		for _, q := range []int{94, 88, 80} {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, flatten(small), &jpeg.Options{Quality: q}); err != nil {
				return nil, image.Point{}, fmt.Errorf("encode picture: %w", err)
			}
			if b.Len() <= limit {
				return b.Bytes(), small.Rect.Size(), nil
			}
		}
		if side = side * 3 / 4; side < 128 {
			return nil, image.Point{}, fmt.Errorf("encode picture below %d bytes: %w", limit, engines.ErrPermanent)
		}
	}
}

// toPNG is toJPEG without loss.
func toPNG(img *image.NRGBA, side, limit int) ([]byte, image.Point, error) {
	for ; side >= 128; side = side * 3 / 4 {
		small := fit(img, side)
		b, err := encodePNG(small)
		if err != nil {
			return nil, image.Point{}, err
		}
		if len(b) <= limit {
			return b, small.Rect.Size(), nil
		}
	}
	return nil, image.Point{}, fmt.Errorf("encode picture below %d bytes: %w", limit, engines.ErrPermanent)
}

func encodePNG(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m); err != nil {
		return nil, fmt.Errorf("encode picture: %w", err)
	}
	return b.Bytes(), nil
}

// flatten puts a picture with transparency before grey: JPEG has no alpha, and
// what is hidden must not be sent.
func flatten(img *image.NRGBA) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, img.Rect.Dx(), img.Rect.Dy()))
	for i := 0; i < len(out.Pix) && i < len(img.Pix); i += 4 {
		a := int(img.Pix[i+3])
		for c := range 3 {
			out.Pix[i+c] = uint8((int(img.Pix[i+c])*a + 128*(255-a)) / 255)
		}
		out.Pix[i+3] = 255
	}
	return out
}

// fit scales down to a long side of at most side.
func fit(img *image.NRGBA, side int) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if max(w, h) <= side {
		return img
	}
	k := float64(side) / float64(max(w, h))
	return vision.Resize(img, max(1, int(float64(w)*k+0.5)), max(1, int(float64(h)*k+0.5)))
}

// maskOf reads a mask from an answer: the alpha of a cut-out, or a grey
// picture. An opaque colour picture is neither.
func maskOf(data []byte) (*image.Gray, error) {
	p, err := vision.Read(data, answerLimits)
	if err != nil {
		return nil, fmt.Errorf("read answered picture: %w", err)
	}
	w, h := p.Image.Rect.Dx(), p.Image.Rect.Dy()
	m := image.NewGray(p.Image.Rect)
	at := 3
	if !p.HasAlpha {
		at = 0
		for i := 0; i < len(p.Image.Pix); i += 4 {
			q := p.Image.Pix[i : i+3]
			if spread(q) > 12 {
				return nil, errors.New("answered picture is neither a mask nor a cut-out")
			}
		}
	}
	for i := range w * h {
		m.Pix[i] = p.Image.Pix[4*i+at]
	}
	return m, nil
}

func spread(q []uint8) uint8 { return max(q[0], q[1], q[2]) - min(q[0], q[1], q[2]) }

// picture decodes base64 with or without a data URL's head.
func picture(s string) ([]byte, error) {
	if _, rest, ok := strings.Cut(s, ";base64,"); ok && strings.HasPrefix(s, "data:") {
		s = rest
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil {
		return nil, fmt.Errorf("decode base64 picture: %w", err)
	}
	return b, nil
}

// answer is the JSON that self-hosted models give.
type answer struct {
	OutputImage string   `json:"output_image"`
	Image       string   `json:"image"`
	Mask        string   `json:"mask"`
	Paths       []string `json:"paths"`
	Error       string   `json:"error"`
}

// maskFromJSON reads the first picture of an answer.
func maskFromJSON(data []byte) (*image.Gray, error) {
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	for _, s := range []string{a.Mask, a.OutputImage, a.Image} {
		if s == "" {
			continue
		}
		b, err := picture(s)
		if err != nil {
			return nil, err
		}
		return maskOf(b)
	}
	switch {
	case len(a.Paths) > 0:
		return nil, errors.New("answer names files on the server's disk instead of a picture")
	case a.Error != "":
		return nil, fmt.Errorf("server says %.200q", a.Error)
	}
	return nil, errors.New("answer holds no picture")
}

// statusError classifies an HTTP status: a refusal of this request is
// engines.ErrPermanent; time-outs, rate limits and server failures are not.
func statusError(status int, body []byte) error {
	err := fmt.Errorf("status %d: %.200q", status, body)
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return err
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		return fmt.Errorf("%w: %w", err, engines.ErrUnavailable)
	}
	return fmt.Errorf("%w: %w", err, engines.ErrPermanent)
}

// readBody reads at most limit bytes.
func readBody(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("answer of more than %d bytes", limit)
	}
	return b, nil
}

// retry tries f twice more after failures that may pass, a little later each
// time.
func retry(ctx context.Context, wait time.Duration, f func() error) error {
	var err error
	for try := range 3 {
		if try > 0 {
			d := wait << (try - 1)
			t := time.NewTimer(d + rand.N(d/2+1))
			select {
			case <-ctx.Done():
				t.Stop()
				return errors.Join(err, ctx.Err())
			case <-t.C:
			}
		}
		if err = f(); err == nil || ctx.Err() != nil ||
			errors.Is(err, engines.ErrPermanent) || errors.Is(err, engines.ErrUnavailable) || errors.Is(err, engines.ErrInput) {
			return err
		}
	}
	return err
}
