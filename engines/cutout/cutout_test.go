package cutout

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/videomsg/videomsg/bench/vision/scenes"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/matting"
)

// drawOnce spares the tests a second of drawing each. Nobody writes to it.
var drawOnce = sync.OnceValue(func() scenes.Scene {
	return scenes.Draw(slices.Index(scenes.Names(), "bokeh"), 320, 256)
})

// scene is one portrait with its truth.
func scene(t testing.TB) (scenes.Scene, Input) {
	t.Helper()
	s := drawOnce()
	return s, Input{Image: s.Image, Faces: s.Faces}
}

// good checks that a cut-out is the scene's person.
func good(t *testing.T, s scenes.Scene, out Output, err error, least float64) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !sameSize(out.Cutout.Rect, s.Image.Rect) {
		t.Fatalf("size %v", out.Cutout.Rect)
	}
	if e := scenes.Evaluate(matting.Alpha(out.Cutout), s.Alpha); e.IoU < least {
		t.Errorf("IoU %.3f, want ≥ %.2f", e.IoU, least)
	}
}

func pngOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	b, err := encodePNG(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// cut is the scene as a cut-out, in the given size.
func cut(s scenes.Scene, w, h int) *image.NRGBA {
	return vision.Resize(matting.Clean(s.Image, s.Alpha), w, h)
}

func TestLocalEngine(t *testing.T) {
	s, in := scene(t)
	out, err := Local().Run(t.Context(), in)
	good(t, s, out, err, 0.95)
	if out.Confidence < matting.Accept || out.Original {
		t.Errorf("output %+v", out.Confidence)
	}
	in.Faces = nil
	if _, err := Local().Run(t.Context(), in); !errors.Is(err, engines.ErrPermanent) {
		t.Errorf("without a face: %v", err)
	}
	in.Faces, in.MinConfidence = s.Faces, 1.01
	if _, err := Local().Run(t.Context(), in); !errors.Is(err, engines.ErrPermanent) {
		t.Errorf("demanding more than certainty: %v", err)
	}
	if _, err := Local().Run(t.Context(), Input{}); !errors.Is(err, engines.ErrInput) {
		t.Errorf("without a picture: %v", err)
	}
}

func TestChainEndsWithTheOriginal(t *testing.T) {
	_, in := scene(t)
	in.Faces = nil
	remove, refine, err := Config{}.Chains()
	if err != nil {
		t.Fatal(err)
	}
	served, err := remove.Run(t.Context(), in)
	if err != nil || served.Engine != "original" || !served.Out.Original || served.Out.Cutout != in.Image || len(served.Skipped) != 1 {
		t.Errorf("served by %q after %v, %v", served.Engine, served.Skipped, err)
	}
	if got := refine.Names(); !slices.Equal(got, []string{"local"}) {
		t.Errorf("refining chain %v", got)
	}
}

func TestConfigArrangesEngines(t *testing.T) {
	c := Config{MCPEndpoint: "http://x", AWS: &aws.Config{}, SageMaker: "a", SageMakerRefine: "b", BedrockModel: "m", RembgURL: "http://y", RembgRefine: "sam"}
	remove, refine, err := c.Chains()
	if err != nil || !slices.Equal(remove.Names(), []string{"mcp", "sagemaker", "bedrock", "rembg", "local", "original"}) || !slices.Equal(refine.Names(), []string{"mcp", "sagemaker", "rembg", "local"}) {
		t.Errorf("chains %v, %v, %v", remove.Names(), refine.Names(), err)
	}
	c.Order = "rembg, none"
	if remove, _, err := c.Chains(); err != nil || !slices.Equal(remove.Names(), []string{"rembg", "original"}) {
		t.Errorf("chain %v, %v", remove.Names(), err)
	}
	c.Order = "magic"
	if _, _, err := c.Chains(); err == nil {
		t.Error("unknown engine accepted")
	}
}

func TestRefineLocal(t *testing.T) {
	s, in := scene(t)
	in.Mask = resizeGray(s.Alpha, 80, 64)
	out, err := LocalRefine().Run(t.Context(), in)
	good(t, s, out, err, 0.95)
}

// rembgFake answers as a rembg server does: form fields, extras in the query, a
// grey mask for om=true, 422 for a model it does not know, text for failures.
type rembgFake struct {
	t     *testing.T
	s     scenes.Scene
	calls atomic.Int32
	fail  int32 // first calls that answer 500
	reply func(w http.ResponseWriter, size image.Point) bool
	extra atomic.Value
}

func (f *rembgFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := f.calls.Add(1)
	if r.Method != http.MethodPost || r.URL.Path != "/api/remove" {
		http.NotFound(w, r)
		return
	}
	file, _, err := r.FormFile("file")
	if err != nil {
		f.t.Errorf("form: %v", err)
	}
	b, err := io.ReadAll(file)
	if err != nil {
		f.t.Error(err)
	}
	if bytes.Contains(b, []byte("Exif")) {
		f.t.Error("metadata sent")
	}
	p, err := vision.Read(b, vision.Limits{})
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	if r.FormValue("om") != "true" || r.FormValue("a") != "false" {
		f.t.Errorf("form %v", r.Form)
	}
	f.extra.Store(r.URL.Query().Get("extras"))
	switch {
	case !slices.Contains([]string{"birefnet-portrait", "sam"}, r.FormValue("model")):
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"detail":[{"msg":"string does not match regex"}]}`)
		return
	case n <= f.fail:
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	size := p.Image.Rect.Size()
	if f.reply != nil && f.reply(w, size) {
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Write(pngOf(f.t, resizeGray(f.s.Alpha, size.X, size.Y)))
}

func TestRembg(t *testing.T) {
	s, in := scene(t)
	noise := func(w http.ResponseWriter, size image.Point) bool {
		m := image.NewGray(image.Rectangle{Max: size})
		for i := range m.Pix {
			m.Pix[i] = uint8(i * 7919 >> 3)
		}
		w.Write(pngOf(t, m))
		return true
	}
	tests := []struct {
		name  string
		fake  *rembgFake
		model string
		want  error // nil: served
		other bool  // fails without a class
		calls int32
	}{
		{name: "serves a mask", calls: 1},
		{name: "repeats after a failure", fake: &rembgFake{fail: 2}, calls: 3},
		{name: "gives up", fake: &rembgFake{fail: 100}, other: true, calls: 3},
		{name: "does not repeat a refusal", model: "magic", want: engines.ErrPermanent, calls: 1},
		{name: "refuses noise", fake: &rembgFake{reply: noise}, want: engines.ErrPermanent, calls: 1},
		{name: "refuses a turned mask", fake: &rembgFake{reply: func(w http.ResponseWriter, size image.Point) bool {
			w.Write(pngOf(t, image.NewGray(image.Rect(0, 0, size.Y, size.X))))
			return true
		}}, other: true, calls: 1},
		{name: "refuses a photograph", fake: &rembgFake{reply: func(w http.ResponseWriter, _ image.Point) bool { w.Write(pngOf(t, s.Image)); return true }}, other: true, calls: 3},
		{name: "refuses half a picture", fake: &rembgFake{reply: func(w http.ResponseWriter, _ image.Point) bool {
			b := pngOf(t, s.Alpha)
			w.Write(b[:len(b)/2])
			return true
		}}, other: true, calls: 3},
		{name: "takes a cut-out as well", fake: &rembgFake{reply: func(w http.ResponseWriter, size image.Point) bool {
			w.Write(pngOf(t, cut(s, size.X, size.Y)))
			return true
		}}, calls: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := tt.fake
			if fake == nil {
				fake = &rembgFake{}
			}
			fake.t, fake.s = t, s
			srv := httptest.NewServer(fake)
			defer srv.Close()
			out, err := Rembg{URL: srv.URL + "/", Model: tt.model, Client: srv.Client(), Wait: time.Millisecond}.RemoveEngine().Run(t.Context(), in)
			switch {
			case tt.want != nil && !errors.Is(err, tt.want):
				t.Errorf("error %v, want %v", err, tt.want)
			case tt.other && (err == nil || errors.Is(err, engines.ErrPermanent) || errors.Is(err, engines.ErrInput)):
				t.Errorf("error %v, want one that may pass", err)
			case tt.want == nil && !tt.other:
				good(t, s, out, err, 0.97)
				if out.Model != "birefnet-portrait" {
					t.Errorf("model %q", out.Model)
				}
			}
			if n := fake.calls.Load(); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
	t.Run("is unavailable without a server", func(t *testing.T) {
		if _, err := (Rembg{}).RemoveEngine().Run(t.Context(), in); !errors.Is(err, engines.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := (Rembg{URL: "http://127.0.0.1:1", Wait: time.Millisecond}).RemoveEngine().Run(ctx, in); err == nil {
			t.Error("served by nobody")
		}
	})
	t.Run("stops when the caller does", func(t *testing.T) {
		hang := make(chan struct{})
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		}))
		defer srv.Close()
		defer close(hang)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := (Rembg{URL: srv.URL}).RemoveEngine().Run(ctx, in); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestRembgRefineSendsPrompts(t *testing.T) {
	s, in := scene(t)
	hard := image.NewGray(s.Alpha.Rect)
	for i, v := range s.Alpha.Pix {
		if v > 127 {
			hard.Pix[i] = 255
		}
	}
	fake := &rembgFake{t: t, s: scenes.Scene{Alpha: hard}}
	srv := httptest.NewServer(fake)
	defer srv.Close()
	// The first mask has a wrong patch that the segmenter corrects.
	first := image.NewGray(s.Alpha.Rect)
	copy(first.Pix, s.Alpha.Pix)
	for y := range 60 {
		for x := range 60 {
			first.SetGray(x, y, color.Gray{255})
		}
	}
	in.Mask = first
	out, err := Rembg{URL: srv.URL, Client: srv.Client()}.RefineEngine().Run(t.Context(), in)
	good(t, s, out, err, 0.97)
	if a := out.Cutout.NRGBAAt(20, 20).A; a > 5 {
		t.Errorf("the wrong patch has opacity %d", a)
	}
	var extras struct {
		Prompt []struct {
			Type string
			Data []int
		} `json:"sam_prompt"`
	}
	text, _ := fake.extra.Load().(string)
	if err := json.Unmarshal([]byte(text), &extras); err != nil || len(extras.Prompt) < 2 || extras.Prompt[0].Type != "rectangle" || len(extras.Prompt[0].Data) != 4 || extras.Prompt[1].Type != "point" {
		t.Errorf("extras %q: %v", text, err)
	}
	// A segmentation of something else is refused.
	in.Mask = image.NewGray(s.Alpha.Rect)
	for i, v := range s.Alpha.Pix {
		in.Mask.Pix[i] = 255 - v
	}
	if _, err := (Rembg{URL: srv.URL, Client: srv.Client()}).RefineEngine().Run(t.Context(), in); !errors.Is(err, engines.ErrPermanent) {
		t.Errorf("error %v", err)
	}
}

func testAWS() aws.Config {
	return aws.Config{Region: "us-west-2", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""), RetryMaxAttempts: 1}
}

func awsFailure(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("X-Amzn-ErrorType", kind)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":"as told"}`)
}

