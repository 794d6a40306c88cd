// Package speechtest holds contract fakes of the speech services: servers that
// answer as the real ones were seen to answer, old versions included, and that
// can be told to be slow, to break off and to fail. The clients' tests run
// against them; so can anybody's who has no service at hand.
package speechtest

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Fault is something that goes wrong with a call.
type Fault struct {
	Path    string        // calls whose path contains it; "" is every call
	Times   int           // how often; 0 is always
	Latency time.Duration // before the answer
	Hang    bool          // never answer
	Status  int           // answer with this status and Body
	Body    string        // of the answer, instead of the real one, when Status is set
	Type    string        // content type of Body
	Reset   bool          // close the connection instead of answering
	CutAt   int           // close the connection after so many bytes of the real answer
}

// Faults is a list of faults to inject; the zero value injects none. It is safe
// for concurrent use.
type Faults struct {
	mu    sync.Mutex
	list  []Fault
	calls map[string]int
}

// Add puts a fault behind those that are there.
func (f *Faults) Add(x Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if x.Times == 0 {
		x.Times = -1
	}
	f.list = append(f.list, x)
}

// Calls is how often a path was called.
func (f *Faults) Calls(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[path]
}

func (f *Faults) take(path string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[path]++
	for i := range f.list {
		if f.list[i].Times != 0 && strings.Contains(path, f.list[i].Path) {
			if f.list[i].Times > 0 {
				f.list[i].Times--
			}
			return f.list[i], true
		}
	}
	return Fault{}, false
}

// wrap injects the faults in front of h.
func (f *Faults) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, ok := f.take(r.URL.Path)
		if !ok {
			h.ServeHTTP(w, r)
			return
		}
		if x.Latency > 0 {
			t := time.NewTimer(x.Latency)
			defer t.Stop()
			select {
			case <-t.C:
			case <-r.Context().Done():
				return
			}
		}
		switch {
		case x.Hang:
			<-r.Context().Done()
		case x.Reset:
			panic(http.ErrAbortHandler)
		case x.Status != 0:
			if x.Type != "" {
				w.Header().Set("Content-Type", x.Type)
			}
			w.WriteHeader(x.Status)
			_, _ = w.Write([]byte(x.Body)) // the client may be gone: nothing to do
		case x.CutAt > 0:
			h.ServeHTTP(&cutter{w, x.CutAt}, r)
			panic(http.ErrAbortHandler)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// A cutter passes the first left bytes of a body on.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	if _, err := c.ResponseWriter.Write(p[:n]); err != nil {
		return 0, err
	}
	if fl, ok := c.ResponseWriter.(http.Flusher); ok && c.left == 0 {
		fl.Flush()
	}
	return len(p), nil
}
