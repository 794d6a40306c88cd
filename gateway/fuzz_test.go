package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/events"
)

// FuzzForm reads hostile multipart bodies. Whatever comes, the answer is a
// problem of the client's or a form whose files are in the store, and after a
// problem the store is empty.
func FuzzForm(f *testing.F) {
	body, _ := formBody(file("image", picture()), text("text", "hi"), file("audio", []byte("RIFF")))
	good, err := io.ReadAll(body)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "b")
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhi\r\n--b--\r\n"), "b")
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x\"\r\n\r\n\x89PNG\r\n\x1a\n\r\n--b--\r\n"), "b")
	f.Add([]byte("--b--"), "b")
	f.Fuzz(func(t *testing.T, body []byte, boundary string) {
		store := &memoryStore{}
		g := &Gateway{Deps: Deps{Blobs: store}, direct: make(chan struct{}, 1), spooled: make(chan struct{}, 1)}
		g.conf.MaxImage, g.conf.MaxAudio = 100_000, 100_000
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
		form, err := g.readForm(httptest.NewRecorder(), r, "t", map[string]fileField{"image": g.imageField(), "audio": g.audioField()})
		var p *Problem
		if err != nil {
			if !errors.As(err, &p) || p.Status >= 500 {
				t.Errorf("%v is no problem of the client's", err)
			}
			if n := store.len(); n != 0 {
				t.Errorf("%d blobs are left behind after %v", n, err)
			}
			return
		}
		if store.len() != len(form.blobs) {
			t.Errorf("%d blobs in the form, %d in the store", len(form.blobs), store.len())
		}
		if !bytes.Contains(body, []byte("--"+boundary+"--")) {
			t.Error("a form without an end is taken")
		}
	})
}

// FuzzProsody reads hostile prosody parameters. What passes is in range.
func FuzzProsody(f *testing.F) {
	for _, s := range []string{`{"pitch_shift":2,"pauses":{"。":0.5}}`, `{}`, `null`, `[]`, `{"pitch_shift":1e999}`, `{"pitch_shift":1,"pitch_shift":2}`, `{"emotion":"happy"}`, `{"pauses":{"":1}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fs := &fields{values: map[string]string{"prosody_params": s}}
		p := fs.prosody()
		if fs.err != nil {
			return
		}
		in := func(name string, v *float64, lo, hi float64) {
			if v != nil && (math.IsNaN(*v) || *v < lo || *v > hi) {
				t.Errorf("%s %g passes", name, *v)
			}
		}
		in("pitch", p.PitchShift, -12, 12)
		in("stretch", p.TimeStretch, 0.5, 2)
		in("energy", p.EnergyBoost, 0.5, 1.5)
		in("intensity", p.Intensity, 0, 1)
		for mark, sec := range p.Pauses {
			in("pause "+mark, &sec, 0, 5)
		}
		if p.Emotion != "" && !slices.Contains(emotions, p.Emotion) {
			t.Errorf("emotion %q passes", p.Emotion)
		}
	})
}

// FuzzToken reads hostile tokens. None passes but those we have signed.
func FuzzToken(f *testing.F) {
	good, err := NewToken(testSecret, "alice", RoleUser, 100*365*24*time.Hour, time.Unix(1_700_000_000, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoiYSIsImV4cCI6OTk5OTk5OTk5OX0.")
	f.Add("a.b.c")
	f.Add(strings.Repeat(".", 100))
	g := &Gateway{conf: Config{Secret: testSecret}}
	f.Fuzz(func(t *testing.T, token string) {
		id, _, err := g.verifyToken(token)
		if err == nil && (id.user != "alice" || id.role != RoleUser || !strings.HasPrefix(token, good[:strings.LastIndexByte(good, '.')])) {
			t.Errorf("%q passes as %+v", token, id)
		}
	})
}

// FuzzCursor reads hostile cursors. What passes is an id and comes back.
func FuzzCursor(f *testing.F) {
	f.Add(cursor("01k0task"))
	f.Add("")
	f.Add("MS4uL3g")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := readCursor(s)
		if err != nil {
			return
		}
		if err := events.CheckToken(id); err != nil {
			t.Errorf("%q passes: %v", id, err)
		}
		if again, err := readCursor(cursor(id)); err != nil || again != id {
			t.Errorf("%q comes back as %q, %v", id, again, err)
		}
	})
}

// FuzzJSON reads hostile bodies. The strict reader takes nothing that the
// standard one refuses.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"text":"hi"}`, `{"text":"hi","text":"ho"}`, `[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]`, `{}{}`, "\xff", `{"async":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var in speakRequest
		if decodeJSON(b, &in) == nil && !json.Valid(b) {
			t.Errorf("%q is taken", b)
		}
	})
}

// TestEndsOfUploads compares what is kept of an upload's ends with all of it.
func TestEndsOfUploads(t *testing.T) {
	for _, size := range []int{1, endSize - 1, endSize, endSize + 1, 3*endSize + 7, 10 * endSize} {
		for _, step := range []int{1000, 4096, endSize, 2*endSize + 1} {
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(i * 7 % 251)
			}
			l := &limited{r: bytes.NewReader(data), left: int64(size)}
			buf := make([]byte, step)
			for {
				if _, err := l.Read(buf); err != nil {
					break
				}
			}
			from := max(size-endSize, 0)
			if !bytes.Equal(l.head, data[:min(size, endSize)]) || !bytes.Equal(l.tail.bytes(), data[from:]) {
				t.Errorf("%d bytes in steps of %d: ends differ", size, step)
			}
			store := &memoryStore{}
			if _, err := store.Put(t.Context(), "k", bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			r := &rangeReader{ctx: t.Context(), store: store, key: "k", size: int64(size), head: l.head, tail: l.tail.bytes()}
			got, err := io.ReadAll(io.NewSectionReader(r, 0, int64(size)))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes in steps of %d: read back %d, %v", size, step, len(got), err)
			}
		}
	}
}

// memoryStore is a blob store of one test.
type memoryStore struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (s *memoryStore) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.m)
}
