package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/text/unicode/norm"

	"github.com/videomsg/videomsg/events"
)

// A Word is an entry of the caller's own dictionary: how a spelling is read.
type Word struct {
	ID        string    `json:"id"`
	Surface   string    `json:"surface"`
	Reading   string    `json:"reading"`
	Accent    *int      `json:"accent,omitempty"` // mora after which the pitch falls, 0 never; nil: the engine decides
	Language  string    `json:"language"`         // primary subtag of the texts it is for
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// A keptWord is a Word as it is stored.
type keptWord struct {
	Word
	Subject string `json:"subject,omitempty"` // digest of whom it belongs to
}

// newWord is the body of POST /api/dictionary.
type newWord struct {
	Surface  string `json:"surface"`
	Reading  string `json:"reading"`
	Accent   *int   `json:"accent,omitempty"`
	Language string `json:"language,omitempty"`
	Subject  string `json:"subject,omitempty"`
}

// wordChange is the body of PATCH /api/dictionary/{id}. Both members are
// replaced: an accent belongs to its reading.
type wordChange struct {
	Reading string `json:"reading"`
	Accent  *int   `json:"accent,omitempty"`
}

// Limits of a dictionary: all of it is one value of the library, which holds
// 64 KiB.
const (
	maxWords      = 128
	maxDictionary = 60_000 // bytes
)

// dictionaryKey is where the words of owner are kept in Deps.Library.
func dictionaryKey(owner string) string { return "words." + owner }

// wordID names a spelling of owner's: there is one entry for each, and its name
// does not tell it.
func wordID(owner, language, surface string) string {
	return digest("word", owner, language, folded(surface))
}

// folded is s without the differences that the dictionary does not see.
func folded(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

// words reads owner's dictionary; revision is 0 when there is none yet.
func (g *Gateway) words(ctx context.Context, owner string) (list []keptWord, revision uint64, err error) {
	e, err := g.Library.Get(ctx, dictionaryKey(owner))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, newProblem(codeUnavailable, "").because(fmt.Errorf("get dictionary: %w", err))
	}
	if err := json.Unmarshal(e.Value(), &list); err != nil {
		return nil, 0, fmt.Errorf("decode dictionary: %w", err)
	}
	return list, e.Revision(), nil
}

// changeWords reads owner's dictionary, has f change it and writes it, again
// while somebody else comes in between.
func (g *Gateway) changeWords(ctx context.Context, owner string, f func([]keptWord) ([]keptWord, error)) error {
	for range changeTries {
		list, revision, err := g.words(ctx, owner)
		if err != nil {
			return err
		}
		if list, err = f(list); err != nil {
			return err
		}
		err = g.putDictionary(ctx, owner, list, revision)
		if !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return err
		}
	}
	return newProblem(codeConflict, "The dictionary is being changed elsewhere; try again.")
}

// changeTries bounds how often a change is repeated against other writers.
const changeTries = 20

// putDictionary writes owner's words over a revision; of an empty list nothing is
// kept.
func (g *Gateway) putDictionary(ctx context.Context, owner string, list []keptWord, revision uint64) error {
	if len(list) == 0 {
		if revision == 0 {
			return nil
		}
		return g.Library.Purge(ctx, dictionaryKey(owner), jetstream.LastRevision(revision))
	}
	doc, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if len(list) > maxWords || len(doc) > maxDictionary {
		return newProblem(codeQuota, "Your dictionary is full; delete a word first.")
	}
	if revision == 0 {
		_, err = g.Library.Create(ctx, dictionaryKey(owner), doc)
	} else {
		_, err = g.Library.Update(ctx, dictionaryKey(owner), doc, revision)
	}
	if err != nil {
		return fmt.Errorf("put dictionary: %w", err)
	}
	return nil
}

// listWords is GET /api/dictionary.
func (g *Gateway) listWords(w http.ResponseWriter, r *http.Request) error {
	all, _, err := g.words(r.Context(), owner(r))
	if err != nil {
		return err
	}
	lang := primary(r.URL.Query().Get("language"))
	out := list[Word]{Items: []Word{}}
	for _, k := range all {
		if lang == "" || k.Language == lang {
			out.Items = append(out.Items, k.Word)
		}
	}
	slices.SortFunc(out.Items, func(a, b Word) int {
		return cmp.Or(strings.Compare(a.Language, b.Language), strings.Compare(a.Surface, b.Surface))
	})
	return g.writeCatalogue(w, r, out)
}

