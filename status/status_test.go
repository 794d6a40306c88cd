package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

var plan = []string{"image", "voice", "prosody", "bgm", "video"}

// life is the events of one task in the order in which they happen.
func life(task string, end events.Verb) []events.Event {
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	job := events.Job{
		Request: events.Request{Kind: events.KindVideo, Owner: "u"},
		Blobs:   map[string]events.Blob{events.BlobPortrait: {Key: "inputs/" + task + "/portrait", Size: 1}},
	}
	var list []events.Event
	say := func(stage string, verb events.Verb, slip []string) {
		e := events.New(task, stage, verb, slip, job.Clone())
		at = at.Add(time.Second)
		e.Time = at
		list = append(list, e)
	}
	say(events.Task, events.Submitted, plan)
	for i, stage := range plan {
		say(stage, events.Requested, plan[i+1:])
		n := events.Note{Stage: stage, Engine: "e-" + stage, Attempt: 1, Artifacts: []string{stage}}
		if end == events.TaskFailed && stage == "bgm" {
			n.Artifacts, n.Problem = nil, &events.Problem{Code: "STAGE_FAILED", Detail: "x"}
			job.Notes = append(job.Notes, n)
			say(stage, events.Failed, plan[i+1:])
			break
		}
		if end == events.TaskCanceled && stage == "prosody" {
			say(events.Task, events.CancelAsked, nil)
			break
		}
		job.Notes = append(job.Notes, n)
		job.Blobs[stage] = events.Blob{Key: "intermediates/" + task + "/" + stage, Size: 2}
		say(stage, events.Ready, plan[i+1:])
	}
	say(events.Task, end, nil)
	return list
}

func fold(list []events.Event, order []int) Task {
	var t Task
	for _, i := range order {
		t, _ = Apply(t, list[i], uint64(i+1))
	}
	return t
}

func inOrder(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

func TestFoldIgnoresOrderAndRepeats(t *testing.T) {
	for end, state := range map[events.Verb]string{events.TaskCompleted: Completed, events.TaskFailed: Failed, events.TaskCanceled: Canceled} {
		list := life("t", end)
		want := fold(list, inOrder(len(list)))
		if want.State() != state {
			t.Errorf("state %s, want %s", want.State(), state)
		}
		wantJSON, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			order := append(rand.Perm(len(list)), rand.Perm(len(list))...)
			got, err := json.Marshal(fold(list, order))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(wantJSON) {
				t.Fatalf("%s in order %v:\n%s", end, order, cmp.Diff(string(wantJSON), string(got)))
			}
		}
	}
}

func TestFoldOfPartsMeetsFoldOfAll(t *testing.T) {
	list := life("t", events.TaskCompleted)
	for range 500 {
		seen := rand.Perm(len(list))[:rand.IntN(len(list))+1]
		for _, i := range seen {
			a, _ := Apply(fold(list, seen), list[i], uint64(i+1))
			if d := cmp.Diff(fold(list, seen), a); d != "" {
				t.Fatalf("an event seen before changed the document:\n%s", d)
			}
		}
	}
}

func TestCompletionAndCancelRace(t *testing.T) {
	list := life("t", events.TaskCompleted)
	late := events.New("t", events.Task, events.TaskCanceled, nil, events.Job{})
	list = append(list, late) // the stream refuses it; a fold that met it must not waver
	want := fold(list, inOrder(len(list)))
	if want.State() != Completed {
		t.Errorf("state %s, want %s", want.State(), Completed)
	}
	for range 500 {
		got := fold(list, rand.Perm(len(list)))
		if got.State() != Completed {
			t.Fatal("the later end won")
		}
	}
}

