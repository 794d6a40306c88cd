package cutout

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/videomsg/videomsg/vision"
	"github.com/videomsg/videomsg/vision/matting"
)

// Server offers matting to MCP clients.
type Server struct {
	Log    *slog.Logger
	Remove Chain
	Refine Chain
	// Faces finds the squares from brow to chin, the most prominent first.
	Faces func(*image.NRGBA) []image.Rectangle
	// Pool bounds the memory of decoding.
	Pool    *vision.Pool
	Version string
}

// A picture of 10 MiB in base64, and some JSON around it.
const serverBody = 15 << 20

type removeArguments struct {
	InputImage string `json:"input_image" jsonschema:"JPEG, PNG or WebP picture in base64, at most 10 MiB"`
	Task       string `json:"task,omitempty" jsonschema:"background_removal"`
}

type refineToolArguments struct {
	InputImage string `json:"input_image" jsonschema:"JPEG, PNG or WebP picture in base64, at most 10 MiB"`
	InputMask  string `json:"input_mask" jsonschema:"mask of the same picture in base64: grey, or the alpha of a cut-out"`
	Task       string `json:"task,omitempty" jsonschema:"segmentation_refinement"`
}

// Handler serves the tools remove_background and refine_segmentation over
// streamable HTTP, without sessions. A result holds the cut-out as a PNG image
// with alpha in the (upright) size of the input, and a text saying which engine
// made it. Requests from a browser on another origin are refused.
func (s Server) Handler() http.Handler {
	server := mcp.NewServer(&mcp.Implementation{Name: "videomsg", Title: "videomsg matting", Version: s.Version}, nil)
	mcp.AddTool(server, &mcp.Tool{
		Name: "remove_background", Title: "Remove background",
		Description: "Cuts the person out of a portrait. Returns a PNG with transparency.",
	}, func(ctx context.Context, _ *mcp.CallToolRequest, a removeArguments) (*mcp.CallToolResult, any, error) {
		in, err := s.input(ctx, a.InputImage)
		if err != nil {
			return nil, nil, err
		}
		return s.run(ctx, s.Remove, in)
	})
	mcp.AddTool(server, &mcp.Tool{
		Name: "refine_segmentation", Title: "Refine segmentation",
		Description: "Improves the mask of a person so that its edge follows the picture. Returns a PNG with transparency.",
	}, func(ctx context.Context, _ *mcp.CallToolRequest, a refineToolArguments) (*mcp.CallToolResult, any, error) {
		in, err := s.input(ctx, a.InputImage)
		if err != nil {
			return nil, nil, err
		}
		b, err := picture(a.InputMask)
		if err != nil {
			return nil, nil, err
		}
		mask, err := maskOf(b)
		if err != nil {
			return nil, nil, err
		}
		in.Mask = resizeGray(mask, in.Image.Rect.Dx(), in.Image.Rect.Dy())
		return s.run(ctx, s.Refine, in)
	})
	h := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, MaxRequestBodyBytes: serverBody, PropagateRequestCancellation: true, Logger: s.Log})
	return http.NewCrossOriginProtection().Handler(h)
}

func (s Server) input(ctx context.Context, encoded string) (Input, error) {
	b, err := picture(encoded)
	if err != nil {
		return Input{}, err
	}
	p, err := s.Pool.Read(ctx, b, vision.Limits{})
	if err != nil {
		return Input{}, fmt.Errorf("read input_image: %w", err)
	}
	return Input{Image: p.Image, Faces: s.Faces(p.Image)}, nil
}

// run answers what the chain made. An error becomes a tool error that the
// client's model can read; engines' addresses are not in the text.
func (s Server) run(ctx context.Context, c Chain, in Input) (*mcp.CallToolResult, any, error) {
	served, err := c.Run(ctx, in)
	if err != nil {
		s.Log.WarnContext(ctx, "matting for MCP client", "err", err)
		return nil, nil, fmt.Errorf("no engine could cut this picture (tried %v)", c.Names())
	}
	b, err := encodePNG(served.Out.Cutout)
	if err != nil {
		return nil, nil, err
	}
	s.Log.InfoContext(ctx, "matting for MCP client", "engine", served.Engine, "bytes", len(b))
	text := fmt.Sprintf("engine %s, confidence %.2f", served.Engine, served.Out.Confidence)
	if served.Out.Original || served.Out.Confidence > 0 && served.Out.Confidence < matting.Accept {
		text += "; check the result"
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: b, MIMEType: "image/png"}, &mcp.TextContent{Text: text}}}, nil, nil
}
