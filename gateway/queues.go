package gateway

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/videomsg/videomsg/events"
)

// queues are the figures that only the broker knows. They are asked for when
// somebody scrapes, and not more often than queueLife.
type queues struct {
	size, inFlight, oldest *prometheus.GaugeVec
	dead                   *prometheus.GaugeVec

	mu sync.Mutex
	at time.Time
}

const queueLife = 5 * time.Second

func newQueues(reg prometheus.Registerer) *queues {
	gauge := func(name, help, label string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
		reg.MustRegister(v)
		return v
	}
	return &queues{
		size:     gauge("task_queue_size", "Requests to a stage that no worker has taken.", "queue"),
		inFlight: gauge("task_queue_in_flight", "Requests to a stage that are being worked on.", "queue"),
		oldest:   gauge("task_queue_oldest_seconds", "Age of the oldest unfinished request to a stage.", "queue"),
		dead:     gauge("dead_letters", "Stages that gave up, in the event stream.", "stage"),
	}
}

func (g *Gateway) refresh(ctx context.Context) {
	q := g.queues
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.at) < queueLife {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	for _, stage := range g.Stages {
		s, err := g.stageState(ctx, stage)
		if err != nil {
			g.Log.WarnContext(ctx, "queue figures", "stage", stage, "err", err)
			return
		}
		q.size.WithLabelValues(stage).Set(float64(s.Pending))
		q.inFlight.WithLabelValues(stage).Set(float64(s.InFlight))
		q.oldest.WithLabelValues(stage).Set(s.OldestAge)
		info, err := g.Stream.Info(ctx, jetstream.WithSubjectFilter(events.Subject(stage, events.Failed, "*")))
		if err == nil {
			q.dead.WithLabelValues(stage).Set(float64(len(info.State.Subjects)))
		}
	}
	q.at = time.Now()
}

// metricsHandler is GET /metrics.
func (g *Gateway) metricsHandler() http.Handler {
	h := promhttp.HandlerFor(g.Gather, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.refresh(r.Context())
		h.ServeHTTP(w, r)
	})
}
