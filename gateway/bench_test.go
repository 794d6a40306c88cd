package gateway

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// nowhere is an answer that nobody reads.
type nowhere struct{ h http.Header }

func (n *nowhere) Header() http.Header         { return n.h }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(int)             {}

// BenchmarkStatus is one status request without the network.
func BenchmarkStatus(b *testing.B) {
	h := newHarness(b, nil)
	task := h.generate()
	h.finish(task, "")
	h.ended(task, "completed")
	req := httptest.NewRequest(http.MethodGet, "/api/video/status/"+task, nil)
	req.Header.Set("Authorization", "Bearer "+h.user)
	b.ReportAllocs()
	for b.Loop() {
		r := req.Clone(req.Context())
		h.g.ServeHTTP(&nowhere{http.Header{}}, r)
	}
}

// BenchmarkUploadForm is the reading of a 10 MB form.
func BenchmarkUploadForm(b *testing.B) {
	h := newHarness(b, nil)
	body, kind := formBody(file("audio", tone(b, 200)), text("pitch_shift", "1"))
	data, err := io.ReadAll(body)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if r := h.do("POST", "/api/audio/prosody", bytes.NewReader(data), "Content-Type", kind); r.StatusCode != http.StatusAccepted {
			b.Fatal(string(r.body))
		}
	}
}
