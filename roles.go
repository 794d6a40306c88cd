package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/videomsg/videomsg/broker"
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

// works reports whether a stage runs here.
func (r roles) works() bool {
	return slices.ContainsFunc([]string{"image", "voice", "prosody", "bgm", "video"}, r.has)
}

// stage reports whether any part of the pipeline runs until it is stopped; a
// process with the status alone has nothing else to wait for.
func (r roles) stage() bool {
	return slices.ContainsFunc([]string{"gateway", "image", "voice", "prosody", "bgm", "video"}, r.has)
}

// parts is what these roles need of the broker beside the event stream, so that
// a process can run as a user who may open nothing else.
func (r roles) parts() broker.Part {
	var p broker.Part
	if r.has("gateway") {
		p |= broker.PartStatus | broker.PartBlobs | broker.PartProfiles | broker.PartGateway | broker.PartWebhooks | broker.PartDead
	}
	if r.has("video") {
		p |= broker.PartOrders
	}
	if r.works() {
		p |= broker.PartProgress | broker.PartBlobs | broker.PartCache
	}
	if r.has("voice") {
		p |= broker.PartProfiles
	}
	if r.has("status") {
		p |= broker.PartStatus
	}
	if r.has("notify") {
		p |= broker.PartWebhooks
	}
	return p
}