func TestBedrock(t *testing.T) {
	s, in := scene(t)
	reason := "Filter reason: input image"
	tests := []struct {
		name  string
		reply func(w http.ResponseWriter, size image.Point)
		want  error
		other bool
	}{
		{name: "serves a cut-out", reply: func(w http.ResponseWriter, size image.Point) {
			json.NewEncoder(w).Encode(map[string]any{"seeds": []int{1}, "finish_reasons": []any{nil}, "images": []string{base64.StdEncoding.EncodeToString(pngOf(t, cut(s, size.X, size.Y)))}})
		}},
		{name: "passes a moderation on", reply: func(w http.ResponseWriter, _ image.Point) {
			json.NewEncoder(w).Encode(map[string]any{"finish_reasons": []any{reason}})
		}, want: engines.ErrPermanent},
		{name: "no access", reply: func(w http.ResponseWriter, _ image.Point) { awsFailure(w, 403, "AccessDeniedException") }, want: engines.ErrUnavailable},
		{name: "bad request", reply: func(w http.ResponseWriter, _ image.Point) { awsFailure(w, 400, "ValidationException") }, want: engines.ErrPermanent},
		{name: "throttled", reply: func(w http.ResponseWriter, _ image.Point) { awsFailure(w, 429, "ThrottlingException") }, other: true},
		{name: "not ready", reply: func(w http.ResponseWriter, _ image.Point) { awsFailure(w, 429, "ModelNotReadyException") }, other: true},
		{name: "empty", reply: func(w http.ResponseWriter, _ image.Point) { fmt.Fprint(w, `{}`) }, other: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if want := "/model/" + url.QueryEscape(StabilityRemoveBackground) + "/invoke"; r.URL.EscapedPath() != want || !strings.Contains(r.Header.Get("Authorization"), "/us-west-2/bedrock/aws4_request") {
					t.Errorf("request %s, %s", r.URL.EscapedPath(), r.Header.Get("Authorization"))
				}
				var q struct {
					Image  string
					Format string `json:"output_format"`
				}
				if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Format != "png" {
					t.Errorf("body: %v, %+v", err, q.Format)
				}
				b, _ := base64.StdEncoding.DecodeString(q.Image)
				h, err := vision.CheckHeader(bytes.NewReader(b), int64(len(b)), vision.Limits{})
				if err != nil || h.Width*h.Height > 9_437_184 {
					t.Errorf("picture %+v, %v", h, err)
				}
				tt.reply(w, image.Pt(h.Width, h.Height))
			}))
			defer srv.Close()
			out, err := Bedrock(testAWS(), "", srv.URL, nil).Run(t.Context(), in)
			classify(t, s, out, err, tt.want, tt.other)
		})
	}
	t.Run("refuses a ribbon", func(t *testing.T) {
		in := Input{Image: image.NewNRGBA(image.Rect(0, 0, 1000, 300))}
		if _, err := Bedrock(testAWS(), "", "http://127.0.0.1:1", nil).Run(t.Context(), in); !errors.Is(err, engines.ErrPermanent) {
			t.Errorf("error %v", err)
		}
	})
}

