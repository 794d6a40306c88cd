// Package notify tells webhooks that tasks have ended. Each event becomes one
// durable delivery per endpoint; deliveries are signed after the Standard
// Webhooks specification (github.com/standard-webhooks/standard-webhooks,
// spec 1.0), tried again on a schedule, and logged.
//
// Everything is in the stream VM_WEBHOOKS, on subjects vmw.KIND.ENDPOINT.X:
//
//	vmw.body.<endpoint>.<event>   what is sent; its sequence number names the delivery
//	vmw.due.<endpoint>.<n>        an attempt to make now
//	vmw.later.<endpoint>.<n>      the broker's schedule for the next one
//	vmw.log.<endpoint>.<n>        an attempt that was made
//
// Whatever is killed in between, an attempt is made at least once; receivers
// tell repeats by the webhook-id, which is the event's id.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/events"
)

// Durable names of the two consumers.
const (
	Consumer  = "notify"  // of ended tasks
	deliverer = "deliver" // of attempts that are due
)

// Schedule is when attempts are made, counted from the one before.
func Schedule() []time.Duration {
	return []time.Duration{
		0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// A Notifier makes and sends deliveries. Any number of processes may serve.
type Notifier struct {
	Log       *slog.Logger
	JS        jetstream.JetStream
	Events    jetstream.Stream
	Stream    jetstream.Stream // VM_WEBHOOKS
	Endpoints Endpoints
	Client    *http.Client    // see NewClient
	Schedule  []time.Duration // nil means Schedule()
	Jitter    float64         // share by which delays vary, 0..1
}

// Limits of one process.
const (
	parallel    = 8 // deliveries at once
	perEndpoint = 2 // of them to one endpoint, so that a slow one holds up no other
	ackWait     = 45 * time.Second
)

// Serve makes deliveries of ended tasks and sends those that are due, until ctx
// is done.
func (n *Notifier) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, 2)
	for _, f := range []func(context.Context) error{n.fanOut, n.deliverAll} {
		go func() {
			defer cancel()
			errs <- f(ctx)
		}()
	}
	return errors.Join(<-errs, <-errs)
}

// pull reads from a stream of n.
func (n *Notifier) pull(ctx context.Context, stream jetstream.Stream, conf jetstream.ConsumerConfig, handle func(jetstream.Msg) error) error {
	return consumers.Pull{Log: n.Log, JS: n.JS, Stream: stream, Consumer: conf, Batch: 2 * parallel, Handle: handle}.Run(ctx)
}

// fanOut turns ended tasks into deliveries.
func (n *Notifier) fanOut(ctx context.Context) error {
	return n.pull(ctx, n.Events, jetstream.ConsumerConfig{
		Durable:        Consumer,
		Description:    "makes webhook deliveries of ended tasks",
		FilterSubjects: []string{events.Subject(events.Task, events.Ended, "*")},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        ackWait,
		MaxAckPending:  1024,
	}, func(m jetstream.Msg) error { return n.ended(ctx, m) })
}

func (n *Notifier) ended(ctx context.Context, m jetstream.Msg) error {
	e, err := consumers.Read(m)
	switch {
	case errors.Is(err, events.ErrMalformed):
		return errors.Join(err, m.TermWithReason(err.Error()))
	case err != nil:
		return err
	}
	list, err := n.Endpoints.List(ctx, e.Job.Request.Owner)
	if err != nil {
		return errors.Join(err, m.NakWithDelay(time.Second))
	}
	for _, ep := range list {
		if !ep.wants(e) {
			continue
		}
		if err := n.enqueue(ctx, ep, e); err != nil {
			return errors.Join(err, m.NakWithDelay(time.Second))
		}
	}
	return m.Ack()
}

// body is what is kept of a delivery.
type body struct {
	Owner string          `json:"owner"`
	Task  string          `json:"task"`
	Type  string          `json:"type"`
	ID    string          `json:"id"`
	Event json.RawMessage `json:"event"`
}

// due is an attempt to make.
type due struct {
	Attempt int  `json:"attempt"` // 1 for the first
	Manual  bool `json:"manual,omitempty"`
}

