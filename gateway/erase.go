package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

// stopTime is how long an erasure waits for a running task to stop.
const stopTime = 5 * time.Second

// deleteTask is DELETE /api/tasks/{task}. It can be called again until it
// succeeds.
func (g *Gateway) deleteTask(w http.ResponseWriter, r *http.Request) error {
	t, _, err := g.load(r)
	var p *Problem
	if errors.As(err, &p) && p.Code == codeGone {
		t, err = status.Task{ID: chi.URLParam(r, "task"), Request: events.Request{Owner: owner(r)}}, nil
	}
	if err != nil {
		return err
	}
	if err := g.erase(r.Context(), t); err != nil {
		return newProblem(codeUnavailable, "The erasure has begun and goes on by itself; ask again to see it done.").because(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// erase stops a task, says that it is erased, and removes what is kept of it.
// From the event on it goes on by itself even if this process dies.
func (g *Gateway) erase(ctx context.Context, t status.Task) error {
	ctx = context.WithoutCancel(ctx)
	if !t.Terminal() && t.Plan != nil {
		if err := g.stop(ctx, t); err != nil {
			return err
		}
	}
	gone := events.New(t.ID, events.Task, events.Erased, nil, events.Job{Request: events.Request{Kind: t.Request.Kind, Owner: t.Request.Owner}})
	if err := g.Submit.Publish(ctx, gone); err != nil {
		return fmt.Errorf("erase %s: %w", t.ID, err)
	}
	return g.Erase(ctx, t)
}

// stop cancels a task and waits for its end, so that no stage stores anything
// more; one that does not stop in time is swept up later.
func (g *Gateway) stop(ctx context.Context, t status.Task) error {
	changes, unsubscribe := g.Feed.Subscribe(t.ID)
	defer unsubscribe()
	if err := g.Submit.Cancel(ctx, t.ID, events.Job{Request: t.Request}); err != nil {
		return fmt.Errorf("cancel %s: %w", t.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	for {
		now, _, err := g.get(ctx, t.ID)
		if err == nil && now.Terminal() {
			return nil
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return nil
		}
	}
}

// deleteSubject is DELETE /api/subjects/{subject}: everything the caller has
// that belongs to one person.
func (g *Gateway) deleteSubject(w http.ResponseWriter, r *http.Request) error {
	name, err := pathText(r, "subject", 200)
	if err != nil {
		return err
	}
	me := owner(r)
	subject := digest(me, strings.TrimSpace(name))
	ctx := context.WithoutCancel(r.Context())
	var errs []error
	for _, id := range g.Feed.OfSubject(me, subject) {
		t, _, err := g.get(ctx, id)
		if errors.Is(err, status.ErrNotFound) {
			continue
		}
		if err == nil {
			err = g.erase(ctx, t)
		}
		errs = append(errs, err)
	}
	errs = append(errs, g.forgetWords(ctx, me, subject))
	if g.Profiles != nil {
		errs = append(errs, eachKey(ctx, g.Library, voiceKey(me, subject, "*"), func(key string, _ []byte) error {
			id := key[strings.LastIndexByte(key, '.')+1:]
			if err := g.Profiles.Delete(ctx, me, id); err != nil && !errors.Is(err, ErrUnknown) {
				return err
			}
			return g.Library.Purge(ctx, key)
		}))
	}
	if err := errors.Join(errs...); err != nil {
		return newProblem(codeUnavailable, "Not everything could be erased yet; ask again.").because(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// voiceKey remembers which cloned voice belongs to a subject.
func voiceKey(owner, subject, profile string) string {
	return "voice." + owner + "." + subject + "." + profile
}

// pathText is a path parameter with any text, unescaped.
func pathText(r *http.Request, name string, n int) (string, error) {
	v, err := unescape(chi.URLParam(r, name))
	if err != nil || !utf8.ValidString(v) || strings.ContainsRune(v, 0) || utf8.RuneCountInString(v) > n || strings.TrimSpace(v) == "" {
		return "", newProblem(codeNotFound, "There is nothing at this address.").because(err)
	}
	return v, nil
}
