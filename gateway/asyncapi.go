package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/videomsg/videomsg/events"
)

// An eventKind is a line of the contract: a kind of event and who says it.
type eventKind struct {
	stage   string // "" for every stage
	verb    events.Verb
	title   string
	summary string
}

var eventKinds = []eventKind{
	{"", events.Requested, "StageRequested", "a stage shall run"},
	{"", events.Ready, "StageReady", "a stage has run; the blobs it names exist"},
	{"", events.Failed, "StageFailed", "a stage has given up; its task ends"},
	{"", events.Retry, "StageRetry", "a stage shall run again after a long delay"},
	{events.Task, events.Submitted, "TaskSubmitted", "a task was accepted"},
	{events.Task, events.SubmittedBulk, "TaskSubmittedBulk", "a task was accepted that waits for its turn"},
	{events.Task, events.CancelAsked, "TaskCancelAsked", "somebody wishes the task to stop"},
	{events.Task, events.TaskCompleted, "TaskCompleted", "every stage has run"},
	{events.Task, events.TaskFailed, "TaskFailed", "the task has ended without a result"},
	{events.Task, events.TaskCanceled, "TaskCanceled", "the wish to stop was granted"},
	{events.Task, events.Erased, "TaskErased", "the task's data is gone; nothing else of it counts any more"},
}

// asyncAPI is GET /asyncapi.json: what subscribers of the stream may rely on.
func (g *Gateway) asyncAPI(w http.ResponseWriter, r *http.Request) error {
	b, err := asyncDocument(g.Version, g.Stages)
	if err != nil {
		return err
	}
	return serveDocument(w, r, "application/json", b)
}

func asyncDocument(version string, stages []string) ([]byte, error) {
	job, err := jsonschema.For[events.Job](nil)
	if err != nil {
		return nil, err
	}
	progress, err := jsonschema.For[events.Progress](nil)
	if err != nil {
		return nil, err
	}
	worker, err := jsonschema.For[events.Worker](nil)
	if err != nil {
		return nil, err
	}
	channels, operations, messages := object{}, object{}, object{}
	taskParam := object{"task": object{"description": "id of the task: a ULID in lower case"}}
	for _, k := range eventKinds {
		// A task's three ends share one subject, so that it can end only once.
		e := events.Event{Stage: k.stage, Verb: k.verb, Task: "{task}"}
		if k.verb == events.SubmittedBulk { // of a subject only
			e.Verb, e.Job.Request.Priority = events.Submitted, events.Bulk
		}
		params := taskParam
		if k.stage == "" {
			e.Stage = "{stage}"
			params = object{"task": taskParam["task"], "stage": object{"description": "the stage", "enum": stages}}
		}
		name := strings.ToLower(k.title[:1]) + k.title[1:]
		messages[k.title] = object{
			"name": e.Type(), "title": k.summary, "contentType": "application/json",
			"headers": object{"$ref": "#/components/schemas/CloudEventHeaders"},
			"payload": object{"$ref": "#/components/schemas/Job"},
		}
		channels[name] = object{"address": e.Subject(), "parameters": params, "messages": object{k.title: object{"$ref": "#/components/messages/" + k.title}}}
		operations["on"+k.title] = object{"action": "send", "summary": k.summary, "channel": object{"$ref": "#/channels/" + name}}
	}
	messages["StageProgress"] = object{"name": "progress", "title": "how far a running stage is; kept in memory, the newest only", "contentType": "application/json", "payload": object{"$ref": "#/components/schemas/Progress"}}
	channels["stageProgress"] = object{
		"address":    events.ProgressSubject("{stage}", "{task}"),
		"parameters": object{"task": taskParam["task"], "stage": object{"description": "the stage", "enum": slices.Clone(stages)}},
		"messages":   object{"StageProgress": object{"$ref": "#/components/messages/StageProgress"}},
	}
	operations["onStageProgress"] = object{"action": "send", "summary": "how far a running stage is", "channel": object{"$ref": "#/channels/stageProgress"}}
	messages["WorkerPresent"] = object{"name": "worker", "title": "a worker of a stage is there; said every few seconds, kept nowhere", "contentType": "application/json", "payload": object{"$ref": "#/components/schemas/Worker"}}
	channels["workerPresent"] = object{
		"address":    events.WorkerSubject("{stage}", "{worker}"),
		"parameters": object{"worker": object{"description": "id of the process"}, "stage": object{"description": "the stage", "enum": slices.Clone(stages)}},
		"messages":   object{"WorkerPresent": object{"$ref": "#/components/messages/WorkerPresent"}},
	}
	operations["onWorkerPresent"] = object{"action": "send", "summary": "who works for a stage", "channel": object{"$ref": "#/channels/workerPresent"}}
	header := func(about string) object { return object{"type": "string", "description": about} }
	return json.Marshal(object{
		"asyncapi": "3.0.0",
		"info": object{
			"title": "videomsg events", "version": version,
			"description": "Every event of every task, in one JetStream stream in one total order. Delivery is at least once; ce-id names an event for ever. Of one task, a stage's requested comes before its ready or failed, and the end comes last, once. Events carry keys, numbers and ids only. Members may be added; unknown ones must be ignored.",
		},
		"defaultContentType": "application/json",
		"channels":           channels,
		"operations":         operations,
		"components": object{
			"messages": messages,
			"schemas": object{
				"Job": job, "Progress": progress, "Worker": worker,
				"CloudEventHeaders": object{
					"type": "object", "required": []string{"ce-specversion", "ce-id", "ce-type", "ce-source", "ce-subject", "ce-time"},
					"properties": object{
						"ce-specversion": object{"const": "1.0"},
						"ce-id":          header("task-stage-verb, percent-encoded"), "ce-type": header("videomsg.STAGE.VERB"),
						"ce-source": header("/videomsg"), "ce-subject": header("the task"), "ce-time": header("RFC 3339, UTC"),
						"ce-datacontenttype": object{"const": "application/json"}, "content-type": object{"const": "application/json"},
						"ce-dataschema": header("urn:videomsg:job:VERSION"), "ce-slip": header("stages still ahead"), "ce-traceparent": header("W3C trace context"),
					},
				},
			},
		},
	})
}
