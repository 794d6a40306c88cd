package speech

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// OpenVoice speaks with cloned voices through the OpenVoice service or the
// Qwen3-TTS service that takes its place. It is safe for concurrent use.
//
// The service can change speed only: its pitch filter assumes another sampling
// rate and halves the sound, so pitch, volume and pauses are always sent as
// neutral and left to later stages.
type OpenVoice struct {
	remote
	breaker *engines.Breaker
	ref     Reference
}

// NewOpenVoice returns a client; the server is not called yet. ref gives the
// timings that the service does not.
func NewOpenVoice(base string, c *http.Client, ref Reference) (*OpenVoice, error) {
	r, err := newRemote("openvoice", base, c)
	if err != nil {
		return nil, err
	}
	return &OpenVoice{remote: r, breaker: engines.NewBreaker("openvoice " + r.base.Host), ref: ref}, nil
}

// Engine is o as a link of a chain, with a breaker for its address.
func (o *OpenVoice) Engine() engines.Engine[Request, Speech] {
	return engines.Engine[Request, Speech]{Name: "openvoice", Run: o.Speak, Breaker: o.breaker}
}

// synthesisTimeout is for one piece: minutes on a CPU.
const synthesisTimeout = 300 * time.Second

// A health is what /health says; which fields are there tells the services apart.
type health struct {
	Status    string `json:"status"`
	Available *bool  `json:"openvoice_available"`
	Loaded    *bool  `json:"model_loaded"`
}

// qwen reports whether the drop-in answers: it speaks more languages and takes a
// single sample.
func (h health) qwen() bool { return h.Available == nil && h.Loaded != nil }

// Ready asks whether the service can speak; engines.ErrUnavailable when not. A
// service that loads its model with the first request counts as ready.
func (o *OpenVoice) Ready(ctx context.Context) error {
	_, err := o.health(ctx)
	return err
}

func (o *OpenVoice) health(ctx context.Context) (health, error) {
	var h health
	if err := o.json(ctx, call{method: "GET", path: "/health", timeout: 5 * time.Second}, &h); err != nil {
		return h, err
	}
	if h.Available != nil && !*h.Available {
		return h, fmt.Errorf("openvoice is %q: %w", short(h.Status), engines.ErrUnavailable)
	}
	return h, nil
}

// languages are those the models speak; for any other the service would speak
// Japanese without a word.
func (h health) speaks(tag string) bool {
	p := text.Primary(tag)
	if h.qwen() {
		return slices.Contains([]string{"", "ja", "en", "zh", "ko", "de", "fr", "ru", "pt", "es", "it"}, p)
	}
	return p == "" || p == "ja" || p == "en"
}

// MinSamples is how many samples the service needs for a profile.
func (o *OpenVoice) MinSamples(ctx context.Context) (int, error) {
	h, err := o.health(ctx)
	if err != nil {
		return 0, err
	}
	if h.qwen() {
		return 1, nil
	}
	return 3, nil
}

// A ServiceProfile is a cloned voice as the service lists it.
type ServiceProfile struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Language string `json:"language"`
	Status   string `json:"status"` // processing, ready, failed
	Samples  int    `json:"sample_count"`
}

// Profiles lists the cloned voices that are ready.
func (o *OpenVoice) Profiles(ctx context.Context) ([]ServiceProfile, error) {
	var out []ServiceProfile
	err := o.json(ctx, call{method: "GET", path: "/voice-clone/profiles", tries: 2, timeout: 30 * time.Second}, &out)
	return out, err
}

// A NewProfile is what Create needs. ID is chosen by the caller, so that a lost
// answer can be found again.
type NewProfile struct {
	ID, Name, Language, Description string
	Samples                         [][]byte // WAV
}

