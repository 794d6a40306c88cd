package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/maintain"
	"github.com/videomsg/videomsg/objectstore/natsstore"
	"github.com/videomsg/videomsg/objectstore/s3store"
	"github.com/videomsg/videomsg/status"
)

// storageCmd is what an operator does to the blob store as a whole.
type storageCmd struct {
	Usage  storageUsageCmd  `cmd:"" help:"Count what is kept, by class."`
	Sweep  storageSweepCmd  `cmd:"" help:"Remove what is over its time; report what belongs to no task and what tasks miss."`
	Verify storageVerifyCmd `cmd:"" help:"Read every object and compare its digest."`
	Copy   storageCopyCmd   `cmd:"" help:"Copy everything to another store. A run that was cut off is repeated."`

	Lifecycle storageLifecycleCmd `cmd:"" help:"Make the rules of the S3 bucket those of RETENTION_*; bootstrap does so, too."`
}

// opened is a store, and the broker if it was needed.
type opened struct {
	store  objectstore.Full
	broker *broker.Broker
	conf   config
}

func (o *opened) close() {
	if o.broker != nil {
		o.broker.Close()
	}
}

// openStorage opens the configured store; tasks says that the tasks are needed
// as well.
func openStorage(e *env, tasks bool) (_ *opened, err error) {
	o := &opened{}
	if o.conf, err = loadConfig(e.getenv); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if tasks || o.conf.Storage.Backend == "jetstream" {
		if err := o.dial(e); err != nil {
			return nil, err
		}
	}
	if o.store, err = o.open(e.ctx, o.conf.Storage); err != nil {
		return nil, err
	}
	return o, nil
}

// dial opens the broker once.
func (o *opened) dial(e *env) (err error) {
	if o.broker != nil {
		return nil
	}
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	o.conf.Broker.Join = true
	o.broker, err = broker.Open(e.ctx, log, o.conf.Broker)
	return err
}

func (o *opened) open(ctx context.Context, c storageConfig) (objectstore.Full, error) {
	return openStore(ctx, c, o.broker)
}

type storageUsageCmd struct{}

