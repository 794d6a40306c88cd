package avatar_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/avatar/avatartest"
)

// switchboard connects hints with those who wait for them.
type switchboard struct {
	mu    sync.Mutex
	lines map[string]chan struct{}
}

func (s *switchboard) listen(token string) (<-chan struct{}, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil {
		s.lines = map[string]chan struct{}{}
	}
	c := make(chan struct{}, 1)
	s.lines[token] = c
	return c, func() { s.mu.Lock(); delete(s.lines, token); s.mu.Unlock() }
}

func (s *switchboard) hint(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.lines[token] <- struct{}{}:
	default:
	}
}

func hinted(t *testing.T, fake *avatartest.DID, board *switchboard, c avatar.Clock) *avatar.DIDEngine {
	t.Helper()
	needFFmpeg(t)
	v, err := talk()
	if err != nil {
		t.Fatal(err)
	}
	fake.Key, fake.Video = key, v
	srv := httptest.NewServer(fake)
	t.Cleanup(srv.Close)
	e, err := avatar.DID{
		Key: key, URL: srv.URL, HTTP: srv.Client(), Ledger: &avatartest.Ledger{}, Clock: c,
		Hints: avatar.Hints{URL: "https://video.example.com/app/", Listen: board.listen},
	}.New()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// With looks an hour apart only a hint can bring the video in time.
func TestDIDWebhookWakesWhoeverWaits(t *testing.T) {
	board := &switchboard{}
	fake := &avatartest.DID{Looks: 1}
	fake.Hook = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/talks/") && fake.Calls("GET /talks/{id}") == 1 {
			address, _ := fake.Newest()
			token, ok := strings.CutPrefix(address, "https://video.example.com/app"+avatar.HintPath)
			if !ok || len(token) != 32 {
				t.Errorf("webhook %q", address)
			}
			board.hint(strings.Repeat("0", 32)) // somebody else's wakes nobody
			board.hint(token)
		}
		return false
	}
	e := hinted(t, fake, board, avatar.Clock{Poll: time.Hour, Limit: 2 * time.Hour, Retry: time.Millisecond})
	if _, err := e.Engine().Run(t.Context(), job(t, "task1", 1)); err != nil {
		t.Fatal(err)
	}
	if len(board.lines) != 0 {
		t.Error("somebody listens still")
	}
}

// Whoever knows the address can bring looks forward, not end a job, and not
// flood D-ID in our name.
func TestDIDWebhookForged(t *testing.T) {
	board := &switchboard{}
	fake := &avatartest.DID{Looks: 1 << 30}
	fake.Hook = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/talks/") {
			address, _ := fake.Newest()
			token := address[strings.LastIndex(address, "/")+1:]
			for range 100 {
				board.hint(token)
			}
		}
		return false
	}
	const limit, least = 300 * time.Millisecond, 20 * time.Millisecond
	e := hinted(t, fake, board, avatar.Clock{Poll: 200 * time.Millisecond, Limit: limit, Retry: least})
	if _, err := e.Engine().Run(t.Context(), job(t, "task1", 1)); err == nil || fake.Bought() != 1 {
		t.Errorf("bought %d, %v", fake.Bought(), err)
	}
	if n := fake.Calls("GET /talks/{id}"); n > int(limit/least)+12 {
		t.Errorf("%d looks", n)
	}
}

func TestDIDShowsTheEmotion(t *testing.T) {
	for _, tt := range []struct {
		emotion   string
		intensity float64
		want      string
	}{
		{"happy", 1, "0 happy 0.80"},
		{"grateful", 0.5, "0 happy 0.40"},
		{"sad", 1, "0 serious 0.80"},
		{"angry", 7, "0 serious 0.80"},
		{"calm", 1, ""},
		{"", 0, ""},
	} {
		t.Run(tt.emotion, func(t *testing.T) {
			fake := &avatartest.DID{Hook: avatartest.Refuse("GET /talks/tlk_0", -1, 400, "")}
			e, _ := did(t, fake, &avatartest.Ledger{})
			j := job(t, "task1", 1)
			j.Emotion, j.Intensity = tt.emotion, tt.intensity
			if _, err := e.Engine().Run(t.Context(), j); err == nil {
				t.Fatal("no error")
			}
			if address, got := fake.Newest(); got != tt.want || address != "" {
				t.Errorf("expression %q, webhook %q, want %q and none", got, address, tt.want)
			}
		})
	}
}

func TestHintsConfig(t *testing.T) {
	listen := (&switchboard{}).listen
	for _, h := range []avatar.Hints{
		{URL: "http://video.example.com", Listen: listen},
		{URL: "https://", Listen: listen},
		{URL: "https://video.example.com?a=b", Listen: listen},
		{URL: "https://video.example.com"},
	} {
		if _, err := (avatar.DID{Key: "k", HTTP: http.DefaultClient, Ledger: &avatartest.Ledger{}, Hints: h}).New(); err == nil {
			t.Errorf("%q is accepted", h.URL)
		}
	}
}
