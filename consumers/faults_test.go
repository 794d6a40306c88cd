package consumers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/producers"
)

// startNATS runs a nats-server as another machine would.
func startNATS(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("server is not ready")
	}
	return s
}

func TestBrokerGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startNATS(t, dir, -1)
	var port int
	if _, err := fmt.Sscanf(s.Addr().String(), "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := broker.Open(t.Context(), log, broker.Config{URL: s.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Broker: b, pub: producers.Publisher{JS: b.JS}, cancels: NewCancels(), tries: make(chan Try, 1000)}
	f.ctx, f.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	f.runner = &Runner{Log: log, JS: b.JS, Events: b.Events, Publish: f.pub, Observe: func(t Try) { f.tries <- t }}
	defer func() {
		f.stop()
		f.wg.Wait()
		b.Close()
		s.Shutdown()
		s.WaitForShutdown()
	}()
	var inHand atomic.Int32
	away := make(chan struct{})
	stage := func(name string) Stage {
		return Stage{Name: name, Workers: 2, Run: func(_ context.Context, w Work) (Result, error) {
			if inHand.Add(1) <= 2 {
				<-away // finished while the broker is away
			}
			return made(name), nil
		}}
	}
	f.serve(t, stage("image"), stage("voice"))
	const n = 12
	for i := range n {
		if err := f.pub.Submit(t.Context(), fmt.Sprintf("t%02d", i), []string{"image", "voice"}, "", events.Job{}); err != nil {
			t.Fatal(err)
		}
	}
	for inHand.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	s.Shutdown()
	s.WaitForShutdown()
	close(away)
	accepted := make(chan error, 1)
	go func() { // a submission meanwhile waits for the broker
		accepted <- f.pub.Submit(context.WithoutCancel(t.Context()), "meanwhile", []string{"image"}, "", events.Job{})
	}()
	time.Sleep(3 * time.Second)
	s = startNATS(t, dir, port)
	if err := <-accepted; err != nil {
		t.Errorf("a submission did not survive: %v", err)
	}
	for i := range n {
		if e := f.wait(t, events.Task, events.Ended, fmt.Sprintf("t%02d", i)); e.Verb != events.TaskCompleted || len(e.Job.Notes) != 2 {
			t.Errorf("task %d ended as %s with %d notes", i, e.Verb, len(e.Job.Notes))
		}
	}
	f.wait(t, events.Task, events.Ended, "meanwhile")
}

// TestReconnectDoesNotHoardWork cuts the connection of a worker that waits for
// work. The server still knows what it asked for before, and it asks again; what
// comes to it twice over must not wait behind the first while another is free.
func TestReconnectDoesNotHoardWork(t *testing.T) {
	t.Parallel()
	s := startNATS(t, t.TempDir(), -1)
	defer s.WaitForShutdown()
	defer s.Shutdown()
	begun, release := make(chan string, 10), make(chan struct{})
	var serving sync.WaitGroup
	defer serving.Wait()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	worker := func(name string) *broker.Broker {
		b, err := broker.Open(t.Context(), slog.New(slog.DiscardHandler), broker.Config{URL: s.ClientURL(), Name: name})
		if err != nil {
			t.Fatal(err)
		}
		r := &Runner{Log: slog.New(slog.DiscardHandler), JS: b.JS, Events: b.Events, Publish: producers.Publisher{JS: b.JS}}
		serving.Go(func() {
			defer b.Close()
			if err := r.Serve(ctx, Stage{Name: "image", Workers: 1, Tries: 1, Timeout: time.Minute, Run: func(_ context.Context, w Work) (Result, error) {
				begun <- name
				<-release
				return made("image"), nil
			}}, NewCancels()); err != nil {
				t.Error(err)
			}
		})
		return b
	}
	waiting := func(b *broker.Broker, n int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			c, err := b.Events.Consumer(t.Context(), ConsumerName("image"))
			if err == nil && c.CachedInfo().NumWaiting >= n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("nobody asks for work: %v", err)
			}
		}
	}
	a := worker("cut")
	waiting(a, 1)
	if err := a.Conn.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	waiting(a, 2) // the request from before is still known
	say := func(task string) {
		t.Helper()
		if err := (producers.Publisher{JS: a.JS}).Publish(t.Context(), events.New(task, "image", events.Requested, nil, events.Job{})); err != nil {
			t.Fatal(err)
		}
	}
	say("first")
	<-begun
	worker("free")
	waiting(a, 1)
	say("second")
	select {
	case who := <-begun:
		if who != "free" {
			t.Errorf("%s works on both", who)
		}
	case <-time.After(time.Minute):
		t.Error("the second task is never begun")
	}
	c, err := a.Events.Consumer(t.Context(), ConsumerName("image"))
	if err != nil {
		t.Fatal(err)
	}
	if n := c.CachedInfo().NumRedelivered; n != 0 { // it lay with a busy worker until its lease was over
		t.Errorf("the second task waits for the first, although a worker is free: %d redeliveries", n)
	}
	close(release)
}

func TestConsumerThatIsDeletedIsMadeAnew(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.serve(t, Stage{Name: "image", Run: func(context.Context, Work) (Result, error) { return made("image"), nil }})
	submit := func(task string) {
		t.Helper()
		if err := f.pub.Submit(t.Context(), task, []string{"image"}, "", events.Job{}); err != nil {
			t.Fatal(err)
		}
		f.wait(t, events.Task, events.Ended, task)
	}
	submit("before")
	if err := f.Events.DeleteConsumer(t.Context(), ConsumerName("image")); err != nil {
		t.Fatal(err)
	}
	submit("after")
}

