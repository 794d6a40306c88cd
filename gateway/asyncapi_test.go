package gateway

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/videomsg/videomsg/events"
)

// TestAsyncAPITellsEveryEvent holds the document against an event of every kind, as
// programs have written them.
func TestAsyncAPITellsEveryEvent(t *testing.T) {
	b, err := asyncDocument("test", []string{"voice"})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		AsyncAPI string
		Channels map[string]struct {
			Address  string
			Messages map[string]struct {
				Ref string `json:"$ref"`
			}
		}
		Components struct {
			Messages map[string]struct{ Name string }
			Schemas  struct {
				Job               jsonschema.Schema
				CloudEventHeaders struct {
					Required   []string
					Properties map[string]any
				}
			}
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil || doc.AsyncAPI != "3.0.0" {
		t.Fatalf("AsyncAPI %q, %v", doc.AsyncAPI, err)
	}
	told := map[string]bool{} // address and type
	for _, c := range doc.Channels {
		for _, m := range c.Messages {
			told[c.Address+" "+doc.Components.Messages[filepath.Base(m.Ref)].Name] = true
		}
	}
	job, err := doc.Components.Schemas.Job.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../events/testdata/v*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no events, %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var e events.Event
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		header, data, err := events.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		e.Task = "{task}"
		if e.Stage != events.Task {
			e.Stage = "{stage}"
		}
		if line := e.Subject() + " " + e.Type(); !told[line] {
			t.Errorf("%s: nothing is told of %s", file, line)
		}
		var payload any
		if err := json.Unmarshal(data, &payload); err != nil {
			t.Fatal(err)
		}
		if err := job.Validate(payload); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		have := slices.Collect(maps.Keys(header))
		for i := range have {
			have[i] = strings.ToLower(have[i])
			if doc.Components.Schemas.CloudEventHeaders.Properties[have[i]] == nil {
				t.Errorf("%s: nothing is told of the header %s", file, have[i])
			}
		}
		for _, must := range doc.Components.Schemas.CloudEventHeaders.Required {
			if !slices.Contains(have, must) {
				t.Errorf("%s: has no header %s", file, must)
			}
		}
	}
}
