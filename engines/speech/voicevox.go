package speech

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// VoicevoxConfig says which server to use.
type VoicevoxConfig struct {
	URL           string // such as http://127.0.0.1:50021
	Style         int    // used when a request names no voice of this engine
	MaxCharacters int    // of one synthesis; 0 is 200
	HTTP          *http.Client
}

// Voicevox speaks Japanese through a VOICEVOX engine or a server with the same
// interface (AivisSpeech, COEIROINK's bridge, SHAREVOX). One such engine
// computes one thing at a time, so requests of this client wait for each other.
// It works with old versions: what they lack is left out. It is safe for
// concurrent use.
type Voicevox struct {
	remote
	style, limit int
	busy         chan struct{}
	breaker      *engines.Breaker

	mu      sync.Mutex
	known   troupe
	fetched time.Time
	policy  map[string]string // by speaker uuid
}

// castLifetime is how long the list of speakers is trusted.
const castLifetime = 10 * time.Minute

// NewVoicevox returns a client; the server is not called yet.
func NewVoicevox(c VoicevoxConfig) (*Voicevox, error) {
	r, err := newRemote("voicevox", c.URL, c.HTTP)
	if err != nil {
		return nil, err
	}
	limit := c.MaxCharacters
	if limit <= 0 || limit > 1000 {
		limit = text.MaxPiece
	}
	return &Voicevox{
		remote: r, style: c.Style, limit: limit, busy: make(chan struct{}, 1),
		breaker: engines.NewBreaker("voicevox " + r.base.Host), policy: map[string]string{},
	}, nil
}

// Engine is v as a link of a chain, with a breaker for its address.
func (v *Voicevox) Engine() engines.Engine[Request, Speech] {
	return engines.Engine[Request, Speech]{Name: "voicevox", Run: v.Speak, Breaker: v.breaker}
}

// Version asks for the engine's version: the cheapest sign of life.
func (v *Voicevox) Version(ctx context.Context) (string, error) {
	var s string
	err := v.json(ctx, call{method: "GET", path: "/version", timeout: 3 * time.Second}, &s)
	return s, err
}

// Warm loads a style, which otherwise the first synthesis would wait for.
func (v *Voicevox) Warm(ctx context.Context, style int) error {
	_, _, err := v.do(ctx, call{
		method: "POST", path: "/initialize_speaker",
		query:   url.Values{"speaker": {strconv.Itoa(style)}, "skip_reinit": {"true"}},
		timeout: 120 * time.Second,
	})
	return err
}

// Speak says r. Errors: those of Request.Check; ErrLanguage; ErrVoice for a
// style the engine does not have; engines.ErrPermanent for what it refuses;
// engines.ErrUnavailable when it cannot be reached.
func (v *Voicevox) Speak(ctx context.Context, r Request) (Speech, error) {
	if err := r.Check(); err != nil {
		return Speech{}, err
	}
	if !text.Japanese(r.Language) {
		return Speech{}, fmt.Errorf("%q: %w", r.Language, ErrLanguage)
	}
	select {
	case v.busy <- struct{}{}:
		defer func() { <-v.busy }()
	case <-ctx.Done():
		return Speech{}, fmt.Errorf("wait for voicevox: %w", context.Cause(ctx))
	}
	style, notes := v.style, []Note(nil)
	if id, own := strings.CutPrefix(r.Voice, "voicevox:"); own {
		n, err := strconv.Atoi(id)
		if err != nil {
			return Speech{}, fmt.Errorf("%q: %w", r.Voice, ErrVoice)
		}
		style = n
	} else if r.Voice != "" {
		notes = append(notes, notUsed(r.Voice))
	}
	all, err := v.speakers(ctx)
	if err != nil {
		return Speech{}, err
	}
	who, err := all.who(style)
	if err != nil {
		return Speech{}, err
	}
	sc := text.Prepare(r.Text, text.Options{Language: "ja", Words: r.Words, MaxPiece: v.limit, ReadsEnglish: all.english})
	notes = append(notes, dropped(sc)...)
	if p := r.Pitch / 12; p != clampPitch(p) {
		notes = append(notes, Note{NotePitchLimited, "VOICEVOX changes the pitch by at most 1.8 semitones."})
	}
	var parts []part
	for _, p := range sc.Pieces {
		q, err := v.piece(ctx, p, r, style)
		if err != nil {
			return Speech{}, err
		}
		parts = append(parts, q)
	}
	if parts, notes = audible(parts, []rune(r.Text), notes); len(parts) == 0 {
		return Speech{}, ErrNotSpeakable
	}
	audio, t := join(parts, sc, []rune(r.Text), r.Pauses)
	t.Engine = "voicevox"
	return Speech{
		Audio: audio, Timings: t, Voice: "voicevox:" + strconv.Itoa(style),
		Credit: all.brand + ":" + who.Name, Notes: notes,
		Native: Native{Rate: r.rate(), Pitch: 12 * clampPitch(r.Pitch/12)},
	}, nil
}

