package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMain is a child of the test when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestNothingIsLostWhenEverythingIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for half a minute")
	}
	dir := t.TempDir()
	c := plan{Tasks: 60, Workers: 2, Kills: 3, Every: 1500 * time.Millisecond, Patience: 2 * time.Minute, Server: filepath.Join(dir, "nats-server"), Dir: dir}
	var out strings.Builder
	err := c.execute(t.Context(), &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(out.String()), "\n")
	last := regexp.MustCompile(`^chaos: accepted=60 completed=(\d+) failed=(\d+) lost=0 ended_twice=0 bought_twice=0 repeated=\d+ seconds=\d+$`).FindStringSubmatch(all[len(all)-1])
	if last == nil {
		t.Fatalf("last line is %q", all[len(all)-1])
	}
	var completed, failed int
	if _, err := fmt.Sscan(last[1]+" "+last[2], &completed, &failed); err != nil || completed+failed != 60 || completed < 50 {
		t.Errorf("%d completed and %d failed of 60", completed, failed)
	}
}
