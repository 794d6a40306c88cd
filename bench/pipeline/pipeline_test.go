// Package pipeline measures what the event pipeline costs beside the bare NATS
// client doing the same five hops on the same kind of server in the same run.
package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
	"github.com/videomsg/videomsg/status"
)

var stages = []string{"image", "voice", "prosody", "bgm", "video"}

const workers = 4 // per stage; more gains nothing on two cores

// A system takes tasks and says when it has finished them all.
type system interface {
	submit(ctx context.Context, task string) error
	// done waits until the status of task says that it is completed.
	// It looks every so often.
	done(ctx context.Context, task string, often time.Duration) error
	// stored is how many kB of events and statuses the broker holds.
	stored(ctx context.Context) (float64, error)
	stop()
}

func stored(ctx context.Context, br *broker.Broker) (float64, error) {
	sum := 0.0
	for _, name := range []string{broker.StreamEvents, "KV_" + broker.BucketStatus} {
		s, err := br.JS.Stream(ctx, name)
		if err != nil {
			return 0, err
		}
		sum += float64(s.CachedInfo().State.Bytes) / 1000
	}
	return sum, nil
}

func open(b *testing.B, conf broker.Config) *broker.Broker {
	b.Helper()
	if conf.URL == "" {
		conf.DataDir = b.TempDir()
	}
	br, err := broker.Open(b.Context(), slog.New(slog.DiscardHandler), conf)
	if err != nil {
		b.Fatal(err)
	}
	return br
}

func job() events.Job {
	return events.Job{
		Request: events.Request{Kind: events.KindVideo, Owner: "bench", Language: "ja"},
		Blobs:   map[string]events.Blob{events.BlobPortrait: {Key: "inputs/x/portrait", Type: "image/png", SHA256: strings.Repeat("0", 64), Size: 1}},
	}
}

// ours is the product's runtime with stages that do nothing.
type ours struct {
	*broker.Broker
	pub    producers.Publisher
	tasks  status.Store
	whole  bool // submit as the gateway does
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func newOurs(b *testing.B, conf broker.Config) *ours {
	o := &ours{Broker: open(b, conf)}
	o.pub, o.tasks = producers.Publisher{JS: o.JS}, status.Store{KV: o.Status}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	o.cancel = cancel
	run := func(f func() error) {
		o.wg.Go(func() {
			if err := f(); err != nil {
				b.Error(err)
			}
		})
	}
	o.work(ctx, run, 0)
	run(func() error { return o.project(ctx) })
	return o
}

// work has the stages run; each takes its time.
func (o *ours) work(ctx context.Context, run func(func() error), takes time.Duration) {
	log := slog.New(slog.DiscardHandler)
	r := &consumers.Runner{Log: log, JS: o.JS, Events: o.Events, Publish: producers.Publisher{JS: o.JS}}
	cancels := consumers.NewCancels()
	run(func() error { return cancels.Follow(ctx, log, o.Events) })
	run(func() error { return r.Dispatch(ctx) })
	for _, name := range stages {
		st := consumers.Stage{Name: name, Workers: workers, Tries: 3, Timeout: time.Minute, Run: func(context.Context, consumers.Work) (consumers.Result, error) {
			time.Sleep(takes)
			return consumers.Result{Engine: "none"}, nil
		}}
		run(func() error { return r.Serve(ctx, st, cancels) })
	}
}

// project records the status on a connection of its own, as the product does.
func (o *ours) project(ctx context.Context) error {
	js, err := o.Connect("status")
	if err != nil {
		return err
	}
	s, err := js.Stream(ctx, broker.StreamEvents)
	if err != nil {
		return err
	}
	kv, err := js.KeyValue(ctx, broker.BucketStatus)
	if err != nil {
		return err
	}
	return status.Serve(ctx, slog.New(slog.DiscardHandler), s, status.Store{KV: kv})
}

func (o *ours) submit(ctx context.Context, task string) error {
	if o.whole {
		return o.pub.Submit(ctx, task, stages, "", job())
	}
	// Published directly, as the bare client does: the first request, no submission.
	return o.pub.Publish(ctx, events.New(task, stages[0], events.Requested, stages[1:], job()))
}

func (o *ours) done(ctx context.Context, task string, often time.Duration) error {
	return poll(ctx, often, func() (bool, error) {
		t, _, err := o.tasks.Get(ctx, task)
		return err == nil && t.Terminal(), nil
	})
}

func (o *ours) stored(ctx context.Context) (float64, error) { return stored(ctx, o.Broker) }

func (o *ours) stop() {
	o.cancel()
	o.wg.Wait()
	o.Close()
}

// bare is what somebody would write with the client alone: the same consumes,
// publishes, acknowledgements and status record, nothing of what keeps a task
// alive.
type bare struct {
	*broker.Broker
	consumers []jetstream.ConsumeContext
}

func newBare(b *testing.B, conf broker.Config) *bare {
	p := &bare{Broker: open(b, conf)}
	ctx := b.Context()
	for i, name := range stages {
		c, err := p.Events.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: name, FilterSubject: "vm." + name + ".requested.*", AckPolicy: jetstream.AckExplicitPolicy,
		})
		if err != nil {
			b.Fatal(err)
		}
		next := "vm.task.ended."
		if i+1 < len(stages) {
			next = "vm." + stages[i+1] + ".requested."
		}
		cc, err := c.Consume(func(m jetstream.Msg) {
			task := m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
			for _, subject := range []string{"vm." + name + ".ready." + task, next + task} {
				msg := &nats.Msg{Subject: subject, Header: m.Headers(), Data: m.Data()}
				msg.Header = nats.Header{}
				maps.Copy(msg.Header, m.Headers())
				if _, err := p.JS.PublishMsg(ctx, msg, jetstream.WithMsgID(subject)); err != nil && ctx.Err() == nil {
					b.Error(err)
				}
			}
			_ = m.Ack()
		}, jetstream.PullMaxMessages(16), jetstream.PullHeartbeat(time.Second))
		if err != nil {
			b.Fatal(err)
		}
		p.consumers = append(p.consumers, cc)
	}
	c, err := p.Events.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "status", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		b.Fatal(err)
	}
	cc, err := c.Consume(func(m jetstream.Msg) {
		if err := p.project(ctx, m); err != nil && ctx.Err() == nil {
			b.Error(err)
		}
		_ = m.Ack()
	}, jetstream.PullMaxMessages(256), jetstream.PullHeartbeat(time.Second))
	if err != nil {
		b.Fatal(err)
	}
	p.consumers = append(p.consumers, cc)
	return p
}

