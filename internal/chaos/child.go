package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/producers"
	"github.com/videomsg/videomsg/status"
)

// route is the stages of every task; the last but one buys.
var route = []string{"image", "voice", "prosody", "bgm", "video"}

const paid = "bgm"

// settings of a child process.
type settings struct {
	broker         broker.Config
	shop           string
	runs, accepted string // files that are appended to
	from, to       int    // tasks to submit
	gap            time.Duration
	faults         float64 // how likely a stage fails, before and after persisting
}

// child runs a role until it is killed: worker, status, submit, or all but
// submit.
func child(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("no role")
	}
	var c settings
	f := flag.NewFlagSet("child", flag.ContinueOnError)
	f.StringVar(&c.broker.URL, "url", "", "")
	f.StringVar(&c.broker.DataDir, "data", "", "")
	f.StringVar(&c.broker.Listen, "listen", "", "")
	f.IntVar(&c.broker.Replicas, "replicas", 1, "")
	f.StringVar(&c.shop, "shop", "", "")
	f.StringVar(&c.runs, "runs", "", "")
	f.StringVar(&c.accepted, "accepted", "", "")
	f.IntVar(&c.from, "from", 0, "")
	f.IntVar(&c.to, "to", 0, "")
	f.DurationVar(&c.gap, "gap", 0, "")
	f.Float64Var(&c.faults, "faults", 0, "")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	c.broker.Name = args[0]
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := broker.Open(ctx, log, c.broker)
	if err != nil {
		return err
	}
	defer b.Close()
	switch args[0] {
	case "submit":
		return c.submit(ctx, b)
	case "status":
		return status.Serve(ctx, log, b.Events, status.Store{KV: b.Status})
	case "worker":
		return c.work(ctx, log, b, false)
	case "all":
		return c.work(ctx, log, b, true)
	}
	return fmt.Errorf("role %q", args[0])
}

// work runs the dispatcher and every stage, as one process of the service does.
func (c settings) work(ctx context.Context, log *slog.Logger, b *broker.Broker, project bool) error {
	store, err := natsstore.New(ctx, b.BlobJS, broker.BucketBlobs)
	if err != nil {
		return err
	}
	runs, err := os.OpenFile(c.runs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer runs.Close() //nolint:errcheck // appended to only
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	start := func(f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				stop(err)
			}
		})
	}
	r := &consumers.Runner{Log: log, JS: b.JS, Events: b.Events, Publish: producers.Publisher{JS: b.JS}}
	cancels := consumers.NewCancels()
	start(func() error { return cancels.Follow(ctx, log, b.Events) })
	start(func() error { return r.Dispatch(ctx) })
	if project {
		start(func() error { return status.Serve(ctx, log, b.Events, status.Store{KV: b.Status}) })
	}
	s := stage{settings: c, blobs: consumers.Blobs{Store: flaky{store, c.faults / 3}}, orders: consumers.Orders{KV: b.Orders}, runs: runs}
	for i, name := range route {
		input := "input"
		if i > 0 {
			input = route[i-1]
		}
		st := consumers.Stage{
			Name: name, Workers: 2, Tries: 6, Timeout: time.Minute, Limit: 2 * time.Minute,
			Run: func(ctx context.Context, w consumers.Work) (consumers.Result, error) {
				return s.run(ctx, w, name, input)
			},
		}
		start(func() error { return r.Serve(ctx, st, cancels) })
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// stage does what a real one does with cheap content: read what the one before
// has made, perhaps buy, make something that is different each time, keep it.
type stage struct {
	settings
	blobs  consumers.Blobs
	orders consumers.Orders
	runs   *os.File
}

var errFault = errors.New("engine fell over")

// flaky is a blob store that fails now and then: before it has done what it was
// asked for, and after.
type flaky struct {
	objectstore.Store
	often float64
}

var errStore = errors.New("blob store fell over")

func (f flaky) Put(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	if mathrand.Float64() < f.often {
		return objectstore.Info{}, errStore
	}
	info, err := f.Store.Put(ctx, key, r)
	if err == nil && mathrand.Float64() < f.often {
		return objectstore.Info{}, errStore
	}
	return info, err
}

func (f flaky) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if mathrand.Float64() < f.often {
		return nil, errStore
	}
	return f.Store.Get(ctx, key)
}

