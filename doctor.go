package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// A program is something on this machine that an engine needs.
type program struct {
	stage, engine, what string
	check               func(context.Context) error
	mend                string
}

// programs is everything the local engines need.
func (a *app) programs() []program { return programs(a.conf) }

func programs(c config) []program {
	return []program{
		{"video", "portrait", "ffmpeg with libx264", hasX264, "apt-get install ffmpeg"},
		{
			"voice", "openjtalk", "Open JTalk with dictionary and voice", func(context.Context) error { return openJTalk(c).Ready() },
			"apt-get install open-jtalk open-jtalk-mecab-naist-jdic && sh scripts/voices.sh",
		},
		{"voice", "espeak-ng", "espeak-ng", func(ctx context.Context) error {
			return ffmpeg.Run(ctx, ffmpeg.Cmd{Name: "espeak-ng", Args: []string{"--version"}, Package: "espeak-ng"})
		}, "apt-get install espeak-ng"},
	}
}

func hasX264(ctx context.Context) error {
	var out bytes.Buffer
	if err := ffmpeg.Run(ctx, ffmpeg.Cmd{Name: "ffmpeg", Args: []string{"-hide_banner", "-v", "error", "-encoders"}, Stdout: &out, Package: "ffmpeg"}); err != nil {
		return err
	}
	if !strings.Contains(out.String(), "libx264") {
		return errors.New("ffmpeg was built without libx264")
	}
	return nil
}

type doctorCmd struct{}

// Run checks everything and fails when something that every task needs is
// missing.
func (doctorCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	bad := 0
	say := func(what string, err error, mend string) {
		if err == nil {
			fmt.Fprintf(e.stdout, "ok       %s\n", what)
			return
		}
		bad++
		fmt.Fprintf(e.stdout, "MISSING  %s: %v\n         mend: %s\n", what, err, mend)
	}
	for _, p := range programs(conf) {
		say(p.what, p.check(e.ctx), p.mend)
	}
	say("data directory "+conf.DataDir, checkDisk(conf.DataDir), "free disk space, or set DATA_DIR to a writable directory")
	log := slog.New(slog.DiscardHandler)
	a, err := open(e.ctx, log, conf)
	say("broker", err, "stop the other process that uses the data directory, or check NATS_URL and NATS_CREDS")
	if err == nil {
		say("blob store "+conf.Storage.Backend, checkStore(e.ctx, a.blobs), "check STORAGE_BACKEND and its settings")
		a.close()
	}
	if bad > 0 {
		return fmt.Errorf("%d of the checks above failed", bad)
	}
	return nil
}

// minFree is the disk space below which nothing is started: the embedded broker's
// files and one task's.
const minFree = 32 << 20

// keepsFiles reports whether this process writes below DATA_DIR more than a task's
// temporary files.
func (c config) keepsFiles() bool { return c.Broker.URL == "" || c.Storage.Backend == "local" }

func checkDisk(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return fmt.Errorf("not writable: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < minFree {
		return fmt.Errorf("only %d MB free of the %d that a start takes", free>>20, minFree>>20)
	}
	return nil
}

// checkStore writes, reads and removes a blob.
func checkStore(ctx context.Context, s objectstore.Store) error {
	key := objectstore.Key(objectstore.Temporary, "doctor", fmt.Sprint(os.Getpid()))
	if _, err := s.Put(ctx, key, strings.NewReader("videomsg")); err != nil {
		return err
	}
	rc, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, rc)
	return errors.Join(err, rc.Close(), s.Delete(ctx, key))
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(e *env) error {
	fmt.Fprintf(e.stdout, "videomsg %s, events version %d\n", version(), events.Version)
	return nil
}
