package consumers

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

func TestWorkerSaysWhatItIsBusyWith(t *testing.T) {
	f := newFixture(t)
	f.runner.Who = events.Worker{ID: "w", Host: "here", Since: time.Now().UTC()}
	heard := make(chan events.Worker, 1000)
	_, err := f.Conn.Subscribe(events.WorkerSubject("image", "w"), func(m *nats.Msg) {
		var w events.Worker
		if err := json.Unmarshal(m.Data, &w); err != nil {
			t.Error(err)
		}
		heard <- w
	})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	f.serve(t, Stage{Name: "image", Workers: 2, Run: func(context.Context, Work) (Result, error) {
		<-release
		return made("image"), nil
	}})
	until := func(what string, ok func(events.Worker) bool) {
		t.Helper()
		timeout := time.After(time.Minute)
		for {
			select {
			case w := <-heard:
				if w.Host != "here" || w.Stage != "image" || w.Places != 2 {
					t.Fatalf("it says %+v", w)
				}
				if ok(w) {
					return
				}
			case <-timeout:
				t.Fatal("it never says that it is", what)
			}
		}
	}
	until("idle", func(w events.Worker) bool { return len(w.Running) == 0 })
	task := producers.NewTask()
	if err := f.pub.Submit(t.Context(), task, []string{"image"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	until("busy", func(w events.Worker) bool {
		return len(w.Running) == 1 && w.Running[0].Task == task && w.Running[0].Attempt == 1 && !w.Running[0].Since.IsZero()
	})
	close(release)
	until("idle again", func(w events.Worker) bool { return len(w.Running) == 0 })
}