func classify(t *testing.T, s scenes.Scene, out Output, err, want error, other bool) {
	t.Helper()
	switch {
	case want != nil:
		if !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	case other:
		if err == nil || errors.Is(err, engines.ErrPermanent) || errors.Is(err, engines.ErrUnavailable) {
			t.Errorf("error %v, want one that may pass", err)
		}
	default:
		good(t, s, out, err, 0.97)
	}
}

func TestSageMaker(t *testing.T) {
	s, in := scene(t)
	in.Mask = s.Alpha
	mask := func(size image.Point) []byte { return pngOf(t, resizeGray(s.Alpha, size.X, size.Y)) }
	replies := map[string]func(w http.ResponseWriter, size image.Point){
		"picture": func(w http.ResponseWriter, size image.Point) { w.Write(mask(size)) },
		"output_image": func(w http.ResponseWriter, size image.Point) {
			json.NewEncoder(w).Encode(map[string]string{"output_image": "data:image/png;base64," + base64.StdEncoding.EncodeToString(pngOf(t, cut(s, size.X, size.Y)))})
		},
		"mask": func(w http.ResponseWriter, size image.Point) {
			json.NewEncoder(w).Encode(map[string]string{"mask": base64.StdEncoding.EncodeToString(mask(size))})
		},
	}
	for name, reply := range replies {
		for _, refining := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s refining %v", name, refining), func(t *testing.T) {
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/endpoints/birefnet/invocations" {
						t.Errorf("path %s", r.URL.Path)
					}
					b, err := io.ReadAll(r.Body)
					if err != nil || len(b) > 6<<20 {
						t.Errorf("body of %d bytes, %v", len(b), err)
					}
					if refining {
						var q map[string]string
						if err := json.Unmarshal(b, &q); err != nil || q["task"] != "segmentation_refinement" || q["input_mask"] == "" {
							t.Errorf("body: %v", err)
						}
						if b, err = base64.StdEncoding.DecodeString(q["input_image"]); err != nil {
							t.Error(err)
						}
					}
					h, err := vision.CheckHeader(bytes.NewReader(b), int64(len(b)), vision.Limits{})
					if err != nil {
						t.Error(err)
					}
					reply(w, image.Pt(h.Width, h.Height))
				}))
				defer srv.Close()
				e := SageMaker(testAWS(), "birefnet", srv.URL, nil)
				if refining {
					e = SageMakerRefine(testAWS(), "birefnet", srv.URL, nil)
				}
				out, err := e.Run(t.Context(), in)
				good(t, s, out, err, 0.97)
			})
		}
	}
	for kind, want := range map[string]error{"ModelError": nil, "ValidationError": engines.ErrPermanent} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			awsFailure(w, map[string]int{"ModelError": 424, "ValidationError": 400}[kind], kind)
		}))
		out, err := SageMaker(testAWS(), "birefnet", srv.URL, nil).Run(t.Context(), in)
		classify(t, s, out, err, want, want == nil)
		srv.Close()
	}
}

