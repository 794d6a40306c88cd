package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/bgm"
	"github.com/videomsg/videomsg/consumers/image"
	"github.com/videomsg/videomsg/consumers/prosody"
	"github.com/videomsg/videomsg/consumers/video"
	"github.com/videomsg/videomsg/consumers/video/provenance"
	"github.com/videomsg/videomsg/consumers/voice"
	"github.com/videomsg/videomsg/engines/cutout"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/engines/speech/profile"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/dirstore"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/objectstore/s3store"
	"github.com/videomsg/videomsg/producers"
	"github.com/videomsg/videomsg/status"
	"github.com/videomsg/videomsg/vision/face"
)

// app is the service put together: what main builds and everything runs on.
type app struct {
	conf    config
	log     *slog.Logger
	broker  *broker.Broker
	blobs   objectstore.Store
	pub     producers.Publisher
	tasks   status.Store
	stages  []consumers.Stage
	runner  *consumers.Runner
	metrics *prometheus.Registry
	traces  tracing

	faces    *face.Detector
	studio   *speech.Studio
	profiles *profile.Registry
	removers cutout.Chain
	avatars  avatars
	shadows  shadows
	temp     string // where attempts and uploads keep files
}

// open builds the app; close undoes it.
func open(ctx context.Context, log *slog.Logger, c config) (_ *app, err error) {
	a := &app{conf: c, log: log, metrics: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if a.traces, err = startTracing(ctx, c.OTLP, strings.Join(c.Roles, ",")); err != nil {
		return nil, err
	}
	if a.broker, err = broker.Open(ctx, log, c.Broker); err != nil {
		return nil, err
	}
	if c.Broker.Bind && c.Broker.Parts&broker.PartBlobs == 0 {
		// This process neither reads nor writes blobs.
	} else if full, err := openStore(ctx, c.Storage, a.broker); err != nil {
		return nil, err
	} else {
		a.blobs = objectstore.Observe(full, c.Storage.Backend, storageObserver(a.metrics))
	}
	a.pub = producers.Publisher{JS: a.broker.JS}
	a.tasks = status.Store{KV: a.broker.Status}
	if a.faces, err = face.NewDetector(); err != nil {
		return nil, fmt.Errorf("face detector: %w", err)
	}
	serving := c.serving()
	if a.studio, err = speech.New(speechEngines(serving, a.mayUse)); err != nil {
		return nil, fmt.Errorf("speech engines: %w", err)
	}
	var refiners cutout.Chain
	if a.removers, refiners, err = mattingEngines(ctx, log, serving); err != nil {
		return nil, err
	}
	a.profiles = openProfiles(a.broker.Profiles, a.blobs, a.studio)
	if a.avatars, err = openAvatars(log, serving.Avatar, a.faces, a.broker); err != nil {
		return nil, fmt.Errorf("avatar engines: %w", err)
	}
	if a.temp, err = tempDir(c); err != nil {
		return nil, err
	}
	if err = a.openShadows(c); err != nil {
		return nil, err
	}
	if a.stages, err = a.table(refiners); err != nil {
		return nil, err
	}
	for i, st := range a.stages {
		a.stages[i] = a.traces.stage(a.shadows.stage(st))
	}
	a.runner = &consumers.Runner{
		Log: log, JS: a.broker.JS, Events: a.broker.Events, Publish: a.pub,
		Cache: &consumers.Cache{KV: a.broker.Cache, Blobs: a.blobs},
		Grace: c.Grace, Observe: observer(a.metrics), Who: thisProcess(),
	}
	return a, nil
}

// thisProcess is what operators see of it. A host that has no name is shown by
// its process number alone.
func thisProcess() events.Worker {
	host, _ := os.Hostname()
	return events.Worker{
		ID: strings.ToLower(rand.Text()), Host: host, Process: os.Getpid(), Version: version(),
		Since: time.Now().UTC().Truncate(time.Millisecond),
	}
}

func (a *app) close() {
	if a.traces.stop != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // the program is ending
		if err := a.traces.stop(ctx); err != nil {
			a.log.Warn("send last traces", "err", err)
		}
		cancel()
	}
	if err := a.shadows.close(); err != nil {
		a.log.Error("close engines in the shadow", "err", err)
	}
	if a.studio != nil {
		if err := a.studio.Close(); err != nil {
			a.log.Error("close speech engines", "err", err)
		}
	}
	if a.broker != nil {
		a.broker.Close()
	}
}

// table is the stages: its order is the default route.
func (a *app) table(refine cutout.Chain) (_ []consumers.Stage, err error) {
	c, blobs := a.conf, consumers.Blobs{Store: a.blobs, Temp: a.temp}
	var key ed25519.PrivateKey
	if c.Roles.has(video.Name) {
		if key, err = provenance.Key(c.Avatar.Key); err != nil {
			return nil, err
		}
	}
	table := []consumers.Stage{
		image.Stage(blobs, a.faces, a.shadows.image.Beside(a.shadows.runner, a.removers), refine),
		voice.Stage(blobs, a.shadows.speaker(a.studio.Speak), ownSpeech),
		prosody.Stage(blobs),
		bgm.Stage(blobs, musicLibrary{blobs}.find),
		video.Stage(blobs, a.shadows.video.Beside(a.shadows.runner, a.avatars.chain()), video.Config{Key: key, Generator: "videomsg " + version(), WebM: c.Avatar.WebM, Threads: runtime.GOMAXPROCS(0)}),
	}
	for i := range table {
		if n := c.Workers[table[i].Name]; n > 0 {
			table[i].Workers = n
		}
		if n := c.Pending[table[i].Name]; n > 0 {
			table[i].Pending = n
		}
	}
	return table, nil
}

