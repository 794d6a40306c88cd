package consumers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore/natsstore"
)

func TestEqualWorkIsDoneOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	store, err := natsstore.New(t.Context(), f.BlobJS, broker.BucketBlobs)
	if err != nil {
		t.Fatal(err)
	}
	blobs := Blobs{Store: store}
	f.runner.Cache = &Cache{KV: f.Broker.Cache, Blobs: store}
	var runs atomic.Int32
	f.serve(t, Stage{
		Name: "image", Workers: 8,
		Content: func(j events.Job) string { return j.Request.Language },
		Run: func(ctx context.Context, w Work) (Result, error) {
			runs.Add(1)
			time.Sleep(200 * time.Millisecond)
			if w.Job.Request.Language == "bad" {
				return Result{}, Fail("BAD", "bad", errors.New("bad"))
			}
			b, err := blobs.Put(ctx, "intermediates", w.Task, "image", "image.png", "image/png", strings.NewReader(w.Job.Request.Language))
			return Result{Engine: "test", Blobs: map[string]events.Blob{"image": b}}, err
		},
	})
	submit := func(task, content string, fresh bool) {
		t.Helper()
		job := events.Job{Request: events.Request{Language: content, Fresh: fresh}}
		if err := f.pub.Submit(t.Context(), task, []string{"image"}, "", job); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 { // all at once: one works, the others wait for it
		submit(fmt.Sprintf("a%d", i), "a", false)
	}
	hits := 0
	for i := range 6 {
		e := f.wait(t, events.Task, events.Ended, fmt.Sprintf("a%d", i))
		n, _ := e.Job.Note("image")
		if n.Cache == "hit" {
			hits++
		}
		got, err := blobs.Bytes(t.Context(), e.Job, "image", 100)
		if err != nil || string(got) != "a" || !strings.Contains(e.Job.Blobs["image"].Key, fmt.Sprintf("/a%d/", i)) {
			t.Errorf("task %d has %q at %s, %v", i, got, e.Job.Blobs["image"].Key, err)
		}
	}
	if runs.Load() != 1 || hits != 5 {
		t.Errorf("%d runs and %d hits, want 1 and 5", runs.Load(), hits)
	}
	submit("b", "b", false)
	submit("fresh", "a", true)
	submit("bad1", "bad", false)
	for _, task := range []string{"b", "fresh", "bad1"} {
		f.wait(t, events.Task, events.Ended, task)
	}
	submit("bad2", "bad", false) // a failure is not remembered
	f.wait(t, events.Task, events.Ended, "bad2")
	if runs.Load() != 5 {
		t.Errorf("%d runs, want 5", runs.Load())
	}
	// Who was erased takes the cached result along.
	for i := range 6 {
		e := f.wait(t, events.Task, events.Ended, fmt.Sprintf("a%d", i))
		if err := store.Delete(t.Context(), e.Job.Blobs["image"].Key); err != nil {
			t.Fatal(err)
		}
	}
	submit("again", "a", false)
	if e := f.wait(t, events.Task, events.Ended, "again"); e.Verb != events.TaskCompleted || runs.Load() != 6 {
		t.Errorf("%s after %d runs, want a sixth", e.Verb, runs.Load())
	}
}
