// Package broker starts the embedded nats-server or dials a cluster, and is the
// only place that declares streams, buckets and their settings.
package broker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config says which broker to use. The zero value with a DataDir is an embedded
// server that listens on no port.
type Config struct {
	URL      string // of a cluster; empty: embedded
	Creds    string // file with NATS credentials for URL
	NKey     string // file with an nkey seed for URL
	Inbox    string // prefix of the inboxes; empty is _INBOX. A user whose permissions name its own prefix reads nobody else's answers
	CA       string // file with certificates that may sign the server's
	Cert     string // files of the client's certificate and its key
	Key      string
	Bind     bool          // open what exists and declare nothing; see Parts
	Parts    Part          // what Bind opens beside the event stream; 0 means all
	Name     string        // of this client, shown in the server's connection list
	DataDir  string        // of the embedded server
	Listen   string        // host:port for the embedded server to listen on; empty: in process only
	Sync     bool          // fsync before every acknowledgement instead of every second
	Replicas int           // of streams and buckets; 0 keeps what is there, or makes 1
	Join     bool          // when another process has DataDir, use its broker and declare nothing
	Update   bool          // change streams and buckets that exist with other settings
	MaxBytes int64         // of the event stream; 0 means 4 GiB
	CacheTTL time.Duration // of what stages made; 0 means 30 minutes
	Wait     time.Duration // for a broker that does not answer yet; 0 means a minute
}

// Validate reports every setting that cannot work.
func (c Config) Validate() error {
	var errs []error
	if c.URL == "" && c.DataDir == "" {
		errs = append(errs, errors.New("neither NATS_URL nor DATA_DIR is set"))
	}
	if c.Replicas < 0 || c.Replicas > 5 || c.Replicas == 2 || c.Replicas == 4 {
		errs = append(errs, fmt.Errorf("%d replicas: must be 1, 3 or 5", c.Replicas))
	}
	if c.Bind && c.URL == "" {
		errs = append(errs, errors.New("NATS_DECLARE=false needs NATS_URL: nobody else declares for an embedded broker"))
	}
	if c.Creds != "" && c.NKey != "" {
		errs = append(errs, errors.New("NATS_CREDS and NATS_NKEY are both set"))
	}
	if (c.Cert == "") != (c.Key == "") {
		errs = append(errs, errors.New("NATS_CERT and NATS_KEY go together"))
	}
	if c.MaxBytes < 0 {
		errs = append(errs, errors.New("negative size of the event stream"))
	}
	return errors.Join(errs...)
}

// Broker is the connections to NATS and what we keep behind them. Its fields may
// be used concurrently.
type Broker struct {
	JS       jetstream.JetStream // for events
	BlobJS   jetstream.JetStream // a connection of its own, so that blobs never delay events
	Conn     *nats.Conn
	Events   jetstream.Stream
	Status   jetstream.KeyValue
	Blobs    jetstream.ObjectStore
	Cache    jetstream.KeyValue // of stages
	Profiles jetstream.KeyValue // cloned voices
	Orders   jetstream.KeyValue // outside, by stages
	// What the gateway keeps beside the event stream.
	Library, Idempotency, Limits, Webhooks jetstream.KeyValue
	Deliveries                             jetstream.Stream
	// Dead is what the broker tells about requests that were given up; nil when
	// this process binds and did not ask for PartDead.
	Dead   jetstream.Stream
	url    string
	opts   []nats.Option
	srv    *embedded // nil: a server elsewhere
	door   *door
	conf   Config
	conns  []*nats.Conn
	unlock func() error
	stalls stalls
}

