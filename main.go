// Command videomsg turns a portrait and a text into a video in which the
// portrait speaks the text. See doc.go for the tour.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands is the command line.
type commands struct {
	Serve     serveCmd     `cmd:"" help:"Run the service: gateway, stages and status, with an embedded broker unless NATS_URL is set."`
	Send      sendCmd      `cmd:"" help:"Make one video from a portrait and a text."`
	Replay    replayCmd    `cmd:"" help:"Print recorded events as a timeline."`
	Rebuild   rebuildCmd   `cmd:"" help:"Fold the status bucket from the stream again and compare."`
	DLQ       dlqCmd       `cmd:"" name:"dlq" help:"Look after dead letters: stages that gave up on a task."`
	Token     tokenCmd     `cmd:"" help:"Print a token for the API, signed with JWT_SECRET_KEY."`
	Doctor    doctorCmd    `cmd:"" help:"Check programs, voices, disk, broker and store, and say how to mend what is missing."`
	Bootstrap bootstrapCmd `cmd:"" help:"Declare streams, buckets and consumers on NATS_URL, as its operator."`
	Keys      keysCmd      `cmd:"" help:"Make the keys, certificates and secrets of an installation."`
	Env       envCmd       `cmd:"" help:"Print every setting: environment variable, default, meaning."`
	Ping      pingCmd      `cmd:"" help:"Ask the process on this machine's PORT whether it lives."`
	Storage   storageCmd   `cmd:"" help:"Look after the blob store: usage, sweep, verify, copy."`
	Engines   enginesCmd   `cmd:"" help:"Show the engines: what is configured, healthy, and in which order it is tried."`
	MCP       mcpCmd       `cmd:"" name:"mcp" help:"Serve the matting tools remove_background and refine_segmentation to MCP clients."`
	Verify    verifyCmd    `cmd:"" help:"Check the signed provenance record inside a video."`
	Cost      costCmd      `cmd:"" help:"Calculate what videos cost with your prices."`
	Shadow    shadowCmd    `cmd:"" help:"Compare engines that ran in the shadow of others."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// env is what a command may use of its surroundings.
type env struct {
	ctx            context.Context
	getenv         func(string) string
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal stops at once
	err := checkNames(os.Environ())
	if err == nil {
		err = run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "videomsg:", err)
		os.Exit(1)
	}
}

// errUsage ends the program after kong has printed what was asked for.
var errUsage = errors.New("usage")

// run is the program without its process: tests call it.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	var cli commands
	parser, err := kong.New(&cli,
		kong.Name("videomsg"),
		kong.Description("A portrait and a text become a video in which the portrait speaks the text."),
		kong.Writers(stdout, stderr),
		kong.Vars{"roles": strings.Join(allRoles, ", ")},
		kong.Exit(func(int) { panic(errUsage) }),
		kong.UsageOnError(),
	)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil && p != errUsage { //nolint:errorlint // the value we threw
			panic(p)
		}
	}()
	k, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return k.Run(&env{ctx: ctx, getenv: getenv, stdout: stdout, stderr: stderr})
}
