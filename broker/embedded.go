package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"
)

// embedded is the server in this process. It can be started again while clients
// are connected: they find the new one as they would find a server that was away.
type embedded struct {
	opts server.Options

	mu  sync.Mutex
	srv *server.Server
}

// home is where connections to the data directory's server come from: one that is
// started here, or that of the process which has it, if c says so.
func (b *Broker) home(log *slog.Logger, c *Config) (nats.InProcessConnProvider, error) {
	err := b.start(*c)
	if errors.Is(err, ErrLocked) && c.Join {
		c.Bind = true
		s := socket{c.DataDir}
		return s, s.joinable()
	}
	if err != nil {
		return nil, err
	}
	b.door = openDoor(log, b.srv, c.DataDir)
	return b.srv, nil
}

// start runs the embedded server on the data directory, which it locks: nothing
// in nats-server keeps two servers from writing the same files.
func (b *Broker) start(c Config) (err error) {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if b.unlock, err = lock(c.DataDir); err != nil {
		return err
	}
	e := &embedded{opts: server.Options{
		ServerName: "videomsg",
		JetStream:  true,
		StoreDir:   c.DataDir,
		DontListen: c.Listen == "",
		NoSigs:     true,
		NoLog:      true,
		// What the machine's crash may cost. A crash of the process costs nothing.
		SyncInterval:    time.Second,
		SyncAlways:      c.Sync,
		JetStreamLimits: server.JSLimitOpts{DefaultMaxConsumers: 5000},
	}}
	if c.Listen != "" {
		if e.opts.Host, e.opts.Port, err = splitHostPort(c.Listen); err != nil {
			return err
		}
	}
	b.srv = e
	return e.start()
}

func (e *embedded) start() error {
	opts := e.opts // the server fills in what is missing
	srv, err := server.NewServer(&opts)
	if err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	srv.Start()
	if addr, ok := srv.Addr().(*net.TCPAddr); ok {
		e.opts.Port = addr.Port // also the next one listens there
	}
	e.mu.Lock()
	e.srv = srv
	e.mu.Unlock()
	if !srv.ReadyForConnections(30 * time.Second) {
		return errors.New("embedded broker: not ready after 30 s")
	}
	return nil
}

func (e *embedded) stop() {
	if srv := e.server(); srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

func (e *embedded) server() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.srv
}

// InProcessConn implements nats.InProcessConnProvider.
func (e *embedded) InProcessConn() (net.Conn, error) { return e.server().InProcessConn() }

// health says why the server cannot store.
func (e *embedded) health() error {
	if h := e.server().Healthz(&server.HealthzOptions{}); h.StatusCode != 200 {
		return fmt.Errorf("embedded broker: %s", h.Error)
	}
	return nil
}

// Embedded reports whether the server runs in this process.
func (b *Broker) Embedded() bool { return b.srv != nil }

// ClientURL is where other processes reach the embedded server; empty when it
// does not listen.
func (b *Broker) ClientURL() string {
	if b.srv == nil || b.srv.server().Addr() == nil {
		return ""
	}
	return b.srv.server().ClientURL()
}

// reclaim ends every lease that is out, by making leases very short for a moment:
// whoever held one has died with the server before. Otherwise what was in hand when
// the process was killed, documents of the status too, would wait for its lease.
func (b *Broker) reclaim(ctx context.Context) error {
	type held struct {
		stream jetstream.Stream
		conf   jetstream.ConsumerConfig
	}
	var all []held
	for _, s := range []jetstream.Stream{b.Events, b.Dead, b.Deliveries} {
		list := s.ListConsumers(ctx)
		for i := range list.Info() {
			if i.NumAckPending > 0 && i.Config.Durable != "" && i.Config.AckPolicy == jetstream.AckExplicitPolicy {
				all = append(all, held{s, i.Config})
			}
		}
		if err := list.Err(); err != nil {
			return fmt.Errorf("list consumers: %w", err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	lease := func(length func(time.Duration) time.Duration) error {
		for _, h := range all {
			h.conf.AckWait = length(h.conf.AckWait)
			if _, err := h.stream.UpdateConsumer(ctx, h.conf); err != nil {
				return fmt.Errorf("consumer %s: %w", h.conf.Durable, err)
			}
		}
		return nil
	}
	err := lease(func(time.Duration) time.Duration { return 10 * time.Millisecond })
	if err == nil {
		t := time.NewTimer(250 * time.Millisecond) // the server looks after 100 ms
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return errors.Join(err, lease(func(d time.Duration) time.Duration { return d }))
}

// Room on the disk without which the embedded server is not started again.
const room = 16 << 20

// Mend starts the embedded server again when it has stopped storing and there is
// room on its disk, until ctx is done: after one failed write a server answers no
// more for what it could not write, even when it could again. It looks every so
// often. A server elsewhere is its operator's to mend.
func (b *Broker) Mend(ctx context.Context, log *slog.Logger, every time.Duration) error {
	if b.srv == nil {
		return nil
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		err := b.srv.health()
		if err == nil {
			told = false
			continue
		}
		if !told {
			log.ErrorContext(ctx, "the broker cannot store anything: make room on its disk", "dir", b.conf.DataDir, "err", err)
			told = true
		}
		if free, err := freeSpace(b.conf.DataDir); err != nil || free < room {
			continue
		}
		if err := b.restart(ctx, log); err != nil {
			log.ErrorContext(ctx, "restart broker", "err", err)
			continue
		}
		log.WarnContext(ctx, "broker started again", "dir", b.conf.DataDir)
	}
}

// restart starts the server again, and declares anew what it kept in memory.
func (b *Broker) restart(ctx context.Context, log *slog.Logger) error {
	b.srv.stop()
	if err := b.srv.start(); err != nil {
		return err
	}
	again := &Broker{JS: b.JS, BlobJS: b.BlobJS, srv: b.srv}
	return again.patiently(ctx, log, func(ctx context.Context) error { return again.declare(ctx, log, b.conf) })
}

func freeSpace(dir string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil //nolint:gosec // no disk is that large
}
