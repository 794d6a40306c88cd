package webtest

import (
	"strings"
	"testing"
)

// A service that is gone leaves the app usable as far as it can be, and what was
// going on goes on when it is back.
func TestShellOpensWithoutTheService(t *testing.T) {
	t.Parallel()
	s, err := serve("gone")
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, s.url, "/", "ja", phone)
	b.allow("ERR_CONNECTION_REFUSED")
	b.allow("Failed to fetch")
	b.allow("net::ERR")
	b.wait(`navigator.serviceWorker.controller`)
	b.goTo("/") // its files now come through the worker
	manifest := get[struct {
		Name    string
		Display string
		Icons   []struct{ Src, Sizes, Purpose string }
	}](t, s.url, "/manifest.webmanifest")
	if manifest.Display != "standalone" || len(manifest.Icons) < 3 {
		t.Errorf("manifest: %+v", manifest)
	}
	s.stop()
	b.goTo("/")
	b.wait(`document.querySelector("#text")`)
	b.fill("#text", "つながらなくても書けます。")
	b.shot("offline")
	if text := eval[string](b, `document.querySelector("#text").value`); !strings.Contains(text, "書けます") {
		t.Errorf("the text is %q", text)
	}
}
