package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/events"
)

func TestHintWakesAndBelievesNothing(t *testing.T) {
	h := newHarness(t, nil)
	token := strings.Repeat("0a", 16)
	sub, err := h.b.Conn.SubscribeSync(events.HintSubject("*"))
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, body string) int {
		t.Helper()
		res, err := http.Post(h.url+path, "application/json", strings.NewReader(body)) //nolint:noctx,gosec // the test's own server
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	for path, want := range map[string]int{
		"/api/d-id/hints/" + token[1:]:                http.StatusNotFound,
		"/api/d-id/hints/" + strings.Repeat("0.", 16): http.StatusNotFound,
		"/api/d-id/hints/" + strings.Repeat("*", 32):  http.StatusNotFound,
		"/api/d-id/hints/" + strings.ToUpper(token):   http.StatusNotFound,
		"/api/d-id/hints/" + token:                    http.StatusNoContent,
	} {
		if got := post(path, `{"status":"done","result_url":"https://evil.example/x.mp4"}`); got != want {
			t.Errorf("%s answers %d, want %d", path, got, want)
		}
	}
	m, err := sub.NextMsg(5 * time.Second)
	if err != nil || m.Subject != events.HintSubject(token) || len(m.Data) != 0 {
		t.Errorf("heard %+v, %v; want the token and nothing of the body", m, err)
	}
	if m, err := sub.NextMsg(50 * time.Millisecond); err == nil {
		t.Errorf("heard %q as well", m.Subject)
	}
}
