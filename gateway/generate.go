package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// maxText is the longest text in characters.
const maxText = 1000

// generate is POST /api/video/generate: a portrait and a text, or own speech,
// become a video.
func (g *Gateway) generate(w http.ResponseWriter, r *http.Request) (err error) {
	task := producers.NewTask()
	infoOf(r.Context()).task = task
	form, err := g.readForm(w, r, task, map[string]fileField{
		"image":            {blob: events.BlobPortrait, limit: g.conf.MaxImage, check: g.checkImage},
		"background_image": {blob: events.BlobBackdrop, limit: g.conf.MaxImage, check: g.checkImage},
		"audio":            {blob: events.BlobAudio, limit: g.conf.MaxAudio, check: checkAudio},
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
	details := details{Subject: f.short("subject", 200), UserData: f.short("user_data", 1000)}
	f.flag("async") // the answer is always 202; kept for clients that send it
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
		if err := g.putBlob(r.Context(), form, task, events.BlobText, "text/plain; charset=utf-8", text); err != nil {
			return err
		}
	}
	if err := g.checkIDs(r, req); err != nil {
		return err
	}
	if details != (detailsEmpty) {
		b, err := json.Marshal(details)
		if err != nil {
			return err
		}
		if err := g.putBlob(r.Context(), form, task, events.BlobDetails, "application/json", string(b)); err != nil {
			return err
		}
	}
	return g.accept(w, r, task, req, form)
}

// details are what the owner wants echoed. They may name people, so they are a
// blob and never ride in events.
type details struct {
	Subject  string `json:"subject,omitempty"`
	UserData string `json:"user_data,omitempty"`
}

var detailsEmpty details

// videoRequest reads the options of a video.
func (g *Gateway) videoRequest(r *http.Request, f *fields) events.Request {
	return events.Request{
		Kind:     events.KindVideo,
		Owner:    owner(r),
		Language: f.language(),
		Voice:    f.short("voice", 64),
		Profile:  f.short("voice_profile", 64),
		Prosody:  f.prosody(),
		BGM: events.BGM{
			Type: f.short("bgm_type", 64), Volume: f.number("bgm_volume", 0, 1),
			Duck: f.flag("bgm_duck"), Accessible: f.flag("accessible"),
		},
		Image: events.Image{
			Background: f.background(),
			Aspect:     f.one("aspect", "1:1", "1:1", "9:16", "16:9", "source"),
			Face:       faceNumber(f),
		},
		Video: events.Video{
			Captions: f.one("captions", "none", "none", "file", "burn"),
			Style:    f.one("style", "", "talking", "card", "kenburns", "static"),
			Motion:   f.number("motion", 0, 1),
			Mouth:    f.one("mouth", "", "auto", "closed", "smile"),
			Label:    f.one("label", "", "top-left", "top-right", "bottom-left", "bottom-right", "off"),
		},
		Require:  f.require(),
		Fresh:    f.flag("fresh"),
		Consent:  f.flag("consent"),
		Deadline: time.Now().UTC().Add(g.conf.TaskTimeout).Truncate(time.Millisecond),
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

// checkIDs refuses voices and music that do not exist.
func (g *Gateway) checkIDs(r *http.Request, req events.Request) error {
	if req.Voice != "" {
		if err := g.CheckVoice(r.Context(), req.Voice); errors.Is(err, ErrUnknown) {
			return badField(codeVoice, "voice", "there is no such voice")
		} else if err != nil {
			return err
		}
	}
	if req.BGM.Type != "" && req.BGM.Type != "none" {
		if err := g.CheckMusic(r.Context(), req.BGM.Type); errors.Is(err, ErrUnknown) {
			return badField(codeBGM, "bgm_type", "there is no such music")
		} else if err != nil {
			return err
		}
	}
	return nil
}

// owner is who the request acts for.
func owner(*http.Request) string { return localUser }

// localUser owns everything while nobody signs in.
const localUser = "local"

// accept puts the task on the stream and answers 202. From then on it ends in
// exactly one way, whatever is killed.
func (g *Gateway) accept(w http.ResponseWriter, r *http.Request, task string, req events.Request, form *form) error {
	job := events.Job{Request: req, Blobs: form.blobs}
	if err := g.Submit.Submit(r.Context(), task, g.Route(req), r.Header.Get("Traceparent"), job); err != nil {
		return newProblem(codeUnavailable, "The task could not be accepted.").because(err)
	}
	w.Header().Set("Location", statusURL(task))
	w.Header().Set("Retry-After", "1")
	return writeJSON(w, http.StatusAccepted, accepted{
		TaskID: task, Status: "queued", StatusURL: statusURL(task), EventsURL: "/api/tasks/" + task + "/events",
		CancelURL: "/api/tasks/" + task + "/cancel", DownloadURL: downloadURL(task, ""),
	})
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
