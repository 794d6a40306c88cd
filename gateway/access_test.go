package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestOpenModeAnswersThisMachineOnly(t *testing.T) {
	h := newHarness(t, func(c *Config, _ *Deps) { c.Secret = "" })
	for host, want := range map[string]int{
		"localhost": 200, "127.0.0.1": 200, "127.9.9.9:80": 200, "[::1]:8080": 200, "localhost:55433": 200,
		"evil.example": 401, "localhost.evil.example": 401, "10.0.0.1": 401, "127.0.0.1.nip.io": 401, "0.0.0.0": 401, "": 401,
	} {
		r := httptest.NewRequest("GET", "/api/tasks", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.g.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
	// Any page can make a browser send this; nothing may come of it.
	r := h.form("/api/video/generate", []part{file("image", picture()), text("text", "hi")}, "Authorization", "", "Sec-Fetch-Site", "cross-site")
	if r.StatusCode != 403 {
		t.Errorf("from another site: %s", r.Status)
	}
	if r := h.form("/api/video/generate", []part{file("image", picture()), text("text", "hi")}, "Authorization", "", "Sec-Fetch-Site", "same-origin"); r.StatusCode != 202 {
		t.Errorf("from our own page: %s %s", r.Status, r.body)
	}
}

func TestProductionDemandsConsent(t *testing.T) {
	h := newHarness(t, func(c *Config, _ *Deps) { c.Production = true })
	if r := h.form("/api/video/generate", []part{file("image", picture()), text("text", "hi")}); r.code() != codeConsent {
		t.Errorf("%s", r.body)
	}
	if r := h.form("/api/video/generate", []part{file("image", picture()), text("text", "hi"), text("consent", "true")}); r.StatusCode != 202 {
		t.Errorf("%s", r.body)
	}
	r := h.json("POST", "/api/session", fmt.Sprintf(`{"token":%q}`, h.user), "Authorization", "")
	if c := r.Cookies(); len(c) != 1 || !c[0].Secure {
		t.Errorf("cookie %v", c)
	}
	for name, c := range map[string]Config{
		"no secret": {Production: true}, "short secret": {Secret: "short"}, "any origin": {CORSOrigins: []string{"*"}},
	} {
		if c.Validate() == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestTokens(t *testing.T) {
	now := time.Now()
	for name, f := range map[string]func() (string, error){
		"short secret": func() (string, error) { return NewToken("short", "u", RoleUser, time.Hour, now) },
		"no user":      func() (string, error) { return NewToken(testSecret, "", RoleUser, time.Hour, now) },
		"odd user":     func() (string, error) { return NewToken(testSecret, "a b", RoleUser, time.Hour, now) },
		"odd role":     func() (string, error) { return NewToken(testSecret, "u", "god", time.Hour, now) },
		"no life":      func() (string, error) { return NewToken(testSecret, "u", RoleUser, 0, now) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	for user, want := range map[string]bool{"alice": true, "taro@example.com": false, "*": false, "a.b": false, strings.Repeat("a", 60): false} {
		if got := ownerOf(user) == user; got != want {
			t.Errorf("owner of %q is %q", user, ownerOf(user))
		}
	}
}

func TestClientAddressBehindProxies(t *testing.T) {
	g := &Gateway{conf: Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}}}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "203.0.113.9:1", []string{"1.2.3.4"}, "203.0.113.9"},
		{"one proxy", "10.0.0.1:1", []string{"1.2.3.4"}, "1.2.3.4"},
		{"client writes first", "10.0.0.1:1", []string{"6.6.6.6, 1.2.3.4"}, "1.2.3.4"},
		{"two proxies", "10.0.0.1:1", []string{"6.6.6.6, 1.2.3.4, 10.0.0.2"}, "1.2.3.4"},
		{"several headers", "10.0.0.1:1", []string{"6.6.6.6", "1.2.3.4", "10.0.0.2"}, "1.2.3.4"},
		{"garbage", "10.0.0.1:1", []string{"1.2.3.4, <script>"}, "10.0.0.1"},
		{"nothing", "10.0.0.1:1", nil, "10.0.0.1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1", []string{"1.2.3.4"}, "1.2.3.4"},
		{"IPv6", "[::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		r.Header["X-Forwarded-For"] = c.forwarded
		if got := g.client(r).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if a, b := network(netip.MustParseAddr("2001:db8::1")), network(netip.MustParseAddr("2001:db8::ffff")); a != b {
		t.Errorf("one subscriber counts as %s and %s", a, b)
	}
}

func TestRateLimitIsSharedAndTold(t *testing.T) {
	h := newHarness(t, func(c *Config, _ *Deps) { c.GeneratePerMin = 3 })
	second := New(h.g.conf, func() Deps { // another process on the same bucket
		d := h.g.Deps
		reg := prometheusRegistry()
		d.Metrics, d.Gather = reg, reg
		return d
	}())
	srv := httptest.NewServer(second)
	defer srv.Close()
	first := h.url
	var last reply
	for i := range 4 {
		h.url = first
		if i%2 == 1 {
			h.url = srv.URL
		}
		last = h.form("/api/video/generate", []part{file("image", picture()), text("text", "hi")})
		if want := i < 3; (last.StatusCode == 202) != want {
			t.Fatalf("request %d: %s %s", i+1, last.Status, last.body)
		}
		if want := fmt.Sprintf(`"generate";r=%d;`, max(2-i, 0)); !strings.HasPrefix(last.Header.Get("RateLimit"), want) {
			t.Errorf("request %d: RateLimit %s, want %s…", i+1, last.Header.Get("RateLimit"), want)
		}
		if got := last.Header.Get("RateLimit-Policy"); got != `"generate";q=3;w=60` {
			t.Errorf("RateLimit-Policy %s", got)
		}
	}
	if last.code() != codeRateLimited || last.Header.Get("Retry-After") == "" {
		t.Errorf("%v %s", last.Header, last.body)
	}
	h.url = first
	// Another user at the same address shares the address's share.
	body, kind := formBody(file("image", picture()), text("text", "hi"))
	if r := h.do("POST", "/api/video/generate", body, "Content-Type", kind, "Authorization", "Bearer "+h.other); r.StatusCode != 429 {
		t.Errorf("same address: %s", r.Status)
	}
	if r := h.do("GET", "/api/tasks", nil); r.StatusCode != 200 {
		t.Errorf("reading: %s", r.Status)
	}
}

// brokenKV fails or hangs.
type brokenKV struct {
	jetstream.KeyValue
	asked *atomic.Int32
}

func (b brokenKV) Get(ctx context.Context, _ string) (jetstream.KeyValueEntry, error) {
	b.asked.Add(1)
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestRateLimitWithoutBucketIsLocal(t *testing.T) {
	var asked atomic.Int32
	l := newLimiter(brokenKV{asked: &asked}, Config{GeneratePerMin: 3})
	now := time.Unix(1000, 0)
	l.now = func() time.Time { return now }
	for i := range 5 {
		left, wait := l.take(t.Context(), "k", 3)
		if i < 3 && left != 2-i || i >= 3 && (left != -1 || wait <= 0 || wait > window) {
			t.Errorf("request %d: %d left, wait %s", i+1, left, wait)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d of five requests wait for a bucket that does not answer", n)
	}
	now = now.Add(window + time.Second)
	if left, _ := l.take(t.Context(), "k", 3); left != 2 {
		t.Errorf("a minute later %d left, want 2", left)
	}
}

func TestSlidingWindowIsExact(t *testing.T) {
	var taken []int64
	at := time.Unix(5000, 0)
	passed := []time.Time{}
	for range 2000 {
		at = at.Add(700 * time.Millisecond)
		var left int
		if taken, left, _ = slide(taken, at, 10); left >= 0 {
			passed = append(passed, at)
		}
	}
	for i := 10; i < len(passed); i++ {
		if d := passed[i].Sub(passed[i-10]); d < window {
			t.Fatalf("11 requests within %s", d)
		}
	}
	if n := len(passed); n < 230 {
		t.Errorf("only %d of 233 possible requests passed", n)
	}
}

func TestCrossOriginRequests(t *testing.T) {
	h := newHarness(t, func(c *Config, _ *Deps) { c.CORSOrigins = []string{"https://app.example"} })
	pre := func(origin string) http.Header {
		return h.do("OPTIONS", "/api/video/generate", nil, "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization", "Authorization", "").Header
	}
	if got := pre("https://app.example").Get("Access-Control-Allow-Origin"); got != "https://app.example" {
		t.Errorf("our app: %q", got)
	}
	if got := pre("https://evil.example").Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("another: %q", got)
	}
	if got := pre("https://app.example").Get("Access-Control-Allow-Credentials"); got != "" {
		t.Errorf("cookies cross: %q", got)
	}
	plain := newHarness(t, nil)
	if got := plain.do("GET", "/health", nil, "Origin", "https://app.example").Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("without configuration: %q", got)
	}
}
