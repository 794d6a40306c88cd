package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// Profiles keeps cloned voices. Every method takes the owner; what belongs to
// somebody else is ErrUnknown. Errors that are a *Refusal are told to the client.
type Profiles interface {
	Create(ctx context.Context, p NewProfile) (Profile, error)
	Get(ctx context.Context, owner, id string) (Profile, error)
	List(ctx context.Context, owner string) ([]Profile, error)
	// Change renames a profile or withdraws its consent.
	Change(ctx context.Context, owner, id string, c ProfileChange) (Profile, error)
	// Delete removes the profile, its samples and the copy at the cloning service.
	Delete(ctx context.Context, owner, id string) error
	// Preview speaks text, or a sentence of its own when it is empty, as WAV.
	Preview(ctx context.Context, owner, id, text string, words []Word) ([]byte, error)
}

// NewProfile is what a cloned voice is made of. The samples are already in the
// blob store; Create takes them over, or leaves them to the caller on an error.
type NewProfile struct {
	ID       string
	Owner    string
	Name     string
	Language string
	Subject  string // digest of whom the voice belongs to; may be empty
	Samples  []events.Blob
	Consent  Consent
}

// Consent is the permission of the person whose voice it is.
type Consent struct {
	Speaker   string     `json:"speaker,omitempty"`   // whose voice it is
	Basis     string     `json:"basis,omitempty"`     // self, permission, guardian or licence
	Statement string     `json:"statement,omitempty"` // the words that were agreed to
	Scope     []string   `json:"scope,omitempty"`     // what the voice may be used for; empty: messages
	Expires   *time.Time `json:"expires,omitempty"`
	GivenAt   *time.Time `json:"given_at,omitempty"`
	Withdrawn *time.Time `json:"withdrawn,omitempty"`
}

