package gateway

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/objectstore"
)

func TestLinkReadsOneFileWithoutToken(t *testing.T) {
	h := newHarness(t, nil)
	task := h.generate()
	if r := h.json("POST", "/api/tasks/"+task+"/links", `{}`); r.StatusCode != 409 {
		t.Errorf("link to what is not made yet: %s", r.body)
	}
	h.finish(task, "")
	h.ended(task, "completed")
	path := "/api/tasks/" + task + "/links"
	made := h.json("POST", path, `{"expires_in":3600}`)
	l := decode[link](t, made)
	if made.StatusCode != 201 || l.Artifact != "video" || made.Header.Get("Location") != l.URL {
		t.Fatalf("%s %s", made.Status, made.body)
	}
	if d := time.Until(l.ExpiresAt); d < 59*time.Minute || d > time.Hour {
		t.Errorf("expires in %v", d)
	}
	speech := decode[link](t, h.json("POST", path, `{"artifact":"speech"}`))

	r := h.do("GET", l.URL, nil, "Authorization", "")
	if r.StatusCode != 200 || len(r.body) != 10_000 || r.Header.Get("Content-Type") != "video/mp4" || !strings.Contains(r.Header.Get("Content-Disposition"), ".mp4") {
		t.Errorf("%s %v", r.Status, r.Header)
	}
	if r := h.do("GET", l.URL, nil, "Authorization", "", "Range", "bytes=10-14"); r.StatusCode != 206 || string(r.body) != "01234" {
		t.Errorf("range: %s %q", r.Status, r.body)
	}
	if r := h.do("HEAD", l.URL, nil, "Authorization", ""); r.StatusCode != 200 || r.ContentLength != 10_000 {
		t.Errorf("HEAD: %s, %d bytes", r.Status, r.ContentLength)
	}
	if r := h.do("GET", l.URL, nil, "Authorization", "", "If-None-Match", r.Header.Get("ETag")); r.StatusCode != 304 {
		t.Errorf("same content: %s", r.Status)
	}
	past, err := objectstore.NewLinkSigner(linkPath, func() time.Time { return time.Now().Add(-time.Hour) }, []byte(testSecret))
	if err != nil {
		t.Fatal(err)
	}
	expired, err := past.Sign(task+"/video", 59*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := objectstore.NewLinkSigner(linkPath, time.Now, []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := foreign.Sign(task+"/video", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	before, query, _ := strings.Cut(l.URL, "?")
	for name, c := range map[string]struct {
		method, url string
		status      int
	}{
		"expired":          {"GET", expired, 410},
		"another key":      {"GET", forged, 403},
		"later expiry":     {"GET", strings.Replace(l.URL, "expires=", "expires=9", 1), 403},
		"signed expiry":    {"GET", strings.Replace(l.URL, "expires=", "expires=%2B", 1), 403},
		"signature cut":    {"GET", l.URL[:len(l.URL)-1], 403},
		"no signature":     {"GET", before, 403},
		"twice":            {"GET", l.URL + "&" + query, 403},
		"other artefact":   {"GET", strings.Replace(l.URL, "/video?", "/speech?", 1), 403},
		"other signature":  {"GET", before + "?" + strings.SplitN(speech.URL, "?", 2)[1], 403},
		"the details":      {"GET", strings.Replace(l.URL, "/video?", "/details?", 1), 403},
		"another task":     {"GET", strings.Replace(l.URL, task, "01arz3ndektsv4rrffq69g5fav", 1), 403},
		"encoded artefact": {"GET", strings.Replace(l.URL, "/video?", "/vide%6F?", 1), 403},
		"traversal":        {"GET", strings.Replace(l.URL, "/video?", "/..%2Fvideo?", 1), 403},
		"POST":             {"POST", l.URL, 405},
		"DELETE":           {"DELETE", l.URL, 405},
		"status by link":   {"GET", "/api/video/status/" + task + "?" + query, 401},
		"download by link": {"GET", "/api/video/download/" + task + "?" + query, 401},
	} {
		r := h.do(c.method, c.url, nil, "Authorization", "")
		if r.StatusCode != c.status || strings.Contains(string(r.body), "0123456789") {
			t.Errorf("%s: %s, want %d: %s", name, r.Status, c.status, r.body)
		}
	}
	for body, status := range map[string]int{
		`{"expires_in":59}`: 422, `{"expires_in":604801}`: 422, `{"expires_in":9223372036854775807}`: 422, `{"expires_in":-1}`: 422,
		`{"expires_in":"1h"}`: 422, `{"artifact":"details"}`: 404, `{"artifact":"../video"}`: 404, `{"artifact":"none"}`: 404, `{"what":1}`: 400, ``: 400,
	} {
		if r := h.json("POST", path, body); r.StatusCode != status {
			t.Errorf("%s: %s, want %d: %s", body, r.Status, status, r.body)
		}
	}
	if r := h.json("POST", path, `{}`, "Authorization", "Bearer "+h.other); r.StatusCode != 404 {
		t.Errorf("somebody else's task: %s", r.body)
	}
	if r := h.json("POST", path, `{}`, "Authorization", ""); r.StatusCode != 401 {
		t.Errorf("nobody: %s", r.body)
	}
	if r := h.do("DELETE", "/api/tasks/"+task, nil); r.StatusCode != 204 {
		t.Fatalf("erase: %s", r.body)
	}
	if r := h.do("GET", l.URL, nil, "Authorization", ""); r.StatusCode != 410 {
		t.Errorf("an erased task's link: %s %s", r.Status, r.body)
	}
}

// signingStore is a store that can sign links, as S3 can.
type signingStore struct{ objectstore.Full }

func (signingStore) SignedURL(_ context.Context, key string, l objectstore.Link) (string, error) {
	return "https://bucket.example/" + key + "?type=" + l.ContentType + "&as=" + l.ContentDisposition, nil
}

// The store is decorated, as in the program.
func TestPublicDownloadsLeadToTheStore(t *testing.T) {
	h := newHarness(t, func(c *Config, d *Deps) {
		c.PublicLinks = true
		full, ok := d.Blobs.(objectstore.Full)
		if !ok {
			t.Fatal("the store has not all abilities")
		}
		d.Blobs = objectstore.Observe(signingStore{full}, "s3", func(objectstore.Operation) {})
	})
	task := h.generate()
	h.finish(task, "")
	h.ended(task, "completed")
	l := decode[link](t, h.json("POST", "/api/tasks/"+task+"/links", `{}`))
	for _, path := range []string{"/api/video/download/" + task, l.URL} {
		r := h.do("GET", path, nil)
		if to := r.Header.Get("Location"); r.StatusCode != http.StatusFound || !strings.HasPrefix(to, "https://bucket.example/intermediates/"+task+"/") ||
			!strings.Contains(to, "type=video/mp4") || !strings.Contains(to, "videomsg-"+task+"-video.mp4") {
			t.Errorf("%s: %s to %q", path, r.Status, to)
		}
		if r := h.do("HEAD", path, nil); r.StatusCode != 200 || r.ContentLength != 10_000 {
			t.Errorf("HEAD %s: %s, %d bytes", path, r.Status, r.ContentLength)
		}
	}
}
