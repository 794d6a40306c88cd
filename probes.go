package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// probes is what a process without the gateway serves: whether it lives, whether
// it can work, and its metrics.
func (a *app) probes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := a.broker.Health(r.Context()); err != nil {
			a.log.WarnContext(r.Context(), "not ready", "err", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	m.Handle("GET /metrics", promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}))
	return m
}
