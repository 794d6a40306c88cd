package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/vision/face"
)

// avatarConfig is what makes portraits speak besides this machine.
type avatarConfig struct {
	DIDKey, DIDURL string
	DIDWebhook     string
	DIDStitch      bool
	DIDConcurrency int
	LipsyncURL     string
	WebM           bool
	Key            string // file of the key that signs provenance records
}

// outside reports whether any service is configured.
func (c avatarConfig) outside() bool { return c.DIDKey != "" || c.LipsyncURL != "" }

// avatars are the engines of the video stage. What is not configured is nil.
type avatars struct {
	did     *avatar.DIDEngine
	lipsync *avatar.LipsyncEngine
	local   avatar.Chain
}

func openAvatars(log *slog.Logger, c avatarConfig, faces *face.Detector, b *broker.Broker) (a avatars, err error) {
	threads := max(runtime.GOMAXPROCS(0), 1)
	a.local = avatar.Chain{avatar.Portrait(faces, threads), avatar.Still(faces, threads)}
	if !c.outside() || b.Orders == nil { // without the bucket this process neither makes nor erases videos
		return a, nil
	}
	if c.DIDKey != "" {
		if a.did, err = (avatar.DID{
			Key: c.DIDKey, URL: c.DIDURL, Stitch: c.DIDStitch, Concurrency: c.DIDConcurrency, HTTP: &http.Client{}, Ledger: orderBook{b.Orders},
			Hints: avatar.Hints{URL: c.DIDWebhook, Listen: hints{log, b.Conn}.listen},
		}).New(); err != nil {
			return a, err
		}
	}
	if c.LipsyncURL != "" {
		a.lipsync, err = avatar.Lipsync{URL: c.LipsyncURL, HTTP: &http.Client{}, Ledger: orderBook{b.Orders}}.New()
	}
	return a, err
}

// chain is the order of preference.
func (a avatars) chain() avatar.Chain {
	var c avatar.Chain
	if a.did != nil {
		c = append(c, a.did.Engine())
	}
	if a.lipsync != nil {
		c = append(c, a.lipsync.Engine())
	}
	return append(c, a.local...)
}

// erase removes what the services have of a task.
func (a avatars) erase() []func(context.Context, string) error {
	var f []func(context.Context, string) error
	if a.did != nil {
		f = append(f, a.did.Erase)
	}
	if a.lipsync != nil {
		f = append(f, a.lipsync.Erase)
	}
	return f
}

// hints come over the broker from whichever gateway a service has called.
type hints struct {
	log  *slog.Logger
	conn *nats.Conn
}

func (h hints) listen(token string) (<-chan struct{}, func()) {
	heard := make(chan struct{}, 1)
	sub, err := h.conn.Subscribe(events.HintSubject(token), func(*nats.Msg) {
		select {
		case heard <- struct{}{}:
		default:
		}
	})
	if err != nil {
		h.log.Warn("listen for hints; the video is only asked for from time to time", "err", err)
		return nil, func() {}
	}
	return heard, func() {
		if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			h.log.Warn("stop listening for hints", "err", err)
		}
	}
}

// orderBook is the avatar engines' ledger in the broker's bucket of orders. The
// broker keeps what was written before it says so, and creates a key once.
type orderBook struct{ kv jetstream.KeyValue }

func (b orderBook) Begin(ctx context.Context, key string) (id string, first bool, err error) {
	_, err = b.kv.Create(ctx, "avatar."+key, nil)
	if err == nil {
		return "", true, nil
	}
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return "", false, fmt.Errorf("order %s: %w", key, err)
	}
	id, _, err = b.Find(ctx, key)
	return id, false, err
}

func (b orderBook) Started(ctx context.Context, key, id string) error {
	_, err := b.kv.PutString(ctx, "avatar."+key, id)
	return err
}

func (b orderBook) Find(ctx context.Context, key string) (id string, known bool, err error) {
	e, err := b.kv.Get(ctx, "avatar."+key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("order %s: %w", key, err)
	}
	return string(e.Value()), true, nil
}

func (b orderBook) Forget(ctx context.Context, key string) error {
	if err := b.kv.Purge(ctx, "avatar."+key); err != nil {
		return fmt.Errorf("forget order %s: %w", key, err)
	}
	return nil
}
