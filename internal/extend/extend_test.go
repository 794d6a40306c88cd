// Package extend is the worked example of docs/extend.md: an engine and a stage
// that did not exist before, in the running pipeline.
package extend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/producers"
	"github.com/videomsg/videomsg/status"
)

// The engine: greets, by a service elsewhere or by itself. In the program it
// would be engines/greeting/, one file each.

func remote(client *http.Client, url string) engines.Engine[string, string] {
	return engines.Engine[string, string]{Name: "remote", Run: func(ctx context.Context, name string) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(name))
		if err != nil {
			return "", err
		}
		res, err := client.Do(req)
		if err != nil {
			return "", fmt.Errorf("greet: %w: %w", engines.ErrUnavailable, err)
		}
		defer res.Body.Close() //nolint:errcheck // only read
		b, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		if err != nil {
			return "", fmt.Errorf("greet: %w", err)
		}
		if res.StatusCode != http.StatusOK {
			return "", fmt.Errorf("greet: %s: %.100s", res.Status, b)
		}
		return string(b), nil
	}}
}

func local() engines.Engine[string, string] {
	return engines.Engine[string, string]{Name: "local", Run: func(_ context.Context, name string) (string, error) {
		return "hello, " + name, nil
	}}
}

// The stage: in the program it would be consumers/greet/greet.go.

func greet(store objectstore.Store, chain engines.Chain[string, string]) consumers.Stage {
	return consumers.Stage{
		Name: "greet", Timeout: 10 * time.Second, Limit: time.Minute, Tries: 3, Workers: 1,
		Run: func(ctx context.Context, w consumers.Work) (consumers.Result, error) {
			served, err := chain.Run(ctx, w.Job.Request.Owner)
			if err != nil {
				return consumers.Result{}, err
			}
			// The key follows from task and stage: doing it again replaces.
			info, err := store.Put(ctx, objectstore.Key(objectstore.Outputs, w.Task, "greet", "greeting.txt"), strings.NewReader(served.Out))
			if err != nil {
				return consumers.Result{}, err
			}
			return consumers.Result{
				Engine: served.Engine, Fallback: served.Skipped,
				Blobs: map[string]events.Blob{"greeting": {Key: info.Key, Type: "text/plain", Size: info.Size, SHA256: info.SHA256}},
			}, nil
		},
	}
}

// TestNewStageWithNewEngine runs the stage as app.go would, with an engine in
// front that is down: the task completes, and its record says who served and
// who did not.
func TestNewStageWithNewEngine(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "closed", http.StatusServiceUnavailable)
	}))
	defer down.Close()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := broker.Open(t.Context(), log, broker.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	store, err := natsstore.New(t.Context(), b.BlobJS, broker.BucketBlobs)
	if err != nil {
		t.Fatal(err)
	}
	pub, tasks := producers.Publisher{JS: b.JS}, status.Store{KV: b.Status}
	runner := &consumers.Runner{Log: log, JS: b.JS, Events: b.Events, Publish: pub}
	stage := greet(store, engines.Chain[string, string]{remote(down.Client(), down.URL), local()})

	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, f := range []func() error{
		func() error { return runner.Dispatch(ctx) },
		func() error { return runner.Serve(ctx, stage, consumers.NewCancels()) },
		func() error { return status.Serve(ctx, log, b.Events, tasks) },
	} {
		wg.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	defer wg.Wait()
	defer stop()

	task := producers.NewTask()
	if err := pub.Submit(ctx, task, []string{"greet"}, "", events.Job{Request: events.Request{Owner: "aiko"}}); err != nil {
		t.Fatal(err)
	}
	var doc status.Task
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		doc, _, err = tasks.Get(ctx, task)
		if err != nil && !errors.Is(err, status.ErrNotFound) {
			t.Fatal(err)
		}
		if err == nil && doc.State() == "completed" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the task has not completed: %+v", doc)
		}
	}
	rc, err := store.Get(ctx, objectstore.Key(objectstore.Outputs, task, "greet", "greeting.txt"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(rc)
	if err := errors.Join(err, rc.Close()); err != nil {
		t.Fatal(err)
	}
	if string(got) != "hello, aiko" {
		t.Errorf("greeting %q", got)
	}
	record, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"local"`, `"remote"`} {
		if !strings.Contains(string(record), want) {
			t.Errorf("the record does not name the engine %s: %s", want, record)
		}
	}
}
