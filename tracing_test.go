package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestTraces runs the program with a collector and holds that a task is one trace:
// the request above, the stages below it, the engines below the stages.
func TestTraces(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a video")
	}
	var mu sync.Mutex
	spans := map[string]*tracepb.Span{} // by id
	coll := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		var req collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(b, &req)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range req.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					spans[string(s.GetSpanId())] = s
				}
			}
		}
	}))
	defer coll.Close()
	s := start(t, t.TempDir(), "OTEL_EXPORTER_OTLP_ENDPOINT="+coll.URL)
	code, answer := post(t, s.url, map[string]any{"image": portraitPNG(t, 256), "text": "やあ", "consent": "true"})
	if code != http.StatusAccepted {
		t.Fatalf("generate: %d %v", code, answer)
	}
	want := []string{"stage image", "stage voice", "stage prosody", "stage bgm", "stage video"}
	named := func() map[string]*tracepb.Span {
		mu.Lock()
		defer mu.Unlock()
		m := map[string]*tracepb.Span{}
		for _, s := range spans {
			m[s.GetName()] = s
		}
		return m
	}
	var got map[string]*tracepb.Span
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		got = named()
		missing := ""
		for _, w := range append(want, "HTTP POST") {
			if got[w] == nil {
				missing = w
			}
		}
		if missing == "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no span %q", missing)
		}
	}
	root := got["HTTP POST"]
	for _, w := range want {
		if s := got[w]; string(s.GetTraceId()) != string(root.GetTraceId()) || string(s.GetParentSpanId()) != string(root.GetSpanId()) {
			t.Errorf("%s is not below the request that made the task", w)
		}
	}
	engines := 0
	mu.Lock()
	defer mu.Unlock()
	for _, s := range spans {
		if strings.HasPrefix(s.GetName(), "engine ") && string(s.GetTraceId()) == string(root.GetTraceId()) {
			engines++
			if p := spans[string(s.GetParentSpanId())]; p == nil || !strings.HasPrefix(p.GetName(), "stage ") {
				t.Errorf("%s is below no stage", s.GetName())
			}
		}
	}
	if engines == 0 {
		t.Error("no span of an engine")
	}
}
