// Command check reads what is in deploy/ with the parsers of the programs that
// will: compose files with Docker's loader, rules and dashboards with Prometheus's
// parser. It is a module of its own, so that the service does not depend on them.
//
//	go run . ..
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1) //nolint:gocritic // nothing is left to be stopped
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: check DEPLOY")
	}
	dir := args[0]
	return errors.Join(composeFiles(ctx, dir), rules(dir), dashboard(dir))
}
