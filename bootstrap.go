package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/erase"
	"github.com/videomsg/videomsg/consumers/notify"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
)

// partnerConsumer is what a partner outside reads ended tasks from.
const partnerConsumer = "ext-partner"

type bootstrapCmd struct{}

// Run declares streams, buckets and consumers on the broker of NATS_URL, for
// processes that run with NATS_DECLARE=false.
func (bootstrapCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv, "status") // the operator serves no API
	if err != nil {
		return err
	}
	conf.Broker.Bind, conf.Broker.Update = false, true
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: conf.LogLevel}))
	a, err := open(e.ctx, log, conf)
	if err != nil {
		return err
	}
	defer a.close()
	names, err := a.declareConsumers(e.ctx)
	for _, n := range names {
		fmt.Fprintln(e.stdout, "consumer", n)
	}
	if err != nil || conf.Storage.Backend != "s3" {
		return err
	}
	err = applyLifecycle(e, a.blobs, conf.Storage.Retention)
	if errors.Is(err, objectstore.ErrConfig) {
		// Not every server has rules, and not every operator gives the right to them.
		fmt.Fprintf(e.stderr, "objects expire by the gateways' sweeping alone: %v\n", err)
		return nil
	}
	return err
}

// declareConsumers makes every consumer there is, by starting what reads it on
// a stream that only declares.
func (a *app) declareConsumers(ctx context.Context) ([]string, error) {
	evs := broker.Declaring{Stream: a.broker.Events}
	dead := broker.Declaring{Stream: a.broker.Dead}
	runner := *a.runner
	runner.Events, runner.Who = evs, events.Worker{} // this process does no work
	notifier, eraser := a.notifier(), a.eraser()
	notifier.Events, notifier.Stream, eraser.Events = evs, broker.Declaring{Stream: a.broker.Deliveries}, evs
	type part struct {
		stream jetstream.Stream
		name   string
		run    func() error
	}
	parts := []part{
		{evs, "task", func() error { return runner.Dispatch(ctx) }},
		{evs, "task-bulk", func() error { return runner.Admit(ctx, a.conf.BulkTasks) }},
		{evs, status.Consumer, func() error { return status.Serve(ctx, a.log, evs, a.tasks) }},
		{evs, notify.Consumer, func() error { return notifier.Serve(ctx) }},
		{notifier.Stream, "deliver", func() error { return notifier.Serve(ctx) }},
		{evs, erase.Consumer, func() error { return eraser.Serve(ctx) }},
		{dead, "undertaker", func() error { return runner.Bury(ctx, dead) }},
		{evs, partnerConsumer, func() error {
			_, err := evs.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
				Durable:        partnerConsumer,
				Description:    "ended tasks, for a partner outside",
				FilterSubjects: []string{events.Subject(events.Task, events.Ended, "*")},
				AckPolicy:      jetstream.AckExplicitPolicy,
			})
			return err
		}},
	}
	for _, st := range a.stages {
		parts = append(parts, part{evs, consumers.ConsumerName(st.Name), func() error { return runner.Serve(ctx, st, consumers.NewCancels()) }})
	}
	var made []string
	for _, p := range parts {
		if err := p.run(); !errors.Is(err, broker.ErrDeclared) {
			return made, fmt.Errorf("declare consumer %s: %w", p.name, err)
		}
		if _, err := p.stream.Consumer(ctx, p.name); err != nil {
			return made, fmt.Errorf("declare consumer %s: %w", p.name, err)
		}
		made = append(made, p.name)
	}
	return made, nil
}