// The range of pitch the engine's own application offers: beyond it the voice
// breaks up. 0.15 octaves are 1.8 semitones.
func clampPitch(octaves float64) float64 { return min(max(octaves, -0.15), 0.15) }

func (v *Voicevox) piece(ctx context.Context, p text.Piece, r Request, style int) (part, error) {
	line := p.Text
	if p.Mark == "？" {
		line += "？"
	}
	var raw map[string]json.RawMessage
	err := v.json(ctx, call{
		method: "POST", path: "/audio_query", tries: 2, timeout: 30 * time.Second,
		// Versions that do not know the last one pass over it.
		query: url.Values{"text": {line}, "speaker": {strconv.Itoa(style)}, "enable_katakana_english": {"true"}},
	}, &raw)
	if err != nil {
		return part{}, err
	}
	q, err := decodeQuery(raw)
	if err != nil {
		return part{}, fmt.Errorf("POST /audio_query of voicevox: %w", err)
	}
	if len(q.phrases) == 0 {
		return part{piece: p}, nil
	}
	if q.stress(r.Words) {
		if err := v.intone(ctx, q, style); err != nil {
			return part{}, err
		}
	}
	q.set("speedScale", r.rate())
	q.set("pitchScale", clampPitch(r.Pitch/12))
	q.set("intonationScale", r.intonation())
	q.set("volumeScale", 1.0)
	q.set("outputStereo", false)
	q.plain(line)
	body, err := json.Marshal(q.raw)
	if err != nil {
		return part{}, fmt.Errorf("encode audio query: %w", err)
	}
	sound, kind, err := v.do(ctx, call{
		method: "POST", path: "/synthesis", tries: 2, body: body, contentType: "application/json",
		query:   url.Values{"speaker": {strconv.Itoa(style)}, "enable_interrogative_upspeak": {"true"}},
		timeout: time.Minute + time.Duration(len(p.Source))*2*time.Second, limit: maxSound,
	})
	if err != nil {
		return part{}, err
	}
	a, err := wav.Decode(bytes.NewReader(sound), maxSeconds*Rate)
	if err != nil {
		return part{}, fmt.Errorf("POST /synthesis of voicevox: %d bytes of %q: %w", len(sound), kind, err)
	}
	pcm, err := mono48(a)
	if err != nil {
		return part{}, err
	}
	if len(pcm) == 0 {
		return part{}, fmt.Errorf("POST /synthesis of voicevox: a sound without samples")
	}
	t, words := q.timeline(pcm)
	t.Engine = "voicevox"
	t.Words = placePhrases(words, p)
	return part{piece: p, samples: pcm, timings: t}, nil
}

// A character is one speaker of /speakers.
type character struct {
	Name   string `json:"name"`
	UUID   string `json:"speaker_uuid"`
	Styles []struct {
		Name string `json:"name"`
		ID   int    `json:"id"`
		Type string `json:"type"` // talk when absent
	} `json:"styles"`
}

