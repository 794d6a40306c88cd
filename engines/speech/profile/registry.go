package profile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/videomsg/videomsg/engines/speech"
)

// A Store keeps profiles. It must be safe for concurrent use; every method may
// fail with the store's own errors besides those named.
type Store interface {
	// Get returns the profile with its revision, or ErrNotFound.
	Get(ctx context.Context, id string) (Profile, error)
	// Put writes p when the stored revision is still p.Revision (0: there is none
	// yet) and returns the new one, or ErrConflict. The write is durable when Put
	// returns, and every later Get on any machine sees it.
	Put(ctx context.Context, p Profile) (revision uint64, err error)
	// Delete removes the profile; one that is not there is no error.
	Delete(ctx context.Context, id string) error
	// List returns an owner's profiles in no particular order.
	List(ctx context.Context, owner string) ([]Profile, error)
}

// Blobs keeps the samples; objectstore.Store has these methods' meaning.
type Blobs interface {
	Put(ctx context.Context, key string, r io.Reader) error
	Delete(ctx context.Context, key string) error
}

// A Cloner makes voices; [speech.OpenVoice] does.
type Cloner interface {
	Create(ctx context.Context, n speech.NewProfile) (id string, err error)
	Delete(ctx context.Context, id string) error
}

// lifetime of what Get remembers; writes forget it at once.
const lifetime = 5 * time.Minute

// A Registry is every profile of an installation. Reading for display is cached;
// the question whether a voice may speak never is. It is safe for concurrent use.
type Registry struct {
	store  Store
	blobs  Blobs
	cloner Cloner // nil: profiles are kept but stay in processing
	now    func() time.Time

	mu     sync.Mutex
	cached map[string]entry
	epoch  uint64 // counts what was forgotten, so that a read under way is not kept
}

type entry struct {
	p  Profile
	at time.Time
}

// NewRegistry returns a registry over a store. cloner may be nil.
func NewRegistry(s Store, b Blobs, c Cloner, now func() time.Time) *Registry {
	return &Registry{store: s, blobs: b, cloner: c, now: now, cached: map[string]entry{}}
}

// Forget drops what is remembered of a profile. Call it for every change that
// another process made, as a watch on the store reports it.
func (r *Registry) Forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	delete(r.cached, id)
}

// ForgetAll drops every profile that is remembered: the next use of each reads it.
func (r *Registry) ForgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	clear(r.cached)
}

// Create checks and keeps a new profile with its samples, which must come from
// speech.PrepareSample, and has the voice made when there is a cloner. ID, Status,
// Samples and times of p are set here; id must be new. When the engine fails the
// profile is kept as Failed and returned with the error.
func (r *Registry) Create(ctx context.Context, id string, p Profile, samples []speech.Sample) (Profile, error) {
	now := r.now().UTC()
	p.ID, p.Status, p.Created, p.Updated, p.Revision = id, Processing, now, now, 0
	p.Consent.Withdrawn, p.Consent.WithdrawnBy = nil, ""
	p.Samples = nil
	for i, s := range samples {
		sum := sha256.Sum256(s.WAV)
		p.Samples = append(p.Samples, Sample{
			Key: fmt.Sprintf("voices/%s/sample%d.wav", id, i+1), SHA256: hex.EncodeToString(sum[:]), Seconds: s.Seconds, Size: int64(len(s.WAV)),
		})
	}
	if err := p.Validate(now); err != nil {
		return Profile{}, err
	}
	for i, s := range samples {
		if err := r.blobs.Put(ctx, p.Samples[i].Key, bytes.NewReader(s.WAV)); err != nil {
			return Profile{}, fmt.Errorf("put %s: %w", p.Samples[i].Key, err)
		}
	}
	if err := r.put(ctx, &p); err != nil {
		return Profile{}, err
	}
	if r.cloner == nil {
		return p, nil
	}
	return r.clone(ctx, p, samples)
}

// clone has the voice made and writes down how that ended. A consent withdrawn
// meanwhile stays withdrawn.
func (r *Registry) clone(ctx context.Context, p Profile, samples []speech.Sample) (Profile, error) {
	n := speech.NewProfile{ID: p.ID, Name: p.Name, Language: p.Language, Description: p.Description}
	for _, s := range samples {
		n.Samples = append(n.Samples, s.WAV)
	}
	engineID, made := r.cloner.Create(ctx, n)
	// The outcome is written even when the caller has gone away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	q, err := r.change(ctx, p.ID, func(q *Profile) error {
		q.Status, q.EngineID, q.Reason = Ready, engineID, ""
		if made != nil {
			q.Status, q.Reason = Failed, "The voice could not be made from these recordings."
			if errors.Is(made, speech.ErrSamples) {
				q.Reason = "The voice service needs more recordings."
			}
		}
		return nil
	})
	if err != nil && made == nil { // deleted meanwhile: nothing may stay behind
		return Profile{}, errors.Join(err, r.cloner.Delete(ctx, engineID))
	}
	return q, errors.Join(made, err)
}

