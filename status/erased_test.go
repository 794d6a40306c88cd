package status

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/videomsg/videomsg/events"
)

// TestErasedTasksAreTombstones folds an erased task in any order, whole or after
// its other events were purged, and wants the same tombstone.
func TestErasedTasksAreTombstones(t *testing.T) {
	list := life("t", events.TaskCompleted)
	list[0].Job.Request.Subject = "digest"
	gone := events.New("t", events.Task, events.Erased, nil, events.Job{Request: events.Request{Kind: events.KindVideo, Owner: "u"}})
	list = append(list, gone)
	last := len(list) - 1
	want := fold(list, []int{last})
	if want.Erased == nil || !want.Terminal() || want.Request.Owner != "u" || want.Request.Subject != "" || len(want.Steps)+len(want.Blobs) != 0 {
		t.Fatalf("tombstone %+v", want)
	}
	for range 2000 {
		order := append(rand.Perm(len(list)), rand.Perm(len(list))...)
		if d := cmp.Diff(want, fold(list, order)); d != "" {
			t.Fatalf("in order %v:\n%s", order, d)
		}
	}
	// A worker that was not told in time speaks after the erasure.
	late := append(list, list[3]) //nolint:gocritic // another list is meant
	if d := cmp.Diff(want, fold(late, inOrder(len(late)))); d != "" {
		t.Errorf("late event:\n%s", d)
	}
}

// TestRerunsBringStagesAlong folds a task whose first stages were done in another
// one, in any order.
func TestRerunsBringStagesAlong(t *testing.T) {
	parent := fold(life("p", events.TaskCompleted), inOrder(len(life("p", events.TaskCompleted))))
	job := events.Job{Request: events.Request{Kind: events.KindVideo, Owner: "u", Parent: "p"}, Blobs: map[string]events.Blob{events.BlobPortrait: parent.Blobs[events.BlobPortrait]}}
	for _, stage := range plan[:3] {
		n := *parent.Steps[stage].Note
		n.Cache = "reused"
		job.Notes = append(job.Notes, n)
		job.Blobs[stage] = parent.Steps[stage].Blobs[stage]
	}
	e := events.New("c", events.Task, events.Submitted, plan[3:], job)
	list := []events.Event{e}
	for e = e.Next(); !e.Terminal(); e = e.Next() {
		list = append(list, e)
		e.Verb = events.Ready
		e.Job = e.Job.Clone()
		e.Job.Notes = append(e.Job.Notes, events.Note{Stage: e.Stage, Engine: "e", Artifacts: []string{e.Stage}})
		e.Job.Blobs[e.Stage] = events.Blob{Key: "intermediates/c/" + e.Stage, Size: 2}
		list = append(list, e)
	}
	list = append(list, e)
	want := fold(list, inOrder(len(list)))
	if d := cmp.Diff(plan, want.Plan); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
	if want.State() != Completed || len(want.Steps) != 5 || want.Steps["voice"].Note.Cache != "reused" || len(want.Blobs) != 1 {
		t.Errorf("%+v", want)
	}
	if first := fold(list, []int{0}); first.Percent(0) != 55 {
		t.Errorf("%g percent at the start, want 55", first.Percent(0))
	}
	for range 1000 {
		if d := cmp.Diff(want, fold(list, rand.Perm(len(list)))); d != "" {
			t.Fatal(d)
		}
	}
}
