package erase

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/producers"
)

// TestErasureIsFinishedByWhoeverServes publishes the wish, as a gateway that dies
// right behind it would, and lets one outside copy fail at first.
func TestErasureIsFinishedByWhoeverServes(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError + 4}))
	b, err := broker.Open(t.Context(), log, broker.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	blobs, err := natsstore.New(t.Context(), b.BlobJS, broker.BucketBlobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"inputs/t1/text", "intermediates/t1/voice/speech.wav", "outputs/t1/video/video.mp4", "inputs/t10/text", "library/music/t1/track"} {
		if _, err := blobs.Put(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	pub := producers.Publisher{JS: b.JS}
	for _, task := range []string{"t1", "t10"} {
		e := events.New(task, events.Task, events.Submitted, []string{"voice"}, events.Job{Request: events.Request{Owner: "alice"}})
		if err := pub.Publish(t.Context(), e, e.Next(), events.New(task, events.Task, events.CancelAsked, nil, events.Job{}), events.New(task, events.Task, events.TaskCanceled, nil, events.Job{})); err != nil {
			t.Fatal(err)
		}
	}
	if err := pub.Publish(t.Context(), events.New("t1", events.Task, events.Erased, nil, events.Job{})); err != nil {
		t.Fatal(err)
	}
	outside := make(chan string, 10)
	e := &Eraser{
		Log: log, JS: b.JS, Events: b.Events, Blobs: blobs, Stages: []string{"image", "voice"},
		Outside: []func(context.Context, string) error{func(_ context.Context, task string) error {
			outside <- task
			return errors.New("the far end is down")
		}},
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Serve(ctx) }()
	if got := <-outside; got != "t1" {
		t.Errorf("outside copy of %s", got)
	}
	var keys []string
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		keys = nil
		if err := blobs.List(t.Context(), "", func(i objectstore.Info) bool { keys = append(keys, i.Key); return true }); err != nil {
			t.Fatal(err)
		}
		info, err := b.Events.Info(t.Context(), jetstream.WithSubjectFilter(events.Subject("*", "*", "t1")))
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 2 && len(info.State.Subjects) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: blobs %v, events %v", keys, info.State.Subjects)
		}
	}
	// What failed keeps the wish open.
	cons, err := b.Events.Consumer(t.Context(), Consumer)
	if err != nil {
		t.Fatal(err)
	}
	if n := cons.CachedInfo().NumAckPending; n != 1 {
		t.Errorf("%d erasures are open, want 1", n)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := e.Task(t.Context(), "../x"); err == nil {
		t.Error("a task id that is none is erased")
	}
}
