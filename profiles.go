package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/consumers/voice"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/engines/speech/profile"
	"github.com/videomsg/videomsg/gateway"
	"github.com/videomsg/videomsg/objectstore"
)

// profileStore keeps cloned voices in a KV bucket, by id.
type profileStore struct{ kv jetstream.KeyValue }

// Get implements profile.Store.
func (s profileStore) Get(ctx context.Context, id string) (p profile.Profile, err error) {
	e, err := s.kv.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return p, profile.ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("get voice profile: %w", err)
	}
	if err := json.Unmarshal(e.Value(), &p); err != nil {
		return p, fmt.Errorf("get voice profile: %w", err)
	}
	p.Revision = e.Revision()
	return p, nil
}

// Put implements profile.Store.
func (s profileStore) Put(ctx context.Context, p profile.Profile) (rev uint64, err error) {
	b, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	if p.Revision == 0 {
		rev, err = s.kv.Create(ctx, p.ID, b)
	} else {
		rev, err = s.kv.Update(ctx, p.ID, b, p.Revision)
	}
	switch {
	case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return 0, profile.ErrConflict
	case err != nil:
		return 0, fmt.Errorf("put voice profile: %w", err)
	}
	return rev, nil
}

// Delete implements profile.Store.
func (s profileStore) Delete(ctx context.Context, id string) error {
	if err := s.kv.Purge(ctx, id); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return fmt.Errorf("delete voice profile: %w", err)
	}
	return nil
}

// List implements profile.Store.
func (s profileStore) List(ctx context.Context, owner string) (list []profile.Profile, err error) {
	keys, err := s.kv.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("list voice profiles: %w", err)
	}
	for key := range keys.Keys() {
		p, err := s.Get(ctx, key)
		if errors.Is(err, profile.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		if p.Owner == owner {
			list = append(list, p)
		}
	}
	return list, nil
}

// sampleStore keeps recordings in the blob store, in the class that is kept until
// it is deleted.
type sampleStore struct{ objectstore.Store }

// Put implements profile.Blobs.
func (s sampleStore) Put(ctx context.Context, key string, r io.Reader) error {
	_, err := s.Store.Put(ctx, objectstore.Key(objectstore.Library, key), r)
	return err
}

// Delete implements profile.Blobs.
func (s sampleStore) Delete(ctx context.Context, key string) error {
	return objectstore.Erase(ctx, s.Store, objectstore.Key(objectstore.Library, key))
}

// openProfiles is the registry of cloned voices over bucket and store.
func openProfiles(kv jetstream.KeyValue, blobs objectstore.Store, studio *speech.Studio) *profile.Registry {
	var cloner profile.Cloner
	if ov := studio.OpenVoice(); ov != nil {
		cloner = ov
	}
	return profile.NewRegistry(profileStore{kv}, sampleStore{blobs}, cloner, time.Now)
}

// followProfiles forgets what other processes have changed, until ctx is done.
func followProfiles(ctx context.Context, log *slog.Logger, kv jetstream.KeyValue, r *profile.Registry) error {
	for watched := false; ctx.Err() == nil; {
		w, err := kv.WatchAll(ctx, jetstream.UpdatesOnly())
		if err != nil && !watched {
			return fmt.Errorf("follow voice profiles: %w", err)
		}
		r.ForgetAll() // a consent may have been withdrawn while nobody watched
		if err != nil {
			log.WarnContext(ctx, "watch of voice profiles", "err", err)
			t := time.NewTimer(time.Second)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
			continue
		}
		watched = true
		for e := range w.Updates() {
			if e != nil {
				r.Forget(e.Key())
			}
		}
		_ = w.Stop()
		if ctx.Err() == nil {
			log.Warn("watch of voice profiles ended, watching again")
		}
	}
	return nil
}

// mayUse asks whether the owner for whom the voice stage works may have a cloned
// voice speak.
func (a *app) mayUse(ctx context.Context, id string) error {
	return a.profiles.MayUse(ctx, voice.Owner(ctx), id, profile.UseMessages)
}

// clones is the registry as the gateway sees it.
type clones struct{ *app }

func (c clones) show(p profile.Profile) gateway.Profile {
	out := gateway.Profile{
		ProfileID: p.ID, Name: p.Name, Language: p.Language, Status: string(p.Status), Reason: p.Reason,
		Samples: len(p.Samples), CreatedAt: p.Created, UpdatedAt: p.Updated,
		Consent: gateway.Consent{
			Speaker: p.Consent.Speaker, Basis: string(p.Consent.Basis), Statement: p.Consent.Statement,
			Expires: p.Consent.Expires, GivenAt: &p.Consent.GivenAt, Withdrawn: p.Consent.Withdrawn,
		},
	}
	if p.EngineID != "" {
		out.Engine = "openvoice"
	}
	for _, u := range p.Consent.Scope {
		out.Consent.Scope = append(out.Consent.Scope, string(u))
	}
	if p.Consent.Withdrawn != nil {
		out.Status = "revoked"
	}
	return out
}