// Get returns owner's profile, at most five minutes old; ErrNotFound also for
// somebody else's.
func (r *Registry) Get(ctx context.Context, owner, id string) (Profile, error) {
	now := r.now()
	r.mu.Lock()
	e, ok := r.cached[id]
	epoch := r.epoch
	r.mu.Unlock()
	if !ok || now.Sub(e.at) > lifetime {
		p, err := r.store.Get(ctx, id)
		if err != nil {
			return Profile{}, err
		}
		e = entry{p, now}
		r.mu.Lock()
		if r.epoch == epoch {
			r.cached[id] = e
		}
		r.mu.Unlock()
	}
	if owner == "" || e.p.Owner != owner {
		return Profile{}, ErrNotFound
	}
	return e.p, nil
}

// List returns owner's profiles.
func (r *Registry) List(ctx context.Context, owner string) ([]Profile, error) {
	return r.store.List(ctx, owner)
}

// MayUse reads the profile anew and reports whether it may speak for owner; see
// [Profile.MayUse].
func (r *Registry) MayUse(ctx context.Context, owner, id string, use Use) error {
	p, err := r.store.Get(ctx, id)
	if err != nil {
		return err
	}
	return p.MayUse(owner, use, r.now())
}

// Edit changes name, description and language of owner's profile; nil leaves a
// field as it is.
func (r *Registry) Edit(ctx context.Context, owner, id string, name, description, language *string) (Profile, error) {
	return r.change(ctx, id, func(p *Profile) error {
		if p.Owner != owner {
			return ErrNotFound
		}
		for _, f := range []struct{ to, from *string }{{&p.Name, name}, {&p.Description, description}, {&p.Language, language}} {
			if f.from != nil {
				*f.to = *f.from
			}
		}
		return p.Validate(r.now())
	})
}

// Withdraw ends the consent, from now on and for good. Doing it again changes
// nothing. by says who did it.
func (r *Registry) Withdraw(ctx context.Context, owner, id, by string) (Profile, error) {
	return r.change(ctx, id, func(p *Profile) error {
		if p.Owner != owner {
			return ErrNotFound
		}
		if p.Consent.Withdrawn == nil {
			now := r.now().UTC()
			p.Consent.Withdrawn, p.Consent.WithdrawnBy = &now, by
		}
		return nil
	})
}

// Delete withdraws the consent, then erases the voice at the engine, the samples
// and the profile. When a part fails the rest is still tried, and the profile
// stays, withdrawn, so that Delete can be called again.
func (r *Registry) Delete(ctx context.Context, owner, id string) error {
	p, err := r.Withdraw(ctx, owner, id, owner)
	if err != nil {
		return err
	}
	var errs []error
	if r.cloner != nil && p.EngineID != "" {
		if err := r.cloner.Delete(ctx, p.EngineID); err != nil {
			errs = append(errs, fmt.Errorf("delete voice of %s: %w", id, err))
		}
	}
	for _, s := range p.Samples {
		if err := r.blobs.Delete(ctx, s.Key); err != nil {
			errs = append(errs, fmt.Errorf("delete %s: %w", s.Key, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	defer r.Forget(id)
	if err := r.store.Delete(ctx, id); err != nil {
		return fmt.Errorf("delete profile %s: %w", id, err)
	}
	return nil
}

// changeTries bounds how often a change is repeated against other writers.
const changeTries = 10

// change reads, changes and writes a profile until nobody came in between.
func (r *Registry) change(ctx context.Context, id string, f func(*Profile) error) (Profile, error) {
	for range changeTries {
		p, err := r.store.Get(ctx, id)
		if err != nil {
			return Profile{}, err
		}
		if err := f(&p); err != nil {
			return Profile{}, err
		}
		p.Updated = r.now().UTC()
		err = r.put(ctx, &p)
		if errors.Is(err, ErrConflict) {
			continue
		}
		return p, err
	}
	return Profile{}, fmt.Errorf("change profile %s: %w", id, ErrConflict)
}

func (r *Registry) put(ctx context.Context, p *Profile) error {
	defer r.Forget(p.ID)
	revision, err := r.store.Put(ctx, *p)
	if err != nil {
		return fmt.Errorf("put profile %s: %w", p.ID, err)
	}
	p.Revision = revision
	return nil
}
