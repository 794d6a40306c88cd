// Package floors keeps the house standing: a package imports lower floors and its
// own parent folder only.
package floors

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/videomsg/videomsg"

// A rule says what the packages below one folder may import, and why no more.
type rule struct {
	ours   []string // folders of ours, beside the own one
	others []string // modules; nil means any
	why    string
}

var none = []string{}

// rules is the floor plan. A folder that is not in it fails the test: whoever adds
// one says where it stands.
var rules = map[string]rule{
	"dsp":    {nil, none, "sound is arithmetic: it can be read, tested and reused without the rest"},
	"vision": {[]string{"dsp"}, []string{"golang.org/x/image", "golang.org/x/sync", "github.com/esimov/pigo"}, "pictures are arithmetic too; the mouth follows the sound"},
	"web":    {nil, none, "assets and one handler"},

	"events":      {nil, []string{"github.com/cloudevents/sdk-go/v2"}, "the contract must be readable, and usable by outsiders, on its own"},
	"objectstore": {nil, []string{"github.com/nats-io/", "github.com/aws/", "golang.org/x/sys", "golang.org/x/sync"}, "a store knows keys and bytes, not tasks"},
	"engines":     {[]string{"dsp", "vision"}, nil, "engines know neither the broker nor who calls them"},

	"broker":    {[]string{"events"}, []string{"github.com/nats-io/", "golang.org/x/sys"}, "only the broker declares streams and buckets"},
	"producers": {[]string{"events"}, []string{"github.com/nats-io/nats.go", "github.com/oklog/ulid/v2"}, "publishing needs the contract and a connection"},
	"status":    {[]string{"events"}, []string{"github.com/nats-io/nats.go"}, "the status is a fold over events, whoever made them"},

	"consumers": {[]string{"dsp", "vision", "events", "objectstore", "engines", "broker", "producers", "status"}, nil, "stages stand on everything below and know nothing of HTTP"},
	"gateway":   {[]string{"dsp", "vision", "events", "objectstore", "broker", "producers", "status"}, nil, "HTTP never runs a stage or an engine itself"},

	"bench":    {[]string{"*"}, nil, "benchmarks compare anything"},
	"internal": {[]string{"*"}, nil, "tests and tools of the project"},
	"examples": {[]string{"events"}, nil, "an outsider has the contract and nothing else"},
	"testdata": {[]string{"*"}, nil, "programs that make test data"},
}

// denied are imports that single packages must not have whatever their folder may.
var denied = []struct{ pkg, imp, why string }{
	{"events", "github.com/nats-io/", "the contract does not depend on how it travels"},
	{"consumers", "net/http", "stages reach services through engines only"},
	{"gateway", module + "/engines", "the gateway hands work to the stream, it does not do it"},
	{"gateway", module + "/consumers", "the gateway hands work to the stream, it does not do it"},
}

func TestFloors(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	seen := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		if p.ImportPath == module {
			continue // main puts everything together
		}
		path := strings.TrimPrefix(p.ImportPath, module+"/")
		folder, _, _ := strings.Cut(path, "/")
		r, ok := rules[folder]
		if !ok {
			t.Errorf("%s: no floor is planned for %s/", p.ImportPath, folder)
			continue
		}
		for _, imp := range p.Imports {
			if why := refused(folder, path, imp, r); why != "" {
				t.Errorf("%s imports %s: %s", path, imp, why)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d packages seen", seen)
	}
}

// refused gives the reason why a package below folder must not import imp.
func refused(folder, path, imp string, r rule) string {
	for _, d := range denied {
		exempt := d.imp == "net/http" && strings.HasPrefix(path, "consumers/notify")
		if d.pkg == folder && !exempt && (imp == d.imp || strings.HasPrefix(imp, strings.TrimSuffix(d.imp, "/")+"/")) {
			return d.why
		}
	}
	rel, ours := strings.CutPrefix(imp, module+"/")
	if !ours {
		if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") || r.others == nil {
			return "" // standard library, or any module
		}
		return unless(imp, r.others, r.why)
	}
	target, _, _ := strings.Cut(rel, "/")
	if target == folder {
		return ""
	}
	return unless(target, r.ours, r.why)
}

func unless(imp string, allowed []string, why string) string {
	for _, a := range allowed {
		if a == "*" || imp == a || strings.HasPrefix(imp, strings.TrimSuffix(a, "/")+"/") {
			return ""
		}
	}
	return why
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		path, imp string
		want      bool
	}{
		{"dsp/wav", module + "/dsp", false},
		{"dsp", "github.com/nats-io/nats.go", true},
		{"events", "github.com/nats-io/nats.go", true},
		{"gateway", module + "/engines/speech", true},
		{"gateway", module + "/status", false},
		{"engines/speech", module + "/consumers", true},
		{"consumers/voice", "net/http", true},
		{"objectstore/s3store", "github.com/aws/aws-sdk-go-v2/aws", false},
	} {
		folder, _, _ := strings.Cut(c.path, "/")
		if got := refused(folder, c.path, c.imp, rules[folder]) != ""; got != c.want {
			t.Errorf("refused(%s → %s) = %v, want %v", c.path, c.imp, got, c.want)
		}
	}
}
