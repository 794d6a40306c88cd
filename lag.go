package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/consumers"
)

// lag tells Prometheus how much work waits in the broker. It asks when it is
// asked, so that nothing is measured that nobody reads.
type lag struct {
	log    *slog.Logger
	stream jetstream.Stream
	stages []string

	up, pending, working, bytes, limit *prometheus.Desc
}

func newLag(log *slog.Logger, stream jetstream.Stream, stages []string) *lag {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &lag{
		log: log, stream: stream, stages: stages,
		up:      desc("broker_up", "1 while the event stream answers."),
		pending: desc("stage_pending", "Requests that no worker has taken yet.", "stage"),
		working: desc("stage_working", "Requests that workers hold or that wait for another attempt.", "stage"),
		bytes:   desc("broker_stream_bytes", "Size of a stream.", "stream"),
		limit:   desc("broker_stream_max_bytes", "Size at which a stream drops its oldest messages.", "stream"),
	}
}

// Describe implements prometheus.Collector.
func (l *lag) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{l.up, l.pending, l.working, l.bytes, l.limit} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (l *lag) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.TODO(), 3*time.Second) // the interface has none
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	info, err := l.stream.Info(ctx)
	if err != nil {
		l.log.WarnContext(ctx, "measure the stream", "err", err)
		gauge(l.up, 0)
		return
	}
	gauge(l.up, 1)
	gauge(l.bytes, float64(info.State.Bytes), info.Config.Name)
	if info.Config.MaxBytes > 0 {
		gauge(l.limit, float64(info.Config.MaxBytes), info.Config.Name)
	}
	for _, s := range l.stages {
		c, err := l.stream.Consumer(ctx, consumers.ConsumerName(s))
		if err != nil {
			continue // no worker has served this stage yet
		}
		gauge(l.pending, float64(c.CachedInfo().NumPending), s)
		gauge(l.working, float64(c.CachedInfo().NumAckPending), s)
	}
}
