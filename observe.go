package main

import (
	"cmp"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/objectstore"
)

// observer counts what stages do, under the names that dashboards know.
func observer(reg prometheus.Registerer) func(consumers.Try) {
	run := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "task_duration_seconds", Help: "Time a stage ran.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 16),
	}, []string{"task_name"})
	wait := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "task_wait_seconds", Help: "Time between a request and its start.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 12),
	}, []string{"task_name"})
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "service_calls_total", Help: "Attempts of stages by engine and outcome.",
	}, []string{"service", "operation", "status"})
	fallbacks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "engine_fallbacks_total", Help: "Engines that should have served and did not.",
	}, []string{"stage", "engine"})
	reg.MustRegister(run, wait, calls, fallbacks)
	return func(t consumers.Try) {
		run.WithLabelValues(t.Stage).Observe(t.Run.Seconds())
		wait.WithLabelValues(t.Stage).Observe(t.Wait.Seconds())
		engine := t.Engine
		if engine == "" {
			engine = "none"
		}
		calls.WithLabelValues(engine, t.Stage, t.Outcome).Inc()
		for _, s := range t.Fallback {
			fallbacks.WithLabelValues(t.Stage, s.Engine).Inc()
		}
	}
}

// storageObserver counts what is done with the blob store.
func storageObserver(reg prometheus.Registerer) func(objectstore.Operation) {
	ops := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "storage_operations_total", Help: "Operations on the blob store.",
	}, []string{"operation", "backend", "status"})
	size := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "storage_bytes_total", Help: "Bytes written to and read from the blob store.",
	}, []string{"operation", "backend"})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "storage_operation_duration_seconds", Help: "Time of an operation on the blob store.", Buckets: prometheus.ExponentialBuckets(0.0005, 3, 12),
	}, []string{"operation", "backend"})
	reg.MustRegister(ops, size, took)
	return func(o objectstore.Operation) {
		ops.WithLabelValues(o.Name, o.Backend, o.Status).Inc()
		size.WithLabelValues(o.Name, o.Backend).Add(float64(o.Bytes))
		took.WithLabelValues(o.Name, o.Backend).Observe(o.Duration.Seconds())
	}
}

// release is set by the linker of a release.
var release string

// version is the module's version with the commit, as the build knows them.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	var v strings.Builder
	v.WriteString(cmp.Or(release, info.Main.Version))
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v.WriteString(" " + s.Value[:12])
		}
	}
	return v.String()
}
