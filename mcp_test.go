package main

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/videomsg/videomsg/vision/drawn"
)

// startMCP runs `videomsg mcp` and gives the address of its endpoint.
func startMCP(t *testing.T, env ...string) (endpoint string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), builtBinary(t), "mcp", "--listen", "127.0.0.1:0")
	cmd.Env = append(append(os.Environ(), "LOG_LEVEL=WARN"), env...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := make([]byte, 256)
	n, err := out.Read(line)
	const says = "videomsg serves MCP on "
	if err != nil || !strings.HasPrefix(string(line[:n]), says) {
		t.Fatalf("mcp says %q, %v", line[:n], err)
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // keeps the pipe open
	return strings.Fields(string(line[len(says):n]))[0]
}

func TestMCPServesMatting(t *testing.T) {
	endpoint := startMCP(t)
	if !strings.HasPrefix(endpoint, "http://127.0.0.1:") || !strings.HasSuffix(endpoint, "/mcp") {
		t.Fatalf("endpoint %s", endpoint)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: endpoint, DisableStandaloneSSE: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close() //nolint:errcheck // read only
	var tools []string
	for tool, err := range session.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		tools = append(tools, tool.Name)
	}
	slices.Sort(tools)
	if !slices.Equal(tools, []string{"refine_segmentation", "remove_background"}) {
		t.Errorf("tools %v", tools)
	}

	person, truth := drawn.Portrait(drawn.Options{W: 320, H: 320})
	picture := base64.StdEncoding.EncodeToString(pngOf(t, person))
	cut := func(tool string, args map[string]any) []byte {
		t.Helper()
		res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
		if err != nil || res.IsError {
			t.Fatalf("%s: %+v, %v", tool, res, err)
		}
		for _, c := range res.Content {
			if img, ok := c.(*mcp.ImageContent); ok && img.MIMEType == "image/png" {
				return img.Data
			}
		}
		t.Fatalf("%s answers without a picture", tool)
		return nil
	}
	first := cut("remove_background", map[string]any{"input_image": picture})
	refined := cut("refine_segmentation", map[string]any{"input_image": picture, "input_mask": base64.StdEncoding.EncodeToString(first)})
	for name, data := range map[string][]byte{"cut-out": first, "refined cut-out": refined} {
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for y := range 320 {
			for x := range 320 {
				_, _, _, a := img.At(x, y).RGBA()
				if (a > 0x7fff) != (truth.Alpha.AlphaAt(x, y).A > 127) {
					wrong++
				}
			}
		}
		if share := float64(wrong) / (320 * 320); share > 0.02 {
			t.Errorf("%.1f %% of the %s are wrong", 100*share, name)
		}
	}

	for name, args := range map[string]map[string]any{
		"no picture":    {"input_image": base64.StdEncoding.EncodeToString([]byte("<svg/>"))},
		"no base64":     {"input_image": "%%%"},
		"no argument":   {},
		"half a number": {"input_image": 12},
	} {
		res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "remove_background", Arguments: args})
		if err == nil && !res.IsError {
			t.Errorf("%s is cut out", name)
		}
	}

	// The image stage takes this server for its matting engine.
	s := start(t, t.TempDir(), "AWS_MCP_ENDPOINT="+strings.TrimSuffix(endpoint, "/mcp"))
	st := ask(t, s, "/api/image/process", map[string]any{"image": pngOf(t, person), "background": "office"})
	if st.Status != "completed" || st.Stages[0].Engine != "mcp" || len(st.Stages[0].FallbackFrom) > 0 {
		t.Errorf("%+v", st)
	}
}
