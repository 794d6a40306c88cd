package main

import (
	"fmt"
	"slices"
	"strings"
)

// roles is what one process does; none means everything.
type roles []string

// allRoles is every role there is: the HTTP face, a stage each, the projection of
// the status, and the webhooks.
var allRoles = []string{"gateway", "image", "voice", "prosody", "bgm", "video", "status", "notify"}

func parseRoles(names []string) (roles, error) {
	for _, n := range names {
		if !slices.Contains(allRoles, n) {
			return nil, fmt.Errorf("role %q: must be one of %s", n, strings.Join(allRoles, ", "))
		}
	}
	return names, nil
}

func (r roles) has(name string) bool { return len(r) == 0 || slices.Contains(r, name) }

// stage reports whether any part of the pipeline runs until it is stopped; a
// process with the status alone has nothing else to wait for.
func (r roles) stage() bool {
	return slices.ContainsFunc([]string{"gateway", "image", "voice", "prosody", "bgm", "video"}, r.has)
}