// A troupe is who speaks in an engine, and what it can do.
type troupe struct {
	cast    []character
	brand   string
	english bool // it reads English words as a Japanese would: 0.24 and later
}

// who returns the character of a talking style.
func (t troupe) who(style int) (character, error) {
	for _, c := range t.cast {
		for _, s := range c.Styles {
			if s.ID == style && (s.Type == "" || s.Type == "talk") {
				return c, nil
			}
		}
	}
	return character{}, fmt.Errorf("style %d: %w", style, ErrVoice)
}

// speakers asks who there is, or remembers it for ten minutes.
func (v *Voicevox) speakers(ctx context.Context) (troupe, error) {
	v.mu.Lock()
	known, fresh := v.known, v.known.cast != nil && time.Since(v.fetched) < castLifetime
	v.mu.Unlock()
	if fresh {
		return known, nil
	}
	t := troupe{brand: "VOICEVOX"}
	err := v.json(ctx, call{method: "GET", path: "/speakers", tries: 2, timeout: 10 * time.Second}, &t.cast)
	if err != nil {
		return troupe{}, err
	}
	if len(t.cast) == 0 {
		return troupe{}, fmt.Errorf("voicevox has no speakers: %w", engines.ErrUnavailable)
	}
	var manifest struct {
		Brand string `json:"brand_name"`
	}
	// Old versions have no manifest; the brand is then the original one.
	if err := v.json(ctx, call{method: "GET", path: "/engine_manifest", timeout: 10 * time.Second}, &manifest); err == nil && manifest.Brand != "" {
		t.brand = manifest.Brand
	}
	// An engine that does not tell its version is taken for an old one.
	if version, err := v.Version(ctx); err == nil {
		t.english = t.brand == "VOICEVOX" && readsEnglish(version)
	}
	v.mu.Lock()
	v.known, v.fetched = t, time.Now()
	v.mu.Unlock()
	return t, nil
}

// readsEnglish reports whether a version of VOICEVOX has enable_katakana_english.
func readsEnglish(version string) bool {
	if version == "latest" { // built from source
		return true
	}
	var major, minor int
	n, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && n == 2 && (major > 0 || minor >= 24)
}

// Voices lists the talking styles. The terms of use of a character are long and
// cost a call each: Policy has them.
func (v *Voicevox) Voices(ctx context.Context) ([]Voice, error) {
	all, err := v.speakers(ctx)
	if err != nil {
		return nil, err
	}
	var out []Voice
	for _, c := range all.cast {
		for _, s := range c.Styles {
			if s.Type != "" && s.Type != "talk" {
				continue
			}
			out = append(out, Voice{
				ID: "voicevox:" + strconv.Itoa(s.ID), Language: "ja", Name: c.Name + "（" + s.Name + "）", Engine: "voicevox",
				Credit: all.brand + ":" + c.Name, Quality: Natural,
			})
		}
	}
	return out, nil
}

// Policy returns the terms of use of the character that speaks a style.
func (v *Voicevox) Policy(ctx context.Context, style int) (string, error) {
	all, err := v.speakers(ctx)
	if err != nil {
		return "", err
	}
	c, err := all.who(style)
	if err != nil {
		return "", err
	}
	v.mu.Lock()
	policy, ok := v.policy[c.UUID]
	v.mu.Unlock()
	if ok {
		return policy, nil
	}
	var info struct {
		Policy string `json:"policy"`
	}
	// Versions before 0.20 do not know the format and send pictures and samples
	// along, some megabytes.
	err = v.json(ctx, call{
		method: "GET", path: "/speaker_info", tries: 2, timeout: 30 * time.Second, limit: 64 << 20,
		query: url.Values{"speaker_uuid": {c.UUID}, "resource_format": {"url"}},
	}, &info)
	if err != nil {
		return "", err
	}
	v.mu.Lock()
	v.policy[c.UUID] = info.Policy
	v.mu.Unlock()
	return info.Policy, nil
}
