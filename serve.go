package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/videomsg/videomsg/engines/speech/text"
	"github.com/videomsg/videomsg/gateway"
	"github.com/videomsg/videomsg/web"
)

type serveCmd struct {
	Roles []string `help:"What this process does: ${roles}. Default: everything." placeholder:"ROLE"`
}

// Run serves until the context ends.
func (c serveCmd) Run(e *env) error {
	as, err := parseRoles(c.Roles)
	if err != nil {
		return err
	}
	conf, err := loadConfig(e.getenv, as...)
	if err != nil {
		return err
	}
	if conf.keepsFiles() {
		if err := checkDisk(conf.DataDir); err != nil {
			return fmt.Errorf("data directory %s: %w; free disk space, or set DATA_DIR", conf.DataDir, err)
		}
	}
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: conf.LogLevel}))
	return serve(e.ctx, log, conf, func(url string) { fmt.Fprintln(e.stdout, "videomsg listens on", url) })
}

// serve runs everything and tells ready the address once tasks can be taken. It
// stops in the order that loses nothing: first HTTP, then the stages, then what
// listens to them, then the broker.
func serve(ctx context.Context, log *slog.Logger, conf config, ready func(url string)) error {
	a, err := open(ctx, log, conf)
	if err != nil {
		return err
	}
	defer a.close()
	ln, err := net.Listen("tcp", net.JoinHostPort(conf.Listen, strconv.Itoa(conf.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}

	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	feed := gateway.NewFeed(log)
	failed := make(chan error, 3)
	feedDone, pipeDone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(feedDone)
		if !conf.Roles.has("gateway") {
			return
		}
		if err := feed.Follow(work, a.broker.Conn, a.broker.Status, a.broker.Events); err != nil {
			failed <- err
		}
	}()
	go func() {
		defer close(pipeDone)
		if err := a.pipeline(work, context.WithoutCancel(ctx)); err != nil {
			failed <- err
		}
	}()
	srv := a.server(work, feed)
	go func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	ready("http://" + ln.Addr().String())
	debug.FreeOSMemory() // what only the start needed

	select {
	case <-ctx.Done():
		log.Info("stopping", "grace", conf.Grace)
	case err = <-failed:
		log.Error("stopping", "err", err)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if e := srv.Shutdown(end); e != nil {
		_ = srv.Close() // event streams and slow clients; they resume elsewhere
	}
	stopWork()
	<-pipeDone
	<-feedDone
	return err
}

// server is the HTTP server with limits against slow clients. Bodies and answers
// may take their time, headers may not.
func (a *app) server(base context.Context, feed *gateway.Feed) *http.Server {
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if !a.conf.Roles.has("gateway") {
		return a.limited(a.probes(), base)
	}
	a.metrics.MustRegister(newLag(a.log, a.broker.Events, a.stageNames()))
	return a.limited(a.traces.serve(a.api(feed)), base)
}

// api is the gateway on what this process has.
func (a *app) api(feed *gateway.Feed) http.Handler {
	return gateway.New(a.conf.Gateway, gateway.Deps{
		Log: a.log, Tasks: a.tasks, Submit: a.pub, Blobs: a.guarded(), JS: a.broker.JS, Stream: a.broker.Events, Feed: feed, Temp: a.temp,
		Library: a.broker.Library, Idempotency: a.broker.Idempotency, Limits: a.broker.Limits,
		Webhooks: webhooks{a.notifier(), a.conf.WebhookPrivate},
		Metrics:  a.metrics, Gather: a.metrics, Version: version(),
		Route:       a.route,
		CheckText:   checkText,
		CheckWord:   checkWord,
		CheckVoice:  a.checkVoice,
		CheckMusic:  checkMusic,
		CheckEngine: a.checkEngine,
		Voices:      a.catalogue,
		Speak:       a.speakSample,
		Profiles:    clones{a},
		Faces:       a.faces,
		Verify:      a.verifier,
		Erase:       a.erase,
		Engines:     a.engineStates,
		Stages:      a.stageNames(),
		Ready:       a.broker.Health,
		Health:      a.health,
		Web:         web.Handler(),
	})
}

// limited is a server for h that bounds what slow clients cost.
func (a *app) limited(h http.Handler, base context.Context) *http.Server { //nolint:revive // the server's contexts descend from base
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ReadTimeout: 10 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

var errNotSpeakable = errors.New("nothing can be spoken")

func checkText(s, _ string) error {
	if !text.Speakable(s) {
		return errNotSpeakable
	}
	return nil
}
