package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// A Track is music that a user has uploaded, with whom it belongs to and on what
// terms. It is kept in the library until it is deleted, and never changes.
type Track struct {
	ID      string      `json:"id"`
	Owner   string      `json:"owner"` // who uploaded it
	Name    string      `json:"name"`
	Credit  string      `json:"credit"`  // attribution: who made it
	Licence string      `json:"licence"` // an SPDX identifier, or the terms in words
	Created time.Time   `json:"created"`
	Blob    events.Blob `json:"blob"`
}

func (t Track) music() Music {
	return Music{
		ID: t.ID, Name: t.Name, NameJa: t.Name, Own: true, Credit: t.Credit, Licence: t.Licence,
		CreatedAt: &t.Created, PreviewURL: "/api/bgm/" + t.ID + "/preview",
	}
}

// maxTracks is how many tracks one user may keep.
const maxTracks = 50

// uploadTrack is POST /api/bgm: own music for the library.
func (g *Gateway) uploadTrack(w http.ResponseWriter, r *http.Request) (err error) {
	own, err := g.shelves.of(r.Context(), owner(r))
	if err != nil {
		return err
	}
	if len(own) >= maxTracks {
		return newProblem(codeQuota, "You have 50 tracks; delete one first.")
	}
	id := g.newTask(r)
	form, err := g.readForm(w, r, id, map[string]fileField{"audio": {
		blob: events.BlobMusic, limit: min(g.conf.MaxAudio, maxTrackBytes), check: checkTrack,
		class: objectstore.Library, folder: "music",
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
	t := Track{
		ID: id, Owner: owner(r), Created: time.Now().UTC(),
		Name: f.must("name", 100), Credit: f.must("credit", 200), Licence: f.must("licence", 100),
	}
	rights := f.flag("rights")
	if err := f.done(); err != nil {
		return err
	}
	b, ok := form.blobs[events.BlobMusic]
	if !ok {
		return badField(codeMissing, "audio", "is missing")
	}
	if !rights {
		return badField(codeConsent, "rights", "must be true: you may use this music")
	}
	t.Blob = b
	doc, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if _, err := g.Library.Create(r.Context(), libraryKey(t.Owner, t.ID), doc); err != nil {
		return newProblem(codeUnavailable, "").because(err)
	}
	w.Header().Set("Location", "/api/bgm/"+t.ID)
	return writeJSON(w, http.StatusCreated, t.music())
}

// libraryKey is where the document of a track is kept in Deps.Library.
func libraryKey(owner, id string) string { return "music." + owner + "." + id }

// track reads one track of owner.
func (g *Gateway) track(ctx context.Context, owner, id string) (t Track, err error) {
	if events.CheckToken(id) != nil {
		return t, newProblem(codeNotFound, "There is no such music.")
	}
	e, err := g.Library.Get(ctx, libraryKey(owner, id))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return t, newProblem(codeNotFound, "There is no such music.")
	}
	if err != nil {
		return t, newProblem(codeUnavailable, "").because(err)
	}
	return t, json.Unmarshal(e.Value(), &t)
}

// deleteTrack is DELETE /api/bgm/{id}.
func (g *Gateway) deleteTrack(w http.ResponseWriter, r *http.Request) error {
	t, err := g.track(r.Context(), owner(r), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if err := g.dropTrack(r.Context(), t); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// A MusicInfo is what the music stage must know of a track; it travels as the
// blob events.BlobMusicInfo.
type MusicInfo struct {
	Credit  string `json:"credit,omitempty"`
	Licence string `json:"licence,omitempty"`
}

// ownMusic gives job the caller's track, if it asks for one. The track is not a
// blob of the form: those are discarded when the request is refused.
func (g *Gateway) ownMusic(r *http.Request, task string, job *events.Job, form *form) error {
	id := job.Request.BGM.Type
	if id == "" || id == "none" || g.CheckMusic(r.Context(), id) == nil {
		delete(job.Blobs, events.BlobMusic) // of a task that this one is a rerun of
		delete(job.Blobs, events.BlobMusicInfo)
		return nil
	}
	t, err := g.track(r.Context(), job.Request.Owner, id)
	if err != nil {
		return badField(codeBGM, "bgm_type", "there is no such music").because(err)
	}
	info, err := json.Marshal(MusicInfo{Credit: t.Credit, Licence: t.Licence})
	if err != nil {
		return err
	}
	if err := g.putBlob(r.Context(), form, task, events.BlobMusicInfo, "application/json", string(info)); err != nil {
		return err
	}
	job.Blobs[events.BlobMusicInfo] = form.blobs[events.BlobMusicInfo]
	job.Blobs[events.BlobMusic] = t.Blob
	return nil
}

func (g *Gateway) dropTrack(ctx context.Context, t Track) error {
	if err := objectstore.Erase(ctx, g.Blobs, t.Blob.Key); err != nil {
		return err
	}
	return g.Library.Purge(ctx, libraryKey(t.Owner, t.ID))
}

// eachKey calls f with each key that matches a filter and its value.
func eachKey(ctx context.Context, kv jetstream.KeyValue, filter string, f func(key string, value []byte) error) error {
	w, err := kv.Watch(ctx, filter, jetstream.IgnoreDeletes())
	if err != nil {
		return newProblem(codeUnavailable, "").because(err)
	}
	defer w.Stop() //nolint:errcheck // its consumer ends with its time as well
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok || e == nil {
				return nil
			}
			if err := f(e.Key(), e.Value()); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
