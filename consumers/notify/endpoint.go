package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// ErrNotFound says that there is no such endpoint or delivery, or that it
// belongs to somebody else.
var ErrNotFound = errors.New("webhook not found")

// An Endpoint is an address that is told when tasks of its owner end.
type Endpoint struct {
	ID       string     `json:"id"`
	Owner    string     `json:"owner"`
	URL      string     `json:"url"`
	Events   []string   `json:"events"` // completed, failed, canceled
	Secret   string     `json:"secret"` // whsec_…
	Old      string     `json:"old,omitempty"`
	OldUntil time.Time  `json:"old_until,omitzero"` // until then Old signs as well
	Created  time.Time  `json:"created"`
	Disabled *time.Time `json:"disabled,omitempty"`
	Reason   string     `json:"reason,omitempty"`
}

// Overlap is how long an old secret signs beside the new one.
const Overlap = 24 * time.Hour

func (e Endpoint) wants(ev events.Event) bool {
	return e.Disabled == nil && !ev.Time.Before(e.Created) && slices.Contains(e.Events, string(ev.Verb))
}

func (e Endpoint) secrets(now time.Time) []string {
	s := []string{e.Secret}
	if e.Old != "" && now.Before(e.OldUntil) {
		s = append(s, e.Old)
	}
	return s
}

// Endpoints keeps them in a KV bucket, all of one owner under one key, so that
// an ended task costs one look. It may be used by any number of processes.
type Endpoints struct{ KV jetstream.KeyValue }

// List returns the endpoints of owner, oldest first.
func (s Endpoints) List(ctx context.Context, owner string) ([]Endpoint, error) {
	list, _, err := s.read(ctx, owner)
	return list, err
}

// Get returns one endpoint of owner, or ErrNotFound.
func (s Endpoints) Get(ctx context.Context, owner, id string) (Endpoint, error) {
	list, _, err := s.read(ctx, owner)
	if err != nil {
		return Endpoint{}, err
	}
	if i := index(list, id); i >= 0 {
		return list[i], nil
	}
	return Endpoint{}, ErrNotFound
}

// Add keeps an endpoint with a new secret, which is in the result.
func (s Endpoints) Add(ctx context.Context, e Endpoint) (Endpoint, error) {
	e.Secret, e.Created = newSecret(), time.Now().UTC()
	return e, s.edit(ctx, e.Owner, func(list []Endpoint) ([]Endpoint, error) { return append(list, e), nil })
}

// Delete removes an endpoint; what is on its way to it is dropped.
func (s Endpoints) Delete(ctx context.Context, owner, id string) error {
	return s.edit(ctx, owner, func(list []Endpoint) ([]Endpoint, error) {
		i := index(list, id)
		if i < 0 {
			return nil, ErrNotFound
		}
		return slices.Delete(list, i, i+1), nil
	})
}

// Rotate gives an endpoint a new secret and enables it; the old secret signs as
// well for Overlap.
func (s Endpoints) Rotate(ctx context.Context, owner, id string) (out Endpoint, err error) {
	err = s.change(ctx, owner, id, func(e *Endpoint) {
		e.Old, e.OldUntil, e.Secret = e.Secret, time.Now().UTC().Add(Overlap), newSecret()
		e.Disabled, e.Reason = nil, ""
		out = *e
	})
	return out, err
}

// Disable stops deliveries to an endpoint.
func (s Endpoints) Disable(ctx context.Context, owner, id, reason string) error {
	now := time.Now().UTC()
	err := s.change(ctx, owner, id, func(e *Endpoint) { e.Disabled, e.Reason = &now, reason })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (s Endpoints) change(ctx context.Context, owner, id string, f func(*Endpoint)) error {
	return s.edit(ctx, owner, func(list []Endpoint) ([]Endpoint, error) {
		i := index(list, id)
		if i < 0 {
			return nil, ErrNotFound
		}
		f(&list[i])
		return list, nil
	})
}

func index(list []Endpoint, id string) int {
	return slices.IndexFunc(list, func(e Endpoint) bool { return e.ID == id })
}

func (s Endpoints) read(ctx context.Context, owner string) ([]Endpoint, uint64, error) {
	if events.CheckToken(owner) != nil {
		return nil, 0, nil
	}
	e, err := s.KV.Get(ctx, owner)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("webhooks of %s: %w", owner, err)
	}
	var list []Endpoint
	if err := json.Unmarshal(e.Value(), &list); err != nil {
		return nil, 0, fmt.Errorf("webhooks of %s: %w", owner, err)
	}
	return list, e.Revision(), nil
}

// edit changes the endpoints of owner by compare-and-swap.
func (s Endpoints) edit(ctx context.Context, owner string, f func([]Endpoint) ([]Endpoint, error)) error {
	for {
		list, rev, err := s.read(ctx, owner)
		if err != nil {
			return err
		}
		if list, err = f(list); err != nil {
			return err
		}
		b, err := json.Marshal(list)
		if err != nil {
			return err
		}
		if rev == 0 {
			_, err = s.KV.Create(ctx, owner, b)
		} else {
			_, err = s.KV.Update(ctx, owner, b, rev)
		}
		if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue
		}
		if err != nil {
			return fmt.Errorf("webhooks of %s: %w", owner, err)
		}
		return nil
	}
}
