package cutout

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"net/http"
	"net/url"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/videomsg/videomsg/engines"
)

// MCP asks an MCP server that offers the two matting tools over streamable
// HTTP.
type MCP struct {
	Endpoint string // "/mcp" is added when it has no path; empty means not configured
	Token    string // bearer token, optional
	Remove   string // name of the removing tool; default remove_background
	Refine   string // name of the refining tool; default refine_segmentation
	Client   *http.Client
	Timeout  time.Duration // of a whole call; default 120 s
	Breaker  *engines.Breaker
}

// Go servers take request bodies of 4 MiB by default; base64 grows by a third.
const mcpLimit = 2_900_000

// RemoveEngine returns the engine that calls the removing tool with
// {input_image, task: "background_removal"}.
func (c MCP) RemoveEngine() Engine {
	tool := c.Remove
	if tool == "" {
		tool = "remove_background"
	}
	return Engine{Name: "mcp", Breaker: c.Breaker, Run: func(ctx context.Context, in Input) (Output, error) {
		if in.Image == nil {
			return Output{}, fmt.Errorf("no picture: %w", engines.ErrInput)
		}
		data, sent, err := toJPEG(in.Image, maxSent, mcpLimit)
		if err != nil {
			return Output{}, err
		}
		m, err := c.call(ctx, tool, map[string]any{"input_image": base64.StdEncoding.EncodeToString(data), "task": "background_removal"})
		if err != nil {
			return Output{}, err
		}
		return finish(in, m, sent, tool)
	}}
}

// RefineEngine returns the engine that calls the refining tool with
// {input_image, input_mask, task: "segmentation_refinement"}.
func (c MCP) RefineEngine() Engine {
	tool := c.Refine
	if tool == "" {
		tool = "refine_segmentation"
	}
	return Engine{Name: "mcp", Breaker: c.Breaker, Run: func(ctx context.Context, in Input) (Output, error) {
		if in.Image == nil || in.Mask == nil {
			return Output{}, fmt.Errorf("no picture or mask: %w", engines.ErrInput)
		}
		args, err := refineArguments(in, mcpLimit-(400<<10))
		if err != nil {
			return Output{}, err
		}
		m, err := c.call(ctx, tool, args)
		if err != nil {
			return Output{}, err
		}
		return refined(in, m, tool)
	}}
}

// call opens a session, makes sure that the tool is there, and calls it.
func (c MCP) call(ctx context.Context, tool string, args map[string]any) (*image.Gray, error) {
	if c.Endpoint == "" {
		return nil, fmt.Errorf("no address: %w", engines.ErrUnavailable)
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("address %.100q: %w", c.Endpoint, engines.ErrUnavailable)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/mcp"
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = 120 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := c.Client
	if client == nil {
		client = http.DefaultClient
	}
	if c.Token != "" {
		next := client.Transport
		if next == nil {
			next = http.DefaultTransport
		}
		with := *client
		with.Transport = bearer{c.Token, next}
		client = &with
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "videomsg", Version: "1"}, nil).Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: u.String(), HTTPClient: client, DisableStandaloneSSE: true, MaxRetries: -1, MaxEventSize: maxAnswer * 4 / 3,
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("connect to MCP server: %w", err)
	}
	defer session.Close() //nolint:errcheck // it is used up
	found := false
	for t, err := range session.Tools(ctx, nil) {
		if err != nil {
			return nil, fmt.Errorf("list MCP tools: %w", err)
		}
		found = found || t.Name == tool
	}
	if !found {
		return nil, fmt.Errorf("MCP server has no tool %q: %w", tool, engines.ErrUnavailable)
	}
	res, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return nil, fmt.Errorf("call MCP tool %s: %w", tool, err)
	}
	return toolMask(res)
}

// toolMask finds the picture in a tool's result: image content, or JSON as
// structured content or text.
func toolMask(res *mcp.CallToolResult) (*image.Gray, error) {
	var text string
	for _, c := range res.Content {
		switch c := c.(type) {
		case *mcp.ImageContent:
			if !res.IsError {
				return maskOf(c.Data)
			}
		case *mcp.TextContent:
			if text == "" {
				text = c.Text
			}
		}
	}
	if res.IsError {
		return nil, fmt.Errorf("MCP tool says %.200q", text)
	}
	if res.StructuredContent != nil {
		b, err := json.Marshal(res.StructuredContent)
		if err != nil {
			return nil, fmt.Errorf("read MCP result: %w", err)
		}
		return maskFromJSON(b)
	}
	if text == "" {
		return nil, errors.New("MCP result is empty")
	}
	return maskFromJSON([]byte(text))
}

// bearer adds a token to every request.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}
