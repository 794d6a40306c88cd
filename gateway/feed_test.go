package gateway

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestMemoryIsNotTrustedAcrossReconnects loses the connection to the broker while
// things go on, and wants every answer to be the bucket's.
func TestMemoryIsNotTrustedAcrossReconnects(t *testing.T) {
	h := newHarness(t, nil)
	for i := range 3 {
		task := h.generate(text("subject", fmt.Sprint("s", i)))
		waitFor(t, func() bool { return h.g.Feed.cached(task) != nil })
		if err := h.b.Conn.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool {
			h.g.Feed.mu.Lock()
			defer h.g.Feed.mu.Unlock()
			return !h.g.Feed.current
		})
		h.finish(task, "")
		h.ended(task, "completed")
		waitFor(t, func() bool { return h.g.Feed.cached(task) != nil })
		if got, _, err := h.g.get(t.Context(), task); err != nil || !got.Terminal() {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestHotDocumentsStayWithinTheirBytes(t *testing.T) {
	h := newHot(100_000)
	for i := range 1000 {
		h.put(fmt.Sprint(i), uint64(i), make([]byte, 1000))
		if h.bytes > h.limit {
			t.Fatalf("%d bytes of %d", h.bytes, h.limit)
		}
	}
	if h.get("999") == nil || h.get("0") != nil || len(h.byID) != h.order.Len() {
		t.Error("the newest are not what is kept")
	}
	h.drop("999")
	if h.get("999") != nil {
		t.Error("a dropped document is still there")
	}
}

func TestHealthIsLookedAtOnceForMany(t *testing.T) {
	looks := make(chan struct{}, 100)
	h := newHarness(t, nil)
	release := make(chan struct{})
	h.g.probes = newProbes(func(context.Context) Health {
		looks <- struct{}{}
		<-release
		return Health{Status: "unhealthy", Services: map[string]ServiceHealth{}}
	})
	codes := make(chan int, 20)
	for range 20 {
		go func() { codes <- h.do("GET", "/health", nil).StatusCode }()
	}
	time.Sleep(50 * time.Millisecond)
	close(release)
	for range 20 {
		if c := <-codes; c != http.StatusServiceUnavailable {
			t.Errorf("%d", c)
		}
	}
	if n := len(looks); n != 1 {
		t.Errorf("%d looks for 20 questions", n)
	}
}