// Run prints what is kept.
func (storageUsageCmd) Run(e *env) error {
	o, err := openStorage(e, false)
	if err != nil {
		return err
	}
	defer o.close()
	u, err := maintain.Usage(e.ctx, o.store)
	if err != nil {
		return err
	}
	for _, c := range append(objectstore.Classes(), "") {
		a, ok := u.Classes[c]
		if !ok {
			continue
		}
		name := string(c)
		if name == "" {
			name = "(other)"
		}
		fmt.Fprintf(e.stdout, "%-14s %8d objects %10s  oldest %s\n", name, a.Objects, megabytes(a.Bytes), u.Oldest[c].Format(time.RFC3339))
	}
	fmt.Fprintf(e.stdout, "%-14s %8d objects %10s\n", "total", u.Total.Objects, megabytes(u.Total.Bytes))
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

type storageSweepCmd struct {
	DryRun        bool `help:"Only report."`
	DeleteOrphans bool `help:"Delete what belongs to no task, too."`
}

// Run sweeps once.
func (c storageSweepCmd) Run(e *env) error {
	o, err := openStorage(e, true)
	if err != nil {
		return err
	}
	defer o.close()
	tasks := status.Store{KV: o.broker.Status}
	r, err := maintain.Sweep(e.ctx, o.store, maintain.SweepOptions{
		Retention: o.conf.Storage.Retention, Known: known(tasks), Tasks: holdings(tasks, o.conf.Storage.Retention),
		DryRun: c.DryRun, DeleteOrphans: c.DeleteOrphans,
	})
	if err != nil {
		return err
	}
	verb := map[bool]string{false: "removed", true: "would be removed"}
	fmt.Fprintf(e.stdout, "over their time: %d objects, %s %s\n", r.Expired.Objects, megabytes(r.Expired.Bytes), verb[c.DryRun])
	if !c.DryRun {
		fmt.Fprintf(e.stdout, "remains of interrupted writers: %d parts, %s removed\n", r.Parts.Parts, megabytes(r.Parts.Bytes))
	}
	kept := "kept"
	if c.DeleteOrphans {
		kept = verb[c.DryRun]
	}
	fmt.Fprintf(e.stdout, "without a task: %d objects, %s %s\n", r.Orphans.Objects, megabytes(r.Orphans.Bytes), kept)
	for _, k := range r.OrphanKeys {
		fmt.Fprintln(e.stdout, "  orphan ", k)
	}
	fmt.Fprintf(e.stdout, "missing: %d objects that tasks name\n", r.MissingCount)
	for _, m := range r.Missing {
		fmt.Fprintln(e.stdout, "  missing", m.Key, "of", m.Task)
	}
	return nil
}

// known says whether a task exists.
func known(tasks status.Store) func(context.Context, string) (bool, error) {
	return func(ctx context.Context, id string) (bool, error) {
		_, _, err := tasks.Get(ctx, id)
		if errors.Is(err, status.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
}

// holdings calls yield with every task and those of its blobs that must still be
// there.
func holdings(tasks status.Store, keep objectstore.Retention) func(context.Context, func(maintain.Task) bool) error {
	return func(ctx context.Context, yield func(maintain.Task) bool) error {
		keys, err := tasks.KV.ListKeys(ctx)
		if err != nil {
			return fmt.Errorf("list tasks: %w", err)
		}
		defer keys.Stop() //nolint:errcheck // read only
		for id := range keys.Keys() {
			t, _, err := tasks.Get(ctx, id)
			if errors.Is(err, status.ErrNotFound) {
				continue // gone meanwhile
			}
			if err != nil {
				return err
			}
			if !yield(maintain.Task{ID: id, Blobs: holding(t, keep)}) {
				return nil
			}
		}
		return nil
	}
}

// holding is the keys of a task's own blobs whose time is not over.
func holding(t status.Task, keep objectstore.Retention) (out []string) {
	if t.Erased != nil {
		return nil
	}
	age := time.Since(t.Created)
	add := func(blobs map[string]events.Blob) {
		for _, b := range blobs {
			d := keep[objectstore.ClassOf(b.Key)]
			if objectstore.TaskOf(b.Key) == t.ID && (d == 0 || age < d) {
				out = append(out, b.Key)
			}
		}
	}
	add(t.Blobs)
	for _, s := range t.Steps {
		add(s.Blobs)
	}
	return out
}

type storageLifecycleCmd struct{}

// Run applies the retention to the bucket.
func (storageLifecycleCmd) Run(e *env) error {
	o, err := openStorage(e, false)
	if err != nil {
		return err
	}
	defer o.close()
	return applyLifecycle(e, o.store, o.conf.Storage.Retention)
}

// applyLifecycle lets the bucket expire objects by itself, so that they go also
// while no gateway sweeps.
func applyLifecycle(e *env, s objectstore.Store, keep objectstore.Retention) error {
	bucket, ok := objectstore.As[*s3store.Store](s)
	if !ok {
		return errors.New("only buckets of S3 have rules; gateways sweep this store (STORAGE_SWEEP_EVERY)")
	}
	rules, err := bucket.ApplyLifecycle(e.ctx, keep)
	for _, r := range rules {
		fmt.Fprintln(e.stdout, "bucket:", r)
	}
	return err
}

type storageVerifyCmd struct {
	Prefix string `help:"Only keys that begin with this, such as outputs/."`
}

// Run fails when anything is damaged.
func (c storageVerifyCmd) Run(e *env) error {
	o, err := openStorage(e, false)
	if err != nil {
		return err
	}
	defer o.close()
	r, err := maintain.Verify(e.ctx, o.store, c.Prefix, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d objects, %s are as they were stored\n", r.Good.Objects, megabytes(r.Good.Bytes))
	return damages(e, r.Damaged)
}

// errDamaged is the end of a command that has found damage.
var errDamaged = errors.New("objects are damaged")

func damages(e *env, list []maintain.Damage) error {
	for _, d := range list {
		fmt.Fprintf(e.stdout, "damaged %s: %v\n", d.Key, d.Err)
	}
	if len(list) > 0 {
		return fmt.Errorf("%d %w", len(list), errDamaged)
	}
	return nil
}

type storageCopyCmd struct {
	From   string `help:"jetstream, local:DIR or s3:BUCKET; default the configured store." placeholder:"STORE"`
	To     string `help:"jetstream, local:DIR or s3:BUCKET." placeholder:"STORE" required:""`
	Prefix string `help:"Only keys that begin with this."`
}

// Run copies.
func (c storageCopyCmd) Run(e *env) error {
	o := &opened{}
	var err error
	if o.conf, err = loadConfig(e.getenv); err != nil {
		return err
	}
	defer o.close()
	ends := make([]objectstore.Full, 2)
	for i, spec := range []string{c.From, c.To} {
		st, err := storeNamed(o.conf.Storage, spec)
		if err != nil {
			return err
		}
		if st.Backend == "jetstream" {
			if err := o.dial(e); err != nil {
				return err
			}
		}
		if ends[i], err = o.open(e.ctx, st); err != nil {
			return fmt.Errorf("open %s: %w", spec, err)
		}
	}
	r, err := maintain.Copy(e.ctx, ends[0], ends[1], maintain.CopyOptions{Prefix: c.Prefix})
	fmt.Fprintf(e.stdout, "copied %d objects, %s; %d were there already\n", r.Copied.Objects, megabytes(r.Copied.Bytes), r.Skipped.Objects)
	return errors.Join(err, damages(e, r.Damaged))
}

// storeNamed is the configured store with another place.
func storeNamed(c storageConfig, spec string) (storageConfig, error) {
	kind, place, _ := strings.Cut(spec, ":")
	switch {
	case spec == "":
	case kind == "jetstream" && place == "":
		c.Backend = kind
	case kind == "local" && place != "":
		c.Backend, c.Root = kind, place
	case kind == "s3" && place != "":
		c.Backend, c.Bucket = kind, place
	default:
		return c, fmt.Errorf("store %q: must be jetstream, local:DIR or s3:BUCKET", spec)
	}
	return c, nil
}

// sweep removes what is over its time, every now and then, until ctx is done.
// What belongs to no task is only reported: the tasks may be being rebuilt.
func (a *app) sweep(ctx context.Context) error {
	full, ok := a.blobs.(objectstore.Full)
	if !ok || a.conf.Storage.SweepEvery == 0 {
		return nil
	}
	every := a.conf.Storage.SweepEvery
	wait := time.NewTimer(min(every, time.Minute))
	defer wait.Stop()
	for {
		select {
		case <-wait.C:
		case <-ctx.Done():
			return nil
		}
		start := time.Now()
		r, err := maintain.Sweep(ctx, full, maintain.SweepOptions{Retention: a.conf.Storage.Retention, Known: known(a.tasks), Grace: 24 * time.Hour})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			a.log.ErrorContext(ctx, "sweep of the blob store", "err", err)
		default:
			a.log.InfoContext(ctx, "sweep of the blob store", "expired", r.Expired.Objects, "bytes", r.Expired.Bytes,
				"orphans", r.Orphans.Objects, "parts", r.Parts.Parts, "dur", time.Since(start))
		}
		wait.Reset(every)
	}
}

// guarded is the store for new work: it refuses before the disk is full, so that
// what is under way can finish.
func (a *app) guarded() objectstore.Store {
	full, ok := a.blobs.(objectstore.Full)
	if !ok {
		return a.blobs
	}
	full = objectstore.Guarded(full, objectstore.NewGuard(a.eventRoom, 0, 10, 2*time.Second))
	if bucket, ok := objectstore.As[*natsstore.Store](full); ok && a.conf.Broker.URL != "" {
		full = objectstore.Guarded(full, objectstore.NewGuard(bucket.Space, int64(a.conf.Storage.Reserve)*1_000_000, 0, 5*time.Second))
	}
	dir := ""
	switch {
	case a.conf.Storage.Backend == "local":
		dir = a.conf.Storage.Root
	case a.conf.Storage.Backend == "jetstream" && a.conf.Broker.URL == "":
		dir = a.conf.Broker.DataDir
	}
	if dir == "" || a.conf.Storage.Reserve == 0 {
		return full // another machine's disk
	}
	measure := func(context.Context) (objectstore.Space, error) { return objectstore.DiskSpace(dir) }
	return objectstore.Guarded(full, objectstore.NewGuard(measure, int64(a.conf.Storage.Reserve)*1_000_000, 0, 5*time.Second))
}

// eventRoom is the room in the event stream: new work is refused before the
// stream drops a request that nobody has worked off.
func (a *app) eventRoom(ctx context.Context) (objectstore.Space, error) {
	readers := []string{"task", "task-bulk", status.Consumer}
	for _, s := range a.stageNames() {
		readers = append(readers, consumers.ConsumerName(s))
	}
	free, total, err := a.broker.Room(ctx, readers)
	if total == 0 {
		return objectstore.Space{Free: math.MaxInt64, Total: math.MaxInt64}, err
	}
	return objectstore.Space{Free: free, Total: total}, err
}
