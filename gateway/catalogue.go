package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/singleflight"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/music"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/vision/background"
)

// A Voice is an entry of GET /api/voices.
type Voice struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Language   string `json:"language"`
	Engine     string `json:"engine"`
	Quality    string `json:"quality"` // natural, plain or robotic
	Credit     string `json:"credit,omitempty"`
	Licence    string `json:"licence,omitempty"`
	PreviewURL string `json:"preview_url"`
}

// Music is an entry of GET /api/bgm.
type Music struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	NameJa     string     `json:"name_ja"`
	Own        bool       `json:"own"` // uploaded by the caller
	Credit     string     `json:"credit,omitempty"`
	Licence    string     `json:"licence,omitempty"`
	CreatedAt  *time.Time `json:"created_at,omitempty"`
	PreviewURL string     `json:"preview_url"`
}

// Background is an entry of GET /api/backgrounds.
type Background struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	NameJa     string `json:"name_ja"`
	Licence    string `json:"licence,omitempty"`
	PreviewURL string `json:"preview_url,omitempty"`
}

// list is the shape of every catalogue.
type list[T any] struct {
	Items []T `json:"items"`
}

// listVoices is GET /api/voices.
func (g *Gateway) listVoices(w http.ResponseWriter, r *http.Request) error {
	voices, err := g.Voices(r.Context())
	if err != nil {
		return newProblem(codeUnavailable, "").because(err)
	}
	lang := r.URL.Query().Get("language")
	out := list[Voice]{Items: []Voice{}}
	for _, v := range voices {
		if lang != "" && !strings.HasPrefix(strings.ToLower(v.Language), strings.ToLower(lang)) {
			continue
		}
		v.PreviewURL = "/api/voices/" + url.PathEscape(v.ID) + "/preview"
		out.Items = append(out.Items, v)
	}
	return g.writeCatalogue(w, r, out)
}

// maxSample is the longest text of a preview.
const maxSample = 100

// previewVoice is GET /api/voices/{id}/preview?text=: how a voice sounds, with a
// text of one's own.
func (g *Gateway) previewVoice(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	text := r.URL.Query().Get("text")
	if err := g.checkSample(text); err != nil {
		return err
	}
	words, err := g.wordsIn(r.Context(), owner(r), text, "")
	if err != nil {
		return err
	}
	key := []string{id, text}
	for _, k := range words {
		key = append(key, k.ID, k.UpdatedAt.String(), k.Reading)
	}
	b, err := g.previews.get(r.Context(), "voice", digest(key...), func(ctx context.Context) ([]byte, error) {
		return g.Speak(ctx, id, text, words)
	})
	if errors.Is(err, ErrUnknown) {
		return newProblem(codeNotFound, "There is no such voice.").because(err)
	}
	if err != nil {
		return newProblem(codeUnavailable, "The voice cannot speak at the moment.").because(err)
	}
	return writePreview(w, r, "audio/wav", b)
}

func (g *Gateway) checkSample(text string) error {
	switch {
	case text == "":
		return nil
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return badField(codeBadRequest, "text", "is not valid UTF-8 text")
	case utf8.RuneCountInString(text) > maxSample:
		return badField(codeTextTooLong, "text", fmt.Sprintf("has more than %d characters", maxSample))
	}
	if err := g.CheckText(text, ""); err != nil {
		return badField(codeNotSpeakable, "text", "has nothing that can be spoken").because(err)
	}
	return nil
}

// styleNames are what people call the styles of generated music.
var styleNames = map[music.Style]struct{ en, ja string }{
	music.Calm:      {"Calm (piano)", "穏やか（ピアノ）"},
	music.Upbeat:    {"Upbeat (acoustic)", "軽快（アコースティック）"},
	music.Corporate: {"Corporate (motivational)", "前向き（コーポレート）"},
	music.Emotional: {"Emotional (strings)", "感動的（ストリングス）"},
	music.Birthday:  {"Birthday (music box)", "誕生日（オルゴール）"},
}

// listMusic is GET /api/bgm: the styles, then the caller's own tracks.
func (g *Gateway) listMusic(w http.ResponseWriter, r *http.Request) error {
	out := list[Music]{Items: []Music{}}
	for _, s := range music.Styles() {
		out.Items = append(out.Items, generated(s))
	}
	own, err := g.shelves.of(r.Context(), owner(r))
	if err != nil {
		return err
	}
	for _, t := range own {
		out.Items = append(out.Items, t.music())
	}
	return g.writeCatalogue(w, r, out)
}

func generated(s music.Style) Music {
	n, ok := styleNames[s]
	if !ok {
		n.en, n.ja = string(s), string(s)
	}
	return Music{ID: string(s), Name: n.en, NameJa: n.ja, Licence: music.Licence, PreviewURL: "/api/bgm/" + string(s) + "/preview"}
}

// getMusic is GET /api/bgm/{id}.
func (g *Gateway) getMusic(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	for _, s := range music.Styles() {
		if string(s) == id {
			return writeTagged(w, r, generated(s), "private, max-age=3600")
		}
	}
	t, err := g.track(r.Context(), owner(r), id)
	if err != nil {
		return err
	}
	return g.writeCatalogue(w, r, t.music())
}

// previewLength of generated music.
const previewLength = 12 * time.Second

