// Package consumers takes requests off the event stream and runs stages. A stage
// is a function and a few numbers; everything else that keeps a task alive —
// leases, heartbeats, deadlines, retries, resuming, giving up, cancelling and
// handing on — is here, once.
package consumers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/events"
)

// A Stage does one step of the pipeline.
type Stage struct {
	Name string
	// Run does the work and says what it made. The same work may come twice, and
	// even at the same time; each run has blobs of its own, and those of one that
	// fails are removed.
	// It does not publish, acknowledge, retry, or know what comes next.
	Run func(ctx context.Context, w Work) (Result, error)
	// Content describes everything that decides the result, digests of inputs and
	// versions of engines included; equal content may be served from the cache. Nil
	// or empty: never.
	Content func(events.Job) string
	Timeout time.Duration // longest silence (no call of Work.Progress) before it is cut off
	Limit   time.Duration // longest run
	Tries   int           // attempts that may fail before the task does
	Workers int           // in this process
	Pending int           // in all processes together; 0 means no cap
}

// Work is one attempt at one stage of one task.
type Work struct {
	Task    string
	Job     events.Job
	Attempt int    // 1 for the first
	Trace   string // W3C traceparent of the task's start; may be empty
	// Progress says how much of the stage is done, 0..1. It may be called often
	// and from any goroutine while Run runs.
	Progress func(done float64)
}

// A Result is what a stage made.
type Result struct {
	Blobs    map[string]events.Blob // by name; they replace what was there
	Engine   string                 // who served
	Fallback []engines.Skip         // who should have and why not
	Skipped  bool                   // nothing was done, the input goes on unchanged
	Cache    string                 // "hit" when an earlier result was reused
	Credit   string                 // attribution the result must show
	Native   *events.Native         // what of the prosody the voice itself did
	Remarks  []string               // what else a user should know
}

// Publisher is what Serve needs to hand on results and to put work off.
type Publisher interface {
	Publish(ctx context.Context, evs ...events.Event) error
	// First says e and whether nobody has said it before with another Job.
	First(ctx context.Context, e events.Event) (bool, error)
	// Later has the stream say e at a time.
	Later(ctx context.Context, e events.Event, at time.Time) error
}

// A Try is one attempt, for logs and metrics.
type Try struct {
	Stage, Task, Engine string
	Attempt             int
	Outcome             string // ready, retry, failed, canceled, interrupted, resumed
	Wait, Run           time.Duration
	Fallback            []engines.Skip
	Err                 error
}

// Runner is what all stages of a process share.
type Runner struct {
	Log     *slog.Logger
	JS      jetstream.JetStream
	Events  jetstream.Stream
	Publish Publisher
	Cache   *Cache // nil for none
	// Grace is how long running stages may go on after Serve was told to stop; then
	// they are interrupted and their requests handed back. 0 interrupts at once.
	Grace time.Duration
	// Observe is told of every attempt; nil for nobody.
	Observe func(Try)
	// Who is this process, for operators; without an ID it stays unnamed.
	Who events.Worker
}

// Timing of the lease a worker holds on its request. A request of a dead worker
// comes again after lease; a delivery after the last one is the undertaker's.
const (
	lease     = 10 * time.Second
	heartbeat = 3 * time.Second
	crashes   = 4 // deliveries beyond Tries that may end without an answer
	lastWord  = 30 * time.Second
)

// ConsumerName is the durable name of a stage's consumer.
func ConsumerName(stage string) string { return "stage-" + stage }

// Serve runs st for its requests until ctx is done, then lets running attempts
// finish within r.Grace. It returns an error only when the consumer is lost.
func (r *Runner) Serve(ctx context.Context, st Stage, cancels *Cancels) error {
	conf := jetstream.ConsumerConfig{
		Durable:     ConsumerName(st.Name),
		Description: "requests to the " + st.Name + " stage",
		FilterSubjects: []string{
			events.Subject(st.Name, events.Requested, "*"),
			events.Subject(st.Name, events.Retry, "*"),
		},
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       lease,
		MaxDeliver:    st.Tries + crashes + 1,
		MaxAckPending: st.Pending,
	}
	// Attempts outlive ctx by the grace period.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(r.Grace, stop) })()

	here := newPresence(r.Who, st)
	p := r.pull(conf, 1, func(m jetstream.Msg) error {
		if ctx.Err() != nil {
			return m.Nak() // came while we were stopping; another worker takes it
		}
		(&attempt{Runner: r, st: st, m: m, cancels: cancels, here: here}).handle(work)
		return nil
	})
	p.Slots = st.Workers
	said, silence := context.WithCancel(ctx)
	var announcer sync.WaitGroup
	announcer.Go(func() { r.announce(said, here) })
	defer announcer.Wait()
	defer silence()
	return p.Run(ctx)
}

// pull is a Pull from the event stream.
func (r *Runner) pull(conf jetstream.ConsumerConfig, batch int, handle func(jetstream.Msg) error) Pull {
	return Pull{Log: r.Log, JS: r.JS, Stream: r.Events, Consumer: conf, Batch: batch, Handle: handle}
}
