// Command gateway measures the HTTP face: status requests against a bare handler
// and against FastAPI with Redis, uploads against copying into the same store,
// memory with many uploads and with many idle event streams.
//
//	go run ./bench/gateway                      everything that is installed
//	go run ./bench/gateway -only status,upload  some of it
//
// Every result is a line: bench: NAME ours=… peer=… ratio=…. Servers run in
// processes of their own; their CPU seconds per 1,000 requests are what can be
// compared on a machine that has other work.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	fs := flag.NewFlagSet("gateway", flag.ContinueOnError)
	only := fs.String("only", "", "comma list of status, upload, uploads, streams; empty: all")
	role := fs.String("role", "", "used by the program itself")
	rounds := fs.Int("rounds", 3, "interleaved rounds")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ctx := context.Background()
	switch *role {
	case "constant":
		return serveConstant(true)
	case "bare":
		return serveConstant(false)
	case "ours":
		return serveOurs(ctx, fs.Arg(0))
	}
	for _, b := range []struct {
		name string
		run  func(context.Context, int) error
	}{
		{"status", statuses}, {"upload", upload}, {"uploads", uploads}, {"streams", streams},
	} {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), b.name) {
			continue
		}
		if err := b.run(ctx, *rounds); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}
