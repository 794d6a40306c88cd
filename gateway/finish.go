package gateway

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

// finish checks what a request names, stores what is echoed, and puts the task on
// the stream.
func (g *Gateway) finish(w http.ResponseWriter, r *http.Request, task string, req events.Request, form *form, opts options) error {
	if err := g.checkIDs(r, req); err != nil {
		return err
	}
	wait, preferred, err := preferWait(r)
	if err != nil {
		return err
	}
	if opts.wait && !preferred {
		wait = maxWait
	}
	if opts.details != (details{}) {
		b, err := json.Marshal(opts.details)
		if err != nil {
			return err
		}
		if err := g.putBlob(r.Context(), form, task, events.BlobDetails, "application/json", string(b)); err != nil {
			return err
		}
	}
	// Subscribed before the task exists, so that its end is not missed.
	changes, stop := g.Feed.Subscribe(task)
	defer stop()
	job := events.Job{Request: req, Blobs: maps.Clone(form.blobs)}
	if err := g.ownMusic(r, task, &job, form); err != nil {
		return err
	}
	if err := g.Submit.Submit(r.Context(), task, g.Route(req), r.Header.Get("Traceparent"), job); err != nil {
		// It may have been accepted all the same: then its blobs must stay.
		form.blobs = nil
		return newProblem(codeUnavailable, "The task could not be accepted.").because(err)
	}
	h := w.Header()
	h.Set("Location", statusURL(task))
	if wait > 0 {
		if preferred {
			h.Set("Preference-Applied", "wait="+strconv.Itoa(int(wait.Seconds())))
		}
		done, err := g.await(w, r, task, changes, wait, opts)
		if done || err != nil {
			return err
		}
	}
	return writeAccepted(w, task)
}

func writeAccepted(w http.ResponseWriter, task string) error {
	w.Header().Set("Location", statusURL(task))
	w.Header().Set("Retry-After", "1")
	return writeJSON(w, http.StatusAccepted, accepted{
		TaskID: task, Status: status.Queued, StatusURL: statusURL(task), EventsURL: "/api/tasks/" + task + "/events",
		CancelURL: "/api/tasks/" + task + "/cancel", DownloadURL: downloadURL(task, ""),
	})
}

// checkIDs refuses voices, profiles, music and engines that do not exist.
func (g *Gateway) checkIDs(r *http.Request, req events.Request) error {
	if req.Voice != "" {
		if err := g.CheckVoice(r.Context(), req.Voice); errors.Is(err, ErrUnknown) {
			return badField(codeVoice, "voice", "there is no such voice")
		} else if err != nil {
			return err
		}
	}
	if req.Profile != "" {
		if err := g.checkProfile(r, req.Profile); err != nil {
			return err
		}
	}
	for stage, engine := range req.Require {
		if err := g.checkEngine(stage, engine); err != nil {
			return err
		}
	}
	if req.BGM.Type == "" || req.BGM.Type == "none" {
		return nil
	}
	err := g.CheckMusic(r.Context(), req.BGM.Type)
	if errors.Is(err, ErrUnknown) {
		if _, err := g.track(r.Context(), req.Owner, req.BGM.Type); err != nil {
			return badField(codeBGM, "bgm_type", "there is no such music")
		}
		return nil
	}
	return err
}

// checkEngine refuses engines that can be required of no stage.
func (g *Gateway) checkEngine(stage, engine string) error {
	err := g.CheckEngine(stage, engine)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnknown):
		return badField(codeRange, "require", "there is no such stage or engine")
	}
	p := newProblem(codeUnavailable, "The engine "+engine+" cannot serve: "+err.Error())
	p.Retryable = false
	return p
}

// preferWait reads "Prefer: wait=N" (RFC 7240).
func preferWait(r *http.Request) (time.Duration, bool, error) {
	for _, h := range r.Header.Values("Prefer") {
		for part := range strings.SplitSeq(h, ",") {
			name, v, ok := strings.Cut(strings.TrimSpace(part), "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			if !ok {
				return maxWait, true, nil
			}
			n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(v), `"`))
			if err != nil || n < 0 || n > int(maxWait.Seconds()) {
				return 0, false, badField(codeRange, "Prefer", "wait must be 0 to 60 seconds")
			}
			return time.Duration(n) * time.Second, true, nil
		}
	}
	return 0, false, nil
}

// await answers when the task ends within the time; done says that it has.
func (g *Gateway) await(w http.ResponseWriter, r *http.Request, task string, changes <-chan struct{}, wait time.Duration, opts options) (done bool, err error) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	// The feed wakes us; the ticker bounds what a lost watch would cost.
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		t, rev, err := g.Tasks.Get(r.Context(), task)
		if err == nil && t.Terminal() {
			if b, ok := t.Blob(events.BlobSpeech); ok && opts.wav && t.State() == status.Completed {
				if p, ok := t.Blob(events.BlobProsody); ok {
					b = p
				}
				return true, g.serveBlob(w, r, b, "videomsg-"+t.ID)
			}
			v, err := g.render(r, t, rev, nil)
			if err != nil {
				return true, err
			}
			return true, writeJSON(w, http.StatusOK, v)
		}
		if err != nil && !errors.Is(err, status.ErrNotFound) {
			return false, nil // it is accepted, and that can be said
		}
		select {
		case <-changes:
		case <-look.C:
		case <-timeout.C:
			return false, nil
		case <-r.Context().Done():
			return false, nil
		}
	}
}