// previewMusic is GET /api/bgm/{id}/preview.
func (g *Gateway) previewMusic(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	for _, s := range music.Styles() {
		if string(s) != id {
			continue
		}
		b, err := g.previews.get(r.Context(), "music", id, func(context.Context) ([]byte, error) {
			t, err := music.Piece(s, 1, previewLength)
			if err != nil {
				return nil, err
			}
			return encodeWAV(t.Audio)
		})
		if err != nil {
			return err
		}
		return writePreview(w, r, "audio/wav", b)
	}
	t, err := g.track(r.Context(), owner(r), id)
	if err != nil {
		return err
	}
	return g.serveBlob(w, r, t.Blob, "music-"+t.ID)
}

func encodeWAV(a dsp.Audio) ([]byte, error) {
	var buf bytes.Buffer
	if err := wav.Encode(&buf, a, wav.PCM16); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// plain are the backgrounds that are no presets.
var plain = []Background{
	{ID: "original", Name: "As it is", NameJa: "元の背景"},
	{ID: "blur", Name: "Blurred", NameJa: "ぼかし"},
	{ID: "transparent", Name: "None (image only)", NameJa: "透明（画像のみ）"},
}

// listBackgrounds is GET /api/backgrounds.
func (g *Gateway) listBackgrounds(w http.ResponseWriter, r *http.Request) error {
	out := list[Background]{Items: []Background{}}
	for _, e := range background.Catalogue() {
		out.Items = append(out.Items, Background{
			ID: e.ID, Name: e.En, NameJa: e.Ja, Licence: "CC0-1.0",
			PreviewURL: "/api/backgrounds/" + e.ID + "/preview",
		})
	}
	out.Items = append(out.Items, plain...)
	return g.writeCatalogue(w, r, out)
}

// previewBackground is GET /api/backgrounds/{id}/preview?width=&height=.
func (g *Gateway) previewBackground(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "id")
	spec, err := background.Parse(id)
	if err != nil || spec.Kind != background.Preset {
		return newProblem(codeNotFound, "There is no such background.").because(err)
	}
	width, err := side(r, "width")
	if err != nil {
		return err
	}
	height, err := side(r, "height")
	if err != nil {
		return err
	}
	b, err := g.previews.get(r.Context(), "background", fmt.Sprintf("%s %d %d", id, width, height), func(context.Context) ([]byte, error) {
		img, err := background.Render(spec, width, height)
		if err != nil {
			return nil, err
		}
		var buf bytes.Buffer
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&buf, img)
		return buf.Bytes(), err
	})
	if err != nil {
		return err
	}
	return writePreview(w, r, "image/png", b)
}

func side(r *http.Request, name string) (int, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return 320, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 16 || n > 1080 {
		return 0, badField(codeRange, name, "must be a number of pixels from 16 to 1080")
	}
	return n, nil
}

// pathID is a path parameter that may contain escapes, such as a voice's colon.
func pathID(r *http.Request, name string) (string, error) {
	id, err := unescape(chi.URLParam(r, name))
	if err != nil || id == "" || len(id) > 64 || !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", newProblem(codeNotFound, "There is nothing with this id.")
	}
	return id, nil
}

func unescape(s string) (string, error) { return url.PathUnescape(s) }

// writeCatalogue answers with an ETag of the content.
func (g *Gateway) writeCatalogue(w http.ResponseWriter, r *http.Request, v any) error {
	return writeTagged(w, r, v, "private, no-cache")
}

func writePreview(w http.ResponseWriter, r *http.Request, mediaType string, b []byte) error {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "private, max-age=3600")
	if r.URL.Query().Has("text") {
		h.Set("Cache-Control", "private, no-cache") // the dictionary may read it in another way next time
	}
	sum := sha256.Sum256(b)
	h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	return nil
}

// previews keeps what was rendered for catalogues: each is made once, also when
// many ask at the same time.
type previews struct {
	group singleflight.Group
	busy  chan struct{} // a slot per rendering
	mu    sync.Mutex
	kept  map[string][]byte
	bytes int
}

// maxPreviews bounds the memory of previews, in bytes.
const maxPreviews = 48 << 20

func newPreviews() *previews {
	return &previews{kept: map[string][]byte{}, busy: make(chan struct{}, 2)}
}

func (p *previews) get(ctx context.Context, kind, id string, render func(context.Context) ([]byte, error)) ([]byte, error) {
	key := kind + "\x00" + id
	p.mu.Lock()
	b, ok := p.kept[key]
	p.mu.Unlock()
	if ok {
		return b, nil
	}
	// The rendering serves whoever else waits for it, so that it does not end with
	// the first of them.
	result := p.group.DoChan(key, func() (any, error) {
		p.busy <- struct{}{}
		defer func() { <-p.busy }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		b, err := render(ctx)
		if err == nil {
			p.keep(key, b)
		}
		return b, err
	})
	select {
	case r := <-result:
		b, _ := r.Val.([]byte)
		return b, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *previews) keep(key string, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for old, v := range p.kept { // any one: all can be made again
		if p.bytes+len(b) <= maxPreviews {
			break
		}
		delete(p.kept, old)
		p.bytes -= len(v)
	}
	p.kept[key] = b
	p.bytes += len(b)
}