// Create makes a cloned voice and returns its id. It takes minutes and is not
// tried again; when the answer is lost the profile is looked up. Too few samples
// are ErrSamples.
func (o *OpenVoice) Create(ctx context.Context, n NewProfile) (string, error) {
	least, err := o.MinSamples(ctx)
	if err != nil {
		return "", err
	}
	if len(n.Samples) < least {
		return "", fmt.Errorf("%d samples, the service needs at least %d: %w", len(n.Samples), least, ErrSamples)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	language := text.Primary(n.Language)
	if language == "" {
		language = "ja"
	}
	fields := [][2]string{{"name", n.Name}, {"language", language}, {"description", n.Description}, {"voice_profile_id", n.ID}}
	for _, f := range fields {
		if f[1] != "" {
			err = errors.Join(err, w.WriteField(f[0], f[1]))
		}
	}
	for i, s := range n.Samples {
		part, e := w.CreateFormFile("audio_samples", fmt.Sprintf("sample%d.wav", i+1))
		if e == nil {
			_, e = part.Write(s)
		}
		err = errors.Join(err, e)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return "", fmt.Errorf("encode samples: %w", err)
	}
	var answer struct {
		Success   bool   `json:"success"`
		ID        string `json:"voice_profile_id"`
		ProfileID string `json:"profile_id"`
		Message   string `json:"message"`
		Error     string `json:"error"`
	}
	err = o.json(ctx, call{
		method: "POST", path: "/voice-clone/create", body: body.Bytes(), contentType: w.FormDataContentType(), timeout: synthesisTimeout,
	}, &answer)
	if err != nil {
		if errors.Is(err, engines.ErrPermanent) || n.ID == "" {
			return "", err
		}
		if found, e := o.has(ctx, n.ID); e == nil && found {
			return n.ID, nil
		}
		return "", err
	}
	if !answer.Success {
		return "", fmt.Errorf("openvoice made no profile: %s: %w", short(answer.Error+" "+answer.Message), engines.ErrPermanent)
	}
	for _, id := range []string{answer.ID, answer.ProfileID, n.ID} {
		if id != "" {
			return id, nil
		}
	}
	return "", errors.New("openvoice made a profile and did not say which")
}

func (o *OpenVoice) has(ctx context.Context, id string) (bool, error) {
	ps, err := o.Profiles(ctx)
	return slices.ContainsFunc(ps, func(p ServiceProfile) bool { return p.ID == id }), err
}

// Delete removes a cloned voice; one that is not there is no error.
func (o *OpenVoice) Delete(ctx context.Context, id string) error {
	_, _, err := o.do(ctx, call{method: "DELETE", path: "/voice-clone/profiles/" + url.PathEscape(id), tries: 2, timeout: 30 * time.Second})
	if s, ok := errors.AsType[*statusError](err); ok && s.status == http.StatusNotFound {
		return nil
	}
	return err
}

// Speak says r with the cloned voice r.Profile. Errors: those of Request.Check;
// ErrProfile without a profile or with one the service does not have;
// ErrLanguage; engines.ErrUnavailable while the service is not ready.
func (o *OpenVoice) Speak(ctx context.Context, r Request) (Speech, error) {
	if err := r.Check(); err != nil {
		return Speech{}, err
	}
	if r.Profile == "" {
		return Speech{}, fmt.Errorf("no profile asked for: %w", ErrProfile)
	}
	h, err := o.health(ctx)
	if err != nil {
		return Speech{}, err
	}
	if !h.speaks(r.Language) {
		return Speech{}, fmt.Errorf("%q: %w", r.Language, ErrLanguage)
	}
	sc := text.Prepare(r.Text, text.Options{Language: r.Language, Words: r.Words})
	var parts []part
	for _, p := range sc.Pieces {
		q, err := o.piece(ctx, p, r)
		if err != nil {
			return Speech{}, o.explain(ctx, r.Profile, err)
		}
		parts = append(parts, q)
	}
	if len(parts) == 0 {
		return Speech{}, ErrNotSpeakable
	}
	audio, t := join(parts, sc, []rune(r.Text), r.Pauses)
	t.Engine = "openvoice"
	return Speech{Audio: audio, Timings: t, Voice: "profile:" + r.Profile, Notes: dropped(sc), Native: Native{Rate: r.rate()}}, nil
}

func (o *OpenVoice) piece(ctx context.Context, p text.Piece, r Request) (part, error) {
	language := text.Primary(r.Language)
	if language == "" {
		language = "ja"
	}
	form := url.Values{
		"text": {p.Text + p.Mark}, "voice_profile_id": {r.Profile}, "language": {language},
		"speed": {strconv.FormatFloat(r.rate(), 'f', -1, 64)},
		"pitch": {"0"}, "volume": {"1"}, "pause_duration": {"0"},
	}
	var answer struct {
		Success bool   `json:"success"`
		Audio   string `json:"audio_data"`
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	body, kind, err := o.do(ctx, call{
		method: "POST", path: "/voice-clone/synthesize", body: []byte(form.Encode()),
		contentType: "application/x-www-form-urlencoded", timeout: synthesisTimeout, limit: maxSound,
	})
	if err != nil {
		return part{}, err
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return part{}, fmt.Errorf("POST /voice-clone/synthesize of openvoice: answer of type %q is not what was asked for: %w: %s", kind, err, told(body))
	}
	if !answer.Success {
		return part{}, fmt.Errorf("openvoice did not speak: %s", short(answer.Error+" "+answer.Message))
	}
	sound, err := base64.StdEncoding.DecodeString(answer.Audio)
	if err != nil {
		return part{}, fmt.Errorf("decode sound of openvoice: %w", err)
	}
	a, err := wav.Decode(bytes.NewReader(sound), maxSeconds*Rate)
	if err != nil {
		return part{}, fmt.Errorf("decode sound of openvoice, %d bytes: %w", len(sound), err)
	}
	pcm, err := mono48(a)
	if err != nil {
		return part{}, err
	}
	if len(pcm) == 0 {
		return part{}, errors.New("openvoice answered with a sound without samples")
	}
	return part{piece: p, samples: pcm, timings: o.ref.Align(ctx, r.Language, p, pcm)}, nil
}

// explain finds out what a 500 means, which the service gives for everything:
// it asks whether the service is ready and has the profile, and never reads the
// message.
func (o *OpenVoice) explain(ctx context.Context, profile string, err error) error {
	s, ok := errors.AsType[*statusError](err)
	if !ok || s.status != http.StatusInternalServerError {
		return err
	}
	if e := o.Ready(ctx); e != nil {
		return fmt.Errorf("%w: %w", err, e)
	}
	if found, e := o.has(ctx, profile); e == nil && !found {
		return fmt.Errorf("%w: %w", err, ErrProfile)
	}
	return err
}
