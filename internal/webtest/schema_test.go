package webtest

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write web/openapi.json from the running service")

// used are the parts of the API's description that the app's types are made of.
var used = []string{
	"Accepted", "Analysis", "BackgroundList", "DeadLetter", "DeadLetters", "EngineStateList", "Music", "MusicList", "Problem",
	"Profile", "ProfileList", "Session", "StageState", "StageStateList", "Task", "TaskList", "Throughput", "Timeline", "VoiceList", "WordList", "WorkerList",
}

type description struct {
	OpenAPI    string            `json:"openapi"`
	Info       map[string]string `json:"info"`
	Paths      struct{}          `json:"paths"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

// The app's types are generated from a copy of what the service says of itself.
// The service may say more than the copy, never less. When it does: go test
// ./internal/webtest -run Types -update, then web/build.sh, and see what the
// compiler says.
func TestTypesAreThoseOfTheService(t *testing.T) {
	served := get[description](t, use(t, healthy), "/openapi.json")
	path := filepath.Join("..", "..", "web", "openapi.json")
	if *update {
		next := description{OpenAPI: served.OpenAPI, Info: map[string]string{"title": "what the web app uses", "version": "1"}}
		next.Components.Schemas = map[string]any{}
		for _, name := range used {
			next.Components.Schemas[name] = served.Components.Schemas[name]
		}
		b, err := json.MarshalIndent(next, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var app description
	if err := json.Unmarshal(b, &app); err != nil {
		t.Fatal(err)
	}
	for _, name := range used {
		for _, what := range lacks(app.Components.Schemas[name], served.Components.Schemas[name], name) {
			t.Error(what)
		}
	}
}

// lacks says what of the app's schema the service's does not keep.
func lacks(app, service any, at string) (missing []string) {
	switch want := app.(type) {
	case map[string]any:
		got, ok := service.(map[string]any)
		if !ok {
			return []string{at + " is not described"}
		}
		for k, v := range want {
			if k == "description" {
				continue
			}
			missing = append(missing, lacks(v, got[k], at+"."+k)...)
		}
	case []any:
		got, _ := service.([]any)
		for _, v := range want {
			if !slices.Contains(got, v) {
				missing = append(missing, fmt.Sprintf("%s no longer has %v", at, v))
			}
		}
	default:
		if app != service {
			missing = append(missing, fmt.Sprintf("%s is %v, was %v", at, service, app))
		}
	}
	return missing
}

func TestLacksFindsWhatTheServiceDrops(t *testing.T) {
	app := map[string]any{"type": "object", "required": []any{"a", "b"}, "properties": map[string]any{"a": map[string]any{"type": "string"}}}
	for name, service := range map[string]any{
		"nothing at all":          nil,
		"a field of another type": map[string]any{"type": "object", "required": []any{"a", "b"}, "properties": map[string]any{"a": map[string]any{"type": "number"}}},
		"a field left out":        map[string]any{"type": "object", "required": []any{"a", "b"}, "properties": map[string]any{"b": map[string]any{"type": "string"}}},
		"a promise withdrawn":     map[string]any{"type": "object", "required": []any{"a"}, "properties": map[string]any{"a": map[string]any{"type": "string"}}},
	} {
		if lacks(app, service, "x") == nil {
			t.Errorf("%s is not found", name)
		}
	}
	more := map[string]any{"type": "object", "required": []any{"c", "a", "b"}, "properties": map[string]any{"a": map[string]any{"type": "string"}, "c": map[string]any{"type": "string"}}}
	if m := lacks(app, more, "x"); m != nil {
		t.Errorf("more than before: %v", m)
	}
}
