package avatar_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/avatar/avatartest"
	"github.com/videomsg/videomsg/vision/drawn"
)

// needFFmpeg skips where the program is not installed.
func needFFmpeg(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
}

var face = sync.OnceValue(func() image.Image {
	im, _ := drawn.Portrait(drawn.Options{W: 256, H: 256, Size: 0.16})
	return im
})

// speech is a hum of the given length that comes and goes.
func speech(seconds float64) dsp.Audio {
	const rate = 24000
	a := dsp.New(rate, 1, int(math.Round(seconds*rate)))
	for i := range a.Ch[0] {
		s := float64(i) / rate
		a.Ch[0][i] = float32(0.3 * math.Sin(2*math.Pi*160*s) * math.Abs(math.Sin(2*math.Pi*1.5*s)))
	}
	return a
}

func job(t testing.TB, task string, seconds float64) avatar.Job {
	t.Helper()
	j := avatar.Job{Task: task, Image: face(), Voice: speech(seconds), Dir: t.TempDir(), Label: "AI生成"}
	j.Options.W, j.Options.H, j.Options.Seed = 192, 192, 1
	j.Sound = filepath.Join(j.Dir, "sound.wav")
	var b bytes.Buffer
	if err := wav.Encode(&b, j.Voice, wav.PCM16); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.Sound, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return j
}

// talk is what a service makes: pictures of its own size and rate, other sound.
var talk = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "talk-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "t.mp4")
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=130x98:r=12:d=1.1", "-f", "lavfi", "-i", "sine=d=1.1",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", path).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(path)
})

const key = "ann@example.com:secret"

// did starts a stand-in and an engine that talks to it.
func did(t testing.TB, fake *avatartest.DID, ledger avatar.Ledger) (*avatar.DIDEngine, *httptest.Server) {
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
		Key: key, URL: srv.URL, Stitch: true, HTTP: srv.Client(), Ledger: ledger,
		Clock: avatar.Clock{Poll: time.Millisecond, Limit: 400 * time.Millisecond, Retry: time.Millisecond},
	}.New()
	if err != nil {
		t.Fatal(err)
	}
	return e, srv
}

func TestDIDMakesOurVideoOfATalk(t *testing.T) {
	fake := &avatartest.DID{Looks: 5}
	e, _ := did(t, fake, &avatartest.Ledger{})
	j := job(t, "task1", 1)
	var most float64
	var mu sync.Mutex
	j.Progress = func(d float64) { mu.Lock(); most = max(most, d); mu.Unlock() }
	v, err := e.Engine().Run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	f, err := avatar.Verify(v.Path, 1, 130, 98)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(f.Video-f.Audio) > 0.04 {
		t.Errorf("%.3f s of picture, %.3f s of sound", f.Video, f.Audio)
	}
	if st, err := os.Stat(v.Poster); err != nil || st.Size() < 500 {
		t.Errorf("poster: %v", err)
	}
	if fake.Bought() != 1 || !fake.Stitched() {
		t.Errorf("bought %d, stitched %v", fake.Bought(), fake.Stitched())
	}
	if most < 0.7 {
		t.Errorf("progress ended at %.2f", most)
	}
}

func TestDIDQuirks(t *testing.T) {
	for name, fake := range map[string]*avatartest.DID{
		"takes the key unencoded":          {Raw: true},
		"has no stitching in the plan":     {NoStitch: true},
		"is busy at first":                 {Hook: avatartest.Refuse("POST /talks", 2, 429, "TooManyRequests")},
		"fails an upload once":             {Hook: avatartest.Refuse("POST /images", 1, 500, "")},
		"lets links expire":                {Expiring: 2},
		"times out while it is looked at":  {Hook: avatartest.Refuse("GET /talks/tlk_0", 2, 504, "")},
		"breaks a download off in between": {Hook: breaksOff(1)},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := did(t, fake, &avatartest.Ledger{})
			if _, err := e.Engine().Run(t.Context(), job(t, "task1", 1)); err != nil {
				t.Fatal(err)
			}
			if fake.Bought() != 1 {
				t.Errorf("bought %d talks", fake.Bought())
			}
		})
	}
}

// breaksOff sends half of a result, times times.
func breaksOff(times int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/results/") || times == 0 {
			return false
		}
		times--
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(make([]byte, 50000))
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		avatartest.Abort()
		return true
	}
}

