package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/videomsg/videomsg/engines/shadow"
	"github.com/videomsg/videomsg/objectstore"
)

// keepRecord stores records beside the task's results: they are kept as long and
// erased with them.
func keepRecord(blobs objectstore.Store) func(context.Context, shadow.Record) error {
	return func(ctx context.Context, r shadow.Record) error {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = blobs.Put(ctx, objectstore.Key(objectstore.Outputs, r.Task, shadowFolder, r.Stage+".json"), strings.NewReader(string(b)))
		return err
	}
}

const shadowFolder = "shadow"

type shadowCmd struct {
	Report shadowReportCmd `cmd:"" help:"Compare the engines in the shadow with those that served."`
}

type shadowReportCmd struct {
	Since time.Duration `help:"Only what is younger." default:"720h"`
	Stage string        `help:"Only this stage."`
	JSON  bool          `name:"json" help:"Print JSON."`
}

// Run prints the report.
func (c shadowReportCmd) Run(e *env) error {
	o, err := openStorage(e, false)
	if err != nil {
		return err
	}
	defer o.close()
	list, err := c.records(e.ctx, o.store, slog.New(slog.NewTextHandler(e.stderr, nil)))
	if err != nil {
		return err
	}
	report := shadow.Summarize(list)
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(report)
	}
	if len(report) == 0 {
		fmt.Fprintln(e.stdout, "nothing has run in the shadow: set SHADOW_IMAGE, SHADOW_VOICE or SHADOW_VIDEO")
	}
	for _, r := range report {
		if err := r.Print(e.stdout); err != nil {
			return err
		}
	}
	return nil
}

// records reads what was recorded. A record that has been erased meanwhile, or that
// cannot be read, is left out with a word.
func (c shadowReportCmd) records(ctx context.Context, store objectstore.Full, log *slog.Logger) (list []shadow.Record, err error) {
	var keys []string
	if err := store.List(ctx, string(objectstore.Outputs)+"/", func(i objectstore.Info) bool {
		if part := strings.Split(i.Key, "/"); len(part) == 4 && part[2] == shadowFolder && time.Since(i.ModTime) <= c.Since && (c.Stage == "" || part[3] == c.Stage+".json") {
			keys = append(keys, i.Key)
		}
		return true
	}); err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	for _, key := range keys {
		rc, err := store.Get(ctx, key)
		if errors.Is(err, objectstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read record: %w", err)
		}
		var r shadow.Record
		err = errors.Join(json.NewDecoder(rc).Decode(&r), rc.Close())
		if err != nil {
			log.WarnContext(ctx, "record", "key", key, "err", err)
			continue
		}
		list = append(list, r)
	}
	return list, nil
}
