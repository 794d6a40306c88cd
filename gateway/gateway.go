// Package gateway is the HTTP face of the service: routes, sign-in, limits,
// uploads, status, downloads, live events, catalogues, webhooks and operation.
// It knows the stream, the status documents and the blob store through small
// interfaces, and nothing of stages or engines.
//
// The table in routes.go lists every path; the OpenAPI document at /openapi.json
// is made from the same table.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
	"github.com/videomsg/videomsg/vision/face"
)

// Config is what an operator may choose. The zero value has the limits of the
// API's documentation and one local user.
type Config struct {
	MaxImage    int64         // bytes; 0 means 10 MB
	MaxAudio    int64         // bytes; 0 means 50 MB
	TaskTimeout time.Duration // 0 means 30 minutes
	Heartbeat   time.Duration // of event streams; 0 means 15 s

	Secret         string // signs tokens (HS256); empty: one local user, loopback only
	Production     bool   // cookies over TLS only, consent required
	TrustedProxies []netip.Prefix
	CORSOrigins    []string // that may call with a token; empty: none
	GeneratePerMin int      // new videos per user and client address; 0 means 10
	WritesPerMin   int      // other writes; 0 means 60
	PublicLinks    bool     // downloads lead to the store itself when it can sign links
}

// Validate reports every setting that cannot work or is not safe.
func (c Config) Validate() error {
	var errs []error
	if n := len(c.Secret); n > 0 && n < MinSecret {
		errs = append(errs, fmt.Errorf("JWT_SECRET_KEY of %d bytes: at least %d are needed", n, MinSecret))
	}
	if c.Production && c.Secret == "" {
		errs = append(errs, errors.New("JWT_SECRET_KEY is required with ENVIRONMENT=production"))
	}
	for _, o := range c.CORSOrigins {
		if o == "*" {
			errs = append(errs, errors.New("CORS_ORIGINS must name origins, not *"))
		}
	}
	return errors.Join(errs...)
}

// Deps is what the gateway stands on.
type Deps struct {
	Log     *slog.Logger
	Tasks   Tasks
	Submit  Submitter
	Blobs   objectstore.Store
	JS      jetstream.JetStream
	Stream  jetstream.Stream
	Feed    *Feed
	Metrics prometheus.Registerer
	Gather  prometheus.Gatherer
	Version string

	// Buckets of what is not in the stream.
	Library     jetstream.KeyValue // own music by owner and id, dictionaries by owner
	Idempotency jetstream.KeyValue // answers by owner and key, kept for a day
	Limits      jetstream.KeyValue // recent requests by owner and by address
	Webhooks    Webhooks

	// Stages lists every stage in the default order; Route gives those a request
	// visits.
	Stages []string
	Route  func(events.Request) []string
	// CheckText returns why a text cannot be spoken; nil when it can.
	CheckText func(text, language string) error
	// CheckWord returns what is wrong with an entry of a dictionary, as a *Refusal.
	CheckWord func(Word) error
	// CheckVoice and CheckMusic say whether the ids are known.
	CheckVoice, CheckMusic func(ctx context.Context, id string) error
	// CheckEngine says whether engine of stage can be required: ErrUnknown when
	// there is no such engine, another error when it is not set up, in words for
	// the client.
	CheckEngine func(stage, engine string) error

	// Voices is the catalogue of voices; Speak is a sample of one, as WAV: text, or
	// a sentence of the voice's own when it is empty.
	Voices func(ctx context.Context) ([]Voice, error)
	Speak  func(ctx context.Context, voice, text string, words []Word) ([]byte, error)
	// Profiles are the cloned voices; nil when none can be made.
	Profiles Profiles
	Faces    *face.Detector
	// Verify checks the provenance record of a video. Its errors are those of r.
	Verify func(r io.Reader) (Verification, error)

	// Erase removes what is kept of a task, here and outside.
	Erase func(ctx context.Context, t status.Task) error
	// Ready returns nil while tasks can be taken; Health describes each part.
	Ready   func(ctx context.Context) error
	Health  func(ctx context.Context) Health
	Engines func(ctx context.Context) []EngineState
	Web     http.Handler // the web app
	Temp    string       // directory for uploads under way; empty: the system's
}

// Tasks reads status documents.
type Tasks interface {
	Get(ctx context.Context, id string) (status.Task, uint64, error)
}

// Submitter puts tasks on the stream.
type Submitter interface {
	Submit(ctx context.Context, task string, slip []string, trace string, job events.Job) error
	Cancel(ctx context.Context, task string, job events.Job) error
	Publish(ctx context.Context, evs ...events.Event) error
}

// ErrUnknown is what the checks and lookups of Deps wrap for an id that is not
// known.
var ErrUnknown = errors.New("unknown id")

// Gateway answers HTTP requests. It is an http.Handler.
type Gateway struct {
	Deps
	conf       Config
	mux        http.Handler // the routes
	serve      http.Handler // the routes, observed
	metrics    *metrics
	sameOrigin *http.CrossOriginProtection
	limits     *limiter
	previews   *previews
	shelves    *shelves
	pictures   chan struct{} // a slot per picture being analysed
	direct     chan struct{} // a slot per upload that goes straight into the store
	spooled    chan struct{} // a slot per upload that goes there from a file
	probes     *probes
	queues     *queues
	document   document
	verified   verifiedTokens
	links      *objectstore.LinkSigner
}

// New returns a gateway over deps.
func New(conf Config, deps Deps) *Gateway {
	g := &Gateway{
		Deps: deps, conf: conf, metrics: newMetrics(deps.Metrics), sameOrigin: http.NewCrossOriginProtection(),
		previews: newPreviews(), shelves: newShelves(deps.Library), pictures: make(chan struct{}, 2),
		direct: make(chan struct{}, directUploads), spooled: make(chan struct{}, spooledUploads),
	}
	g.conf.MaxImage = cmp.Or(conf.MaxImage, 10_000_000)
	g.conf.MaxAudio = cmp.Or(conf.MaxAudio, 50_000_000)
	g.conf.TaskTimeout = cmp.Or(conf.TaskTimeout, 30*time.Minute)
	g.conf.Heartbeat = cmp.Or(conf.Heartbeat, 15*time.Second)
	g.conf.GeneratePerMin = cmp.Or(conf.GeneratePerMin, 10)
	g.conf.WritesPerMin = cmp.Or(conf.WritesPerMin, 60)
	g.limits = newLimiter(deps.Limits, g.conf)
	g.probes = newProbes(deps.Health)
	g.queues = newQueues(deps.Metrics)
	g.links = newLinks(g.conf.Secret)
	g.mux = g.routes()
	g.serve = g.observe(g.mux)
	return g
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.serve.ServeHTTP(w, r) }