// project records the newest event of each stage by compare-and-swap.
func (p *bare) project(ctx context.Context, m jetstream.Msg) error {
	part := strings.Split(m.Subject(), ".")
	doc := map[string]any{}
	var rev uint64
	if e, err := p.Status.Get(ctx, part[3]); err == nil {
		rev = e.Revision()
		if err := json.Unmarshal(e.Value(), &doc); err != nil {
			return err
		}
	}
	doc[part[1]] = map[string]any{"verb": part[2], "time": time.Now(), "job": json.RawMessage(m.Data())}
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if rev == 0 {
		_, err = p.Status.Create(ctx, part[3], b)
	} else {
		_, err = p.Status.Update(ctx, part[3], b, rev)
	}
	return err
}

func (p *bare) submit(ctx context.Context, task string) error {
	header, data, err := events.Encode(events.New(task, stages[0], events.Requested, stages[1:], job()))
	if err != nil {
		return err
	}
	_, err = p.JS.PublishMsg(ctx, &nats.Msg{Subject: "vm." + stages[0] + ".requested." + task, Header: header, Data: data}, jetstream.WithMsgID(task))
	return err
}

func (p *bare) done(ctx context.Context, task string, often time.Duration) error {
	return poll(ctx, often, func() (bool, error) {
		e, err := p.Status.Get(ctx, task)
		if err != nil {
			return false, nil // not yet
		}
		return strings.Contains(string(e.Value()), `"ended"`), nil
	})
}

func (p *bare) stored(ctx context.Context) (float64, error) { return stored(ctx, p.Broker) }

func (p *bare) stop() {
	for _, c := range p.consumers {
		c.Stop()
	}
	p.Close()
}

func poll(ctx context.Context, often time.Duration, f func() (bool, error)) error {
	for ctx.Err() == nil {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		time.Sleep(often)
	}
	return ctx.Err()
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// rss is the resident memory of this process in MiB.
func rss() float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1024
		}
	}
	return 0
}

// figures of one round of one system.
type figures struct {
	cpu, rate  float64 // CPU seconds per 1,000 tasks, tasks per second
	idle, half latency // of a task alone, and at half of our rate
	bytes, rss float64 // MB stored per 1,000 tasks, MiB resident
}

// latency is from the submission until the status says that the task is done, in
// milliseconds.
type latency struct{ p50, p99 float64 }

func newLatency(ms []float64) latency {
	slices.Sort(ms)
	return latency{ms[len(ms)/2], ms[len(ms)*99/100]}
}

// measure submits a task and waits until it is done.
func measure(ctx context.Context, s system, task string, often time.Duration) (ms float64, err error) {
	begin := time.Now()
	if err := s.submit(ctx, task); err != nil {
		return 0, err
	}
	if err := s.done(ctx, task, often); err != nil {
		return 0, fmt.Errorf("%s: %w", task, err)
	}
	return float64(time.Since(begin).Microseconds()) / 1000, nil
}

