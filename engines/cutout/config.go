package cutout

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/videomsg/videomsg/engines"
)

// Config says which engines there are. The zero value is local, then original:
// nothing calls out.
type Config struct {
	Order string // MATTING_ENGINES; see Order

	MCPEndpoint string // AWS_MCP_ENDPOINT
	MCPToken    string // AWS_MCP_TOKEN
	MCPRemove   string // AWS_MCP_TOOL_REMOVE
	MCPRefine   string // AWS_MCP_TOOL_REFINE

	// AWS is needed by the next three; see LoadAWS.
	AWS             *aws.Config
	SageMaker       string // SAGEMAKER_MATTING_ENDPOINT
	SageMakerRefine string // SAGEMAKER_REFINE_ENDPOINT
	BedrockModel    string // BEDROCK_MATTING_MODEL

	RembgURL    string // REMBG_URL
	RembgModel  string // REMBG_MODEL
	RembgRefine string // REMBG_REFINE: "sam" or empty for off

	ONNX ONNXConfig // off without a model

	Client *http.Client // for mcp and rembg; nil is http.DefaultClient
}

// ONNXConfig names a model of the user's own that runs in this process. It needs
// a program built with -tags onnx.
type ONNXConfig struct {
	Model   string // IMAGE_ONNX_MODEL: file; empty for off
	Library string // IMAGE_ONNX_LIB: libonnxruntime, 1.24 or newer
	Profile string // IMAGE_ONNX_PROFILE: u2net, u2netp, u2net_human_seg, silueta, isnet, birefnet or sinet
	Threads int    // IMAGE_ONNX_THREADS; 0 is the runtime's choice
}

// Chains builds the removing and the refining chain. Engines of one server
// share a breaker. The removing chain ends with local and original unless the
// order leaves them out; the refining chain ends with the local edge refinement.
// It fails when an ONNX model is wanted and cannot be loaded.
func (c Config) Chains() (remove, refine Chain, err error) {
	order, err := Order(c.Order)
	if err != nil {
		return nil, nil, err
	}
	have := []Engine{Local(), Original()}
	if c.ONNX.Model != "" {
		e, err := c.ONNX.engine()
		if err != nil {
			return nil, nil, err
		}
		have = append(have, e)
	}
	improve := []Engine{LocalRefine()}
	if c.MCPEndpoint != "" {
		m := MCP{Endpoint: c.MCPEndpoint, Token: c.MCPToken, Remove: c.MCPRemove, Refine: c.MCPRefine, Client: c.Client, Breaker: engines.NewBreaker("mcp")}
		have, improve = append(have, m.RemoveEngine()), append(improve, m.RefineEngine())
	}
	if c.AWS != nil {
		if c.SageMaker != "" {
			have = append(have, SageMaker(*c.AWS, c.SageMaker, "", engines.NewBreaker("sagemaker "+c.SageMaker)))
		}
		if c.SageMakerRefine != "" {
			improve = append(improve, SageMakerRefine(*c.AWS, c.SageMakerRefine, "", engines.NewBreaker("sagemaker "+c.SageMakerRefine)))
		}
		if c.BedrockModel != "" {
			have = append(have, Bedrock(*c.AWS, c.BedrockModel, "", engines.NewBreaker("bedrock")))
		}
	}
	if c.RembgURL != "" {
		r := Rembg{URL: c.RembgURL, Model: c.RembgModel, Client: c.Client, Breaker: engines.NewBreaker("rembg")}
		have = append(have, r.RemoveEngine())
		if c.RembgRefine != "" {
			improve = append(improve, r.RefineEngine())
		}
	}
	return Arrange(order, have...), Arrange([]string{"mcp", "sagemaker", "rembg", "local"}, improve...), nil
}