func TestMCPClientAndServerMeet(t *testing.T) {
	s, in := scene(t)
	remove, refine, err := Config{Order: "local"}.Chains()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	handler := Server{
		Log: log, Remove: remove, Refine: refine, Pool: vision.NewPool(0), Version: "test",
		Faces: func(*image.NRGBA) []image.Rectangle { return s.Faces },
	}.Handler()
	var token atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token.Store(r.Header.Get("Authorization"))
		handler.ServeHTTP(w, r)
	}))
	defer srv.Close()
	client := MCP{Endpoint: srv.URL, Token: "t0ken", Client: srv.Client()}
	out, err := client.RemoveEngine().Run(t.Context(), in)
	good(t, s, out, err, 0.95)
	if token.Load() != "Bearer t0ken" {
		t.Errorf("authorization %q", token.Load())
	}
	in.Mask = s.Alpha
	out, err = client.RefineEngine().Run(t.Context(), in)
	good(t, s, out, err, 0.97)

	client.Remove = "no_such_tool"
	if _, err := client.RemoveEngine().Run(t.Context(), in); !errors.Is(err, engines.ErrUnavailable) {
		t.Errorf("missing tool: %v", err)
	}
	if _, err := (MCP{}).RemoveEngine().Run(t.Context(), in); !errors.Is(err, engines.ErrUnavailable) {
		t.Errorf("no address: %v", err)
	}
	// A plain client sees a tool error, not a broken protocol.
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: srv.URL, HTTPClient: srv.Client(), DisableStandaloneSSE: true, MaxRetries: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, bad := range []map[string]any{
		{"input_image": "%%%"},
		{"input_image": base64.StdEncoding.EncodeToString([]byte("GIF89a............"))},
		{},
	} {
		res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "remove_background", Arguments: bad})
		if err == nil && !res.IsError {
			t.Errorf("arguments %v accepted", bad)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("request from another site: %d", res.StatusCode)
	}
}