// saturate has n tasks done as fast as the system can.
func saturate(b *testing.B, ctx context.Context, s system, n int) (f figures) {
	b.Helper()
	if _, err := measure(ctx, s, "warm", time.Millisecond); err != nil {
		b.Fatal(err)
	}
	start, used := time.Now(), cpu()
	var wg sync.WaitGroup
	const publishers = 8
	for p := range publishers {
		wg.Go(func() {
			for i := p; i < n; i += publishers {
				if err := s.submit(ctx, fmt.Sprintf("t%06d", i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for i := range n {
		if err := s.done(ctx, fmt.Sprintf("t%06d", i), 5*time.Millisecond); err != nil {
			b.Fatalf("task %d: %v", i, err)
		}
	}
	f.cpu = (cpu() - used).Seconds() * 1000 / float64(n)
	f.rate = float64(n) / time.Since(start).Seconds()
	f.rss = rss()
	return f
}

// steady submits n tasks at a rate, and measures every tenth.
func steady(b *testing.B, ctx context.Context, s system, n int, rate float64) latency {
	b.Helper()
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	var mu sync.Mutex
	var ms []float64
	var wg sync.WaitGroup
	for i := range n {
		<-tick.C
		wg.Go(func() {
			task := fmt.Sprintf("half%06d", i)
			if i%10 > 0 {
				if err := s.submit(ctx, task); err != nil {
					b.Error(err)
				}
				return
			}
			l, err := measure(ctx, s, task, time.Millisecond)
			if err != nil {
				b.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ms = append(ms, l)
		})
	}
	wg.Wait()
	return newLatency(ms)
}

// round measures one system: n tasks at once, then as many at rate, or half of its
// own when that is 0, then idle ones one by one.
func round(b *testing.B, s system, n, idle int, rate float64) figures {
	defer s.stop()
	ctx, cancel := context.WithTimeout(b.Context(), 2*time.Minute)
	defer cancel()
	f := saturate(b, ctx, s, n)
	stored, err := s.stored(ctx)
	if err != nil {
		b.Fatal(err)
	}
	f.bytes = stored / float64(n) // kB per task are MB per thousand
	if rate == 0 {
		rate = f.rate / 2
	}
	f.half = steady(b, ctx, s, n, rate)
	var ms []float64
	for i := range idle {
		time.Sleep(3 * time.Millisecond)
		l, err := measure(ctx, s, fmt.Sprintf("idle%04d", i), 50*time.Microsecond)
		if err != nil {
			b.Fatal(err)
		}
		ms = append(ms, l)
	}
	f.idle = newLatency(ms)
	return f
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// show prints the medians, and the median of the ratios of each round; a ratio
// above 1 means that ours is better.
func show(us, peer []figures, name, unit string, moreIsBetter bool, get func(figures) float64) {
	var o, p, q []float64
	for i := range us {
		o, p = append(o, get(us[i])), append(p, get(peer[i]))
		r := get(peer[i]) / get(us[i])
		if moreIsBetter {
			r = 1 / r
		}
		q = append(q, r)
	}
	fmt.Printf("bench: %s ours=%.2f%s peer=%.2f%s ratio=%.2f\n", name, median(o), unit, median(p), unit, median(q))
}

// BenchmarkPipeline interleaves rounds of ours and of the bare client.
func BenchmarkPipeline(b *testing.B) {
	rounds, n, idle := 5, 1500, 200
	if testing.Short() {
		rounds, n, idle = 3, 800, 40
	}
	var us, peer []figures
	for range rounds {
		f := round(b, newOurs(b, broker.Config{}), n, idle, 0)
		us = append(us, f)
		peer = append(peer, round(b, newBare(b, broker.Config{}), n, idle, f.rate/2))
	}
	show(us, peer, "pipeline-cpu", "s/1000tasks", false, func(f figures) float64 { return f.cpu })
	show(us, peer, "pipeline-saturated", "tasks/s", true, func(f figures) float64 { return f.rate })
	show(us, peer, "pipeline-idle-p50", "ms", false, func(f figures) float64 { return f.idle.p50 })
	show(us, peer, "pipeline-idle-p99", "ms", false, func(f figures) float64 { return f.idle.p99 })
	show(us, peer, "pipeline-half-p50", "ms", false, func(f figures) float64 { return f.half.p50 })
	show(us, peer, "pipeline-half-p99", "ms", false, func(f figures) float64 { return f.half.p99 })
	show(us, peer, "pipeline-bytes", "MB/1000tasks", false, func(f figures) float64 { return f.bytes })
	show(us, peer, "pipeline-rss", "MiB", false, func(f figures) float64 { return f.rss })
	b.ReportMetric(us[0].cpu, "cpu-s/1000tasks")
}

// BenchmarkPipelineSync has every event synced to the disk before it counts.
func BenchmarkPipelineSync(b *testing.B) {
	const rounds, n = 3, 300
	var us, peer []figures
	for range rounds {
		us = append(us, saturated(b, newOurs(b, broker.Config{Sync: true}), n))
		peer = append(peer, saturated(b, newBare(b, broker.Config{Sync: true}), n))
	}
	show(us, peer, "pipeline-sync", "tasks/s", true, func(f figures) float64 { return f.rate })
}

func saturated(b *testing.B, s system, n int) figures {
	defer s.stop()
	return saturate(b, b.Context(), s, n)
}