// A Profile is a cloned voice as its owner sees it.
type Profile struct {
	ProfileID  string    `json:"profile_id"`
	Name       string    `json:"name"`
	Language   string    `json:"language"`
	Status     string    `json:"status"` // processing, ready, failed, revoked
	Reason     string    `json:"reason,omitempty"`
	Engine     string    `json:"engine,omitempty"`
	Samples    int       `json:"samples"`
	Consent    Consent   `json:"consent"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	PreviewURL string    `json:"preview_url"`
	Subject    string    `json:"-"` // digest
}

// ProfileChange is the body of PATCH /api/voice-clone/profiles/{id}.
type ProfileChange struct {
	Name   *string `json:"name,omitempty"`
	Revoke bool    `json:"revoke,omitempty"` // withdraws the consent, at once and for good
}

// A Refusal is an error in words for the client.
type Refusal struct {
	Code, Field, Detail string
	Err                 error
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s: %v", r.Code, r.Detail, r.Err) }

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

func (g *Gateway) profiles() (Profiles, error) {
	if g.Profiles == nil {
		return nil, newProblem(codeUnavailable, "Voice cloning is not set up on this service.")
	}
	return g.Profiles, nil
}

func profileProblem(err error) error {
	var refused *Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		if _, ok := kinds[refused.Code]; !ok {
			return err
		}
		if refused.Field == "" {
			return newProblem(refused.Code, refused.Detail).because(refused.Err)
		}
		return badField(refused.Code, refused.Field, refused.Detail).because(refused.Err)
	case errors.Is(err, ErrUnknown):
		return newProblem(codeNotFound, "There is no such cloned voice.").because(err)
	}
	return err
}

const (
	maxSamples    = 5
	maxSampleFile = 10_000_000
	maxRecording  = 60 // seconds
)

// checkSample is checkAudio for recordings of a voice.
func checkSample(r io.ReaderAt, size int64) (string, error) { return checkSound(r, size, maxRecording) }

// createProfile is POST /api/voice-clone/create.
func (g *Gateway) createProfile(w http.ResponseWriter, r *http.Request) (err error) {
	store, err := g.profiles()
	if err != nil {
		return err
	}
	id := g.newTask(r)
	form, err := g.readForm(w, r, id, map[string]fileField{"audio_samples": {
		blob: "sample", limit: maxSampleFile, many: maxSamples, check: checkSample, class: objectstore.Library, folder: "voices",
	}})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			g.discard(r.Context(), form.blobs)
		}
	}()
	f := &fields{values: form.values}
	p := NewProfile{ID: id, Owner: owner(r), Name: f.must("name", 100), Language: f.language()}
	f.short("description", 500) // taken from older clients, not kept
	if s := f.short("subject", 200); s != "" {
		p.Subject = digest(p.Owner, s)
	}
	p.Consent = f.consent()
	if err := f.done(); err != nil {
		return err
	}
	if len(form.blobs) == 0 {
		return badField(codeMissing, "audio_samples", "is missing; give 1 to 5 recordings")
	}
	if p.Consent.GivenAt == nil {
		return badField(codeConsent, "consent", "the person whose voice it is must have agreed")
	}
	for i := range len(form.blobs) {
		p.Samples = append(p.Samples, form.blobs[fmt.Sprintf("sample-%d", i+1)])
	}
	made, err := store.Create(r.Context(), p)
	if err != nil {
		return profileProblem(err)
	}
	if p.Subject != "" {
		if _, err := g.Library.Put(r.Context(), voiceKey(p.Owner, p.Subject, made.ProfileID), nil); err != nil {
			form.blobs = nil // the profile has them now
			return newProblem(codeUnavailable, "").because(err)
		}
	}
	w.Header().Set("Location", "/api/voice-clone/profiles/"+made.ProfileID)
	return writeJSON(w, http.StatusCreated, shown(made))
}

func shown(p Profile) Profile {
	p.PreviewURL = "/api/voice-clone/profiles/" + p.ProfileID + "/preview"
	return p
}

// consent reads the consent field: true, for one's own voice, or a JSON object.
func (f *fields) consent() (c Consent) {
	v, _ := f.text("consent")
	switch v = strings.TrimSpace(v); v {
	case "", "false":
		return c
	case "true":
		c.Basis = "self"
	default:
		if decodeJSON([]byte(v), &c) != nil || c.GivenAt != nil || c.Withdrawn != nil {
			f.fail(badField(codeRange, "consent", "must be true or a JSON object with speaker, basis, statement, scope, expires"))
			return Consent{}
		}
	}
	for _, s := range append([]string{c.Speaker, c.Basis, c.Statement}, c.Scope...) {
		if len([]rune(s)) > 1000 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' }) {
			f.fail(badField(codeRange, "consent", "has a member that is too long or has control characters"))
			return Consent{}
		}
	}
	if c.Expires != nil && time.Now().After(*c.Expires) {
		f.fail(badField(codeRange, "consent.expires", "is in the past"))
		return Consent{}
	}
	now := time.Now().UTC()
	c.GivenAt = &now
	return c
}

// listProfiles is GET /api/voice-clone/profiles.
func (g *Gateway) listProfiles(w http.ResponseWriter, r *http.Request) error {
	out := list[Profile]{Items: []Profile{}}
	if g.Profiles != nil {
		all, err := g.Profiles.List(r.Context(), owner(r))
		if err != nil {
			return profileProblem(err)
		}
		slices.SortFunc(all, func(a, b Profile) int { return b.CreatedAt.Compare(a.CreatedAt) })
		for _, p := range all {
			out.Items = append(out.Items, shown(p))
		}
	}
	return g.writeCatalogue(w, r, out)
}

func (g *Gateway) profile(r *http.Request) (Profiles, Profile, error) {
	id := chi.URLParam(r, "id")
	if events.CheckToken(id) != nil || g.Profiles == nil {
		return nil, Profile{}, newProblem(codeNotFound, "There is no such cloned voice.")
	}
	p, err := g.Profiles.Get(r.Context(), owner(r), id)
	return g.Profiles, p, profileProblem(err)
}

// getProfile is GET /api/voice-clone/profiles/{id}.
func (g *Gateway) getProfile(w http.ResponseWriter, r *http.Request) error {
	_, p, err := g.profile(r)
	if err != nil {
		return err
	}
	return g.writeCatalogue(w, r, shown(p))
}

// changeProfile is PATCH /api/voice-clone/profiles/{id}.
func (g *Gateway) changeProfile(w http.ResponseWriter, r *http.Request) error {
	store, p, err := g.profile(r)
	if err != nil {
		return err
	}
	var c ProfileChange
	if err := readJSON(w, r, &c); err != nil {
		return err
	}
	if c.Name != nil {
		f := &fields{values: map[string]string{"name": *c.Name}}
		name := f.short("name", 100)
		if f.err != nil {
			return f.err
		}
		if name == "" {
			return badField(codeMissing, "name", "is empty")
		}
		c.Name = &name
	}
	p, err = store.Change(r.Context(), owner(r), p.ProfileID, c)
	if err != nil {
		return profileProblem(err)
	}
	return writeJSON(w, http.StatusOK, shown(p))
}

// deleteProfile is DELETE /api/voice-clone/profiles/{id}.
func (g *Gateway) deleteProfile(w http.ResponseWriter, r *http.Request) error {
	store, p, err := g.profile(r)
	if err != nil {
		return err
	}
	if err := store.Delete(r.Context(), owner(r), p.ProfileID); err != nil {
		return profileProblem(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// previewProfile is GET /api/voice-clone/profiles/{id}/preview?text=.
func (g *Gateway) previewProfile(w http.ResponseWriter, r *http.Request) error {
	text := r.URL.Query().Get("text")
	if err := g.checkSample(text); err != nil {
		return err
	}
	store, p, err := g.profile(r)
	if err != nil {
		return err
	}
	// Not kept: a consent may be withdrawn at any time.
	words, err := g.wordsIn(r.Context(), owner(r), text, p.Language)
	if err != nil {
		return err
	}
	b, err := store.Preview(r.Context(), owner(r), p.ProfileID, text, words)
	if err != nil {
		return profileProblem(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "audio/wav")
	_, _ = w.Write(b) // the client is gone
	return nil
}

// checkProfile refuses cloned voices that are not the caller's or may not be used.
func (g *Gateway) checkProfile(r *http.Request, id string) error {
	none := badField(codeProfile, "voice_profile", "there is no such cloned voice")
	if g.Profiles == nil || events.CheckToken(id) != nil {
		return none
	}
	p, err := g.Profiles.Get(r.Context(), owner(r), id)
	if errors.Is(err, ErrUnknown) {
		return none.because(err)
	}
	if err != nil {
		return profileProblem(err)
	}
	if p.Consent.Withdrawn != nil || p.Consent.Expires != nil && time.Now().After(*p.Consent.Expires) {
		return badField(codeConsent, "voice_profile", "the consent for this voice was withdrawn or has run out")
	}
	return nil
}
