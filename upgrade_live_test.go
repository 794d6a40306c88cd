package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/videomsg/videomsg/internal/process"
)

// olderBinary builds the program of an earlier commit from the repository's own
// history.
func olderBinary(t *testing.T, commit string) string {
	t.Helper()
	tree, bin := filepath.Join(t.TempDir(), "tree"), filepath.Join(t.TempDir(), "videomsg")
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("worktree", "add", "--detach", tree, commit)
	defer git("worktree", "remove", "--force", tree)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".")
	cmd.Dir = tree
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", commit, err, out)
	}
	return bin
}

// TestTwoVersionsSideBySide runs this version and the commit that UPGRADE_FROM names
// on one stream, as during an upgrade and its rollback: each makes stages of the
// other's tasks, and each shows all of them.
func TestTwoVersionsSideBySide(t *testing.T) {
	commit := os.Getenv("UPGRADE_FROM")
	if commit == "" {
		t.Skip("make upgrade")
	}
	older, newer := olderBinary(t, commit), builtBinary(t)
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(time.Minute) {
		t.Fatal("the broker is not ready")
	}
	env := append(os.Environ(), "NATS_URL="+srv.ClientURL(), "NATS_DECLARE=false", "DATA_DIR="+t.TempDir(), "PORT=0", "LOG_LEVEL=WARN", "SHUTDOWN_GRACE=1m")
	declare := func(program string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, "bootstrap")
		cmd.Env = append(env, "NATS_DECLARE=true")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("bootstrap: %v\n%s", err, out)
		}
	}
	serve := func(program, roles string) *service {
		t.Helper()
		p, err := process.Start(t, program, env, t.Output(), "--roles", roles)
		if err != nil {
			t.Fatalf("%s: %v", roles, err)
		}
		t.Cleanup(p.Kill)
		return &service{p, p.URL}
	}
	stop := func(all ...*service) {
		t.Helper()
		for _, s := range all {
			if err := s.Terminate(); err != nil {
				t.Errorf("it ends with %v", err)
			}
		}
	}
	portrait := portraitPNG(t, 160)
	submit := func(s *service) string {
		t.Helper()
		ct, body := process.Form(t, map[string]any{"image": portrait, "text": "はい。"})
		return request(t, http.MethodPost, s.url+"/api/video/generate", ct, body)
	}
	var tasks []string
	completed := func(where string, gateways ...*service) {
		t.Helper()
		for _, task := range tasks {
			for _, s := range gateways {
				if st := finished(t, s, task); st.Status != "completed" {
					t.Errorf("%s: %s ended as %+v", where, task, st)
				}
			}
		}
	}

	declare(older)
	before := serve(older, "gateway,image,voice,prosody,bgm,video,status,notify")
	tasks = append(tasks, submit(before))
	completed("before the upgrade", before)

	// Half of the stages are replaced, then the other half: every task passes
	// through both versions, from either gateway.
	declare(newer)
	after := serve(newer, "gateway,status")
	for _, half := range [][2]string{{"image,prosody,video", "voice,bgm"}, {"voice,bgm,notify", "image,prosody,video"}} {
		a, b := serve(older, half[0]), serve(newer, half[1])
		stop(before)
		before = serve(older, "gateway,status")
		tasks = append(tasks, submit(before), submit(after))
		completed(half[1]+" of the newer one", before, after)
		stop(a, b)
	}
	stop(before)

	whole := serve(newer, "image,voice,prosody,bgm,video,notify")
	tasks = append(tasks, submit(after))
	completed("after the upgrade", after)

	// And back.
	stop(whole, after)
	back := serve(older, "gateway,image,voice,prosody,bgm,video,status,notify")
	tasks = append(tasks, submit(back))
	completed("after the rollback", back)
}
