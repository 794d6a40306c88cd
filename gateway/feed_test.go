package gateway

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
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

func TestUnhealthyIsSaid(t *testing.T) {
	h := newHarness(t, func(_ *Config, d *Deps) {
		d.Health = func(context.Context) Health { return Health{Status: "unhealthy", Services: map[string]ServiceHealth{}} }
	})
	for range 2 {
		if r := h.do("GET", "/health", nil); r.StatusCode != http.StatusServiceUnavailable {
			t.Error(r.Status)
		}
	}
}

func TestHealthIsLookedAtOnceForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		p := newProbes(func(context.Context) Health {
			looks++
			time.Sleep(probeLife / 2)
			return Health{Status: "unhealthy"}
		})
		var asking sync.WaitGroup
		ask := func() {
			if h, err := p.get(t.Context()); err != nil || h.Status != "unhealthy" {
				t.Errorf("%+v, %v", h, err)
			}
		}
		for range 20 {
			asking.Go(ask)
		}
		asking.Wait()
		ask() // what they saw is still new
		if looks != 1 {
			t.Errorf("%d looks for 21 questions", looks)
		}
		time.Sleep(probeLife)
		ask()
		if looks != 2 {
			t.Errorf("%d looks, want another one after %s", looks, probeLife)
		}
	})
}
