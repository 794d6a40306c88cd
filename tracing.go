package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/videomsg/videomsg/consumers"
)

// tracing is where spans go. A task is one trace: the request that made it is its
// root, and each attempt of a stage, in whatever process, is a child of that
// request by the traceparent in the task's events. Engine calls are children of
// their attempt.
type tracing struct {
	tracer trace.Tracer
	stop   func(context.Context) error
}

// scope names what makes the spans.
const scope = "github.com/videomsg/videomsg"

// startTracing sends spans to endpoint over OTLP/HTTP; an empty one sends none.
func startTracing(ctx context.Context, endpoint, role string) (tracing, error) {
	if endpoint == "" {
		return tracing{tracer: noop.NewTracerProvider().Tracer(scope), stop: func(context.Context) error { return nil }}, nil
	}
	to, err := url.Parse(endpoint)
	if err != nil {
		return tracing{}, fmt.Errorf("trace exporter: %w", err)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to.JoinPath("v1/traces").String()))
	if err != nil {
		return tracing{}, fmt.Errorf("trace exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(time.Second)),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "videomsg"),
			attribute.String("service.version", version()),
			attribute.String("videomsg.role", role),
		)),
	)
	return tracing{tracer: provider.Tracer(scope), stop: provider.Shutdown}, nil
}

// endpointURL is a setting that must be an address of HTTP.
func endpointURL(f func(*config) *string) func(*config, string) error {
	return func(c *config, v string) error {
		u, err := url.Parse(v)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return errors.New("must be an address such as http://host:4318")
		}
		*f(c) = v
		return nil
	}
}

// serve makes a span of each request and hands its traceparent on to the gateway,
// which puts it into the task's events.
func (t tracing) serve(next http.Handler) http.Handler {
	w3c := propagation.TraceContext{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/livez", "/readyz", "/metrics":
			next.ServeHTTP(w, r)
			return
		}
		ctx := w3c.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, "HTTP "+method(r.Method), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.request.method", method(r.Method)), attribute.String("url.path", r.URL.Path),
		))
		defer span.End()
		if span.SpanContext().IsValid() {
			w3c.Inject(ctx, propagation.HeaderCarrier(r.Header))
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// method keeps clients from naming spans.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "other"
}

// stage makes a span of each attempt.
func (t tracing) stage(st consumers.Stage) consumers.Stage {
	run := st.Run
	st.Run = func(ctx context.Context, w consumers.Work) (consumers.Result, error) {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": w.Trace})
		ctx, span := t.tracer.Start(ctx, "stage "+st.Name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			attribute.String("videomsg.task", w.Task), attribute.String("videomsg.stage", st.Name), attribute.Int("videomsg.attempt", w.Attempt),
		))
		defer span.End()
		res, err := run(ctx, w)
		span.SetAttributes(attribute.String("videomsg.engine", res.Engine), attribute.Bool("videomsg.skipped", res.Skipped))
		if err != nil {
			span.SetStatus(codes.Error, "attempt failed")
			span.RecordError(err)
		}
		return res, err
	}
	return st
}