func (f flaky) Delete(ctx context.Context, key string) error {
	if mathrand.Float64() < f.often {
		return errStore
	}
	return f.Store.Delete(ctx, key)
}

func (s stage) run(ctx context.Context, w consumers.Work, name, input string) (consumers.Result, error) {
	if _, err := fmt.Fprintf(s.runs, "%s %s\n", w.Task, name); err != nil {
		return consumers.Result{}, err
	}
	if err := s.fault(w.Task); err != nil {
		return consumers.Result{}, err
	}
	given, err := s.blobs.Bytes(ctx, w.Job, input, 1<<20)
	if err != nil {
		return consumers.Result{}, err
	}
	if sum := sha256.Sum256(given); hex.EncodeToString(sum[:]) != w.Job.Blobs[input].SHA256 {
		return consumers.Result{}, consumers.Fail("WRONG_INPUT", "A blob is not the one that its event names.", errors.New(w.Job.Blobs[input].Key))
	}
	if name == paid {
		id, err := s.orders.Once(ctx, name, w.Task, func(ctx context.Context, key string) (string, error) { return buy(ctx, s.shop, w.Task, key) })
		if err != nil {
			return consumers.Result{}, err
		}
		if err := s.fault(w.Task); err != nil {
			return consumers.Result{}, err
		}
		if err := collect(ctx, s.shop, id); err != nil {
			return consumers.Result{}, err
		}
	}
	time.Sleep(time.Duration(2+mathrand.IntN(20)) * time.Millisecond) // it works
	made := make([]byte, 4000+mathrand.IntN(16000))
	if _, err := rand.Read(made); err != nil {
		return consumers.Result{}, err
	}
	blob, err := s.blobs.Put(ctx, objectstore.Intermediates, w.Task, name, "made", "application/octet-stream", strings.NewReader(string(made)))
	if err != nil {
		return consumers.Result{}, err
	}
	if err := s.fault(w.Task); err != nil { // it is kept, and nobody knows
		return consumers.Result{}, err
	}
	return consumers.Result{Engine: "chaos", Blobs: map[string]events.Blob{name: blob}}, nil
}

// fault fails now and then, dies now and then, and for some tasks always.
func (s stage) fault(task string) error {
	switch draw := mathrand.Float64(); {
	case strings.HasSuffix(task, "13"):
		return consumers.Fail("UNLUCKY", "This task cannot succeed.", errFault)
	case draw < s.faults:
		return errFault
	case draw < s.faults*1.1:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return nil
}

// submit is the gateway as far as tasks are concerned: it stores the input, says
// the submission, and notes the task as accepted once the stream has it.
func (c settings) submit(ctx context.Context, b *broker.Broker) error {
	store, err := natsstore.New(ctx, b.BlobJS, broker.BucketBlobs)
	if err != nil {
		return err
	}
	blobs, pub := consumers.Blobs{Store: store}, producers.Publisher{JS: b.JS}
	f, err := os.OpenFile(c.accepted, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // appended to only
	before, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	done := map[string]bool{}
	for task := range strings.FieldsSeq(string(before)) {
		done[task] = true
	}
	for i := c.from; i < c.to && ctx.Err() == nil; i++ {
		task := fmt.Sprintf("task%05d", i)
		if done[task] {
			continue
		}
		for {
			err := accept(ctx, blobs, pub, task)
			if err == nil {
				break
			}
			fmt.Fprintln(os.Stderr, task, err) // the client is told 503 and asks again
			time.Sleep(100 * time.Millisecond)
		}
		if _, err := fmt.Fprintln(f, task); err != nil {
			return err
		}
		time.Sleep(c.gap)
	}
	return nil
}

func accept(ctx context.Context, blobs consumers.Blobs, pub producers.Publisher, task string) error {
	in, err := blobs.Put(ctx, objectstore.Inputs, task, "input", "given", "text/plain", strings.NewReader("given to "+task))
	if err != nil {
		return err
	}
	return pub.Submit(ctx, task, route, "", events.Job{
		Request: events.Request{Kind: events.KindVideo, Owner: "chaos"}, Blobs: map[string]events.Blob{"input": in},
	})
}
