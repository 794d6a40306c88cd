package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
)

// rerunRequest is the body of POST /api/tasks/{task}/rerun.
type rerunRequest struct {
	From    string         `json:"from"`              // the first stage that runs again
	Changes map[string]any `json:"changes,omitempty"` // fields of the request, as in its form
}

// affects says which stage is the first that a changed field concerns.
var affects = map[string]string{
	"background": "image", "aspect": "image", "face": "image", "steps": "image",
	"text": "voice", "language": "voice", "voice": "voice", "voice_profile": "voice",
	"prosody_params": "prosody",
	"bgm_type":       "bgm", "bgm_volume": "bgm", "bgm_duck": "bgm", "accessible": "bgm",
	"bgm_lead_in": "bgm", "bgm_tail": "bgm", "bgm_fade_out": "bgm",
	"title_to": "bgm", "title_from": "bgm", // the music begins with the card
	"captions": "video", "style": "video", "motion": "video", "mouth": "video", "label": "video",
}

// rerun is POST /api/tasks/{task}/rerun: a new task that takes over what the
// stages before one have made, and runs again from there with changes.
func (g *Gateway) rerun(w http.ResponseWriter, r *http.Request) (err error) {
	task := g.newTask(r)
	parent, _, err := g.load(r)
	if err != nil {
		return err
	}
	infoOf(r.Context()).task = task
	var in rerunRequest
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if in.From == "" && len(parent.Plan) > 0 {
		in.From = parent.Plan[0]
	}
	at := slices.Index(parent.Plan, in.From)
	if at < 0 {
		return badField(codeRange, "from", "must be a stage of the task: "+strings.Join(parent.Plan, ", "))
	}
	form := &form{values: map[string]string{}, blobs: map[string]events.Blob{}}
	defer func() {
		if err != nil {
			g.discard(r.Context(), form.blobs)
		}
	}()
	f := &fields{values: form.values}
	if err := readChanges(f, in.Changes); err != nil {
		return err
	}
	for name := range f.values {
		if stage, ok := affects[name]; ok && slices.Index(parent.Plan, stage) >= 0 && slices.Index(parent.Plan, stage) < at {
			return badField(codeRange, "changes."+name, "concerns the "+stage+" stage: run again from there")
		}
	}
	job, err := takeOver(parent, at)
	if err != nil {
		return err
	}
	g.change(f, &job.Request)
	card, titled := title{}, false
	for _, name := range []string{"title_to", "title_from"} {
		if _, ok := f.values[name]; ok && !titled {
			card, titled = f.title(), true
		}
	}
	text, changed := f.text("text")
	if err := f.done(); err != nil {
		return err
	}
	if changed {
		if err := g.checkText(text, job.Request.Language); err != nil {
			return err
		}
		if err := g.putText(r.Context(), form, task, job.Request, text); err != nil {
			return err
		}
		delete(job.Blobs, events.BlobAudio)
	} else if !slices.Contains(parent.Plan[at:], "voice") {
		// The speech is there.
	} else if err := g.putWordsAnew(r.Context(), form, task, job); err != nil {
		return err
	}
	if titled { // a new card, or none
		delete(job.Blobs, events.BlobTitle)
		if err := g.putTitle(r, form, task, card); err != nil {
			return err
		}
	}
	delete(job.Blobs, events.BlobWords) // as they were for the parent
	job.Request.Deadline = time.Now().UTC().Add(g.conf.TaskTimeout).Truncate(time.Millisecond)
	return g.resubmit(w, r, task, parent.Plan[at:], job, form)
}

// putWordsAnew stores the words that the unchanged text of a job holds now: a
// message is often run again because its author has taught us one.
func (g *Gateway) putWordsAnew(ctx context.Context, form *form, task string, job events.Job) error {
	b, ok := job.Blobs[events.BlobText]
	if !ok {
		return nil
	}
	rc, err := g.Blobs.Get(ctx, b.Key)
	if errors.Is(err, objectstore.ErrNotFound) {
		return newProblem(codeConflict, "The text of that task is no longer kept.").because(err)
	}
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(rc, maxJSON))
	if err = errors.Join(err, rc.Close()); err != nil {
		return fmt.Errorf("read %s: %w", b.Key, err)
	}
	return g.putWords(ctx, form, task, job.Request, string(text))
}