// createWord is POST /api/dictionary.
func (g *Gateway) createWord(w http.ResponseWriter, r *http.Request) error {
	var in newWord
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	f := &fields{values: map[string]string{"surface": in.Surface, "reading": in.Reading, "language": in.Language, "subject": in.Subject}}
	now := time.Now().UTC().Truncate(time.Second)
	k := keptWord{Word: Word{
		Surface: f.short("surface", 100), Reading: f.short("reading", 100), Accent: in.Accent, Language: primary(f.language()), CreatedAt: now, UpdatedAt: now,
	}}
	if s := f.short("subject", 200); s != "" {
		k.Subject = digest(owner(r), s)
	}
	if f.err != nil {
		return f.err
	}
	if err := profileProblem(g.CheckWord(k.Word)); err != nil {
		return err
	}
	k.ID = wordID(owner(r), k.Language, k.Surface)
	err := g.changeWords(r.Context(), owner(r), func(list []keptWord) ([]keptWord, error) {
		if at(list, k.ID) >= 0 {
			return nil, newProblem(codeConflict, "The word is in your dictionary already; change it there.")
		}
		return append(list, k), nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/dictionary/"+k.ID)
	return writeJSON(w, http.StatusCreated, k.Word)
}

func at(list []keptWord, id string) int {
	return slices.IndexFunc(list, func(k keptWord) bool { return k.ID == id })
}

func noWord() error { return newProblem(codeNotFound, "There is no such word in your dictionary.") }

// getWord is GET /api/dictionary/{id}.
func (g *Gateway) getWord(w http.ResponseWriter, r *http.Request) error {
	all, _, err := g.words(r.Context(), owner(r))
	if err != nil {
		return err
	}
	i := at(all, chi.URLParam(r, "id"))
	if i < 0 {
		return noWord()
	}
	return g.writeCatalogue(w, r, all[i].Word)
}

// changeWord is PATCH /api/dictionary/{id}.
func (g *Gateway) changeWord(w http.ResponseWriter, r *http.Request) error {
	var in wordChange
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	f := &fields{values: map[string]string{"reading": in.Reading}}
	reading := f.short("reading", 100)
	if f.err != nil {
		return f.err
	}
	var changed Word
	err := g.changeWords(r.Context(), owner(r), func(list []keptWord) ([]keptWord, error) {
		i := at(list, chi.URLParam(r, "id"))
		if i < 0 {
			return nil, noWord()
		}
		k := &list[i]
		k.Reading, k.Accent, k.UpdatedAt = reading, in.Accent, time.Now().UTC().Truncate(time.Second)
		changed = k.Word
		return list, profileProblem(g.CheckWord(changed))
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, changed)
}

// deleteWord is DELETE /api/dictionary/{id}.
func (g *Gateway) deleteWord(w http.ResponseWriter, r *http.Request) error {
	err := g.changeWords(r.Context(), owner(r), func(list []keptWord) ([]keptWord, error) {
		i := at(list, chi.URLParam(r, "id"))
		if i < 0 {
			return nil, noWord()
		}
		return slices.Delete(list, i, i+1), nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forgetWords removes what owner's dictionary holds of a person.
func (g *Gateway) forgetWords(ctx context.Context, owner, subject string) error {
	return g.changeWords(ctx, owner, func(list []keptWord) ([]keptWord, error) {
		return slices.DeleteFunc(list, func(k keptWord) bool { return k.Subject == subject }), nil
	})
}

// wordsIn are the words of owner for a language, or for any when it is empty,
// that stand in a text.
func (g *Gateway) wordsIn(ctx context.Context, owner, text, language string) ([]Word, error) {
	all, _, err := g.words(ctx, owner)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	text, language = folded(text), primary(language)
	var used []Word
	for _, k := range all {
		if (language == "" || k.Language == language) && strings.Contains(text, folded(k.Surface)) {
			used = append(used, k.Word)
		}
	}
	slices.SortFunc(used, func(a, b Word) int { return strings.Compare(a.Surface, b.Surface) })
	return used, nil
}

// putText stores a text that was checked, and the words of owner that it holds.
func (g *Gateway) putText(ctx context.Context, form *form, task string, req events.Request, text string) error {
	if err := g.putBlob(ctx, form, task, events.BlobText, "text/plain; charset=utf-8", text); err != nil {
		return err
	}
	return g.putWords(ctx, form, task, req, text)
}

// putWords stores the words of owner that a text holds, if there are any. A task
// keeps those it was submitted with, so that it gives the same however often it
// runs, and no others: they may name other people.
func (g *Gateway) putWords(ctx context.Context, form *form, task string, req events.Request, text string) error {
	used, err := g.wordsIn(ctx, req.Owner, text, cmp.Or(req.Language, "ja"))
	if err != nil || len(used) == 0 {
		return err
	}
	doc, err := json.Marshal(used)
	if err != nil {
		return err
	}
	return g.putBlob(ctx, form, task, events.BlobWords, "application/json", string(doc))
}

// primary is the first subtag of a language tag, in lower case.
func primary(tag string) string {
	tag, _, _ = strings.Cut(tag, "-")
	return strings.ToLower(tag)
}
