package gateway

import (
	"net/http"
	"regexp"

	"github.com/go-chi/chi/v5"

	"github.com/videomsg/videomsg/events"
)

var hintToken = regexp.MustCompile(`^[0-9a-f]{32}$`)

// hint is POST /api/d-id/hints/{token}: a worker that waits for an outside job is
// woken. Whoever calls, nothing is believed: the worker asks the service.
func (g *Gateway) hint(w http.ResponseWriter, r *http.Request) error {
	token := chi.URLParam(r, "token")
	if !hintToken.MatchString(token) {
		return newProblem(codeNotFound, "There is nothing at this address.")
	}
	if err := g.JS.Conn().Publish(events.HintSubject(token), nil); err != nil {
		return newProblem(codeUnavailable, "The broker cannot be reached.").because(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
