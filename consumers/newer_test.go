package consumers

import (
	"context"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/events"
)

// TestEventsOfNewerProgramsAreLeft has a request of a newer version wait in the
// stream, unchanged and as long as need be, while others pass it.
func TestEventsOfNewerProgramsAreLeft(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.serve(t, Stage{Name: "image", Pending: 1, Run: func(context.Context, Work) (Result, error) { return made("image"), nil }})
	newer := events.New("newer", "image", events.Requested, nil, events.Job{})
	newer.Version = events.Version + 1
	if err := f.pub.Publish(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	if err := f.pub.Submit(t.Context(), "other", []string{"image"}, "", events.Job{}); err != nil {
		t.Fatal(err)
	}
	if e := f.wait(t, events.Task, events.Ended, "other"); e.Verb != events.TaskCompleted {
		t.Error(e.Verb)
	}
	var waiting string
	for waiting == "" {
		if m, err := f.Events.GetLastMsgForSubject(t.Context(), events.ScheduleSubject("image", "newer")); err == nil {
			waiting = m.Header.Get("Nats-Schedule-Target") + " " + m.Header.Get("ce-dataschema") + " " + string(m.Data)
		}
	}
	was, _ := newer.Job.MarshalJSON()
	if want := events.Subject("image", events.Retry, "newer") + " urn:videomsg:job:2 " + string(was); waiting != want {
		t.Errorf("%s waits, want %s", waiting, want)
	}
	for _, verb := range []events.Verb{events.Failed, events.Ready} {
		if _, err := f.Events.GetLastMsgForSubject(t.Context(), events.Subject("image", verb, "newer")); err == nil || !strings.Contains(err.Error(), "not found") {
			t.Errorf("the stage says %s: %v", verb, err)
		}
	}
}
