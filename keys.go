package main

import (
	"fmt"
	"strconv"

	"github.com/videomsg/videomsg/internal/keys"
)

type keysCmd struct {
	Dir   string   `arg:"" help:"Directory to fill; it must not have keys yet."`
	Nodes int      `help:"Servers of the cluster, vm-1, vm-2, …: 1 or 3 or 5." default:"1" enum:"1,3,5"`
	Host  []string `help:"Further names and addresses of the servers, for their certificate." placeholder:"NAME"`
	Path  string   `help:"Where the servers see the directory, when not at its own path." placeholder:"DIR"`
	Any   bool     `help:"Servers listen on all addresses and not on loopback only."`
}

// Run writes the keys.
func (c keysCmd) Run(e *env) error {
	conf := keys.Config{Hosts: c.Host, Path: c.Path, Nodes: []keys.Node{{}}}
	if c.Nodes > 1 {
		conf.Nodes = nil
		for i := range c.Nodes {
			name := "vm-" + strconv.Itoa(i+1)
			conf.Hosts = append(conf.Hosts, name)
			conf.Nodes = append(conf.Nodes, keys.Node{Name: name, Cluster: "0.0.0.0:6222", Route: name + ":6222"})
		}
	}
	if c.Any {
		for i := range conf.Nodes {
			conf.Nodes[i].Listen, conf.Nodes[i].Monitor, conf.Nodes[i].WebSocket = "0.0.0.0:4222", "0.0.0.0:8222", "0.0.0.0:8443"
		}
	}
	if err := keys.Write(c.Dir, conf); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "keys of %d users, certificates and settings are in %s\n", len(keys.Users()), c.Dir)
	return err
}
