package gateway

import (
	"context"
	"net/http"
	"sync"
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
	Status       string  `json:"status"`        // healthy or unhealthy
	ResponseTime float64 `json:"response_time"` // seconds
}

// ServiceHealth is one stage and its engines.
type ServiceHealth struct {
	PartHealth
	Engines map[string]EngineHealth `json:"engines,omitempty"`
}

// EngineHealth is one engine of a chain.
type EngineHealth struct {
	Status  string `json:"status"` // healthy, unavailable or off
	Breaker string `json:"breaker"`
	Reason  string `json:"reason,omitempty"`
}

const (
	probeTime = 5 * time.Second // the longest a probe may take
	probeLife = 3 * time.Second // how long its answer counts
)

// probes keeps the last look at the parts, so that many questions cost one look.
type probes struct {
	look func(context.Context) Health
	mu   sync.Mutex
	last Health
	at   time.Time
	busy chan struct{} // not nil while somebody looks; closed when done
}

func newProbes(look func(context.Context) Health) *probes { return &probes{look: look} }

// get returns a look that is at most probeLife old. Whoever comes while another
// looks waits for that one; it does not end with its client.
func (p *probes) get(ctx context.Context) (Health, error) {
	p.mu.Lock()
	if time.Since(p.at) < probeLife {
		defer p.mu.Unlock()
		return p.last, nil
	}
	busy := p.busy
	if busy == nil {
		busy = make(chan struct{})
		p.busy = busy
		go func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
			defer cancel()
			h := p.look(ctx)
			p.mu.Lock()
			p.last, p.at, p.busy = h, time.Now(), nil
			p.mu.Unlock()
			close(busy)
		}()
	}
	p.mu.Unlock()
	select {
	case <-busy:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.last, nil
	case <-ctx.Done():
		return Health{}, ctx.Err()
	}
}

func (g *Gateway) health(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), probeTime)
	defer cancel()
	h, err := g.probes.get(ctx)
	if err != nil {
		h = Health{Status: "unhealthy", Services: map[string]ServiceHealth{}, Broker: PartHealth{Status: "unhealthy"}, Store: PartHealth{Status: "unhealthy"}}
	}
	h.Version = g.Version
	code := http.StatusOK
	if h.Status == "unhealthy" {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, code, h)
}

func (g *Gateway) live(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
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
