package main

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/gateway"
)

// observer counts what stages do, under the names that dashboards know.
func observer(reg prometheus.Registerer) func(consumers.Try) {
	run := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "task_duration_seconds", Help: "Time a stage ran.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 16),
	}, []string{"task_name"})
	wait := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "task_wait_seconds", Help: "Time between a request and its start.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 12),
	}, []string{"task_name"})
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "service_calls_total", Help: "Attempts of stages by engine and outcome.",
	}, []string{"service", "operation", "status"})
	fallbacks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "engine_fallbacks_total", Help: "Engines that should have served and did not.",
	}, []string{"stage", "engine"})
	reg.MustRegister(run, wait, calls, fallbacks)
	return func(t consumers.Try) {
		run.WithLabelValues(t.Stage).Observe(t.Run.Seconds())
		wait.WithLabelValues(t.Stage).Observe(t.Wait.Seconds())
		engine := t.Engine
		if engine == "" {
			engine = "none"
		}
		calls.WithLabelValues(engine, t.Stage, t.Outcome).Inc()
		for _, s := range t.Fallback {
			fallbacks.WithLabelValues(t.Stage, s.Engine).Inc()
		}
	}
}

// health looks at everything the service stands on.
func (a *app) health(ctx context.Context) gateway.Health {
	h := gateway.Health{Status: "healthy", Services: map[string]gateway.ServiceHealth{}}
	h.Broker = probe(func() error { return a.broker.Health(ctx) })
	h.Store = probe(func() error { return checkStore(ctx, a.blobs) })
	for _, c := range a.programs() {
		s := h.Services[c.stage]
		if s.Engines == nil {
			s = gateway.ServiceHealth{PartHealth: gateway.PartHealth{Status: "unhealthy"}, Engines: map[string]gateway.EngineHealth{}}
		}
		start := time.Now()
		e := gateway.EngineHealth{Status: "healthy", Breaker: "none"}
		if err := c.check(ctx); err != nil {
			e.Status, e.Reason = "unavailable", c.mend
		} else {
			s.Status = "healthy"
		}
		s.ResponseTime += time.Since(start).Seconds()
		s.Engines[c.engine] = e
		h.Services[c.stage] = s
	}
	for _, s := range h.Services {
		if s.Status != "healthy" {
			h.Status = "degraded"
		}
	}
	if h.Broker.Status != "healthy" || h.Store.Status != "healthy" {
		h.Status = "unhealthy"
	}
	return h
}

func probe(f func() error) gateway.PartHealth {
	start := time.Now()
	p := gateway.PartHealth{Status: "healthy"}
	if f() != nil {
		p.Status = "unhealthy"
	}
	p.ResponseTime = time.Since(start).Seconds()
	return p
}

// version is the module's version with the commit, as the build knows them.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v += " " + s.Value[:12]
		}
	}
	return v
}
