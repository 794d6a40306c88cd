package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/engines/cutout"
	"github.com/videomsg/videomsg/gateway"
	"github.com/videomsg/videomsg/objectstore"
)

// config is every setting of the program. Only settings, below, knows where they
// come from.
type config struct {
	Environment string
	LogLevel    slog.Level
	Listen      string // host of the HTTP address
	Port        int
	DataDir     string
	Grace       time.Duration
	Storage     storageConfig
	Broker      broker.Config
	Gateway     gateway.Config
	Speech      speechConfig
	Avatar      avatarConfig
	Cutout      cutout.Config
	Shadow      shadowConfig
	Roles       roles
	BulkTasks   int // bulk tasks in the pipeline at once
	EventsMB    int
	Workers     map[string]int // per stage; 0 or absent is the stage's own number
	Pending     map[string]int // per stage, over all processes; likewise

	WebhookPrivate bool
	OTLP           string
	Declare        bool // streams, buckets and consumers; or use what is there
}

type speechConfig struct {
	Dictionary, Voice string // of Open JTalk
	VoicevoxURL       string
	VoicevoxStyle     int
	VoicevoxMax       int // characters of one synthesis
	OpenVoiceURL      string
}

type storageConfig struct {
	Backend  string // jetstream, local or s3
	Root     string // of local
	Bucket   string // of s3
	Region   string
	Endpoint string

	Retention  objectstore.Retention
	SweepEvery time.Duration // 0: never
	Reserve    int           // megabytes kept back for tasks under way
}

// A setting is one environment variable.
type setting struct {
	name, def, help string
	set             func(c *config, v string) error
}

func str(f func(*config) *string) func(*config, string) error {
	return func(c *config, v string) error { *f(c) = v; return nil }
}

func number(lo, hi int, f func(*config) *int) func(*config, string) error {
	return func(c *config, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < lo || n > hi {
			return fmt.Errorf("must be a whole number from %d to %d", lo, hi)
		}
		*f(c) = n
		return nil
	}
}

func duration(f func(*config) *time.Duration) func(*config, string) error {
	return func(c *config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return errors.New("must be a duration such as 30s or 5m")
		}
		*f(c) = d
		return nil
	}
}

func retention(class objectstore.Class) func(*config, string) error {
	return func(c *config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return errors.New("must be a duration such as 72h")
		}
		if c.Storage.Retention == nil {
			c.Storage.Retention = objectstore.Retention{}
		}
		c.Storage.Retention[class] = d
		return nil
	}
}

func flagged(f func(*config) *bool) func(*config, string) error {
	return func(c *config, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return errors.New("must be true or false")
		}
		*f(c) = b
		return nil
	}
}

func oneOf(f func(*config) *string, values ...string) func(*config, string) error {
	return func(c *config, v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("must be one of %s", strings.Join(values, ", "))
		}
		*f(c) = v
		return nil
	}
}

