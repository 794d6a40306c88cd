package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the generated tables of the README")

// TestReadmeTables holds the README's tables against the program: settings and
// commands are what the code says they are.
func TestReadmeTables(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var cli commands
	k, err := kong.New(&cli, kong.Vars{"roles": "roles"})
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| command | what it does |\n| --- | --- |\n")
	for _, c := range k.Model.Children {
		if c.Hidden {
			continue
		}
		fmt.Fprintf(&table, "| `videomsg %s` | %s |\n", c.Name, strings.ReplaceAll(c.Help, "|", `\|`))
	}
	want := between(t, string(b), "<!-- commands -->\n", "<!-- end of commands -->", table.String())
	want = between(t, want, "<!-- settings: videomsg env --markdown -->\n", "<!-- end of settings -->", settingsTable())
	if want == string(b) {
		return
	}
	if !*update {
		t.Fatal("the README's tables are not what the code says: go test -run TestReadmeTables -update .")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil { //nolint:gosec // a document
		t.Fatal(err)
	}
}

func between(t *testing.T, text, from, to, body string) string {
	t.Helper()
	head, rest, ok := strings.Cut(text, from)
	_, tail, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("the README lacks %q … %q", from, to)
	}
	return head + from + body + to + tail
}
