package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/videomsg/videomsg/events"
)

// Webhooks keeps endpoints and their deliveries. What belongs to somebody else
// is ErrUnknown; refusals are a *Refusal.
type Webhooks interface {
	Create(ctx context.Context, h Webhook) (Webhook, error) // with a new secret
	Get(ctx context.Context, owner, id string) (Webhook, error)
	List(ctx context.Context, owner string) ([]Webhook, error)
	Delete(ctx context.Context, owner, id string) error
	// Rotate gives an endpoint another secret; the old one signs as well for a day.
	Rotate(ctx context.Context, owner, id string) (Webhook, error)
	Deliveries(ctx context.Context, owner, id string) ([]Delivery, error)
	Redeliver(ctx context.Context, owner, id string, n uint64) error
}

// A Webhook is an address that is told when tasks end.
type Webhook struct {
	ID         string     `json:"id"`
	Owner      string     `json:"-"`
	URL        string     `json:"url"`
	Events     []string   `json:"events"`           // completed, failed, canceled
	Secret     string     `json:"secret,omitempty"` // when it is made and when it changes, never again
	CreatedAt  time.Time  `json:"created_at"`
	DisabledAt *time.Time `json:"disabled_at,omitempty"`
	Reason     string     `json:"reason,omitempty"` // why it is disabled
}

// A Delivery is one event on its way to one webhook.
type Delivery struct {
	N        uint64            `json:"n"`
	EventID  string            `json:"event_id"`
	TaskID   string            `json:"task_id"`
	Type     string            `json:"type"`
	State    string            `json:"state"` // pending, delivered, failed
	Attempts []DeliveryAttempt `json:"attempts"`
	NextAt   *time.Time        `json:"next_at,omitempty"`
}

// A DeliveryAttempt is one try.
type DeliveryAttempt struct {
	At      time.Time `json:"at"`
	Status  int       `json:"status,omitempty"` // 0: there was no answer
	Reason  string    `json:"reason,omitempty"`
	Seconds float64   `json:"seconds"`
}

type webhookRequest struct {
	URL    string   `json:"url"`
	Events []string `json:"events,omitempty"` // default: all
}

var webhookEvents = []string{"completed", "failed", "canceled"}

// maxWebhooks is how many one user may have.
const maxWebhooks = 20

func webhookProblem(err error) error {
	var refused *Refusal
	switch {
	case errors.As(err, &refused):
		return profileProblem(err)
	case errors.Is(err, ErrUnknown):
		return newProblem(codeNotFound, "There is no such webhook.").because(err)
	}
	return err
}

// createWebhook is POST /api/webhooks.
func (g *Gateway) createWebhook(w http.ResponseWriter, r *http.Request) error {
	var in webhookRequest
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if len(in.Events) == 0 {
		in.Events = webhookEvents
	}
	for _, e := range in.Events {
		if !slices.Contains(webhookEvents, e) {
			return badField(codeRange, "events", "must be among completed, failed, canceled")
		}
	}
	slices.Sort(in.Events)
	have, err := g.Webhooks.List(r.Context(), owner(r))
	if err != nil {
		return webhookProblem(err)
	}
	if len(have) >= maxWebhooks {
		return newProblem(codeQuota, "You have 20 webhooks; delete one first.")
	}
	h, err := g.Webhooks.Create(r.Context(), Webhook{ID: g.newTask(r), Owner: owner(r), URL: in.URL, Events: slices.Compact(in.Events)})
	if err != nil {
		return webhookProblem(err)
	}
	w.Header().Set("Location", "/api/webhooks/"+h.ID)
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusCreated, h)
}

func (g *Gateway) webhook(r *http.Request) (Webhook, error) {
	id := chi.URLParam(r, "id")
	if events.CheckToken(id) != nil {
		return Webhook{}, newProblem(codeNotFound, "There is no such webhook.")
	}
	h, err := g.Webhooks.Get(r.Context(), owner(r), id)
	return h, webhookProblem(err)
}

// listWebhooks is GET /api/webhooks.
func (g *Gateway) listWebhooks(w http.ResponseWriter, r *http.Request) error {
	all, err := g.Webhooks.List(r.Context(), owner(r))
	if err != nil {
		return webhookProblem(err)
	}
	out := list[Webhook]{Items: []Webhook{}}
	out.Items = append(out.Items, all...)
	return g.writeCatalogue(w, r, out)
}

// getWebhook is GET /api/webhooks/{id}.
func (g *Gateway) getWebhook(w http.ResponseWriter, r *http.Request) error {
	h, err := g.webhook(r)
	if err != nil {
		return err
	}
	return g.writeCatalogue(w, r, h)
}

// deleteWebhook is DELETE /api/webhooks/{id}.
func (g *Gateway) deleteWebhook(w http.ResponseWriter, r *http.Request) error {
	h, err := g.webhook(r)
	if err != nil {
		return err
	}
	if err := g.Webhooks.Delete(r.Context(), owner(r), h.ID); err != nil {
		return webhookProblem(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// rotateWebhook is POST /api/webhooks/{id}/rotate.
func (g *Gateway) rotateWebhook(w http.ResponseWriter, r *http.Request) error {
	h, err := g.webhook(r)
	if err != nil {
		return err
	}
	if h, err = g.Webhooks.Rotate(r.Context(), owner(r), h.ID); err != nil {
		return webhookProblem(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, h)
}

// listDeliveries is GET /api/webhooks/{id}/deliveries.
func (g *Gateway) listDeliveries(w http.ResponseWriter, r *http.Request) error {
	h, err := g.webhook(r)
	if err != nil {
		return err
	}
	all, err := g.Webhooks.Deliveries(r.Context(), owner(r), h.ID)
	if err != nil {
		return webhookProblem(err)
	}
	out := list[Delivery]{Items: []Delivery{}}
	out.Items = append(out.Items, all...)
	return g.writeCatalogue(w, r, out)
}

// redeliver is POST /api/webhooks/{id}/deliveries/{n}/redeliver.
func (g *Gateway) redeliver(w http.ResponseWriter, r *http.Request) error {
	h, err := g.webhook(r)
	if err != nil {
		return err
	}
	n, err := seqParam(r, "n")
	if err != nil {
		return err
	}
	err = g.Webhooks.Redeliver(r.Context(), owner(r), h.ID, n)
	if errors.Is(err, ErrUnknown) {
		return newProblem(codeNotFound, "There is no such delivery.").because(err)
	}
	if err != nil {
		return webhookProblem(err)
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
