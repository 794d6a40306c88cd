package gateway

import (
	"context"
	"net/http"
	"time"
)

// Health is what GET /health says.
type Health struct {
	Status   string                   `json:"status"` // healthy, degraded, unhealthy
	Services map[string]ServiceHealth `json:"services"`
	Broker   PartHealth               `json:"broker"`
	Store    PartHealth               `json:"store"`
	Version  string                   `json:"version"`
}

// PartHealth is one thing the service stands on.
type PartHealth struct {
	Status       string  `json:"status"` // healthy or unhealthy
	ResponseTime float64 `json:"response_time"`
}

// ServiceHealth is one stage and its engines.
type ServiceHealth struct {
	PartHealth
	Engines map[string]EngineHealth `json:"engines,omitempty"`
}

// EngineHealth is one engine of a chain.
type EngineHealth struct {
	Status  string `json:"status"` // healthy or unavailable
	Breaker string `json:"breaker"`
	Reason  string `json:"reason,omitempty"`
}

// probeTime is the longest a probe may take.
const probeTime = 5 * time.Second

func (g *Gateway) health(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), probeTime)
	defer cancel()
	h := g.Health(ctx)
	h.Version = g.Version
	code := http.StatusOK
	if h.Status == "unhealthy" {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, code, h)
}

func (g *Gateway) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), probeTime)
	defer cancel()
	if err := g.Ready(ctx); err != nil {
		return newProblem(codeUnavailable, "").because(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
