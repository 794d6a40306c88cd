package cutout

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/videomsg/videomsg/bench/vision/scenes"
)

// TestContract holds every remote engine to the same table: it cuts a portrait
// out, and it returns when the caller gives up. Each runs against a fake;
// the variables that configure an engine run it against the real server too:
//
//	CONTRACT=1 REMBG_URL=http://127.0.0.1:7000 go test -run TestContract -v ./engines/cutout
//
// likewise AWS_MCP_ENDPOINT, SAGEMAKER_MATTING_ENDPOINT, BEDROCK_MATTING_MODEL
// (with Amazon's own variables for region and credentials; calls cost money).
func TestContract(t *testing.T) {
	s, in := scene(t)
	for _, e := range []struct {
		name, variable string
		fake           func(t *testing.T) Engine
		real           func(t *testing.T, value string) Engine
	}{
		{
			"rembg", "REMBG_URL",
			func(t *testing.T) Engine {
				return Rembg{URL: serve(t, &rembgFake{t: t, s: s})}.RemoveEngine()
			},
			func(_ *testing.T, v string) Engine {
				return Rembg{URL: v, Model: os.Getenv("REMBG_MODEL")}.RemoveEngine()
			},
		},
		{
			"mcp", "AWS_MCP_ENDPOINT",
			func(t *testing.T) Engine { return MCP{Endpoint: serve(t, mcpFake(t, s))}.RemoveEngine() },
			func(_ *testing.T, v string) Engine {
				return MCP{Endpoint: v, Token: os.Getenv("AWS_MCP_TOKEN"), Remove: os.Getenv("AWS_MCP_TOOL_REMOVE")}.RemoveEngine()
			},
		},
		{
			"sagemaker", "SAGEMAKER_MATTING_ENDPOINT",
			func(t *testing.T) Engine {
				return SageMaker(testAWS(), "birefnet", serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Write(pngOf(t, s.Alpha))
				})), nil)
			},
			func(t *testing.T, v string) Engine {
				c, err := LoadAWS(t.Context(), os.Getenv("AWS_REGION"))
				if err != nil {
					t.Fatal(err)
				}
				return SageMaker(c, v, "", nil)
			},
		},
		{
			"bedrock", "BEDROCK_MATTING_MODEL",
			func(t *testing.T) Engine {
				return Bedrock(testAWS(), "", serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					b := s.Image.Rect
					json.NewEncoder(w).Encode(map[string]any{"finish_reasons": []any{nil}, "images": []string{base64.StdEncoding.EncodeToString(pngOf(t, cut(s, b.Dx(), b.Dy())))}})
				})), nil)
			},
			func(t *testing.T, v string) Engine {
				c, err := LoadAWS(t.Context(), os.Getenv("AWS_REGION"))
				if err != nil {
					t.Fatal(err)
				}
				return Bedrock(c, v, "", nil)
			},
		},
	} {
		hold := func(engine Engine, least float64) func(t *testing.T) {
			return func(t *testing.T) {
				out, err := engine.Run(t.Context(), in)
				good(t, s, out, err, least)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := engine.Run(ctx, in); !errors.Is(err, context.Canceled) {
					t.Errorf("after the caller gave up: %v", err)
				}
			}
		}
		t.Run(e.name, func(t *testing.T) { hold(e.fake(t), 0.97)(t) })
		if v := os.Getenv(e.variable); v != "" && os.Getenv("CONTRACT") != "" {
			// A drawn face is not what a model was taught with.
			t.Run("real "+e.name, func(t *testing.T) { hold(e.real(t, v), 0.85)(t) })
		}
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// mcpFake answers every picture with the scene's person.
func mcpFake(t *testing.T, s scenes.Scene) http.Handler {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "fake"}, nil)
	server.AddTool(&mcp.Tool{Name: "remove_background", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		size := s.Image.Rect.Size()
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: pngOf(t, cut(s, size.X, size.Y)), MIMEType: "image/png"}}}, nil
	})
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
}
