// Package gateway is the HTTP face of the service: routes, limits, uploads,
// status, downloads and live events. It knows the stream, the status documents
// and the blob store through small interfaces, and nothing of stages or engines.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
)

// Config is what an operator may choose. The zero value has the limits of the
// API's documentation.
type Config struct {
	MaxImage    int64         // bytes; 0 means 10 MB
	MaxAudio    int64         // bytes; 0 means 50 MB
	TaskTimeout time.Duration // 0 means 30 minutes
	Heartbeat   time.Duration // of event streams; 0 means 15 s
}

// Deps is what the gateway stands on.
type Deps struct {
	Log     *slog.Logger
	Tasks   Tasks
	Submit  Submitter
	Blobs   objectstore.Store
	Stream  jetstream.Stream
	Feed    *Feed
	Metrics prometheus.Registerer
	Gather  prometheus.Gatherer
	Version string

	// Route gives the stages a request visits, in order.
	Route func(events.Request) []string
	// CheckText returns why a text cannot be spoken; nil when it can.
	CheckText func(text, language string) error
	// CheckVoice and CheckMusic say whether the ids are known.
	CheckVoice, CheckMusic func(ctx context.Context, id string) error
	// Ready returns nil while tasks can be taken; Health describes each part.
	Ready  func(ctx context.Context) error
	Health func(ctx context.Context) Health
	Web    http.Handler // the web app
}

// Tasks reads status documents.
type Tasks interface {
	Get(ctx context.Context, id string) (status.Task, uint64, error)
}

// Submitter puts tasks on the stream.
type Submitter interface {
	Submit(ctx context.Context, task string, slip []string, trace string, job events.Job) error
	Cancel(ctx context.Context, task string, job events.Job) error
}

// ErrUnknown is what CheckVoice and CheckMusic wrap for an id that is not known.
var ErrUnknown = errors.New("unknown id")

// Gateway answers HTTP requests. It is an http.Handler.
type Gateway struct {
	Deps
	conf    Config
	mux     http.Handler
	metrics *metrics
}

// New returns a gateway over deps.
func New(conf Config, deps Deps) *Gateway {
	g := &Gateway{Deps: deps, conf: conf, metrics: newMetrics(deps.Metrics)}
	if g.conf.MaxImage == 0 {
		g.conf.MaxImage = 10_000_000
	}
	if g.conf.MaxAudio == 0 {
		g.conf.MaxAudio = 50_000_000
	}
	if g.conf.TaskTimeout == 0 {
		g.conf.TaskTimeout = 30 * time.Minute
	}
	if g.conf.Heartbeat == 0 {
		g.conf.Heartbeat = 15 * time.Second
	}
	g.mux = g.routes()
	return g
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }
