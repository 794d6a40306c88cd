// Package events is the contract of the pipeline: stages and verbs, what a task
// asks for, which blobs exist, the subjects, and the CloudEvents encoding. A
// reader of this package alone can write an outside subscriber.
//
// What a subscriber may rely on:
//
//   - Events are facts and requests in one JetStream stream, in one total order.
//     Of one task, a stage's "requested" comes before its "ready" or "failed",
//     and "task ended" comes last, exactly once.
//   - Delivery is at least once. ID names an event for ever: the same ID is the
//     same event.
//   - Events carry keys, numbers and ids, never text, names, pictures or sound.
//   - Fields and event types may be added; unknown ones must be ignored.
package events

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Verb says what an event says about its stage. Facts are in the past tense.
type Verb string

// The verbs of a working stage.
const (
	Requested Verb = "requested" // the stage shall run
	Ready     Verb = "ready"     // the stage has run; its blobs exist
	Failed    Verb = "failed"    // the stage has given up; the task ends
	Retry     Verb = "retry"     // the stage shall run again, later than a lease lasts
)

// Task is the pseudo-stage of events about the task as a whole.
const Task = "task"

// The verbs of Task. Completed, Failed and Canceled share one subject
// (vm.task.ended.<task>), so that a task can end only once.
const (
	Submitted     Verb = "submitted"         // the gateway has accepted the task
	CancelAsked   Verb = "cancelasked"       // somebody wishes the task to stop
	TaskCompleted Verb = "completed"         // every stage on the slip has run
	TaskFailed    Verb = Failed              // a stage has given up
	TaskCanceled  Verb = "canceled"          // the wish was granted
	Erased        Verb = "erased"            // the task's data is gone; nothing else of it counts any more
	ended              = "ended"             // subject token of the three above
	typePrefix         = "videomsg."         // of CloudEvents types
	source             = "/videomsg"         // of CloudEvents
	schemaBase         = "urn:videomsg:job:" // dataschema, with the version behind it
)

// Version is the version of Job as this program writes it. A consumer that
// meets a newer one leaves the event to a newer worker; its Job is not read, and
// Encode gives it back as it came.
const Version = 1

// An Event is one CloudEvents 1.0 event about one stage of one task.
type Event struct {
	Task    string
	Stage   string // a stage's name, or Task
	Verb    Verb
	Slip    []string  // stages still to visit after Stage
	Time    time.Time // when it happened, by the writer's clock, UTC
	Trace   string    // W3C traceparent of the task's start; may be empty
	Version int       // of Job
	Job     Job
}

// New returns the event that stage did verb for task, now.
func New(task, stage string, verb Verb, slip []string, job Job) Event {
	return Event{Task: task, Stage: stage, Verb: verb, Slip: slip, Time: time.Now().UTC(), Version: Version, Job: job}
}

// ID identifies the event: <task>-<stage>-<verb>, and for a retry how many
// attempts were before it. It has no dots, so that it is also a JetStream message
// id and a webhook id.
func (e Event) ID() string {
	id := e.Task + "-" + e.Stage + "-" + e.token()
	if e.Verb == Retry {
		n, _ := e.Job.Note(e.Stage)
		id += "-" + strconv.Itoa(len(n.Tries))
	}
	return id
}

// Type is the CloudEvents type, such as "videomsg.voice.ready".
func (e Event) Type() string { return typePrefix + e.Stage + "." + string(e.Verb) }

// Subject is where e is published; a second event on it is refused, but for
// retries.
func (e Event) Subject() string { return Subject(e.Stage, Verb(e.token()), e.Task) }

// Terminal reports whether e ends its task.
func (e Event) Terminal() bool { return e.Stage == Task && e.token() == ended }

func (e Event) token() string {
	if e.Stage == Task {
		switch e.Verb {
		case TaskCompleted, TaskFailed, TaskCanceled:
			return ended
		case CancelAsked:
			return "canceled"
		case Submitted:
			if e.Job.Request.Priority == Bulk {
				return string(SubmittedBulk)
			}
		}
	}
	return string(e.Verb)
}

// Next is what follows e on its slip: the request to the next stage, or the
// task's completion when the slip is empty.
func (e Event) Next() Event {
	n := e
	n.Time, n.Version = time.Now().UTC(), Version
	if len(e.Slip) == 0 {
		n.Stage, n.Verb, n.Slip = Task, TaskCompleted, nil
		return n
	}
	n.Stage, n.Verb, n.Slip = e.Slip[0], Requested, slices.Clone(e.Slip[1:])
	return n
}

// Subject names a subject, vm.<stage>.<verb>.<task>; "*" is a wildcard for any
// of the three. The verb of a terminal event is "ended".
func Subject(stage string, verb Verb, task string) string {
	return "vm." + stage + "." + string(verb) + "." + task
}

// AllSubjects matches every lifecycle event of every task.
const AllSubjects = "vm.*.*.*"

// SubmittedBulk is the verb in the subject of submissions with bulk priority,
// for filters: they wait for their turn apart from the others.
const SubmittedBulk Verb = "submittedbulk"

// Ended is the verb in the subject of terminal events, for filters.
const Ended Verb = ended

// CanceledSubject is where wishes to cancel task arrive.
func CanceledSubject(task string) string { return Subject(Task, "canceled", task) }

// ProgressSubject is where a running stage says how far it is; such messages
// are kept in memory only.
func ProgressSubject(stage, task string) string { return "vmp." + stage + "." + task }

// HintSubject is where the gateway passes on that a service has news of an
// outside job. A hint is not kept: whoever waits looks again by itself.
func HintSubject(token string) string { return "vmh." + token }

// AllSchedules matches what the stream keeps until it is time to say it.
const AllSchedules = "vms.*.*"

// ScheduleSubject is where a retry of stage waits for its time, one per task.
// What waits there is nobody's business but the stream's.
func ScheduleSubject(stage, task string) string { return "vms." + stage + "." + task }

// CheckToken returns an error unless s can stand in a subject and in an object
// key: 1 to 64 of a-z 0-9 _ -.
func CheckToken(s string) error {
	if s == "" || len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return fmt.Errorf("%q is not a valid id", s)
	}
	return nil
}