// refusal puts an error of the registry in words for the client.
func refusal(err error) error {
	var field *profile.FieldError
	var sample *speech.SampleError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, profile.ErrNotFound):
		return fmt.Errorf("%w: %w", gateway.ErrUnknown, err)
	case errors.As(err, &field):
		return &gateway.Refusal{Code: "PARAMETER_OUT_OF_RANGE", Field: field.Field, Detail: field.Detail, Err: err}
	case errors.As(err, &sample):
		return &gateway.Refusal{Code: "AUDIO_UNREADABLE", Field: "audio_samples", Detail: sample.Detail, Err: err}
	case errors.Is(err, speech.ErrSamples):
		return &gateway.Refusal{Code: "AUDIO_UNREADABLE", Field: "audio_samples", Detail: "the voice service needs more recordings", Err: err}
	case errors.Is(err, speech.ErrConsent):
		return &gateway.Refusal{Code: "CONSENT_REQUIRED", Field: "consent", Detail: "there is no valid consent for this voice", Err: err}
	case errors.Is(err, profile.ErrConflict):
		return &gateway.Refusal{Code: "CONFLICT", Detail: "The voice was changed by somebody else.", Err: err}
	default:
		return err
	}
}

// Create implements gateway.Profiles.
func (c clones) Create(ctx context.Context, n gateway.NewProfile) (gateway.Profile, error) {
	var samples []speech.Sample
	for _, b := range n.Samples {
		s, err := c.sample(ctx, b.Key)
		if err != nil {
			return gateway.Profile{}, refusal(err)
		}
		samples = append(samples, s)
	}
	if err := speech.CheckCount(len(samples)); err != nil {
		return gateway.Profile{}, refusal(err)
	}
	p := profile.Profile{
		Owner: n.Owner, Name: n.Name, Language: n.Language,
		Consent: profile.Consent{
			Speaker: n.Consent.Speaker, Basis: profile.Basis(n.Consent.Basis), Statement: n.Consent.Statement, Expires: n.Consent.Expires,
		},
	}
	if n.Consent.GivenAt != nil {
		p.Consent.GivenAt = *n.Consent.GivenAt
	}
	if p.Consent.Speaker == "" {
		p.Consent.Speaker = n.Name
	}
	if p.Consent.Statement == "" && p.Consent.Basis == profile.Self {
		p.Consent.Statement = ownVoiceStatement
	}
	for _, u := range n.Consent.Scope {
		p.Consent.Scope = append(p.Consent.Scope, profile.Use(u))
	}
	if len(p.Consent.Scope) == 0 {
		p.Consent.Scope = []profile.Use{profile.UseMessages}
	}
	made, err := c.profiles.Create(ctx, n.ID, p, samples)
	if made.ID == "" {
		return gateway.Profile{}, refusal(err)
	}
	if err != nil {
		c.log.WarnContext(ctx, "clone voice", "profile", made.ID, "err", err)
	}
	// The registry has normalised copies now.
	for _, b := range n.Samples {
		if err := objectstore.Erase(ctx, c.blobs, b.Key); err != nil {
			return gateway.Profile{}, err
		}
	}
	return c.show(made), nil
}

// ownVoiceStatement is what somebody agrees to who says no more than that the
// voice is their own.
const ownVoiceStatement = "This is my own voice. It may be cloned and speak the messages that I write."

func (c clones) sample(ctx context.Context, key string) (speech.Sample, error) {
	rc, err := c.blobs.Get(ctx, key)
	if err != nil {
		return speech.Sample{}, err
	}
	b, err := io.ReadAll(io.LimitReader(rc, 11<<20))
	if err := errors.Join(err, rc.Close()); err != nil {
		return speech.Sample{}, err
	}
	return speech.PrepareSample(ctx, b)
}

// Get implements gateway.Profiles.
func (c clones) Get(ctx context.Context, owner, id string) (gateway.Profile, error) {
	p, err := c.profiles.Get(ctx, owner, id)
	return c.show(p), refusal(err)
}

// List implements gateway.Profiles.
func (c clones) List(ctx context.Context, owner string) ([]gateway.Profile, error) {
	list, err := c.profiles.List(ctx, owner)
	out := make([]gateway.Profile, len(list))
	for i, p := range list {
		out[i] = c.show(p)
	}
	return out, refusal(err)
}

// Change implements gateway.Profiles.
func (c clones) Change(ctx context.Context, owner, id string, ch gateway.ProfileChange) (gateway.Profile, error) {
	var p profile.Profile
	var err error
	if ch.Revoke {
		p, err = c.profiles.Withdraw(ctx, owner, id, owner)
	}
	if err == nil && ch.Name != nil {
		p, err = c.profiles.Edit(ctx, owner, id, ch.Name, nil, nil)
	}
	if err == nil && !ch.Revoke && ch.Name == nil {
		p, err = c.profiles.Get(ctx, owner, id)
	}
	return c.show(p), refusal(err)
}

// Delete implements gateway.Profiles.
func (c clones) Delete(ctx context.Context, owner, id string) error {
	return refusal(c.profiles.Delete(ctx, owner, id))
}

// previewText is what a cloned voice says when nothing else is asked for.
var previewText = map[string]string{"ja": "こんにちは。この声でメッセージをお届けします。"}

// Preview implements gateway.Profiles.
func (c clones) Preview(ctx context.Context, owner, id, text string, words []gateway.Word) ([]byte, error) {
	p, err := c.profiles.Get(ctx, owner, id)
	if err != nil {
		return nil, refusal(err)
	}
	if text == "" {
		lang, _, _ := strings.Cut(p.Language, "-")
		if text = previewText[lang]; text == "" {
			text = "Hello. This voice will speak your message."
		}
	}
	served, err := c.studio.Speak(voice.WithOwner(ctx, owner), speech.Request{
		Text: text, Language: p.Language, Profile: id, Words: entries(words, p.Language),
	}, "openvoice")
	if err != nil {
		return nil, refusal(err)
	}
	var buf bytes.Buffer
	err = wav.Encode(&buf, served.Out.Audio, wav.PCM16)
	return buf.Bytes(), err
}
