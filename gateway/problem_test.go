package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
)

func TestErrorsHaveOneProblemEach(t *testing.T) {
	for _, c := range []struct {
		err  error
		code string
	}{
		{fmt.Errorf("get status: %w", status.ErrNotFound), codeNotFound},
		{fmt.Errorf("put: %w", objectstore.ErrFull), codeFull},
		{fmt.Errorf("draw preview: %w", context.Canceled), codeUnavailable},
		{fmt.Errorf("ask broker: %w", context.DeadlineExceeded), codeUnavailable},
		{errors.New("index out of range"), codeInternal},
	} {
		if got := asProblem(c.err); got.Code != c.code || !errors.Is(got, c.err) {
			t.Errorf("%v: code %s, want %s, with the cause kept for the log", c.err, got.Code, c.code)
		}
	}
}

// TestWhoGoesAwayIsNoFaultOfOurs counts and logs requests whose clients did not wait
// for the answer apart from those that failed.
func TestWhoGoesAwayIsNoFaultOfOurs(t *testing.T) {
	var logged bytes.Buffer
	h := newHarness(t, func(_ *Config, d *Deps) { d.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
	failing := h.g.observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.g.fail(w, r, fmt.Errorf("draw: %w", context.Canceled))
	}))
	for _, gone := range []bool{true, false} { // the second is cancelled by ourselves
		ctx, cancel := context.WithCancel(t.Context())
		if gone {
			cancel()
		}
		failing.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPatch, "/", nil))
		cancel()
	}
	counted := string(h.do("GET", "/metrics", nil, "Authorization", "Bearer "+h.admin).body)
	for status, level := range map[int]string{clientGone: "INFO", http.StatusServiceUnavailable: "ERROR"} {
		if want := fmt.Sprintf(`api_requests_total{endpoint="none",method="PATCH",status="%d"} 1`, status); !strings.Contains(counted, want) {
			t.Errorf("no %s", want)
		}
		if want := fmt.Sprintf("level=%s msg=request method=PATCH route=none status=%d", level, status); !strings.Contains(logged.String(), want) {
			t.Errorf("no %q in %s", want, &logged)
		}
	}
}
