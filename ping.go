package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

type pingCmd struct{}

// Run asks the process on this machine's PORT whether it lives, for health checks
// of containers that have no other client.
func (pingCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv, "status") // whatever the process does, it is asked the same
	if err != nil {
		return err
	}
	host := conf.Listen
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(e.ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, strconv.Itoa(conf.Port))+"/livez", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("ping: %s", res.Status)
	}
	return nil
}
