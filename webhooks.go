package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/videomsg/videomsg/consumers/notify"
	"github.com/videomsg/videomsg/gateway"
)

// notifier tells webhooks about ended tasks.
func (a *app) notifier() *notify.Notifier {
	return &notify.Notifier{
		Log: a.log, JS: a.broker.JS, Events: a.broker.Events, Stream: a.broker.Deliveries,
		Endpoints: notify.Endpoints{KV: a.broker.Webhooks},
		Client:    notify.NewClient(nil, a.conf.WebhookPrivate),
		Jitter:    0.1,
	}
}

// webhooks shows the notifier to the gateway, which knows no consumers.
type webhooks struct {
	n            *notify.Notifier
	allowPrivate bool
}

func shownEndpoint(e notify.Endpoint, secret string) gateway.Webhook {
	return gateway.Webhook{ID: e.ID, Owner: e.Owner, URL: e.URL, Events: e.Events, Secret: secret, CreatedAt: e.Created, DisabledAt: e.Disabled, Reason: e.Reason}
}

func unknown(err error) error {
	if errors.Is(err, notify.ErrNotFound) {
		return fmt.Errorf("%w: %w", gateway.ErrUnknown, err)
	}
	return err
}

// Create implements gateway.Webhooks.
func (w webhooks) Create(ctx context.Context, h gateway.Webhook) (gateway.Webhook, error) {
	if err := notify.CheckURL(h.URL, w.allowPrivate); err != nil {
		return h, &gateway.Refusal{Code: "PARAMETER_OUT_OF_RANGE", Field: "url", Detail: err.Error(), Err: err}
	}
	e, err := w.n.Endpoints.Add(ctx, notify.Endpoint{ID: h.ID, Owner: h.Owner, URL: h.URL, Events: h.Events})
	return shownEndpoint(e, e.Secret), err
}

// Get implements gateway.Webhooks.
func (w webhooks) Get(ctx context.Context, owner, id string) (gateway.Webhook, error) {
	e, err := w.n.Endpoints.Get(ctx, owner, id)
	return shownEndpoint(e, ""), unknown(err)
}

// List implements gateway.Webhooks.
func (w webhooks) List(ctx context.Context, owner string) ([]gateway.Webhook, error) {
	all, err := w.n.Endpoints.List(ctx, owner)
	out := make([]gateway.Webhook, len(all))
	for i, e := range all {
		out[i] = shownEndpoint(e, "")
	}
	return out, err
}

// Delete implements gateway.Webhooks.
func (w webhooks) Delete(ctx context.Context, owner, id string) error {
	return unknown(w.n.Endpoints.Delete(ctx, owner, id))
}

// Rotate implements gateway.Webhooks.
func (w webhooks) Rotate(ctx context.Context, owner, id string) (gateway.Webhook, error) {
	e, err := w.n.Endpoints.Rotate(ctx, owner, id)
	return shownEndpoint(e, e.Secret), unknown(err)
}

// Deliveries implements gateway.Webhooks.
func (w webhooks) Deliveries(ctx context.Context, _, id string) ([]gateway.Delivery, error) {
	all, err := w.n.Deliveries(ctx, id)
	out := make([]gateway.Delivery, len(all))
	for i, d := range all {
		out[i] = gateway.Delivery{N: d.N, EventID: d.EventID, TaskID: d.Task, Type: d.Type, State: d.State(), Attempts: []gateway.DeliveryAttempt{}}
		if next := d.Next(); !next.IsZero() {
			out[i].NextAt = &next
		}
		for _, r := range d.Records {
			out[i].Attempts = append(out[i].Attempts, gateway.DeliveryAttempt{At: r.At, Status: r.Status, Reason: r.Reason, Seconds: r.Took.Seconds()})
		}
	}
	return out, err
}

// Redeliver implements gateway.Webhooks.
func (w webhooks) Redeliver(ctx context.Context, owner, id string, n uint64) error {
	return unknown(w.n.Redeliver(ctx, owner, id, n))
}
