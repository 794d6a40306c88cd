package cutout

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/sagemakerruntime"
	"github.com/aws/smithy-go"

	"github.com/videomsg/videomsg/engines"
)

// StabilityRemoveBackground is the one matting model that Bedrock serves (US
// inference profile).
const StabilityRemoveBackground = "us.stability.stable-image-remove-background-v1:0"

// LoadAWS reads the SDK's own environment and files and proves within two
// seconds that there are credentials, so that a machine without any does not
// wait for the instance metadata service at every call.
func LoadAWS(ctx context.Context, region string) (aws.Config, error) {
	// A plain http.Client would fail when AWS_CA_BUNDLE is set.
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(120*time.Second)))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS settings: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, fmt.Errorf("find AWS credentials: %w", err)
	}
	return cfg, nil
}

// Bedrock returns the engine for Stability's Remove Background model; an empty
// model means StabilityRemoveBackground. Every call costs money, so it is only
// to be configured on purpose. endpoint overrides the service's address, for
// tests.
func Bedrock(cfg aws.Config, model, endpoint string, b *engines.Breaker) Engine {
	if model == "" {
		model = StabilityRemoveBackground
	}
	client := bedrockruntime.NewFromConfig(cfg, func(o *bedrockruntime.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
	return Engine{Name: "bedrock", Breaker: b, Run: func(ctx context.Context, in Input) (Output, error) {
		if in.Image == nil {
			return Output{}, fmt.Errorf("no picture: %w", engines.ErrInput)
		}
		w, h := in.Image.Rect.Dx(), in.Image.Rect.Dy()
		if min(w, h) < 64 || 2*max(w, h) > 5*min(w, h) {
			return Output{}, fmt.Errorf("%d × %d: sides at least 64, at most 1:2.5: %w", w, h, engines.ErrPermanent)
		}
		data, sent, err := toJPEG(in.Image, maxSent, 5<<20) // 2048² is below the limit of 9,437,184 pixels
		if err != nil {
			return Output{}, err
		}
		if min(sent.X, sent.Y) < 64 {
			return Output{}, fmt.Errorf("%d × %d: sides at least 64: %w", sent.X, sent.Y, engines.ErrPermanent)
		}
		body, err := json.Marshal(map[string]string{"image": base64.StdEncoding.EncodeToString(data), "output_format": "png"})
		if err != nil {
			return Output{}, fmt.Errorf("encode request: %w", err)
		}
		ctx, cancel := context.WithTimeout(ctx, 120*time.Second)
		defer cancel()
		res, err := client.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{
			ModelId: &model, Body: body, ContentType: aws.String("application/json"), Accept: aws.String("application/json"),
		})
		if err != nil {
			return Output{}, awsError(err)
		}
		m, err := stabilityMask(res.Body)
		if err != nil {
			return Output{}, err
		}
		return finish(in, m, sent, model)
	}}
}

// stabilityMask reads the model's answer. A finish reason comes without a
// picture and is a refusal.
func stabilityMask(body []byte) (*image.Gray, error) {
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("answer of more than %d bytes", maxAnswer)
	}
	var a struct {
		Images        []string  `json:"images"`
		FinishReasons []*string `json:"finish_reasons"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	for _, r := range a.FinishReasons {
		if r != nil {
			return nil, fmt.Errorf("model says %.100q: %w", *r, engines.ErrPermanent)
		}
	}
	if len(a.Images) == 0 {
		return nil, errors.New("answer holds no picture")
	}
	b, err := picture(a.Images[0])
	if err != nil {
		return nil, err
	}
	return maskOf(b)
}

// A payload of SageMaker's InvokeEndpoint stays below 6 MB.
const sagemakerLimit = 5 << 20

// SageMaker returns the engine for a user's own endpoint that removes
// backgrounds. It sends a PNG picture and takes a picture (a cut-out or a grey
// mask) or JSON with output_image, image or mask in base64.
func SageMaker(cfg aws.Config, endpointName, endpoint string, b *engines.Breaker) Engine {
	s := newSageMaker(cfg, endpointName, endpoint)
	return Engine{Name: "sagemaker", Breaker: b, Run: func(ctx context.Context, in Input) (Output, error) {
		if in.Image == nil {
			return Output{}, fmt.Errorf("no picture: %w", engines.ErrInput)
		}
		data, sent, err := toPNG(in.Image, maxSent, sagemakerLimit)
		if err != nil {
			return Output{}, err
		}
		m, err := s.invoke(ctx, "image/png", data)
		if err != nil {
			return Output{}, err
		}
		return finish(in, m, sent, endpointName)
	}}
}

// SageMakerRefine returns the engine for a user's own endpoint that refines a
// segmentation (SAM 2). It sends JSON {input_image, input_mask, task:
// "segmentation_refinement"} and takes the same answers as SageMaker.
func SageMakerRefine(cfg aws.Config, endpointName, endpoint string, b *engines.Breaker) Engine {
	s := newSageMaker(cfg, endpointName, endpoint)
	return Engine{Name: "sagemaker", Breaker: b, Run: func(ctx context.Context, in Input) (Output, error) {
		if in.Image == nil || in.Mask == nil {
			return Output{}, fmt.Errorf("no picture or mask: %w", engines.ErrInput)
		}
		args, err := refineArguments(in, sagemakerLimit*3/4-(512<<10))
		if err != nil {
			return Output{}, err
		}
		body, err := json.Marshal(args)
		if err != nil {
			return Output{}, fmt.Errorf("encode request: %w", err)
		}
		m, err := s.invoke(ctx, "application/json", body)
		if err != nil {
			return Output{}, err
		}
		return refined(in, m, endpointName)
	}}
}

// refineArguments are the seed app's, also used over MCP. limit is for the
// picture's bytes before base64.
func refineArguments(in Input, limit int) (map[string]any, error) {
	data, sent, err := toJPEG(in.Image, maxSent, limit)
	if err != nil {
		return nil, err
	}
	mask, err := encodePNG(resizeGray(in.Mask, sent.X, sent.Y))
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"input_image": base64.StdEncoding.EncodeToString(data),
		"input_mask":  base64.StdEncoding.EncodeToString(mask),
		"task":        "segmentation_refinement",
	}, nil
}

type sageMaker struct {
	client *sagemakerruntime.Client
	name   string
}

func newSageMaker(cfg aws.Config, name, endpoint string) sageMaker {
	return sageMaker{sagemakerruntime.NewFromConfig(cfg, func(o *sagemakerruntime.Options) {
		if endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	}), name}
}

func (s sageMaker) invoke(ctx context.Context, contentType string, body []byte) (*image.Gray, error) {
	if s.name == "" {
		return nil, fmt.Errorf("no endpoint: %w", engines.ErrUnavailable)
	}
	// The container must answer within 60 s.
	ctx, cancel := context.WithTimeout(ctx, 70*time.Second)
	defer cancel()
	res, err := s.client.InvokeEndpoint(ctx, &sagemakerruntime.InvokeEndpointInput{
		EndpointName: &s.name, Body: body, ContentType: &contentType, Accept: aws.String("image/png"),
	})
	if err != nil {
		return nil, awsError(err)
	}
	if len(res.Body) > maxAnswer {
		return nil, fmt.Errorf("answer of more than %d bytes", maxAnswer)
	}
	for _, b := range res.Body {
		switch b {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return maskFromJSON(res.Body)
		}
		break
	}
	return maskOf(res.Body)
}

// awsError sorts the SDK's errors, which it has retried already where it can.
func awsError(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "AccessDeniedException", "ResourceNotFoundException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException":
			return fmt.Errorf("%w: %w", err, engines.ErrUnavailable)
		case "ModelNotReadyException", "ThrottlingException", "ServiceUnavailableException", "InternalServerException", "ModelTimeoutException", "ModelErrorException", "ModelError":
			return err
		case "ValidationException", "ValidationError":
			return fmt.Errorf("%w: %w", err, engines.ErrPermanent)
		}
	}
	if res, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		switch s := res.HTTPStatusCode(); {
		case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s == http.StatusFailedDependency, s >= 500:
			return err
		case s >= 400:
			return fmt.Errorf("%w: %w", err, engines.ErrPermanent)
		}
	}
	return err
}
