package cutout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/videomsg/videomsg/engines"
)

// Rembg talks to a rembg server ("rembg s"), which runs BiRefNet, U²-Net, ISNet
// and SAM.
type Rembg struct {
	URL    string // base address; empty means not configured
	Model  string // default birefnet-portrait
	Client *http.Client
	// First is the time allowed for the first call, in which the server may
	// fetch its model (about 1 GB), and Later that for the others; defaults 600 s
	// and 60 s.
	First, Later time.Duration
	// Wait before the first repetition after a failure that may pass; default 300 ms.
	Wait    time.Duration
	Breaker *engines.Breaker
}

// RemoveEngine returns the engine that asks for a mask by the model.
func (r Rembg) RemoveEngine() Engine {
	c := r.client(r.Model, "birefnet-portrait")
	return Engine{Name: "rembg", Breaker: r.Breaker, Run: func(ctx context.Context, in Input) (Output, error) {
		if in.Image == nil {
			return Output{}, fmt.Errorf("no picture: %w", engines.ErrInput)
		}
		m, sent, err := c.mask(ctx, in.Image, nil)
		if err != nil {
			return Output{}, err
		}
		return finish(in, m, sent, c.model)
	}}
}

// RefineEngine returns the engine that asks SAM with the mask's bounding box
// and the face as prompts. Model defaults to sam.
func (r Rembg) RefineEngine() Engine {
	c := r.client("", "sam")
	return Engine{Name: "rembg", Breaker: r.Breaker, Run: func(ctx context.Context, in Input) (Output, error) {
		if in.Image == nil || in.Mask == nil {
			return Output{}, fmt.Errorf("no picture or mask: %w", engines.ErrInput)
		}
		m, _, err := c.mask(ctx, in.Image, func(size image.Point) any { return samPrompt(in, size) })
		if err != nil {
			return Output{}, err
		}
		return refined(in, m, c.model)
	}}
}

// refined merges a segmenter's mask into the input's.
func refined(in Input, m *image.Gray, model string) (Output, error) {
	merged, err := mergeRefined(in.Mask, m)
	if err != nil {
		return Output{}, err
	}
	return finish(in, merged, in.Image.Rect.Size(), model)
}

type rembgClient struct {
	Rembg
	model string
	warm  chan struct{} // holds a token until the first call has succeeded
}

func (r Rembg) client(model, fallback string) *rembgClient {
	c := &rembgClient{Rembg: r, model: model, warm: make(chan struct{}, 1)}
	if c.model == "" {
		c.model = fallback
	}
	if c.First <= 0 {
		c.First = 600 * time.Second
	}
	if c.Later <= 0 {
		c.Later = 60 * time.Second
	}
	if c.Wait <= 0 {
		c.Wait = 300 * time.Millisecond
	}
	if c.Client == nil {
		c.Client = http.DefaultClient
	}
	c.warm <- struct{}{}
	return c
}

// mask sends the picture and returns the grey mask and the size that was sent.
func (c *rembgClient) mask(ctx context.Context, img *image.NRGBA, prompt func(image.Point) any) (*image.Gray, image.Point, error) {
	if c.URL == "" {
		return nil, image.Point{}, fmt.Errorf("no address: %w", engines.ErrUnavailable)
	}
	data, size, err := toJPEG(img, maxSent, 8<<20)
	if err != nil {
		return nil, image.Point{}, err
	}
	target, err := c.target(prompt, size)
	if err != nil {
		return nil, image.Point{}, err
	}
	limit := c.Later
	cold := len(c.warm) > 0
	if cold {
		limit = c.First
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var m *image.Gray
	err = retry(ctx, c.Wait, func() error {
		var err error
		m, err = c.post(ctx, target, data)
		return err
	})
	if err != nil {
		return nil, image.Point{}, err
	}
	if cold {
		select {
		case <-c.warm:
		default:
		}
	}
	return m, size, nil
}

// target builds the address; extras is a query parameter even on POST.
func (c *rembgClient) target(prompt func(image.Point) any, size image.Point) (string, error) {
	target := strings.TrimRight(c.URL, "/") + "/api/remove"
	if prompt == nil {
		return target, nil
	}
	extras, err := json.Marshal(map[string]any{"sam_prompt": prompt(size)})
	if err != nil {
		return "", fmt.Errorf("encode prompt: %w", err)
	}
	return target + "?" + url.Values{"extras": {string(extras)}}.Encode(), nil
}

func (c *rembgClient) post(ctx context.Context, target string, data []byte) (*image.Gray, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "portrait.jpg")
	if err == nil {
		_, err = part.Write(data)
	}
	for _, f := range [][2]string{{"model", c.model}, {"om", "true"}, {"a", "false"}, {"ppm", "false"}} {
		err = errors.Join(err, form.WriteField(f[0], f[1]))
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return nil, fmt.Errorf("encode form: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, &body)
	if err != nil {
		return nil, fmt.Errorf("address %s: %w: %w", c.URL, err, engines.ErrUnavailable)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	res, err := c.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask rembg: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	if res.StatusCode != http.StatusOK {
		text, _ := readBody(res.Body, 4<<10) // the status is the error; the text only explains it
		return nil, statusError(res.StatusCode, text)
	}
	b, err := readBody(res.Body, maxAnswer)
	if err != nil {
		return nil, err
	}
	return maskOf(b)
}

// samPrompt is the mask's bounding box plus 3 %, the face and the trunk as
// points of the person, in pixels of the sent picture.
func samPrompt(in Input, size image.Point) any {
	type prompt struct {
		Type  string `json:"type"`
		Data  []int  `json:"data"`
		Label int    `json:"label"`
	}
	b := bounds(in.Mask)
	kx, ky := float64(size.X)/float64(in.Mask.Rect.Dx()), float64(size.Y)/float64(in.Mask.Rect.Dy())
	mx, my := 0.03*float64(b.Dx())*kx, 0.03*float64(b.Dy())*ky
	out := []prompt{{"rectangle", []int{
		max(0, int(float64(b.Min.X)*kx-mx)), max(0, int(float64(b.Min.Y)*ky-my)),
		min(size.X-1, int(float64(b.Max.X)*kx+mx)), min(size.Y-1, int(float64(b.Max.Y)*ky+my)),
	}, 1}}
	if faces := scaleFaces(in, size.X); len(faces) > 0 {
		f := faces[0]
		cx, cy, s := (f.Min.X+f.Max.X)/2, (f.Min.Y+f.Max.Y)/2, f.Dy()
		for _, y := range []int{cy, cy + 6*s/5} {
			if image.Pt(cx, y).In(image.Rectangle{Max: size}) {
				out = append(out, prompt{"point", []int{cx, y}, 1})
			}
		}
	}
	return out
}

// bounds is the smallest rectangle around what is at least half opaque.
func bounds(m *image.Gray) image.Rectangle {
	var r image.Rectangle
	for y := range m.Rect.Dy() {
		row := m.Pix[y*m.Stride : y*m.Stride+m.Rect.Dx()]
		for x, v := range row {
			if v > 127 {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r
}
