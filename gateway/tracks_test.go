package gateway

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/videomsg/videomsg/producers"
)

func TestMusicNamesItsOwnerLicenceAndAttribution(t *testing.T) {
	h := newHarness(t, nil)
	ids := func() (out []string) {
		for _, m := range decode[list[Music]](t, h.do("GET", "/api/bgm", nil)).Items {
			if m.Licence == "" || m.Own && m.Credit == "" {
				t.Errorf("%+v", m)
			}
			if m.Own {
				out = append(out, m.ID)
			}
		}
		return out
	}
	if got := ids(); len(got) > 0 {
		t.Fatalf("%q before any upload", got)
	}
	r := track("name", "my song", "credit", " A. Composer ", "licence", "CC-BY-4.0", "rights", "true")(h)
	m := decode[Music](t, r)
	if r.StatusCode != 201 || m.Credit != "A. Composer" || m.Licence != "CC-BY-4.0" || !m.Own {
		t.Fatalf("%d %+v", r.StatusCode, m)
	}
	if got := ids(); !slices.Equal(got, []string{m.ID}) {
		t.Errorf("the catalogue has %q after the upload", got)
	}
	// The record says whose it is.
	own, err := h.g.shelves.of(t.Context(), "alice")
	if err != nil || len(own) != 1 || own[0].Owner != "alice" {
		t.Fatalf("%+v %v", own, err)
	}
	// It is read once as long as nobody writes …
	again, err := h.g.shelves.of(t.Context(), "alice")
	if err != nil || &again[0] != &own[0] {
		t.Errorf("read again: %v", err)
	}
	// … and at once when another gateway does.
	second := own[0]
	second.ID, second.Created = producers.NewTask(), time.Now()
	doc, err := json.Marshal(second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.b.Library.Create(t.Context(), libraryKey("alice", second.ID), doc); err != nil {
		t.Fatal(err)
	}
	if got := ids(); !slices.Equal(got, []string{second.ID, m.ID}) {
		t.Errorf("the catalogue has %q, want the newest first", got)
	}
	if got := h.do("GET", "/api/bgm/calm", nil); got.Header.Get("Cache-Control") != "private, max-age=3600" {
		t.Errorf("a built-in track is kept by %q", got.Header.Get("Cache-Control"))
	}
}
