package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/videomsg/videomsg/events"
)

// maxText is the longest text in characters.
const maxText = 1000

// generate is POST /api/video/generate: a portrait and a text, or own speech,
// become a video.
func (g *Gateway) generate(w http.ResponseWriter, r *http.Request) (err error) {
	task := g.newTask(r)
	form, err := g.readForm(w, r, task, map[string]fileField{
		"image": g.imageField(), "background_image": g.backdropField(), "audio": g.audioField(),
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			g.discard(r.Context(), form.blobs)
		}
	}()
	f := &fields{values: form.values}
	req := g.videoRequest(r, f)
	text, hasText := f.text("text")
	card := f.title()
	opts := g.common(f, &req)
	if err := f.done(); err != nil {
		return err
	}
	_, hasAudio := form.blobs[events.BlobAudio]
	if _, ok := form.blobs[events.BlobPortrait]; !ok {
		return badField(codeMissing, "image", "is missing")
	}
	switch {
	case hasText && hasAudio:
		return badField(codeBadRequest, "text", "give either text or audio, not both")
	case !hasText && !hasAudio:
		return badField(codeMissing, "text", "is missing; give text or audio")
	case hasText:
		if err := g.checkText(text, req.Language); err != nil {
			return err
		}
		if err := g.putText(r.Context(), form, task, req, text); err != nil {
			return err
		}
	}
	if err := g.checkConsent(req); err != nil {
		return err
	}
	if err := g.putTitle(r, form, task, card); err != nil {
		return err
	}
	return g.finish(w, r, task, req, form, opts)
}

// checkConsent refuses to animate a face whose owner may not have agreed.
func (g *Gateway) checkConsent(req events.Request) error {
	if g.conf.Production && !req.Consent {
		return badField(codeConsent, "consent", "must be true: you may use this face and voice")
	}
	return nil
}

// details are what the owner wants echoed. They may name people, so they are a
// blob and never ride in events.
type details struct {
	Subject  string `json:"subject,omitempty"`
	UserData string `json:"user_data,omitempty"`
}

// What the options of a video can be.
var (
	captionKinds = []string{"none", "file", "burn"}
	styles       = []string{"talking", "card", "kenburns", "static"}
	mouths       = []string{"auto", "closed", "smile"}
	labels       = []string{"top-left", "top-right", "bottom-left", "bottom-right", "off"}
)

// videoRequest reads the options of a video.
func (g *Gateway) videoRequest(r *http.Request, f *fields) events.Request {
	return events.Request{
		Kind:     events.KindVideo,
		Owner:    owner(r),
		Language: f.language(),
		Voice:    f.short("voice", 64),
		Profile:  f.short("voice_profile", 64),
		Prosody:  f.prosody(),
		BGM:      f.bgm(),
		Image: events.Image{
			Background: f.background(),
			Aspect:     f.one("aspect", "1:1", aspects...),
			Face:       faceNumber(f),
		},
		Video: events.Video{
			Captions: f.one("captions", "none", captionKinds...),
			Style:    f.one("style", "", styles...),
			Motion:   f.number("motion", 0, 1),
			Mouth:    f.one("mouth", "", mouths...),
			Label:    f.one("label", "", labels...),
		},
		Require: f.require(),
		Fresh:   f.flag("fresh"),
		Consent: f.flag("consent"),
	}
}

func faceNumber(f *fields) int {
	v := f.short("face", 3)
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 50 {
		f.fail(badField(codeRange, "face", "must be a number from 1 to 50"))
		return 0
	}
	return n
}

// checkText refuses what no voice can speak.
func (g *Gateway) checkText(text, language string) error {
	if n := utf8.RuneCountInString(text); n > maxText {
		return badField(codeTextTooLong, "text", "has "+strconv.Itoa(n)+" characters; at most 1000 are allowed")
	}
	if strings.TrimSpace(text) == "" {
		return badField(codeMissing, "text", "is empty")
	}
	if err := g.CheckText(text, language); err != nil {
		return badField(codeNotSpeakable, "text", "has nothing that can be spoken").because(err)
	}
	return nil
}

type accepted struct {
	TaskID      string `json:"task_id"`
	Status      string `json:"status"`
	StatusURL   string `json:"status_url"`
	EventsURL   string `json:"events_url"`
	CancelURL   string `json:"cancel_url"`
	DownloadURL string `json:"download_url"`
}

func statusURL(task string) string { return "/api/video/status/" + task }

func downloadURL(task, artifact string) string {
	u := "/api/video/download/" + task
	if artifact != "" {
		u += "?artifact=" + artifact
	}
	return u
}

func writeJSON(w http.ResponseWriter, code int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // the client is gone
	return nil
}

// writeTagged answers with an ETag of the content, or that it is known.
func writeTagged(w http.ResponseWriter, r *http.Request, v any, cache string) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", cache)
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(append(b, '\n')) // the client is gone
	return nil
}

// matches compares an If-None-Match header with a tag (RFC 9110, 13.1.2).
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == tag {
			return header != ""
		}
	}
	return false
}
