package consumers

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

func TestMalformedRequestsStopNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.serve(t, Stage{Name: "image", Run: func(context.Context, Work) (Result, error) { return made("image"), nil }})
	for i, m := range []*nats.Msg{
		{Subject: "vm.image.requested.garbage", Data: []byte("garbage")},
		{Subject: "vm.image.requested.empty"},
		{Subject: "vm.unknown.requested.x", Data: []byte("{}")},
		{Subject: "vm.task.submitted.bad", Data: []byte("{")},
	} {
		if _, err := f.JS.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := f.pub.Submit(t.Context(), "t", []string{"image"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	if e := f.wait(t, events.Task, events.Ended, "t"); e.Verb != events.TaskCompleted {
		t.Error(e.Verb)
	}
	// Each is a dead letter with its reason, and its task has ended.
	for task, stage := range map[string]string{"garbage": "image", "empty": "image", "bad": events.Task} {
		e := f.wait(t, events.Task, events.Ended, task)
		n, _ := e.Job.Note(stage)
		if e.Verb != events.TaskFailed || n.Problem == nil || n.Problem.Code != "MALFORMED_EVENT" || !strings.Contains(n.Problem.Cause, "malformed event") {
			t.Errorf("%s ended as %s with %+v", task, e.Verb, n)
		}
	}
	for _, task := range []string{"garbage", "empty"} {
		f.wait(t, "image", events.Failed, task)
	}
}

func TestUndertakerEndsWhatKillsItsWorkers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	st := Stage{Name: "image", Tries: 1, Timeout: time.Minute, Run: func(context.Context, Work) (Result, error) {
		t.Error("the stage ran on the undertaker's delivery")
		return Result{}, nil
	}}
	cons, err := f.Events.CreateOrUpdateConsumer(t.Context(), jetstream.ConsumerConfig{
		Durable: ConsumerName("image"), FilterSubjects: []string{events.Subject("image", events.Requested, "*"), events.Subject("image", events.Retry, "*")},
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: 100 * time.Millisecond, MaxDeliver: st.Tries + crashes + 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.pub.Publish(t.Context(), events.New("t", "image", events.Requested, nil, events.Job{})); err != nil {
		t.Fatal(err)
	}
	for range st.Tries + crashes { // workers that die with the request in hand
		if _, err := cons.Next(); err != nil {
			t.Fatal(err)
		}
	}
	f.serve(t, st)
	e := f.wait(t, events.Task, events.Ended, "t")
	if n, _ := e.Job.Note("image"); e.Verb != events.TaskFailed || n.Problem == nil || n.Problem.Code != "WORKER_LOST" {
		t.Errorf("%s after %+v", e.Verb, n)
	}
}

func TestUndertakerHearsOfRequestsNobodyAnswers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	conf := jetstream.ConsumerConfig{
		Durable: ConsumerName("image"), FilterSubject: events.Subject("image", events.Requested, "*"),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: 50 * time.Millisecond, MaxDeliver: 2,
	}
	cons, err := f.Events.CreateOrUpdateConsumer(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	f.wg.Go(func() {
		if err := f.runner.Bury(f.ctx, f.Dead); err != nil {
			t.Error(err)
		}
	})
	if err := f.pub.Publish(t.Context(), events.New("t", "image", events.Requested, []string{"voice"}, events.Job{Request: events.Request{Owner: "u"}})); err != nil {
		t.Fatal(err)
	}
	f.wg.Go(func() { // dies on what it gets; asking once more makes the broker notice
		for f.ctx.Err() == nil {
			batch, err := cons.Fetch(1, jetstream.FetchMaxWait(500*time.Millisecond))
			if err != nil {
				t.Error(err)
				return
			}
			for range batch.Messages() { //nolint:revive // taken and never acknowledged
			}
		}
	})
	e := f.wait(t, events.Task, events.Ended, "t")
	if n, _ := e.Job.Note("image"); e.Verb != events.TaskFailed || n.Problem == nil || n.Problem.Code != "WORKER_LOST" || e.Job.Request.Owner != "u" {
		t.Errorf("%s after %+v", e.Verb, n)
	}
}

func TestTasksAtAStageThatNobodyServesEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.serve(t)
	f.wg.Go(func() {
		if err := f.runner.Expire(f.ctx, time.Hour); err != nil {
			t.Error(err)
		}
	})
	job := events.Job{Request: events.Request{Deadline: time.Now().Add(-late)}}
	if err := f.pub.Submit(t.Context(), "t", []string{"hologram"}, "", job); err != nil {
		t.Fatal(err)
	}
	e := f.wait(t, events.Task, events.Ended, "t")
	n, _ := e.Job.Note("hologram")
	if e.Verb != events.TaskFailed || n.Problem == nil || n.Problem.Code != "DEADLINE_EXCEEDED" || !strings.Contains(n.Problem.Cause, "no worker serves the hologram stage") {
		t.Errorf("%s after %+v", e.Verb, n)
	}
}