func TestWordsAndPercent(t *testing.T) {
	list := life("t", events.TaskCompleted)
	type row struct {
		State   string
		Percent float64
		Current string
	}
	want := []row{
		{Queued, 0, ""},
		{Queued, 10, "image"},
		{ImageReady, 20, ""},
		{ImageReady, 32.5, "voice"},
		{VoiceReady, 45, ""},
		{VoiceReady, 50, "prosody"},
		{VoiceReady, 55, ""},
		{VoiceReady, 60, "bgm"},
		{AudioReady, 65, ""},
		{AudioReady, 82.5, "video"},
		{AudioReady, 100, ""},
		{Completed, 100, ""},
	}
	var got []row
	var task Task
	for i, e := range list {
		task, _ = Apply(task, e, uint64(i+1))
		got = append(got, row{task.State(), task.Percent(0.5), task.Current()})
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestInputsAreNotArtefacts(t *testing.T) {
	list := life("t", events.TaskCompleted)
	task := fold(list, inOrder(len(list)))
	if _, ok := task.Blobs["voice"]; ok || len(task.Blobs) != 1 {
		t.Errorf("inputs are %v", task.Blobs)
	}
	for _, name := range []string{events.BlobPortrait, "voice", "video"} {
		if _, ok := task.Blob(name); !ok {
			t.Errorf("blob %s is not found", name)
		}
	}
}

func TestRebuildMakesTheSameDocuments(t *testing.T) {
	b, err := broker.Open(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)), broker.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	pub := producers.Publisher{JS: b.JS}
	const n = 60
	ends := []events.Verb{events.TaskCompleted, events.TaskFailed, events.TaskCanceled}
	total := 0
	for i := range n {
		list := life(fmt.Sprintf("t%03d", i), ends[i%3])
		total += len(list)
		if err := pub.Publish(t.Context(), list...); err != nil {
			t.Fatal(err)
		}
	}
	s := Store{KV: b.Status}
	done := make(chan error, 2)
	for range 2 { // two projectors share the work
		go func() { done <- Serve(t.Context(), slog.Default(), b.Events, s) }()
	}
	before := map[string]string{}
	for deadline := time.Now().Add(time.Minute); len(before) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d tasks projected", len(before), n)
		}
		for i := range n {
			id := fmt.Sprintf("t%03d", i)
			task, _, err := s.Get(t.Context(), id)
			if err == nil && task.Terminal() && task.Seq == lastSeq(t, b, id) {
				e, err := b.Status.Get(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				before[id] = string(e.Value())
			}
		}
	}

	check := func(want Rebuilding) {
		t.Helper()
		want.Events, want.Tasks, want.UpTo = total, n, uint64(total)
		got, err := Rebuild(t.Context(), b.Events, s, false)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		for id, doc := range before {
			e, err := b.Status.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(doc, string(e.Value())); d != "" {
				t.Errorf("%s (-before +after):\n%s", id, d)
			}
		}
	}
	check(Rebuilding{Identical: n})
	if err := b.JS.DeleteKeyValue(t.Context(), broker.BucketStatus); err != nil {
		t.Fatal(err)
	}
	kv, err := b.JS.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: broker.BucketStatus})
	if err != nil {
		t.Fatal(err)
	}
	s.KV, b.Status = kv, kv
	check(Rebuilding{Missing: n})
	if _, err := kv.Put(t.Context(), "t001", []byte(`{"schema":1,"id":"t001"}`)); err != nil {
		t.Fatal(err)
	}
	check(Rebuilding{Identical: n - 1, Different: 1})
}

func lastSeq(t *testing.T, b *broker.Broker, task string) uint64 {
	m, err := b.Events.GetLastMsgForSubject(t.Context(), events.Subject("*", "*", task))
	if err != nil {
		t.Fatal(err)
	}
	return m.Sequence
}

// TestNewerDocumentsAreLeftAlone puts a document of a newer program beside ours:
// this program must neither show nor replace it, until it is told that the newer
// one will not come back.
func TestNewerDocumentsAreLeftAlone(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := broker.Open(t.Context(), log, broker.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s := Store{KV: b.Status}
	newer := fmt.Appendf(nil, `{"schema":%d,"id":"t1","steps":["another shape"]}`, SchemaVersion+1)
	if _, err := b.Status.Create(t.Context(), "t1", newer); err != nil {
		t.Fatal(err)
	}
	list := life("t1", events.TaskCompleted)
	if err := (producers.Publisher{JS: b.JS}).Publish(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), "t1"); !errors.Is(err, ErrNewer) {
		t.Errorf("get: %v", err)
	}
	if err := s.project(t.Context(), newRecent(), "t1", []Said{{list[0], 1}}); !errors.Is(err, ErrNewer) {
		t.Errorf("project: %v", err)
	}
	r, err := Rebuild(t.Context(), b.Events, s, false)
	if err != nil || r.Newer != 1 || r.Different != 0 {
		t.Errorf("rebuild: %+v, %v", r, err)
	}
	if e, err := b.Status.Get(t.Context(), "t1"); err != nil || string(e.Value()) != string(newer) {
		t.Errorf("the newer document became %s, %v", e.Value(), err)
	}
	if r, err = Rebuild(t.Context(), b.Events, s, true); err != nil || r.Different != 1 {
		t.Errorf("rebuild for good: %+v, %v", r, err)
	}
	if got, _, err := s.Get(t.Context(), "t1"); err != nil || got.State() != Completed {
		t.Errorf("after it: %+v, %v", got, err)
	}
}