// Servers by others answer in other forms.
func TestMCPResultForms(t *testing.T) {
	s, in := scene(t)
	b64 := func(size image.Point) string {
		return base64.StdEncoding.EncodeToString(pngOf(t, resizeGray(s.Alpha, size.X, size.Y)))
	}
	tests := []struct {
		name  string
		reply func(size image.Point) *mcp.CallToolResult
		other bool
	}{
		{name: "image", reply: func(size image.Point) *mcp.CallToolResult {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: pngOf(t, cut(s, size.X, size.Y)), MIMEType: "image/png"}}}
		}},
		{name: "text JSON", reply: func(size image.Point) *mcp.CallToolResult {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: `{"output_image":"` + b64(size) + `"}`}}}
		}},
		{name: "structured", reply: func(size image.Point) *mcp.CallToolResult {
			return &mcp.CallToolResult{StructuredContent: map[string]any{"mask": b64(size)}}
		}},
		{name: "tool error", reply: func(image.Point) *mcp.CallToolResult {
			return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: "out of memory"}}}
		}, other: true},
		{name: "paths", reply: func(image.Point) *mcp.CallToolResult {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: `{"status":"ok","paths":["/tmp/x.png"]}`}}}
		}, other: true},
		{name: "empty", reply: func(image.Point) *mcp.CallToolResult { return &mcp.CallToolResult{} }, other: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := mcp.NewServer(&mcp.Implementation{Name: "fake"}, nil)
			server.AddTool(&mcp.Tool{Name: "remove_background", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				var a struct {
					InputImage string `json:"input_image"`
					Task       string
				}
				if err := json.Unmarshal(r.Params.Arguments, &a); err != nil || a.Task != "background_removal" {
					t.Errorf("arguments: %v, task %q", err, a.Task)
				}
				b, _ := base64.StdEncoding.DecodeString(a.InputImage)
				h, err := vision.CheckHeader(bytes.NewReader(b), int64(len(b)), vision.Limits{})
				if err != nil {
					t.Error(err)
				}
				return tt.reply(image.Pt(h.Width, h.Height)), nil
			})
			srv := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
			defer srv.Close()
			out, err := MCP{Endpoint: srv.URL + "/mcp", Client: srv.Client()}.RemoveEngine().Run(t.Context(), in)
			classify(t, s, out, err, nil, tt.other)
		})
	}
}

func TestSentPicturesKeepTheLimits(t *testing.T) {
	// Noise does not compress.
	m := image.NewNRGBA(image.Rect(0, 0, 900, 600))
	v := uint32(1)
	for i := range m.Pix {
		v = v*1664525 + 1013904223
		m.Pix[i] = uint8(v >> 24)
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	b, size, err := toJPEG(m, 800, 150<<10)
	if err != nil || len(b) > 150<<10 || max(size.X, size.Y) > 800 {
		t.Errorf("JPEG of %d bytes, %v, %v", len(b), size, err)
	}
	b, size, err = toPNG(m, 800, 400<<10)
	if err != nil || len(b) > 400<<10 || abs(size.X*2-size.Y*3) > 3 {
		t.Errorf("PNG of %d bytes, %v, %v", len(b), size, err)
	}
	if _, _, err := toJPEG(m, 512, 10); !errors.Is(err, engines.ErrPermanent) {
		t.Errorf("JPEG of 10 bytes: %v", err)
	}
}
