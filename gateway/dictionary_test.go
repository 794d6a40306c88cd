package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/videomsg/videomsg/events"
)

// words a submitted task was given.
func (h *harness) words(task string) (out []Word) {
	h.t.Helper()
	m, err := h.b.Events.GetLastMsgForSubject(h.t.Context(), events.Subject(events.Task, events.Submitted, task))
	if err != nil {
		h.t.Fatal(err)
	}
	e, err := events.Decode(m.Header, m.Data)
	if err != nil {
		h.t.Fatal(err)
	}
	b, ok := e.Job.Blobs[events.BlobWords]
	if !ok {
		return nil
	}
	if !strings.Contains(b.Key, task) {
		h.t.Errorf("words at %s are not those of %s", b.Key, task)
	}
	rc, err := h.blobs.Get(h.t.Context(), b.Key)
	if err != nil {
		h.t.Fatal(err)
	}
	defer rc.Close() //nolint:errcheck // read only
	doc, err := io.ReadAll(rc)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := json.Unmarshal(doc, &out); err != nil {
		h.t.Fatal(err)
	}
	return out
}

func surfaces(list []Word) (out []string) {
	for _, w := range list {
		out = append(out, w.Surface+" "+w.Reading)
	}
	return out
}

func TestDictionary(t *testing.T) {
	var spoken []string // what previews were made of
	h := newHarness(t, func(_ *Config, d *Deps) {
		d.Speak = func(_ context.Context, _, text string, words []Word) ([]byte, error) {
			spoken = append(spoken, fmt.Sprint(text, surfaces(words)))
			return tone(t, 0.1), nil
		}
	})
	bob := []string{"Authorization", "Bearer " + h.other}
	add := func(body string, headers ...string) Word {
		t.Helper()
		r := h.json("POST", "/api/dictionary", body, headers...)
		if r.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %s", body, r.body)
		}
		w := decode[Word](t, r)
		if r.Header.Get("Location") != "/api/dictionary/"+w.ID || strings.Contains(w.ID, w.Surface) {
			t.Errorf("%s is at %s", w.ID, r.Header.Get("Location"))
		}
		return w
	}
	list := func(query string, headers ...string) []string {
		t.Helper()
		return surfaces(decode[struct{ Items []Word }](t, h.do("GET", "/api/dictionary"+query, nil, headers...)).Items)
	}
	own := add(`{"surface":"小鳥遊","reading":"たかなし","accent":0,"subject":"Hanako"}`)
	add(`{"surface":"ＡＢＣ","reading":"あい"}`, "Idempotency-Key", "k")
	add(`{"surface":"小鳥遊","reading":"たかなし","language":"en-GB"}`)
	add(`{"surface":"月見里","reading":"やまな"}`, bob...)
	if own.Accent == nil || *own.Accent != 0 || own.Language != "ja" {
		t.Errorf("made %+v", own)
	}

	if d := cmp.Diff(list(""), []string{"小鳥遊 たかなし", "小鳥遊 たかなし", "ＡＢＣ あい"}); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(list("?language=ja"), []string{"小鳥遊 たかなし", "ＡＢＣ あい"}); d != "" {
		t.Error(d)
	}
	for name, c := range map[string]struct {
		r    reply
		want int
		code string
	}{
		"the same word again":      {h.json("POST", "/api/dictionary", `{"surface":"小鳥遊","reading":"たかな"}`), 409, codeConflict},
		"the same in other width":  {h.json("POST", "/api/dictionary", `{"surface":"abc","reading":"たかな"}`), 409, codeConflict},
		"a reading in kanji":       {h.json("POST", "/api/dictionary", `{"surface":"山","reading":"山"}`), 422, codeRange},
		"control characters":       {h.json("POST", "/api/dictionary", `{"surface":"山\u0001","reading":"やま"}`), 422, codeRange},
		"no language":              {h.json("POST", "/api/dictionary", `{"surface":"山","reading":"やま","language":"日本"}`), 422, codeRange},
		"an accent that is a word": {h.json("POST", "/api/dictionary", `{"surface":"山","reading":"やま","accent":"1"}`), 422, codeRange},
		"an unknown member":        {h.json("POST", "/api/dictionary", `{"surface":"山","reading":"やま","priority":1}`), 400, codeBadRequest},
		"a form":                   {h.form("/api/dictionary", []part{text("surface", "山")}), 415, codeMediaType},
		"no such word":             {h.do("GET", "/api/dictionary/nothing", nil), 404, codeNotFound},
		"somebody else's":          {h.do("GET", "/api/dictionary/"+own.ID, nil, bob...), 404, codeNotFound},
		"to change somebody's":     {h.json("PATCH", "/api/dictionary/"+own.ID, `{"reading":"やま"}`, bob...), 404, codeNotFound},
		"to delete somebody's":     {h.do("DELETE", "/api/dictionary/"+own.ID, nil, bob...), 404, codeNotFound},
		"to a wrong reading":       {h.json("PATCH", "/api/dictionary/"+own.ID, `{"reading":"x"}`), 422, codeRange},
	} {
		if c.r.StatusCode != c.want || c.r.code() != c.code {
			t.Errorf("%s: %d %s, want %d %s", name, c.r.StatusCode, c.r.body, c.want, c.code)
		}
	}

	// Tasks get the words of their text, as they are then.
	task := func(r reply) string { t.Helper(); return decode[accepted](t, r).TaskID }
	first := task(h.form("/api/video/generate", []part{file("image", picture()), text("text", "小鳥遊さん"), text("subject", "Hanako")}))
	if d := cmp.Diff(surfaces(h.words(first)), []string{"小鳥遊 たかなし"}); d != "" {
		t.Errorf("a video: %s", d)
	}
	if r := h.json("PATCH", "/api/dictionary/"+own.ID, `{"reading":"たかなしい"}`); r.StatusCode != 200 || decode[Word](t, r).Accent != nil {
		t.Errorf("change: %s", r.body)
	}
	if d := cmp.Diff(surfaces(h.words(first)), []string{"小鳥遊 たかなし"}); d != "" {
		t.Errorf("a task under way has changed: %s", d)
	}
	h.finish(first, "")
	h.ended(first, "completed")
	rerun := func(body string) string { return task(h.json("POST", "/api/tasks/"+first+"/rerun", body)) }
	for name, c := range map[string]struct {
		task string
		want []string
	}{
		"speech":                     {task(h.json("POST", "/api/voices/synthesize", `{"text":"abcと小鳥遊"}`)), []string{"小鳥遊 たかなしい", "ＡＢＣ あい"}},
		"speech in another language": {task(h.json("POST", "/api/voices/synthesize", `{"text":"abcと小鳥遊","language":"en"}`)), []string{"小鳥遊 たかなし"}},
		"speech without such words":  {task(h.json("POST", "/api/voices/synthesize", `{"text":"こんにちは"}`)), nil},
		"somebody else's speech":     {task(h.json("POST", "/api/voices/synthesize", `{"text":"abcと小鳥遊"}`, bob...)), nil},
		"again from the voice":       {rerun(`{"from":"voice"}`), []string{"小鳥遊 たかなしい"}},
		"again with another text":    {rerun(`{"from":"voice","changes":{"text":"abc"}}`), []string{"ＡＢＣ あい"}},
		"again from the music":       {rerun(`{"from":"bgm"}`), nil},
	} {
		if d := cmp.Diff(surfaces(h.words(c.task)), c.want); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	for _, who := range [][]string{nil, bob, nil} {
		h.do("GET", "/api/voices/openjtalk:standard/preview?text=abc", nil, who...)
	}
	if d := cmp.Diff(spoken, []string{"abc[ＡＢＣ あい]", "abc[]"}); d != "" {
		t.Errorf("previews: %s", d)
	}

	// With the person goes the word; the rest stays.
	if r := h.do("DELETE", "/api/subjects/Hanako", nil); r.StatusCode != http.StatusNoContent {
		t.Fatalf("erase: %s", r.body)
	}
	if d := cmp.Diff(list("", bob...), []string{"月見里 やまな"}); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(list(""), []string{"小鳥遊 たかなし", "ＡＢＣ あい"}); d != "" {
		t.Error(d)
	}

	// Many at once lose nothing, and the last word leaves nothing behind.
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if r := h.json("POST", "/api/dictionary", fmt.Sprintf(`{"surface":"山%d","reading":"やま"}`, i), bob...); r.StatusCode != 201 {
				t.Errorf("word %d: %s", i, r.body)
			}
		})
	}
	wg.Wait()
	all := decode[struct{ Items []Word }](t, h.do("GET", "/api/dictionary", nil, bob...)).Items
	if len(all) != 9 {
		t.Errorf("%d words, want 9", len(all))
	}
	for _, w := range all {
		if r := h.do("DELETE", "/api/dictionary/"+w.ID, nil, bob...); r.StatusCode != 204 {
			t.Errorf("delete: %s", r.body)
		}
	}
	if _, err := h.b.Library.Get(t.Context(), dictionaryKey("bob")); err == nil {
		t.Error("an empty dictionary is kept")
	}
}

func TestDictionaryIsBounded(t *testing.T) {
	h := newHarness(t, nil)
	full := make([]keptWord, maxWords)
	for i := range full { // the longest there can be
		full[i] = keptWord{Word: Word{ID: strings.Repeat("f", 32), Surface: strings.Repeat("漢", 30), Reading: strings.Repeat("か", 50), Language: "ja"}, Subject: strings.Repeat("f", 32)}
	}
	doc, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc) > maxDictionary {
		t.Errorf("a dictionary of %d words takes %d bytes", maxWords, len(doc))
	}
	if _, err := h.b.Library.Put(t.Context(), dictionaryKey("alice"), doc); err != nil {
		t.Fatal(err)
	}
	if r := h.json("POST", "/api/dictionary", `{"surface":"山","reading":"やま"}`); r.code() != codeQuota {
		t.Errorf("one more: %s", r.body)
	}
}
