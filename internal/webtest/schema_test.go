package webtest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write web/openapi.json from the running service")

// used are the parts of the API's description that the app's types are made of.
var used = []string{
	"Accepted", "Analysis", "BackgroundList", "DeadLetter", "DeadLetters", "EngineStateList", "Music", "MusicList", "Problem",
	"Profile", "ProfileList", "Session", "StageState", "StageStateList", "Task", "TaskList", "Timeline", "VoiceList",
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
// When the two differ: go test ./internal/webtest -run Types -update, then
// web/build.sh, and see what the compiler says.
func TestTypesAreThoseOfTheService(t *testing.T) {
	served := get[description](t, use(t, healthy), "/openapi.json")
	want := description{OpenAPI: served.OpenAPI, Info: map[string]string{"title": "what the web app uses", "version": "1"}}
	want.Components.Schemas = map[string]any{}
	for _, name := range used {
		s, ok := served.Components.Schemas[name]
		if !ok {
			t.Errorf("the service no longer describes %s", name)
			continue
		}
		want.Components.Schemas[name] = s
	}
	path := filepath.Join("..", "..", "web", "openapi.json")
	if *update {
		b, err := json.MarshalIndent(want, "", " ")
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
	var got description
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("the service's description has changed (-app +service):\n%s", d)
	}
}