func TestDIDRefusals(t *testing.T) {
	html := func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><title>Just a moment</title>"))
		return true
	}
	for _, tt := range []struct {
		name      string
		fake      *avatartest.DID
		reason    string
		permanent bool
		bought    int
	}{
		{"401", &avatartest.DID{Hook: avatartest.Refuse("POST /images", -1, 401, "AuthorizationError")}, "it does not accept the key", true, 0},
		{"402", &avatartest.DID{Hook: avatartest.Refuse("POST /talks", -1, 402, "InsufficientCreditsError")}, "its credits are used up", true, 0},
		{"403", &avatartest.DID{Hook: avatartest.Refuse("POST /talks", -1, 403, "PermissionError")}, "the account may not do this", true, 0},
		{"429", &avatartest.DID{Hook: avatartest.Refuse("POST /talks", -1, 429, "")}, "it is too busy", false, 0},
		{"451 of a celebrity", &avatartest.DID{Hook: avatartest.Refuse("POST /talks", -1, 451, "CelebrityRecognizedError")}, "it refused the picture: a well-known person was recognised", true, 0},
		{"451 of what is said", &avatartest.DID{Hook: avatartest.Refuse("POST /audios", -1, 451, "AudioModerationError")}, "it refused what is said", true, 0},
		{"size", &avatartest.DID{Hook: avatartest.Refuse("POST /images", -1, 400, "InvalidFileSizeError")}, "a file is too large for it", true, 0},
		{"HTML", &avatartest.DID{Hook: html}, "", false, 0},
		{"a talk that fails", &avatartest.DID{Outcome: "error", Kind: "FaceError"}, "it found no usable face", true, 1},
		{"a talk that is rejected", &avatartest.DID{Outcome: "rejected", Kind: "ImageModerationError"}, "it refused the picture", true, 1},
		{"a talk that never ends", &avatartest.DID{Looks: 1 << 30}, "it did not finish in time", false, 1},
		{"links that never work", &avatartest.DID{Expiring: 1 << 30}, "its video could not be downloaded", false, 1},
		{"half a download", &avatartest.DID{Hook: breaksOff(-1)}, "its video could not be downloaded", false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, _ := did(t, tt.fake, &avatartest.Ledger{})
			_, err := e.Engine().Run(t.Context(), job(t, "task1", 1))
			if err == nil {
				t.Fatal("no error")
			}
			if got := engines.Reason(err); tt.reason != "" && got != tt.reason {
				t.Errorf("reason %q, want %q (%v)", got, tt.reason, err)
			}
			if errors.Is(err, engines.ErrPermanent) != tt.permanent {
				t.Errorf("permanent %v: %v", !tt.permanent, err)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "Signature") {
				t.Errorf("the error gives a secret away: %v", err)
			}
			if tt.fake.Bought() != tt.bought {
				t.Errorf("bought %d, want %d", tt.fake.Bought(), tt.bought)
			}
			// Trying again buys nothing that was bought.
			if _, err := e.Engine().Run(t.Context(), job(t, "task1", 1)); err == nil || tt.fake.Bought() != tt.bought {
				t.Errorf("second try: bought %d, want %d, %v", tt.fake.Bought(), tt.bought, err)
			}
		})
	}
}