// route is the stages a request visits.
func (a *app) route(r events.Request) []string {
	switch r.Kind {
	case events.KindImage:
		return []string{image.Name}
	case events.KindVoice:
		return []string{voice.Name}
	case events.KindProsody:
		return []string{voice.Name, prosody.Name}
	case events.KindBGM:
		return []string{voice.Name, bgm.Name}
	case events.KindAvatar:
		return []string{image.Name, voice.Name, video.Name}
	}
	slip := make([]string, len(a.stages))
	for i, s := range a.stages {
		slip[i] = s.Name
	}
	return slip
}

// openStore chooses the blob store. Calls that may succeed later are repeated: of
// S3 by its client, of the others by a decorator.
func openStore(ctx context.Context, c storageConfig, b *broker.Broker) (objectstore.Full, error) {
	switch c.Backend {
	case "local":
		s, err := dirstore.Open(c.Root)
		if err != nil {
			return nil, err
		}
		return objectstore.Retry(s, objectstore.RetryPolicy{}), nil
	case "s3":
		base, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(c.Region))
		if err != nil {
			return nil, fmt.Errorf("aws configuration: %w", err)
		}
		return s3store.New(ctx, base, s3store.Config{Bucket: c.Bucket, Endpoint: c.Endpoint})
	default:
		s, err := natsstore.New(ctx, b.BlobJS, broker.BucketBlobs)
		if err != nil {
			return nil, err
		}
		return objectstore.Retry(s, objectstore.RetryPolicy{}), nil
	}
}

// tempDir is where attempts keep files. With an embedded broker the data
// directory is ours alone, so what a killed process left there is removed.
func tempDir(c config) (string, error) {
	if c.Broker.URL != "" {
		return "", nil
	}
	dir := filepath.Join(c.DataDir, "tmp")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return "", fmt.Errorf("temporary directory: %w", err)
	}
	return filepath.Abs(dir)
}

// pipeline runs the stages until ctx is done, then the projector and the rest,
// which must see the stages' last words, until back is done. It returns the
// first error of any of them, after all have ended.
func (a *app) pipeline(ctx context.Context, back context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	back, stopBack := context.WithCancel(back)
	defer stopBack()
	var front, rear sync.WaitGroup
	cancels := consumers.NewCancels()
	start := func(wg *sync.WaitGroup, what string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				stop(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	start(&rear, "broker", func() error { return a.broker.Mend(back, a.log, 5*time.Second) })
	if a.conf.Roles.has("status") {
		start(&rear, "status", func() error { return a.project(back) })
	}
	if a.conf.Roles.has("gateway") {
		start(&rear, "sweep", func() error { return a.sweep(back) })
		start(&rear, "erase", func() error { return a.eraser().Serve(back) })
		start(&front, "dispatch", func() error { return a.runner.Dispatch(ctx) })
		start(&front, "admit", func() error { return a.runner.Admit(ctx, a.conf.BulkTasks) })
		start(&front, "expire", func() error { return a.runner.Expire(ctx, a.conf.Gateway.TaskTimeout) })
		if a.broker.Dead != nil {
			start(&front, "bury", func() error { return a.runner.Bury(ctx, a.broker.Dead) })
		}
	}
	if a.conf.Roles.has("notify") {
		start(&rear, "notify", func() error { return a.notifier().Serve(back) })
	}
	if a.broker.Profiles != nil {
		start(&rear, "profiles", func() error { return followProfiles(back, a.log, a.broker.Profiles, a.profiles) })
	}
	if a.conf.Roles.works() {
		start(&rear, "cancels", func() error { return cancels.Follow(back, a.log, a.broker.Events) })
	}
	for _, st := range a.stages {
		if a.conf.Roles.has(st.Name) {
			start(&front, st.Name, func() error { return a.runner.Serve(ctx, st, cancels) })
		}
	}
	if !a.conf.Roles.stage() {
		start(&front, "idle", func() error { <-ctx.Done(); return nil })
	}
	front.Wait()
	stopBack()
	rear.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// project folds the stream into the status bucket, on a connection of its own:
// what it lags is part of what every client waits.
func (a *app) project(ctx context.Context) error {
	js, err := a.broker.Connect("videomsg status")
	if err != nil {
		return err
	}
	stream, err := js.Stream(ctx, broker.StreamEvents)
	if err != nil {
		return err
	}
	if a.conf.Broker.Bind {
		stream = broker.Bound{Stream: stream}
	}
	kv, err := js.KeyValue(ctx, broker.BucketStatus)
	if err != nil {
		return err
	}
	return status.Serve(ctx, a.log, stream, status.Store{KV: kv})
}
