package speech

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech/speechtest"
)

// serve starts a fake and returns its address.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// exchange holds fake and client to the recorded exchanges.
func exchange(t *testing.T, base string, list []speechtest.Exchange) {
	t.Helper()
	r, err := newRemote("service", base, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		kind := ""
		if strings.Contains(x.Body, "=") && x.Body[0] != '{' {
			kind = "application/x-www-form-urlencoded"
		} else if x.Body != "" {
			kind = "application/json"
		}
		target := base + x.Path
		if x.Query != "" {
			target += "?" + x.Query
		}
		req, err := http.NewRequestWithContext(t.Context(), x.Method, target, strings.NewReader(x.Body))
		if err != nil {
			t.Fatal(err)
		}
		if kind != "" {
			req.Header.Set("Content-Type", kind)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != x.Status || !strings.Contains(string(body), x.Answer) {
			t.Errorf("%s: %d %.200s, want %d with %s", x.Name, res.StatusCode, body, x.Status, x.Answer)
		}
		q, err := url.ParseQuery(x.Query)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = r.do(t.Context(), call{method: x.Method, path: x.Path, query: q, body: []byte(x.Body), contentType: kind, timeout: 5 * time.Second})
		if x.Told == "" {
			if err != nil {
				t.Errorf("%s: client says %v", x.Name, err)
			}
			continue
		}
		s, ok := errors.AsType[*statusError](err)
		if !ok || s.told != x.Told || s.status != x.Status {
			t.Errorf("%s: client says %v, want %d %s", x.Name, err, x.Status, x.Told)
		}
		if permanent := errors.Is(err, engines.ErrPermanent); permanent != (x.Status < 500) {
			t.Errorf("%s: permanent is %v for status %d", x.Name, permanent, x.Status)
		}
	}
}

func TestToldUnderstandsEveryShape(t *testing.T) {
	for body, want := range map[string]string{
		`{"detail":"a"}`: "a", `{"message":"b"}`: "b", `"c"`: "c", `plain  text`: "plain text", ``: "", `{}`: "{}",
		`{"detail":[{"loc":["x"],"msg":"m","type":"value_error.missing"},{"msg":"n"}]}`: "m; n",
		`{"detail":{"text":"カ","error_name":"UNKNOWN_TEXT","error_args":{}}}`:           `{"error_args":{},"error_name":"UNKNOWN_TEXT","text":"カ"}`,
		`{"error":"e","status_code":500}`:                                               "e", "<html>\n<b>x</b>": "<html> <b>x</b>", "\xff": "?", `null`: "null",
	} {
		if got := told([]byte(body)); got != want {
			t.Errorf("told(%s) = %q, want %q", body, got, want)
		}
	}
	if n := len([]rune(told([]byte(strings.Repeat("あ", 5000))))); n != maxTold+1 {
		t.Errorf("%d characters of a long complaint", n)
	}
}

func TestAddressesAreChecked(t *testing.T) {
	for _, bad := range []string{"", "localhost:1", "ftp://a", "http://", "://", "http://a b"} {
		if _, err := newRemote("x", bad, http.DefaultClient); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := newRemote("x", "http://a", nil); err == nil {
		t.Error("no client is taken")
	}
}