func bodySubject(endpoint, event string) string { return "vmw.body." + endpoint + "." + event }
func subject(kind, endpoint string, n uint64) string {
	return "vmw." + kind + "." + endpoint + "." + strconv.FormatUint(n, 10)
}

// enqueue stores the delivery once and makes its first attempt due.
func (n *Notifier) enqueue(ctx context.Context, ep Endpoint, e events.Event) error {
	doc, err := json.Marshal(e.Public())
	if err != nil {
		return err
	}
	b, err := json.Marshal(body{Owner: ep.Owner, Task: e.Task, Type: e.Type(), ID: e.ID(), Event: doc})
	if err != nil {
		return err
	}
	subj := bodySubject(ep.ID, e.ID())
	var num uint64
	ack, err := n.JS.Publish(ctx, subj, b, jetstream.WithExpectLastSequencePerSubject(0))
	switch api, ok := errors.AsType[*jetstream.APIError](err); {
	case err == nil:
		num = ack.Sequence
	case ok && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		m, err := n.Stream.GetLastMsgForSubject(ctx, subj)
		if err != nil {
			return fmt.Errorf("delivery of %s: %w", e.ID(), err)
		}
		num = m.Sequence
	default:
		return fmt.Errorf("delivery of %s: %w", e.ID(), err)
	}
	return n.makeDue(ctx, ep.ID, num, due{Attempt: 1})
}

func (n *Notifier) makeDue(ctx context.Context, endpoint string, num uint64, d due) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if _, err := n.JS.Publish(ctx, subject("due", endpoint, num), b); err != nil {
		return fmt.Errorf("attempt at %d: %w", num, err)
	}
	return nil
}

// deliverAll makes the attempts that are due.
func (n *Notifier) deliverAll(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, parallel)
	var mu sync.Mutex
	busy := map[string]int{}
	return n.pull(ctx, n.Stream, jetstream.ConsumerConfig{
		Durable:        deliverer,
		Description:    "makes attempts that are due",
		FilterSubjects: []string{"vmw.due.*.*"},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        ackWait,
		MaxAckPending:  4096,
	}, func(m jetstream.Msg) error {
		endpoint, num, err := parseDue(m.Subject())
		if err != nil {
			return errors.Join(err, m.TermWithReason(err.Error()))
		}
		mu.Lock()
		if busy[endpoint] >= perEndpoint {
			mu.Unlock()
			return m.NakWithDelay(time.Second) // its turn comes
		}
		busy[endpoint]++
		mu.Unlock()
		slots <- struct{}{}
		wg.Go(func() {
			defer func() {
				mu.Lock()
				if busy[endpoint]--; busy[endpoint] == 0 {
					delete(busy, endpoint)
				}
				mu.Unlock()
				<-slots
			}()
			if err := n.attempt(ctx, m, endpoint, num); err != nil && ctx.Err() == nil {
				n.Log.ErrorContext(ctx, "webhook", "subject", m.Subject(), "err", err)
				_ = m.NakWithDelay(5 * time.Second)
			}
		})
		return nil
	})
}

// later asks the broker to make the next attempt due at a time.
func (n *Notifier) later(ctx context.Context, endpoint string, num uint64, d due, at time.Time) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: subject("later", endpoint, num), Data: b, Header: nats.Header{
		"Nats-Schedule":        {"@at " + at.UTC().Format(time.RFC3339Nano)},
		"Nats-Schedule-Target": {subject("due", endpoint, num)},
	}}
	if _, err := n.JS.PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("schedule attempt at %d: %w", num, err)
	}
	return nil
}

// delay before attempt k (2 for the first repeat); false after the last.
func (n *Notifier) delay(k int) (time.Duration, bool) {
	s := n.Schedule
	if s == nil {
		s = Schedule()
	}
	if k > len(s) {
		return 0, false
	}
	d := float64(s[k-1])
	return time.Duration(d * (1 + n.Jitter*(rand.Float64()-0.5))), true //nolint:gosec // jitter
}