func TestBlobThatIsGoneEndsItsTaskOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	store, err := natsstore.New(t.Context(), f.BlobJS, broker.BucketBlobs)
	if err != nil {
		t.Fatal(err)
	}
	blobs := Blobs{Store: store}
	f.serve(t, Stage{Name: "image", Run: func(ctx context.Context, w Work) (Result, error) {
		if _, err := blobs.Bytes(ctx, w.Job, events.BlobPortrait, 1000); err != nil && w.Task == "gone" {
			return Result{}, err
		}
		return made("image"), nil
	}})
	job := events.Job{Blobs: map[string]events.Blob{events.BlobPortrait: {Key: "inputs/gone/portrait"}}}
	for _, task := range []string{"gone", "other"} {
		if err := f.pub.Submit(t.Context(), task, []string{"image"}, "", job); err != nil {
			t.Fatal(err)
		}
	}
	n, _ := f.wait(t, events.Task, events.Ended, "gone").Job.Note("image")
	if n.Problem == nil || n.Problem.Code != "INPUT_GONE" || n.Attempt != 1 {
		t.Errorf("%+v", n)
	}
	if e := f.wait(t, events.Task, events.Ended, "other"); e.Verb != events.TaskCompleted {
		t.Error(e.Verb)
	}
}

func TestRunsKeepApartAndCleanUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	store, err := natsstore.New(t.Context(), f.BlobJS, broker.BucketBlobs)
	if err != nil {
		t.Fatal(err)
	}
	blobs := Blobs{Store: store}
	f.serve(t, Stage{Name: "image", Tries: 2, Run: func(ctx context.Context, w Work) (Result, error) {
		b, err := blobs.PutJSON(ctx, "intermediates", w.Task, "image", "made", w.Attempt)
		if err == nil && w.Attempt == 1 {
			err = errors.New("failed after it was stored")
		}
		return Result{Blobs: map[string]events.Blob{"made": b}}, err
	}})
	if err := f.pub.Submit(t.Context(), "t", []string{"image"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	e := f.wait(t, events.Task, events.Ended, "t")
	left := 0
	err = store.List(t.Context(), "intermediates/", func(i objectstore.Info) bool {
		if i.Key != e.Job.Blobs["made"].Key {
			t.Errorf("%s is left of the attempt that failed", i.Key)
		}
		left++
		return true
	})
	if err != nil || left != 1 {
		t.Errorf("%d blobs, want that of the second attempt", left)
	}
}

// TestRunThatLosesLeavesNothing has another run of the same work say its result
// first, as when a worker sleeps beyond its lease. Its result goes on, whole.
func TestRunThatLosesLeavesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	store, err := natsstore.New(t.Context(), f.BlobJS, broker.BucketBlobs)
	if err != nil {
		t.Fatal(err)
	}
	blobs := Blobs{Store: store}
	put := func(ctx context.Context, what string) events.Blob {
		b, err := blobs.PutJSON(ctx, objectstore.Intermediates, "t", "image", "made", what)
		if err != nil {
			t.Error(err)
		}
		return b
	}
	theirs := make(chan events.Blob, 1)
	f.serve(t, Stage{Name: "image", Run: func(ctx context.Context, w Work) (Result, error) {
		ours := put(ctx, "ours")
		other, _ := newRun(t.Context())
		b := put(other, "theirs")
		theirs <- b
		job := events.Job{Blobs: map[string]events.Blob{"made": b}, Notes: []events.Note{{Stage: "image", Artifacts: []string{"made"}}}}
		err := f.pub.Publish(ctx, events.New("t", "image", events.Ready, []string{"voice"}, job)) // and there it dies
		return Result{Blobs: map[string]events.Blob{"made": ours}}, err
	}}, Stage{Name: "voice", Run: func(ctx context.Context, w Work) (Result, error) {
		return Result{}, blobs.JSON(ctx, w.Job, "made", new(string))
	}})
	if err := f.pub.Submit(t.Context(), "t", []string{"image", "voice"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	e := f.wait(t, events.Task, events.Ended, "t")
	if b := <-theirs; e.Verb != events.TaskCompleted || e.Job.Blobs["made"] != b {
		t.Errorf("%s with %+v, want %+v", e.Verb, e.Job.Blobs, b)
	}
	f.outcome(t, "resumed")
	if err := store.List(t.Context(), "intermediates/", func(i objectstore.Info) bool {
		if i.Key != e.Job.Blobs["made"].Key {
			t.Errorf("%s is left of the run that lost", i.Key)
		}
		return true
	}); err != nil {
		t.Error(err)
	}
}

// TestOrdersArePlacedOnce has many runs of one task order at the same time, most
// of which never hear the answer.
func TestOrdersArePlacedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	o := Orders{KV: f.Broker.Orders}
	var calls atomic.Int32
	keys := make(chan string, 100)
	place := func(_ context.Context, key string) (string, error) {
		keys <- key
		if calls.Add(1) <= 5 {
			return "", errors.New("connection reset after the order was taken")
		}
		return "order-of-" + key, nil
	}
	ids := make(chan string, 10)
	for range 10 {
		f.wg.Go(func() {
			for {
				if id, err := o.Once(f.ctx, "video", "t", place); err == nil {
					ids <- id
					return
				}
			}
		})
	}
	first := <-ids
	for range 9 {
		if id := <-ids; id != first {
			t.Errorf("orders %s and %s", first, id)
		}
	}
	close(keys)
	for k := range keys {
		if "order-of-"+k != first {
			t.Errorf("an order was placed under another key %s", k)
		}
	}
}