// takeOver is the job of a task that begins where the stages before plan[at] of
// the parent have ended.
func takeOver(parent status.Task, at int) (events.Job, error) {
	job := events.Job{Request: parent.Request, Blobs: maps.Clone(parent.Blobs)}
	if job.Blobs == nil {
		job.Blobs = map[string]events.Blob{}
	}
	job.Request.Parent = parent.ID
	for _, stage := range parent.Plan[:at] {
		s := parent.Steps[stage]
		if s.Verb != events.Ready || s.Note == nil {
			return job, newProblem(codeConflict, "The "+stage+" stage has not finished in that task.")
		}
		n := *s.Note
		n.Cache, n.Tries = "reused", nil
		job.Notes = append(job.Notes, n)
		maps.Copy(job.Blobs, s.Blobs)
	}
	return job, nil
}

// readChanges turns JSON members into form fields, so that both are checked by
// the same rules.
func readChanges(f *fields, changes map[string]any) error {
	if len(changes) > maxFields {
		return newProblem(codeBadRequest, "There are too many changes.")
	}
	for name, v := range changes {
		switch v := v.(type) {
		case string:
			f.values[name] = v
		default:
			b, err := json.Marshal(v)
			if err != nil {
				return err
			}
			f.values[name] = string(b)
		}
	}
	return nil
}

// change reads the fields that were given into req.
func (g *Gateway) change(f *fields, req *events.Request) {
	for _, c := range []struct {
		name string
		read func()
	}{
		{"language", func() { req.Language = f.language() }},
		{"voice", func() { req.Voice = f.short("voice", 64) }},
		{"voice_profile", func() { req.Profile = f.short("voice_profile", 64) }},
		{"prosody_params", func() { req.Prosody = f.prosody() }},
		{"bgm_type", func() { req.BGM.Type = f.short("bgm_type", 64) }},
		{"bgm_volume", func() { req.BGM.Volume = f.number("bgm_volume", 0, 1) }},
		{"bgm_duck", func() { req.BGM.Duck = f.flag("bgm_duck") }},
		{"bgm_lead_in", func() { req.BGM.LeadIn = f.number("bgm_lead_in", 0, 5) }},
		{"bgm_tail", func() { req.BGM.Tail = f.number("bgm_tail", 0, 5) }},
		{"bgm_fade_out", func() { req.BGM.FadeOut = f.number("bgm_fade_out", 0, 10) }},
		{"accessible", func() { req.BGM.Accessible = f.flag("accessible") }},
		{"background", func() { req.Image.Background = f.background() }},
		{"aspect", func() { req.Image.Aspect = f.one("aspect", "1:1", aspects...) }},
		{"face", func() { req.Image.Face = faceNumber(f) }},
		{"steps", func() { req.Image.Steps = f.many("steps", imageSteps) }},
		{"captions", func() { req.Video.Captions = f.one("captions", "none", captionKinds...) }},
		{"style", func() { req.Video.Style = f.one("style", "", styles...) }},
		{"motion", func() { req.Video.Motion = f.number("motion", 0, 1) }},
		{"mouth", func() { req.Video.Mouth = f.one("mouth", "", mouths...) }},
		{"label", func() { req.Video.Label = f.one("label", "", labels...) }},
		{"require", func() { req.Require = f.require() }},
		{"fresh", func() { req.Fresh = f.flag("fresh") }},
	} {
		if _, ok := f.values[c.name]; ok {
			c.read()
		}
	}
}

// resubmit puts the new task on the stream; its echoed details are the parent's.
func (g *Gateway) resubmit(w http.ResponseWriter, r *http.Request, task string, slip []string, job events.Job, form *form) error {
	if err := g.checkIDs(r, job.Request); err != nil {
		return err
	}
	maps.Copy(job.Blobs, form.blobs)
	if err := g.ownMusic(r, task, &job, form); err != nil {
		return err
	}
	if err := g.Submit.Submit(r.Context(), task, slip, r.Header.Get("Traceparent"), job); err != nil {
		form.blobs = nil // it may have been accepted all the same
		return newProblem(codeUnavailable, "The task could not be accepted.").because(err)
	}
	return writeAccepted(w, task)
}