// A crash is an end of the context at some call: everything of the process stops
// there, and only the ledger is left.
func TestDIDBuysOnceWhateverDies(t *testing.T) {
	for _, tt := range []struct {
		name     string
		unlisted bool
		die      func(d *avatartest.DID, kill func()) func(http.ResponseWriter, *http.Request) bool
		found    bool // the second process finishes the video
		bought   int
	}{
		{"between order and answer", false, func(d *avatartest.DID, kill func()) func(http.ResponseWriter, *http.Request) bool {
			return once("POST /talks", func(_ http.ResponseWriter, r *http.Request) {
				if err := d.Talk(r); err != nil {
					t.Error(err)
				}
				kill()
				avatartest.Abort()
			})
		}, true, 1},
		{"between order and answer, and the talk is not listed", true, func(d *avatartest.DID, kill func()) func(http.ResponseWriter, *http.Request) bool {
			return once("POST /talks", func(_ http.ResponseWriter, r *http.Request) {
				if err := d.Talk(r); err != nil {
					t.Error(err)
				}
				kill()
				avatartest.Abort()
			})
		}, false, 1},
		{"before the order arrives", false, func(_ *avatartest.DID, kill func()) func(http.ResponseWriter, *http.Request) bool {
			return once("POST /talks", func(http.ResponseWriter, *http.Request) { kill(); avatartest.Abort() })
		}, false, 0},
		{"between answer and first look", false, func(_ *avatartest.DID, kill func()) func(http.ResponseWriter, *http.Request) bool {
			return once("GET /talks/tlk_0", func(http.ResponseWriter, *http.Request) { kill(); avatartest.Abort() })
		}, true, 1},
		{"in the middle of the download", false, func(_ *avatartest.DID, kill func()) func(http.ResponseWriter, *http.Request) bool {
			return once("GET /results/tlk_0.mp4", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100000")
				_, _ = w.Write(make([]byte, 50000))
				kill()
				avatartest.Abort()
			})
		}, true, 1},
		{"with the answer lost and the process alive", false, func(d *avatartest.DID, _ func()) func(http.ResponseWriter, *http.Request) bool {
			return once("POST /talks", func(_ http.ResponseWriter, r *http.Request) {
				if err := d.Talk(r); err != nil {
					t.Error(err)
				}
				avatartest.Abort()
			})
		}, true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ledger, fake := &avatartest.Ledger{}, &avatartest.DID{Looks: 2, Unlisted: tt.unlisted}
			e, srv := did(t, fake, ledger)
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			fake.Hook = tt.die(fake, kill)
			_, first := e.Engine().Run(ctx, job(t, "task1", 1))
			if ctx.Err() != nil && first == nil {
				t.Fatal("survived")
			}
			again, err := avatar.DID{
				Key: key, URL: srv.URL, HTTP: srv.Client(), Ledger: ledger,
				Clock: avatar.Clock{Poll: time.Millisecond, Limit: 400 * time.Millisecond, Retry: time.Millisecond},
			}.New()
			if err != nil {
				t.Fatal(err)
			}
			_, err = again.Engine().Run(t.Context(), job(t, "task1", 1))
			if (err == nil) != tt.found {
				t.Errorf("second process: %v, want found %v", err, tt.found)
			}
			if err != nil && !strings.Contains(engines.Reason(err), "not ordered twice") {
				t.Errorf("reason %q", engines.Reason(err))
			}
			if fake.Bought() != tt.bought {
				t.Errorf("bought %d, want %d", fake.Bought(), tt.bought)
			}
		})
	}
}

// once answers the first call of one kind.
func once(call string, f func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) bool {
	var mu sync.Mutex
	done := false
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		hit := !done && r.Method+" "+r.URL.Path == call
		done = done || hit
		mu.Unlock()
		if hit {
			f(w, r)
		}
		return hit
	}
}

func TestDIDBuysOnceForManyWorkers(t *testing.T) {
	fake := &avatartest.DID{Looks: 3}
	e, _ := did(t, fake, &avatartest.Ledger{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { _, _ = e.Engine().Run(t.Context(), job(t, "task1", 1)) })
	}
	wg.Wait()
	if fake.Bought() != 1 {
		t.Errorf("bought %d", fake.Bought())
	}
}

func TestDIDErases(t *testing.T) {
	ledger, fake := &avatartest.Ledger{}, &avatartest.DID{}
	e, _ := did(t, fake, ledger)
	if _, err := e.Engine().Run(t.Context(), job(t, "task1", 1)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again is harmless
		if err := e.Erase(t.Context(), "task1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Erase(t.Context(), "never"); err != nil {
		t.Fatal(err)
	}
	if fake.Left() != 0 {
		t.Errorf("%d talks left", fake.Left())
	}
	if _, known, _ := ledger.Find(t.Context(), "d-id.task1"); known {
		t.Error("the ledger remembers")
	}
}

func TestDIDReady(t *testing.T) {
	fake := &avatartest.DID{}
	e, _ := did(t, fake, &avatartest.Ledger{})
	if err := e.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	fake.Key = "other:key"
	if err := e.Ready(t.Context()); !errors.Is(err, engines.ErrPermanent) {
		t.Errorf("got %v", err)
	}
}

func TestDIDConfig(t *testing.T) {
	ok := avatar.DID{Key: "k", HTTP: http.DefaultClient, Ledger: &avatartest.Ledger{}}
	for name, c := range map[string]func(d *avatar.DID){
		"no key":          func(d *avatar.DID) { d.Key = "" },
		"no ledger":       func(d *avatar.DID) { d.Ledger = nil },
		"no client":       func(d *avatar.DID) { d.HTTP = nil },
		"plain http":      func(d *avatar.DID) { d.URL = "http://api.example.com" },
		"no address":      func(d *avatar.DID) { d.URL = "ftp:/x" },
		"a broken header": func(d *avatar.DID) { d.Key = "a\r\nX: b" },
	} {
		d := ok
		c(&d)
		if _, err := d.New(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ok.New(); err != nil {
		t.Error(err)
	}
}
