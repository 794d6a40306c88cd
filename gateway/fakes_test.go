package gateway

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/objectstore"
)

// memoryHooks keeps webhooks without sending anything.
type memoryHooks struct {
	mu   sync.Mutex
	list []Webhook
}

func (m *memoryHooks) find(owner, id string) int {
	return slices.IndexFunc(m.list, func(h Webhook) bool { return h.Owner == owner && h.ID == id })
}

func (m *memoryHooks) Create(_ context.Context, h Webhook) (Webhook, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.URL != "https://example.com/hook" {
		return h, &Refusal{Code: codeRange, Field: "url", Detail: "is not a public address"}
	}
	h.CreatedAt = time.Now()
	m.list = append(m.list, h)
	h.Secret = "whsec_c2VjcmV0"
	return h, nil
}

func (m *memoryHooks) Get(_ context.Context, owner, id string) (Webhook, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(owner, id); i >= 0 {
		return m.list[i], nil
	}
	return Webhook{}, ErrUnknown
}

func (m *memoryHooks) List(_ context.Context, owner string) ([]Webhook, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Webhook
	for _, h := range m.list {
		if h.Owner == owner {
			out = append(out, h)
		}
	}
	return out, nil
}

func (m *memoryHooks) Delete(_ context.Context, owner, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(owner, id)
	if i < 0 {
		return ErrUnknown
	}
	m.list = slices.Delete(m.list, i, i+1)
	return nil
}

func (m *memoryHooks) Rotate(ctx context.Context, owner, id string) (Webhook, error) {
	h, err := m.Get(ctx, owner, id)
	h.Secret = "whsec_bmV3"
	return h, err
}

func (m *memoryHooks) Deliveries(context.Context, string, string) ([]Delivery, error) {
	return []Delivery{{N: 7, EventID: "t-task-ended", TaskID: "t", Type: "videomsg.task.completed", State: "delivered", Attempts: []DeliveryAttempt{{At: time.Now(), Status: 200}}}}, nil
}

func (m *memoryHooks) Redeliver(_ context.Context, _, _ string, n uint64) error {
	if n != 7 {
		return ErrUnknown
	}
	return nil
}

// memoryProfiles keeps cloned voices without making any.
type memoryProfiles struct {
	mu   sync.Mutex
	list map[string]Profile // by owner and id
}

func (m *memoryProfiles) Create(_ context.Context, p NewProfile) (Profile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(p.Samples) > 3 {
		return Profile{}, &Refusal{Code: codeRange, Field: "audio_samples", Detail: "the engine takes three"}
	}
	if m.list == nil {
		m.list = map[string]Profile{}
	}
	made := Profile{ProfileID: p.ID, Name: p.Name, Language: p.Language, Status: "ready", Samples: len(p.Samples), Consent: p.Consent, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	m.list[p.Owner+p.ID] = made
	return made, nil
}

func (m *memoryProfiles) Get(_ context.Context, owner, id string) (Profile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.list[owner+id]
	if !ok {
		return Profile{}, ErrUnknown
	}
	return p, nil
}

func (m *memoryProfiles) List(_ context.Context, owner string) ([]Profile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Profile
	for k, p := range m.list {
		if k == owner+p.ProfileID {
			out = append(out, p)
		}
	}
	return out, nil
}

func (m *memoryProfiles) Change(ctx context.Context, owner, id string, c ProfileChange) (Profile, error) {
	p, err := m.Get(ctx, owner, id)
	if err != nil {
		return p, err
	}
	if c.Name != nil {
		p.Name = *c.Name
	}
	if c.Revoke {
		now := time.Now()
		p.Consent.Withdrawn = &now
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list[owner+id] = p
	return p, nil
}

func (m *memoryProfiles) Delete(_ context.Context, owner, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.list, owner+id)
	return nil
}

func (m *memoryProfiles) Preview(context.Context, string, string, string, []Word) ([]byte, error) {
	return []byte("RIFF"), nil
}

func prometheusRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

func (s *memoryStore) Put(_ context.Context, key string, r io.Reader) (objectstore.Info, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return objectstore.Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[string][]byte{}
	}
	s.m[key] = b
	return objectstore.Info{Key: key, Size: int64(len(b))}, nil
}

func (s *memoryStore) Get(_ context.Context, key string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.m[key]
	if !ok {
		return nil, objectstore.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (s *memoryStore) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, key)
	return nil
}
