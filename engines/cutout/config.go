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

	Client *http.Client // for mcp and rembg; nil is http.DefaultClient
	// More are engines that this package cannot make in every build (onnx).
	More []Engine
}

// Chains builds the removing and the refining chain. Engines of one server
// share a breaker. The removing chain ends with local and original unless the
// order leaves them out; the refining chain ends with the local edge refinement.
func (c Config) Chains() (remove, refine Chain, err error) {
	order, err := Order(c.Order)
	if err != nil {
		return nil, nil, err
	}
	have := append([]Engine{Local(), Original()}, c.More...)
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
