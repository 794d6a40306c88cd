package gateway

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/text/language"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	known    sync.Map // routeKey → routeFigures
}

// A routeKey is one combination of labels; there are few.
type routeKey struct {
	method, route string
	status        int
}

type routeFigures struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "api_requests_total", Help: "HTTP requests by route pattern.",
		}, []string{"method", "endpoint", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "api_request_duration_seconds", Help: "Time to answer by route pattern.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"method", "endpoint"}),
	}
	reg.MustRegister(m.requests, m.seconds)
	return m
}

// count adds one request.
func (m *metrics) count(k routeKey, took time.Duration) {
	v, ok := m.known.Load(k)
	if !ok {
		v, _ = m.known.LoadOrStore(k, routeFigures{
			m.requests.WithLabelValues(k.method, k.route, strconv.Itoa(k.status)), m.seconds.WithLabelValues(k.method, k.route),
		})
	}
	f := v.(routeFigures) //nolint:forcetypeassert // nothing else is stored
	f.requests.Inc()
	f.seconds.Observe(took.Seconds())
}

// requestInfo collects what is known of a request for its one log line.
type requestInfo struct {
	id   string // W3C trace id
	who  identity
	idem *idem // nil without an Idempotency-Key
	task string
	code string // of the problem answered
	err  error
}

type infoKey struct{}

// A requestContext carries what is known of a request, and its route for chi, at
// once: three values of context.WithValue and two copies of the request cost a
// tenth of a status request.
type requestContext struct {
	context.Context
	info  requestInfo
	route *chi.Context
}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	switch key {
	case infoKey{}:
		return &c.info
	case chi.RouteCtxKey:
		return c.route
	}
	return c.Context.Value(key)
}

func infoOf(ctx context.Context) *requestInfo {
	if i, ok := ctx.Value(infoKey{}).(*requestInfo); ok {
		return i
	}
	return &requestInfo{}
}

// traceparent continues the client's trace or starts one.
func traceparent(r *http.Request) (header, id string) {
	if h := r.Header.Get("Traceparent"); len(h) == 55 && strings.Count(h, "-") == 3 && strings.Trim(h, "0123456789abcdef-") == "" {
		return h, h[3:35]
	}
	var b [24]byte
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], rand.Uint64()) //nolint:gosec // an id, not a secret
	}
	var h [55]byte
	copy(h[:], "00-")
	hex.Encode(h[3:], b[:16])
	h[35] = '-'
	hex.Encode(h[36:], b[16:])
	copy(h[52:], "-01")
	header = string(h[:])
	return header, header[3:35]
}

// clientGone is the status that is counted and logged, in the manner of nginx, when
// nobody waited for the answer. It is never sent, and no alert counts it.
const clientGone = 499

// observe counts, times and logs every request.
func (g *Gateway) observe(next http.Handler) http.Handler {
	routes := sync.Pool{New: func() any { return chi.NewRouteContext() }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		trace, id := traceparent(r)
		r.Header["Traceparent"] = []string{trace}
		rc, _ := routes.Get().(*chi.Context) // nothing else is put
		rc.Reset()
		ctx := &requestContext{Context: r.Context(), info: requestInfo{id: id}, route: rc}
		info := &ctx.info
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		r = r.WithContext(ctx)
		next.ServeHTTP(ww, r)

		route := rc.RoutePattern()
		routes.Put(rc)
		if route == "" {
			route = "none"
		}
		method := r.Method
		switch method {
		case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		default:
			method = "other" // a client must not be able to make labels
		}
		took := time.Since(start)
		code := ww.Status()
		if code >= 500 && r.Context().Err() != nil && errors.Is(info.err, context.Canceled) {
			code = clientGone
		}
		g.metrics.count(routeKey{method, route, code}, took)
		level := slog.LevelInfo
		switch {
		case code >= 500:
			level = slog.LevelError
		case route == "/livez" || route == "/readyz" || route == "/metrics" || route == "/health":
			level = slog.LevelDebug
		}
		if !g.Log.Enabled(r.Context(), level) {
			return
		}
		attrs := make([]slog.Attr, 0, 10)
		attrs = append(attrs, slog.String("method", method), slog.String("route", route), slog.Int("status", code),
			slog.Int("bytes", ww.BytesWritten()), slog.Duration("dur", took), slog.String("trace", id))
		if info.task != "" {
			attrs = append(attrs, slog.String("task", info.task))
		}
		if info.code != "" {
			attrs = append(attrs, slog.String("code", info.code))
		}
		if info.err != nil {
			attrs = append(attrs, slog.Any("err", info.err))
		}
		g.Log.LogAttrs(r.Context(), level, "request", attrs...)
	})
}

// recover answers a panic with a problem; the server goes on.
func (g *Gateway) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			g.fail(w, r, newProblem(codeInternal, "").because(fmt.Errorf("panic: %v\n%s", p, debug.Stack())))
		}()
		next.ServeHTTP(w, r)
	})
}

func secureHeaders(next http.Handler) http.Handler {
	// Made once: every answer has them.
	nosniff, noReferrer, deny := []string{"nosniff"}, []string{"no-referrer"}, []string{"DENY"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = nosniff
		h["Referrer-Policy"] = noReferrer
		h["X-Frame-Options"] = deny
		next.ServeHTTP(w, r)
	})
}

// japanese reports whether the client prefers Japanese to English (RFC 9110,
// 12.5.4). Whoever wants neither gets English.
func japanese(r *http.Request) bool {
	if len(r.Header["Accept-Language"]) == 0 {
		return false
	}
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return false
	}
	for _, t := range tags { // by preference
		switch base, _ := t.Base(); base.String() {
		case "ja":
			return true
		case "en":
			return false
		}
	}
	return false
}