// settings is the one table of environment variables; the README shows it.
func settings() []setting {
	list := []setting{
		{"ENVIRONMENT", "development", "`production` refuses to start with development shortcuts", oneOf(func(c *config) *string { return &c.Environment }, "development", "production", "test")},
		{"LOG_LEVEL", "INFO", "DEBUG, INFO, WARN or ERROR", logLevel},
		{"LISTEN", "127.0.0.1", "address the gateway listens on; empty for all", str(func(c *config) *string { return &c.Listen })},
		{"PORT", "55433", "port of the gateway; 0 picks a free one", number(0, 65535, func(c *config) *int { return &c.Port })},
		{"DATA_DIR", "./data", "where the embedded broker and local blobs live", str(func(c *config) *string { return &c.DataDir })},
		{"SHUTDOWN_GRACE", "20s", "how long running stages may finish after a stop", duration(func(c *config) *time.Duration { return &c.Grace })},
		{"TASK_TIMEOUT", "30m", "a task that is older has failed", duration(func(c *config) *time.Duration { return &c.Gateway.TaskTimeout })},
		{"BULK_TASKS", "2", "how many tasks of priority `bulk` are in the making at once, over all processes", number(1, 1000, func(c *config) *int { return &c.BulkTasks })},
		{"NATS_URL", "", "broker to use; empty starts the embedded one", str(func(c *config) *string { return &c.Broker.URL })},
		{"NATS_CREDS", "", "credentials file for NATS_URL", str(func(c *config) *string { return &c.Broker.Creds })},
		{"NATS_NKEY", "", "file with an nkey seed for NATS_URL", str(func(c *config) *string { return &c.Broker.NKey })},
		{"NATS_INBOX", "", "prefix of this user's inboxes, such as _INBOX_gateway; empty is _INBOX", str(func(c *config) *string { return &c.Broker.Inbox })},
		{"NATS_CA", "", "file with the certificates that may sign the broker's", str(func(c *config) *string { return &c.Broker.CA })},
		{"NATS_CERT", "", "file with this client's certificate", str(func(c *config) *string { return &c.Broker.Cert })},
		{"NATS_KEY", "", "file with its key", str(func(c *config) *string { return &c.Broker.Key })},
		{"NATS_DECLARE", "true", "`false` uses the streams, buckets and consumers that `videomsg bootstrap` has declared", flagged(func(c *config) *bool { return &c.Declare })},
		{"NATS_WAIT", "1m", "how long a start waits for a broker that does not answer", duration(func(c *config) *time.Duration { return &c.Broker.Wait })},
		{"NATS_LISTEN", "", "host:port on which the embedded broker serves other processes; empty for none", str(func(c *config) *string { return &c.Broker.Listen })},
		{"NATS_SYNC", "false", "fsync before every acknowledgement instead of every second", flagged(func(c *config) *bool { return &c.Broker.Sync })},
		{"NATS_REPLICAS", "", "copies of streams and buckets: 1, 3 or 5; empty keeps what there is, or makes 1", number(1, 5, func(c *config) *int { return &c.Broker.Replicas })},
		{"EVENTS_MAX_MB", "4096", "MiB of events that the stream holds; new tasks are refused before it drops unfinished ones", number(1, 1<<20, func(c *config) *int { return &c.EventsMB })},
		{"CACHE_TTL", "30m", "how long a processed picture is used again for the same request", duration(func(c *config) *time.Duration { return &c.Broker.CacheTTL })},
		{"STORAGE_BACKEND", "jetstream", "where blobs go: jetstream, local or s3", oneOf(func(c *config) *string { return &c.Storage.Backend }, "jetstream", "local", "s3")},
		{"STORAGE_ROOT_PATH", "", "directory of the local backend; empty is DATA_DIR/blobs", str(func(c *config) *string { return &c.Storage.Root })},
		{"S3_BUCKET_NAME", "", "bucket of the s3 backend", str(func(c *config) *string { return &c.Storage.Bucket })},
		{"AWS_REGION", "us-west-2", "region of the bucket", str(func(c *config) *string { return &c.Storage.Region })},
		{"S3_ENDPOINT_URL", "", "S3-compatible server; empty is AWS", endpointURL(func(c *config) *string { return &c.Storage.Endpoint })},
		{"RETENTION_INPUTS", "168h", "how long uploads are kept; 0 for ever", retention(objectstore.Inputs)},
		{"RETENTION_INTERMEDIATES", "72h", "how long what stages hand on is kept", retention(objectstore.Intermediates)},
		{"RETENTION_OUTPUTS", "720h", "how long results are kept", retention(objectstore.Outputs)},
		{"RETENTION_TEMPORARY", "1h", "how long temporary objects are kept", retention(objectstore.Temporary)},
		{"STORAGE_SWEEP_EVERY", "1h", "how often what is over its time is removed; 0 for never", duration(func(c *config) *time.Duration { return &c.Storage.SweepEvery })},
		{"STORAGE_RESERVE_MB", "512", "room on the disk below which no new work is taken, in MB; 0 for none", number(0, 1<<30, func(c *config) *int { return &c.Storage.Reserve })},
		{"MATTING_ENGINES", "", "order of the matting engines: mcp, sagemaker, bedrock, rembg, onnx, local, none", str(func(c *config) *string { return &c.Cutout.Order })},
		{"AWS_MCP_ENDPOINT", "", "MCP server with the tools remove_background and refine_segmentation", endpointURL(func(c *config) *string { return &c.Cutout.MCPEndpoint })},
		{"AWS_MCP_TOKEN", "", "bearer token for it", str(func(c *config) *string { return &c.Cutout.MCPToken })},
		{"AWS_MCP_TOOL_REMOVE", "", "name of its removing tool", str(func(c *config) *string { return &c.Cutout.MCPRemove })},
		{"AWS_MCP_TOOL_REFINE", "", "name of its refining tool", str(func(c *config) *string { return &c.Cutout.MCPRefine })},
		{"SAGEMAKER_MATTING_ENDPOINT", "", "your SageMaker endpoint that removes backgrounds", str(func(c *config) *string { return &c.Cutout.SageMaker })},
		{"SAGEMAKER_REFINE_ENDPOINT", "", "your SageMaker endpoint that refines masks", str(func(c *config) *string { return &c.Cutout.SageMakerRefine })},
		{"BEDROCK_MATTING_MODEL", "", "Bedrock model that removes backgrounds; each call costs money", str(func(c *config) *string { return &c.Cutout.BedrockModel })},
		{"REMBG_URL", "", "rembg server", endpointURL(func(c *config) *string { return &c.Cutout.RembgURL })},
		{"REMBG_MODEL", "", "its model; empty is birefnet-portrait", str(func(c *config) *string { return &c.Cutout.RembgModel })},
		{"REMBG_REFINE", "", "`sam` lets it refine masks", str(func(c *config) *string { return &c.Cutout.RembgRefine })},
		{"IMAGE_ONNX_MODEL", "", "ONNX file of your own that finds people, for a program built with -tags onnx", str(func(c *config) *string { return &c.Cutout.ONNX.Model })},
		{"IMAGE_ONNX_LIB", "", "libonnxruntime 1.24 or newer that runs it", str(func(c *config) *string { return &c.Cutout.ONNX.Library })},
		{"IMAGE_ONNX_PROFILE", "u2net", "its family: u2net, u2netp, u2net_human_seg, silueta, isnet, birefnet or sinet", str(func(c *config) *string { return &c.Cutout.ONNX.Profile })},
		{"IMAGE_ONNX_THREADS", "0", "its threads; 0 is the runtime's choice", number(0, 256, func(c *config) *int { return &c.Cutout.ONNX.Threads })},
		{"JWT_SECRET_KEY", "", "signs tokens (HS256), at least 32 bytes; empty serves one local user on loopback only", str(func(c *config) *string { return &c.Gateway.Secret })},
		{"TRUSTED_PROXIES", "", "comma list of networks whose X-Forwarded-For and X-Forwarded-Proto count, such as 10.0.0.0/8", networks},
		{"CORS_ORIGINS", "", "comma list of origins whose pages may call the API with a token; empty for none", origins},
		{"RATE_GENERATE", "10", "videos a minute per user and per client address", number(1, 1_000_000, func(c *config) *int { return &c.Gateway.GeneratePerMin })},
		{"RATE_WRITES", "60", "other writing requests a minute per user and per client address", number(1, 1_000_000, func(c *config) *int { return &c.Gateway.WritesPerMin })},
		{"S3_PUBLIC_DOWNLOADS", "false", "downloads lead to presigned links of the store", flagged(func(c *config) *bool { return &c.Gateway.PublicLinks })},
		{"WEBHOOK_ALLOW_PRIVATE", "false", "webhooks may go to private and loopback addresses and over plain http", flagged(func(c *config) *bool { return &c.WebhookPrivate })},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "", "collector for traces over OTLP/HTTP, such as http://collector:4318; empty for none", endpointURL(func(c *config) *string { return &c.OTLP })},
		{"VOICEVOX_URL", "", "VOICEVOX engine, or another that speaks its protocol", endpointURL(func(c *config) *string { return &c.Speech.VoicevoxURL })},
		{"VOICEVOX_SPEAKER", "1", "its style for requests that name no voice", number(0, 1<<31-1, func(c *config) *int { return &c.Speech.VoicevoxStyle })},
		{"VOICEVOX_MAX_CHARS", "200", "the longest piece it is given", number(20, 1000, func(c *config) *int { return &c.Speech.VoicevoxMax })},
		{"DID_API_KEY", "", "the same as D_ID_API_KEY", str(func(c *config) *string { return &c.Avatar.DIDKey })},
		{"D_ID_API_KEY", "", "key of D-ID, as its Studio shows it; each video costs money. Empty: portraits speak on this machine only", str(func(c *config) *string { return &c.Avatar.DIDKey })},
		{"D_ID_BASE_URL", "", "address of D-ID; empty is https://api.d-id.com", endpointURL(func(c *config) *string { return &c.Avatar.DIDURL })},
		{"D_ID_STITCH", "true", "D-ID animates the face inside the whole picture, where the plan permits it", flagged(func(c *config) *bool { return &c.Avatar.DIDStitch })},
		{"D_ID_CONCURRENCY", "2", "videos at D-ID at once, per process", number(1, 100, func(c *config) *int { return &c.Avatar.DIDConcurrency })},
		{"D_ID_WEBHOOK_BASE_URL", "", "https address at which D-ID reaches this gateway, so that a finished video is fetched at once; empty: D-ID is asked every few seconds", str(func(c *config) *string { return &c.Avatar.DIDWebhook })},
		{"MUSETALK_SERVICE_URL", "", "the same as LIPSYNC_URL", str(func(c *config) *string { return &c.Avatar.LipsyncURL })},
		{"LIPSYNC_URL", "", "server with the contract of MuseTalk, LivePortrait or EchoMimic", endpointURL(func(c *config) *string { return &c.Avatar.LipsyncURL })},
		{"VIDEO_WEBM", "false", "make a WebM (VP9, Opus) beside each MP4", flagged(func(c *config) *bool { return &c.Avatar.WebM })},
		{"PROVENANCE_KEY", "", "file of the Ed25519 key that signs the provenance records, made when missing; empty is DATA_DIR/provenance.pem", str(func(c *config) *string { return &c.Avatar.Key })},
		{"OPENVOICE_SERVICE_URL", "", "voice cloning service", endpointURL(func(c *config) *string { return &c.Speech.OpenVoiceURL })},
		{"SHADOW_IMAGE", "", "engine that runs in the shadow of the matting chain, on the same pictures and without a say: rembg or local", shadowEngine(func(c *config) *string { return &c.Shadow.Image }, "rembg", "local")},
		{"SHADOW_VOICE", "", "the same for speech: voicevox, openjtalk or espeak-ng", shadowEngine(func(c *config) *string { return &c.Shadow.Voice }, "voicevox", "openjtalk", "espeak-ng")},
		{"SHADOW_VIDEO", "", "the same for videos: lipsync, portrait or still", shadowEngine(func(c *config) *string { return &c.Shadow.Video }, "lipsync", "portrait", "still")},
		{"SHADOW_PERCENT", "100", "share of the tasks that engines in the shadow see", number(0, 100, func(c *config) *int { return &c.Shadow.Percent })},
		{"OPEN_JTALK_DIC", "", "dictionary of Open JTalk; empty is Debian's", str(func(c *config) *string { return &c.Speech.Dictionary })},
		{"OPEN_JTALK_VOICE", "", "HTS voice of Open JTalk; empty looks in Debian's place and in DATA_DIR/voices", str(func(c *config) *string { return &c.Speech.Voice })},
	}
	for _, stage := range []string{"image", "voice", "prosody", "bgm", "video"} {
		perStage := func(to func(*config) map[string]int) func(*config, string) error {
			return func(c *config, v string) error {
				n, err := strconv.Atoi(v)
				if err != nil || n < 1 || n > 1000 {
					return errors.New("must be a whole number from 1 to 1000")
				}
				to(c)[stage] = n
				return nil
			}
		}
		list = append(list,
			setting{
				"WORKERS_" + strings.ToUpper(stage), "", "how many tasks this process handles at once in the " + stage + " stage",
				perStage(func(c *config) map[string]int { return c.Workers }),
			},
			setting{
				"PENDING_" + strings.ToUpper(stage), "", "how many tasks all processes together handle at once in the " + stage + " stage, such as what a paid service allows; empty is no cap",
				perStage(func(c *config) map[string]int { return c.Pending }),
			})
	}
	return list
}

