package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func testHandler(t *testing.T) http.Handler {
	t.Helper()
	files, err := load(fstest.MapFS{
		"index.html":      {Data: []byte("<!doctype html><title>the page</title>" + strings.Repeat(" ", 500))},
		"sw.js":           {Data: []byte("self.x = 1")},
		"assets/a-123.js": {Data: []byte(strings.Repeat("let x = 1;", 100))},
		"icon-192.png":    {Data: []byte("\x89PNG")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return handler(files)
}

func TestEachAddressGetsWhatItIs(t *testing.T) {
	h := testHandler(t)
	for _, c := range []struct {
		path, mediaType, cache string
		code                   int
	}{
		{"/", "text/html; charset=utf-8", "no-cache", 200},
		{"/t/01k0abc/debug", "text/html; charset=utf-8", "no-cache", 200},
		{"/history", "text/html; charset=utf-8", "no-cache", 200},
		{"/assets/a-123.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", 200},
		{"/sw.js", "text/javascript; charset=utf-8", "no-cache", 200},
		{"/icon-192.png", "image/png", "no-cache", 200},
		{"/assets/gone.js", "", "", 404},
		{"/api/nothing", "", "", 404},
		{"/api", "", "", 404},
		{"/../web.go", "", "", 404},
		{"/assets/../../web.go", "", "", 404},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.Path = c.path
		h.ServeHTTP(w, r)
		if w.Code != c.code {
			t.Errorf("%s: %d, want %d", c.path, w.Code, c.code)
			continue
		}
		if c.code != 200 {
			continue
		}
		if got := w.Header().Get("Content-Type"); got != c.mediaType {
			t.Errorf("%s is %q", c.path, got)
		}
		if got := w.Header().Get("Cache-Control"); got != c.cache {
			t.Errorf("%s: Cache-Control %q", c.path, got)
		}
		if got := w.Header().Get("Content-Security-Policy"); got != Policy {
			t.Errorf("%s: policy %q", c.path, got)
		}
	}
}

func TestTextIsCompressedForWhoTakesIt(t *testing.T) {
	h := testHandler(t)
	ask := func(header map[string]string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/assets/a-123.js", nil)
		for k, v := range header {
			r.Header.Set(k, v)
		}
		h.ServeHTTP(w, r)
		return w
	}
	plain, packed := ask(nil), ask(map[string]string{"Accept-Encoding": "br, gzip"})
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() >= plain.Body.Len() {
		t.Fatalf("%d bytes in %q", packed.Body.Len(), packed.Header().Get("Content-Encoding"))
	}
	zr, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(zr)
	if err != nil || string(got) != plain.Body.String() {
		t.Errorf("unpacked it differs: %v", err)
	}
	if plain.Header().Get("ETag") == packed.Header().Get("ETag") {
		t.Error("both forms have one tag")
	}
	if w := ask(map[string]string{"If-None-Match": plain.Header().Get("ETag")}); w.Code != http.StatusNotModified {
		t.Errorf("unchanged: %d", w.Code)
	}
	if w := ask(map[string]string{"Range": "bytes=0-3", "Accept-Encoding": "gzip"}); w.Code != http.StatusPartialContent || w.Body.String() != "let " {
		t.Errorf("range: %d %q", w.Code, w.Body)
	}
}

// What is checked in must be a whole app: its page names files that are there.
func TestPageNamesFilesThatExist(t *testing.T) {
	h := Handler()
	get := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
		return w.Body.String()
	}
	page := get("/")
	found := 0
	for _, m := range regexp.MustCompile(`(?:href|src)="(/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(m[1], "/api/") {
			t.Errorf("the page asks the service for %s before anybody is known", m[1])
			continue
		}
		get(m[1])
		found++
	}
	for _, id := range []string{"first-ja", "first-en"} {
		if !strings.Contains(page, `<template id="`+id+`"><div class="first" inert>`) {
			t.Errorf("the page lacks %s, the first screen", id)
		}
	}
	if strings.Contains(page, ` style="`) {
		t.Error("the page has styles that its own policy forbids")
	}
	if found < 4 {
		t.Errorf("the page names %d files", found)
	}
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Error("the page names another origin")
	}
}
