package gateway

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// routes is the table of everything the gateway serves.
func (g *Gateway) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(g.observe, g.recover, secureHeaders)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		g.fail(w, r, newProblem(codeNotFound, "There is nothing at this address."))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		g.fail(w, r, newProblem(codeMethod, r.Method+" is not possible here."))
	})

	r.Post("/api/video/generate", g.handle(g.generate))
	r.Get("/api/video/status/{task}", g.handle(g.status))
	r.Get("/api/video/download/{task}", g.handle(g.download))
	r.Head("/api/video/download/{task}", g.handle(g.download))
	r.Post("/api/tasks/{task}/cancel", g.handle(g.cancel))
	r.Get("/api/tasks/{task}/events", g.handle(g.taskEvents))

	r.Get("/health", g.handle(g.health))
	r.Get("/livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	r.Get("/readyz", g.handle(g.ready))
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(g.Gather, promhttp.HandlerOpts{}))
	r.Method(http.MethodGet, "/*", g.Web)
	return r
}

// handle turns a handler that returns an error into one that answers it.
func (g *Gateway) handle(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			g.fail(w, r, err)
		}
	}
}