// networks reads addresses and prefixes.
func networks(c *config, v string) error {
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		p, err := netip.ParsePrefix(part)
		if err != nil {
			a, err := netip.ParseAddr(part)
			if err != nil {
				return errors.New("must be a comma list of addresses and networks such as 10.0.0.0/8")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		c.Gateway.TrustedProxies = append(c.Gateway.TrustedProxies, p.Masked())
	}
	return nil
}

// origins reads schemes with hosts, as browsers send them.
func origins(c *config, v string) error {
	for part := range strings.SplitSeq(v, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || strings.ContainsAny(u.Host, "*") {
			return errors.New("must be a comma list of origins such as https://app.example.com")
		}
		c.Gateway.CORSOrigins = append(c.Gateway.CORSOrigins, u.Scheme+"://"+u.Host)
	}
	return nil
}

// loopback reports whether a host to listen on can be reached from this machine
// only.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func logLevel(c *config, v string) error {
	v = strings.ToUpper(v)
	if v == "WARNING" {
		v = "WARN"
	}
	if err := c.LogLevel.UnmarshalText([]byte(v)); err != nil {
		return errors.New("must be DEBUG, INFO, WARN or ERROR")
	}
	return nil
}

// loadConfig reads every setting and reports all that are wrong, for a process
// with these roles.
func loadConfig(getenv func(string) string, as ...string) (config, error) {
	c := config{Workers: map[string]int{}, Pending: map[string]int{}, Roles: as}
	var errs []error
	for _, s := range settings() {
		v, err := value(getenv, s.name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if v == "" {
			v = s.def
		}
		if v == "" {
			continue
		}
		if err := s.set(&c, v); err != nil {
			if secret(s.name) {
				v = "…"
			}
			errs = append(errs, fmt.Errorf("%s=%q: %w", s.name, v, err))
		}
	}
	c.Broker.Name = "videomsg"
	c.Broker.MaxBytes = int64(c.EventsMB) << 20
	c.Broker.Bind = !c.Declare
	c.Broker.DataDir = filepath.Join(c.DataDir, "broker")
	if c.Avatar.Key == "" {
		c.Avatar.Key = filepath.Join(c.DataDir, "provenance.pem")
	}
	if c.Storage.Root == "" {
		c.Storage.Root = filepath.Join(c.DataDir, "blobs")
	}
	if c.Storage.Backend == "s3" && c.Storage.Bucket == "" {
		errs = append(errs, errors.New("S3_BUCKET_NAME is required for STORAGE_BACKEND=s3"))
	}
	errs = append(errs, c.Shadow.check(c))
	c.Gateway.Production = c.Environment == "production"
	if c.Roles.has("gateway") {
		errs = append(errs, c.checkGateway())
	}
	if c.Gateway.Production && strings.HasPrefix(c.Broker.URL, "nats://") {
		errs = append(errs, errors.New("NATS_URL must begin with tls:// with ENVIRONMENT=production"))
	}
	c.Broker.Parts = c.Roles.parts()
	if c.Avatar.outside() && (c.Roles.has("video") || c.Roles.has("gateway")) {
		c.Broker.Parts |= broker.PartOrders
	}
	if err := c.Broker.Validate(); err != nil {
		errs = append(errs, err)
	}
	return c, errors.Join(errs...)
}

// checkGateway reports what only a process that serves the API must get right.
func (c config) checkGateway() error {
	err := c.Gateway.Validate()
	if c.Gateway.Secret == "" && !loopback(c.Listen) {
		err = errors.Join(err, fmt.Errorf("LISTEN=%q: without JWT_SECRET_KEY the gateway listens on loopback only", c.Listen))
	}
	return err
}
