package speech

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// Config says which engines there are. The zero value, with an HTTP client only
// when a URL is set, is local speech.
type Config struct {
	VoicevoxURL           string // "" is none
	VoicevoxStyle         int    // style for requests that name no voice
	VoicevoxMaxCharacters int    // of one synthesis; 0 is 200
	OpenVoiceURL          string // "" is none
	OpenJTalk             OpenJTalk
	Espeak                string // program; "" is espeak-ng in the system path
	HTTP                  *http.Client

	// MayUse is asked before a cloned voice speaks; an error that wraps
	// ErrConsent ends the request, any other passes to the next engine. nil allows
	// every profile.
	MayUse func(ctx context.Context, profile string) error
}

// ErrConsent: the consent for a cloned voice was withdrawn, has run out or does
// not cover this use. No other voice speaks in its place.
var ErrConsent = fmt.Errorf("no consent for this voice: %w", engines.ErrInput)

// A Studio is every voice this installation has. It is safe for concurrent use.
type Studio struct {
	voicevox  *Voicevox  // nil: not configured
	openvoice *OpenVoice // nil: not configured
	openjtalk OpenJTalk
	espeak    *Espeak
	mayUse    func(context.Context, string) error

	mu       sync.Mutex
	previews map[string]*preview
}

// New returns the engines of c; nothing is called or started yet.
func New(c Config) (*Studio, error) {
	s := &Studio{openjtalk: c.OpenJTalk, espeak: &Espeak{Program: c.Espeak}, mayUse: c.MayUse, previews: map[string]*preview{}}
	if c.OpenJTalk.dictionaryReady() == nil {
		s.espeak.Readings = NewReadings(c.OpenJTalk.dictionary())
	}
	var err error
	if c.VoicevoxURL != "" {
		s.voicevox, err = NewVoicevox(VoicevoxConfig{
			URL: c.VoicevoxURL, Style: c.VoicevoxStyle, MaxCharacters: c.VoicevoxMaxCharacters, HTTP: c.HTTP,
		})
		if err != nil {
			return nil, err
		}
	}
	if c.OpenVoiceURL != "" {
		s.openvoice, err = NewOpenVoice(c.OpenVoiceURL, c.HTTP, Reference{OpenJTalk: s.openjtalk, Espeak: s.espeak})
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close ends what the engines hold open. Nothing may speak after.
func (s *Studio) Close() error {
	if s.espeak.Readings == nil {
		return nil
	}
	return s.espeak.Readings.Close()
}

// Ready asks every configured engine, side by side, whether it could speak now;
// Err is nil for one that could. It takes at most five seconds.
func (s *Studio) Ready(ctx context.Context) []engines.Skip {
	ctx, cancel := context.WithTimeout(ctx, catalogueTimeout)
	defer cancel()
	out := []engines.Skip{{Engine: "openjtalk"}, {Engine: "espeak-ng"}}
	ask := []func() error{s.openjtalk.Ready, func() error { _, err := s.espeak.list(ctx); return err }}
	if s.voicevox != nil {
		out = append(out, engines.Skip{Engine: "voicevox"})
		ask = append(ask, func() error { _, err := s.voicevox.Version(ctx); return err })
	}
	if s.openvoice != nil {
		out = append(out, engines.Skip{Engine: "openvoice"})
		ask = append(ask, func() error { return s.openvoice.Ready(ctx) })
	}
	var wg sync.WaitGroup
	for i, f := range ask {
		wg.Go(func() { out[i].Err = f() })
	}
	wg.Wait()
	return out
}

// Warm has VOICEVOX load its default style, which otherwise the first message
// waits for. Call it when a worker starts; without VOICEVOX it does nothing.
func (s *Studio) Warm(ctx context.Context) error {
	if s.voicevox == nil {
		return nil
	}
	return s.voicevox.Warm(ctx, s.voicevox.style)
}

// OpenVoice is the cloning service; nil when none is configured.
func (s *Studio) OpenVoice() *OpenVoice { return s.openvoice }

// Voicevox is the VOICEVOX engine; nil when none is configured.
func (s *Studio) Voicevox() *Voicevox { return s.voicevox }

// Speak says r with the first engine that can; require, unless empty, is the
// name of the only engine that may. What the person must know is in the notes:
// above all that a cloned voice was asked for and not used.
func (s *Studio) Speak(ctx context.Context, r Request, require string) (engines.Served[Speech], error) {
	if err := r.Check(); err != nil {
		return engines.Served[Speech]{}, err
	}
	chain := s.Chain(r)
	if only := chain.Only(require); len(only) > 0 || require == "" {
		return only.Run(ctx, r)
	}
	return engines.Served[Speech]{}, fmt.Errorf("engine %q does not serve this request (%s): %w",
		require, strings.Join(chain.Names(), ", "), engines.ErrUnavailable)
}

// Chain is the order of engines for r: the cloned voice when one is asked for,
// the engine of the voice that was chosen, then VOICEVOX and local speech. A
// chain serves one Run.
func (s *Studio) Chain(r Request) engines.Chain[Request, Speech] {
	var chain engines.Chain[Request, Speech]
	reason := "" // why the cloned voice does not speak
	if r.Profile != "" {
		chain = append(chain, s.cloned(&reason))
	}
	var rest engines.Chain[Request, Speech]
	if text.Japanese(r.Language) {
		if s.voicevox != nil {
			rest = append(rest, s.voicevox.Engine())
		}
		rest = append(rest, s.openjtalk.Engine())
	}
	rest = append(rest, s.espeak.Engine())
	// The engine of a chosen voice goes first.
	prefix, _, _ := strings.Cut(r.Voice, ":")
	names := map[string]string{"voicevox": "voicevox", "openjtalk": "openjtalk", "espeak": "espeak-ng"}
	for i, e := range rest {
		if e.Name == names[prefix] {
			rest = append(append(engines.Chain[Request, Speech]{e}, rest[:i]...), rest[i+1:]...)
			break
		}
	}
	for _, e := range rest {
		run := e.Run
		e.Run = func(ctx context.Context, r Request) (Speech, error) {
			out, err := run(ctx, r)
			if err == nil && r.Profile != "" {
				why := reason
				if why == "" {
					why = "it was passed over"
				}
				out.Notes = append([]Note{{NoteProfileNotUsed, "The cloned voice was not used: " + why + ". Another voice speaks instead."}}, out.Notes...)
			}
			return out, err
		}
		chain = append(chain, e)
	}
	for i := range chain[:len(chain)-1] {
		chain[i].Run = patient(chain[i].Run)
	}
	return chain
}

// patient gives an engine that is not the last at most 70 % of the time that is
// left, so that one which never answers leaves time for the next.
func patient(run func(context.Context, Request) (Speech, error)) func(context.Context, Request) (Speech, error) {
	return func(ctx context.Context, r Request) (Speech, error) {
		if end, ok := ctx.Deadline(); ok {
			share := time.Until(end) * 7 / 10
			sub, cancel := context.WithTimeoutCause(ctx, share, fmt.Errorf("no speech within %s: %w", share.Round(time.Millisecond), context.DeadlineExceeded))
			defer cancel()
			ctx = sub
		}
		return run(ctx, r)
	}
}

// cloned is OpenVoice behind the question of consent. It leaves the reason for
// not speaking, in words for people, in *reason.
func (s *Studio) cloned(reason *string) engines.Engine[Request, Speech] {
	e := engines.Engine[Request, Speech]{Name: "openvoice", Run: func(context.Context, Request) (Speech, error) {
		return Speech{}, fmt.Errorf("no cloning service is configured (OPENVOICE_SERVICE_URL): %w", engines.ErrUnavailable)
	}}
	if s.openvoice != nil {
		e = s.openvoice.Engine()
	}
	run := e.Run
	e.Breaker = nil // it stands around the service only, not around the question
	e.Run = func(ctx context.Context, r Request) (out Speech, err error) {
		*reason = ""
		defer func() { *reason = plainly(err, s.openvoice != nil) }()
		if s.mayUse != nil {
			if err := s.mayUse(ctx, r.Profile); err != nil {
				return Speech{}, err
			}
		}
		if s.openvoice == nil {
			return run(ctx, r)
		}
		err = s.openvoice.breaker.Do(ctx, func() error {
			out, err = run(ctx, r)
			return err
		})
		return out, err
	}
	return e
}

// plainly says why the cloned voice did not speak, without a word of what only
// operators may see.
func plainly(err error, configured bool) string {
	switch {
	case err == nil:
		return ""
	case !configured:
		return "no voice cloning service is set up"
	case errors.Is(err, ErrProfile):
		return "the voice cloning service does not have it"
	case errors.Is(err, ErrLanguage):
		return "the voice cloning service does not speak this language"
	case errors.Is(err, engines.ErrUnavailable):
		return "the voice cloning service is not available"
	case errors.Is(err, context.DeadlineExceeded):
		return "the voice cloning service did not answer in time"
	}
	return "the voice cloning service failed"
}