// Open starts or dials the broker and declares the topology. It fails when
// another process uses the same data directory, with ErrDiffers when a stream
// exists in a cluster with other settings than c asks for, with ErrNewer when a newer
// program has declared one, with ErrClock when the broker's clock is not ours, and
// after c.Wait when the broker does not answer.
func Open(ctx context.Context, log *slog.Logger, c Config) (_ *Broker, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	b := &Broker{conf: c}
	opening, give := context.WithCancelCause(ctx)
	defer give(nil)
	defer func() {
		if cause := context.Cause(opening); err != nil && ctx.Err() == nil && cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause // the broker answers a denied request with silence
		}
		if err != nil {
			b.Close()
		}
	}()
	b.url, b.opts = c.URL, []nats.Option{
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true), // a broker that starts later is waited for in patiently
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if refused(err) {
				give(fmt.Errorf("broker: %w", err))
			}
			log.Warn("broker connection", "err", err)
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if refused(err) {
				give(fmt.Errorf("connect to broker: %w", err))
			}
			log.Debug("broker connection", "err", err)
		}),
	}
	if c.URL == "" {
		from, err := b.home(log, &c)
		if err != nil {
			return nil, err
		}
		b.opts = append(b.opts, nats.InProcessServer(from))
	} else if b.opts, err = c.dial(b.opts); err != nil {
		return nil, err
	}
	if b.JS, err = b.Connect(c.Name); err != nil {
		return nil, err
	}
	b.Conn = b.JS.Conn()
	if b.BlobJS, err = b.Connect(c.Name + " blobs"); err != nil {
		return nil, err
	}
	if err := b.patiently(opening, log, func(ctx context.Context) error {
		if c.Bind {
			return b.bind(ctx, cmp.Or(c.Parts, PartAll))
		}
		return b.declare(ctx, log, c)
	}); err != nil {
		return nil, err
	}
	if err := b.checkClock(opening, log); err != nil {
		return nil, err
	}
	if b.srv != nil && c.Listen == "" {
		if err := b.reclaim(ctx); err != nil {
			log.WarnContext(ctx, "reclaim what a dead process had in hand", "err", err) // it comes when its lease ends
		}
	}
	return b, nil
}

// refused reports whether waiting will not help: the broker knows us and does not
// want us, or is not the one we trust.
func refused(err error) bool {
	for _, e := range []error{
		nats.ErrPermissionViolation, nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAccountAuthExpired,
		nats.ErrSecureConnRequired, nats.ErrSecureConnWanted,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// dial adds what a server elsewhere asks for.
func (c Config) dial(opts []nats.Option) ([]nats.Option, error) {
	if c.Creds != "" {
		opts = append(opts, nats.UserCredentials(c.Creds))
	}
	if c.NKey != "" {
		key, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("nkey seed %s: %w", c.NKey, err)
		}
		opts = append(opts, key)
	}
	if c.Inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(c.Inbox))
	}
	if c.CA != "" {
		opts = append(opts, nats.RootCAs(c.CA))
	}
	if c.Cert != "" {
		opts = append(opts, nats.ClientCert(c.Cert, c.Key))
	}
	// A permission that is missing is an error at once and not a timeout.
	return append(opts, nats.PermissionErrOnSubscribe(true)), nil
}

// patiently calls f as soon as the broker can answer it: it may be just starting, or
// elect its leader. What is declared by halves is completed by the next try.
func (b *Broker) patiently(ctx context.Context, log *slog.Logger, f func(context.Context) error) error {
	patience := cmp.Or(b.conf.Wait, time.Minute)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	told := false
	for {
		one, done := context.WithTimeout(ctx, 10*time.Second)
		err := f(one)
		done()
		if err == nil || !notYet(err) {
			return err
		}
		if !told {
			log.WarnContext(ctx, "waiting for the broker", "err", err)
			told = true
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("broker did not answer within %s: %w", patience, err)
		}
	}
}

// notYet reports whether a broker that is starting may give err.
func notYet(err error) bool {
	for _, t := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
		jetstream.ErrNoStreamResponse, jetstream.ErrJetStreamNotEnabled,
	} {
		if errors.Is(err, t) {
			return true
		}
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.Code == 503 || api.Code == 408 || api.ErrorCode == noPeers)
}

// noPeers is the answer of a cluster that has not seen enough of its members.
const noPeers jetstream.ErrorCode = 10005

// Connect opens a further connection, for traffic that must not delay other
// traffic. Close closes it.
func (b *Broker) Connect(name string) (jetstream.JetStream, error) {
	nc, err := nats.Connect(b.url, append([]nats.Option{nats.Name(name)}, b.opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	b.conns = append(b.conns, nc)
	return jetstream.New(nc)
}

// Health returns nil while the broker can store events.
func (b *Broker) Health(ctx context.Context) error {
	if b.srv != nil {
		if err := b.srv.health(); err != nil {
			return err
		}
	}
	if _, err := b.Events.Info(ctx); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	return nil
}

// Close drains the connections, then stops the embedded server and waits for it.
// Whoever uses the broker must have stopped before.
func (b *Broker) Close() {
	for _, nc := range b.conns {
		drain(nc)
	}
	if b.srv != nil {
		b.srv.stop()
		b.door.close()
	}
	if b.unlock != nil {
		_ = b.unlock() // the process's end would do it as well
	}
}

// drain lets what was published leave, for five seconds at most.
func drain(nc *nats.Conn) {
	closed := make(chan struct{})
	nc.SetClosedHandler(func(*nats.Conn) { close(closed) })
	if err := nc.Drain(); err != nil {
		nc.Close()
		return
	}
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		nc.Close()
	}
}
