package avatar_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/engines/avatar/avatartest"
)

func lipsync(t *testing.T, fake *avatartest.Lipsync, ledger avatar.Ledger) *avatar.LipsyncEngine {
	t.Helper()
	needFFmpeg(t)
	v, err := talk()
	if err != nil {
		t.Fatal(err)
	}
	fake.Video = v
	srv := httptest.NewServer(fake)
	t.Cleanup(srv.Close)
	e, err := avatar.Lipsync{
		URL: srv.URL, HTTP: srv.Client(), Ledger: ledger,
		Clock: avatar.Clock{Poll: time.Millisecond, Limit: 400 * time.Millisecond, Retry: time.Millisecond},
	}.New()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestLipsyncServes(t *testing.T) {
	for name, tt := range map[string]struct {
		fake    *avatartest.Lipsync
		started int
	}{
		"MuseTalk":               {&avatartest.Lipsync{Talks: true, Looks: 3}, 1},
		"LivePortrait":           {&avatartest.Lipsync{Looks: 3}, 1},
		"a server that restarts": {&avatartest.Lipsync{Looks: 3, Restart: 2}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			e := lipsync(t, tt.fake, &avatartest.Ledger{})
			if err := e.Ready(t.Context()); err != nil {
				t.Error(err)
			}
			v, err := e.Engine().Run(t.Context(), job(t, "task1", 1))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := avatar.Verify(v.Path, 1, 130, 98); err != nil {
				t.Error(err)
			}
			if tt.fake.Started() != tt.started || tt.fake.Left() != 0 {
				t.Errorf("started %d, want %d; left %d, want 0", tt.fake.Started(), tt.started, tt.fake.Left())
			}
		})
	}
}

func TestLipsyncResumesItsJob(t *testing.T) {
	ledger, fake := &avatartest.Ledger{}, &avatartest.Lipsync{Looks: 2}
	e := lipsync(t, fake, ledger)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	fake.Hook = once("GET /talk-status/job-1", func(http.ResponseWriter, *http.Request) { kill(); avatartest.Abort() })
	if _, err := e.Engine().Run(ctx, job(t, "task1", 1)); err == nil {
		t.Fatal("survived")
	}
	if _, err := e.Engine().Run(t.Context(), job(t, "task1", 1)); err != nil {
		t.Fatal(err)
	}
	if fake.Started() != 1 {
		t.Errorf("started %d jobs", fake.Started())
	}
}

func TestLipsyncRefusals(t *testing.T) {
	for reason, fake := range map[string]*avatartest.Lipsync{
		"its queue is full":                       {Full: true},
		"it could not animate this portrait":      {Fails: true},
		"it lost the job twice":                   {Down: true},
		"it did not finish in time":               {Looks: 1 << 30},
		"it cannot use the picture or the speech": {Hook: avatartest.Refuse("POST /generate-video", -1, 400, "")},
	} {
		t.Run(reason, func(t *testing.T) {
			e := lipsync(t, fake, &avatartest.Ledger{})
			_, err := e.Engine().Run(t.Context(), job(t, "task1", 1))
			if err == nil || engines.Reason(err) != reason {
				t.Errorf("reason %q of %v", engines.Reason(err), err)
			}
		})
	}
}
