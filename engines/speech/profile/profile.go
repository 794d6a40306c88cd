// Package profile is the life of a cloned voice: whose it is, what it was made
// from, and who agreed to what. Without a valid consent nothing speaks with it,
// and a withdrawn consent counts from the moment it is written.
package profile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech"
)

// ErrNotFound: there is no such profile, or it belongs to somebody else; the two
// cannot be told apart from outside.
var ErrNotFound = fmt.Errorf("voice profile not found: %w", engines.ErrInput)

// ErrConflict: somebody else changed the profile in the meantime.
var ErrConflict = errors.New("voice profile was changed by another")

// A Status says how far a profile is.
type Status string

// Statuses of a profile.
const (
	Processing Status = "processing" // samples are there, the engine is at work
	Ready      Status = "ready"
	Failed     Status = "failed" // the engine could not make a voice of the samples
)

// A Basis is why somebody may have a voice cloned.
type Basis string

// Bases of consent.
const (
	Self       Basis = "self"       // it is the owner's own voice
	Permission Basis = "permission" // the speaker agreed
	Guardian   Basis = "guardian"   // a parent or guardian agreed for the speaker
	Licence    Basis = "licence"    // a contract covers it
)

// A Use is something that consent can cover.
type Use string

// Uses of a cloned voice.
const (
	UseMessages Use = "messages" // video messages to single people
	UsePublic   Use = "public"   // publishing the result
)

// A Consent is the record of who agreed to what.
type Consent struct {
	Speaker   string     `json:"speaker"`   // whose voice it is
	Basis     Basis      `json:"basis"`     // why it may be cloned
	Statement string     `json:"statement"` // the words that were agreed to
	GivenAt   time.Time  `json:"given_at"`
	Scope     []Use      `json:"scope"`
	Expires   *time.Time `json:"expires,omitempty"` // nil is never
	// Withdrawn is set once and stays.
	Withdrawn   *time.Time `json:"withdrawn,omitempty"`
	WithdrawnBy string     `json:"withdrawn_by,omitempty"`
}

// A Sample is a recording the voice was made from; the sound is a blob.
type Sample struct {
	Key     string  `json:"key"`
	SHA256  string  `json:"sha256"`
	Seconds float64 `json:"seconds"`
	Size    int64   `json:"size"` // bytes
}

// A Profile is a cloned voice. It holds no sound.
type Profile struct {
	ID          string    `json:"id"`
	Owner       string    `json:"owner"`
	Name        string    `json:"name"`
	Language    string    `json:"language"` // BCP 47
	Description string    `json:"description,omitempty"`
	Status      Status    `json:"status"`
	Reason      string    `json:"reason,omitempty"`    // of Failed, for people
	EngineID    string    `json:"engine_id,omitempty"` // the engine's own name for it
	Samples     []Sample  `json:"samples"`
	Consent     Consent   `json:"consent"`
	Created     time.Time `json:"created_at"`
	Updated     time.Time `json:"updated_at"`
	Revision    uint64    `json:"-"` // of the store, for compare-and-swap
}

// A FieldError is what is wrong with one field. It is engines.ErrInput.
type FieldError struct{ Field, Detail string }

func (e *FieldError) Error() string { return e.Field + " " + e.Detail }

// Unwrap makes a FieldError an engines.ErrInput.
func (e *FieldError) Unwrap() error { return engines.ErrInput }

// Longest texts, in code points.
const (
	maxName        = 100
	maxDescription = 1000
	maxStatement   = 2000
)

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Validate reports everything that is wrong with p at the time now, as joined
// *FieldError.
func (p Profile) Validate(now time.Time) error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, &FieldError{field, fmt.Sprintf(format, args...)})
	}
	line := func(field, s string, most int, needed bool) {
		switch n := utf8.RuneCountInString(s); {
		case needed && strings.TrimSpace(s) == "":
			bad(field, "is missing")
		case n > most:
			bad(field, "has %d characters, at most %d are allowed", n, most)
		case !utf8.ValidString(s) || strings.ContainsFunc(s, control):
			bad(field, "holds characters that cannot be printed")
		}
	}
	if !idForm.MatchString(p.ID) {
		bad("id", "must be 1 to 64 of a-z 0-9 _ -")
	}
	if p.Owner == "" {
		bad("owner", "is missing")
	}
	line("name", p.Name, maxName, true)
	line("description", p.Description, maxDescription, false)
	if _, err := language.Parse(p.Language); err != nil {
		bad("language", "is not a language tag")
	}
	switch p.Status {
	case Processing, Ready, Failed:
	default:
		bad("status", "is %q", p.Status)
	}
	if err := speech.CheckCount(len(p.Samples)); err != nil {
		bad("audio_samples", "%s", detail(err))
	}
	for i, s := range p.Samples {
		if s.Key == "" || s.Size <= 0 || !(s.Seconds >= speech.MinSampleSeconds && s.Seconds <= speech.MaxSampleSeconds) {
			bad(fmt.Sprintf("audio_samples[%d]", i), "is not a checked recording")
		}
	}
	c := p.Consent
	line("consent.speaker", c.Speaker, maxName, true)
	line("consent.statement", c.Statement, maxStatement, true)
	switch c.Basis {
	case Self, Permission, Guardian, Licence:
	default:
		bad("consent.basis", "must be self, permission, guardian or licence")
	}
	if c.GivenAt.IsZero() || c.GivenAt.After(now.Add(time.Minute)) {
		bad("consent.given_at", "must be a time in the past")
	}
	if len(c.Scope) == 0 {
		bad("consent.scope", "is missing")
	}
	for _, u := range c.Scope {
		if u != UseMessages && u != UsePublic {
			bad("consent.scope", "holds %q; messages and public are known", u)
		}
	}
	if c.Expires != nil && !c.Expires.After(c.GivenAt) {
		bad("consent.expires", "must be after the consent was given")
	}
	return errors.Join(errs...)
}

func detail(err error) string {
	if e, ok := errors.AsType[*speech.SampleError](err); ok {
		return e.Detail
	}
	return err.Error()
}

func control(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7F }

// MayUse reports whether owner may have p speak at the time now for the given
// use. Errors: ErrNotFound for somebody else's profile; speech.ErrConsent when
// the consent is withdrawn, has run out or does not cover the use;
// speech.ErrProfile when the voice is not ready.
func (p Profile) MayUse(owner string, use Use, now time.Time) error {
	if owner == "" || p.Owner != owner {
		return ErrNotFound
	}
	c := p.Consent
	switch {
	case c.Withdrawn != nil:
		return fmt.Errorf("withdrawn on %s: %w", c.Withdrawn.UTC().Format(time.DateOnly), speech.ErrConsent)
	case c.Expires != nil && !now.Before(*c.Expires):
		return fmt.Errorf("expired on %s: %w", c.Expires.UTC().Format(time.DateOnly), speech.ErrConsent)
	case !slices.Contains(c.Scope, use):
		return fmt.Errorf("use %q is not covered: %w", use, speech.ErrConsent)
	case p.Status != Ready:
		return fmt.Errorf("profile is %s: %w", p.Status, speech.ErrProfile)
	}
	return nil
}
