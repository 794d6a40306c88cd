package status

import (
	"testing"

	"github.com/videomsg/videomsg/events"
)

func TestCompletedTaskHasWhatItsStagesMade(t *testing.T) {
	task := Task{Plan: []string{"image", "voice"}, End: &End{Verb: events.TaskCompleted}, Steps: map[string]Step{
		"image": {Verb: events.Ready}, "voice": {Verb: events.Requested},
	}}
	if task.Terminal() || task.State() == Completed || task.Current() != "voice" {
		t.Errorf("terminal before its last stage is known: %s, at %q", task.State(), task.Current())
	}
	task.Steps["voice"] = Step{Verb: events.Ready}
	if !task.Terminal() || task.State() != Completed || task.Current() != "" {
		t.Errorf("not terminal though all is known: %s, at %q", task.State(), task.Current())
	}
	failed := Task{Plan: task.Plan, End: &End{Verb: events.TaskFailed}}
	if !failed.Terminal() || failed.State() != Failed {
		t.Errorf("a failure waits for stages that never ran: %s", failed.State())
	}
}
