// Command watermill has no-op tasks done in five stages by Watermill on JetStream:
// each stage publishes a fact and the next request, and a recorder keeps one status
// document per task, as the pipeline does. It prints one line of JSON: its CPU
// seconds, without the server's, and tasks per second.
//
// usage: watermill URL TASKS JOB
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wmjs "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/jetstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var stages = []string{"image", "voice", "prosody", "bgm", "video"}

const (
	workers = 4 // per stage
	stream  = "WM"
	all     = "wm.>"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: watermill URL TASKS JOB")
	}
	url, job := args[0], []byte(args[2])
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: stream, Subjects: []string{all}, AllowDirect: true}); err != nil {
		return err
	}
	kv, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "status"})
	if err != nil {
		return err
	}
	pub, err := wmjs.NewPublisher(wmjs.PublisherConfig{URL: url, Logger: watermill.NopLogger{}})
	if err != nil {
		return err
	}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	if err := wire(router, pub, url, kv); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- router.Run(ctx) }()
	select {
	case <-router.Running():
	case err := <-failed:
		return err
	}
	begin, used := time.Now(), cpu()
	submitted := make(chan error, 8)
	for p := range cap(submitted) {
		go func() {
			for i := p; i < n; i += cap(submitted) {
				if err := pub.Publish(topic(stages[0], "requested"), about(job, task(i), stages[0], "requested")); err != nil {
					submitted <- err
					return
				}
			}
			submitted <- nil
		}()
	}
	for range cap(submitted) {
		if err := <-submitted; err != nil {
			return err
		}
	}
	for i := range n {
		for {
			e, err := kv.Get(ctx, task(i))
			if err == nil && ended(e.Value()) {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"cpu": (cpu() - used).Seconds(), "rate": float64(n) / time.Since(begin).Seconds(),
	})
}

// wire has each stage read by its workers, and everything by the recorder.
func wire(router *message.Router, pub message.Publisher, url string, kv jetstream.KeyValue) error {
	for i, stage := range stages {
		next, verb := "task", "ended"
		if i+1 < len(stages) {
			next, verb = stages[i+1], "requested"
		}
		sub, err := subscriber(url, stage, 1)
		if err != nil {
			return err
		}
		for w := range workers {
			router.AddHandler(fmt.Sprintf("%s%d", stage, w), topic(stage, "requested"), sub, topic(next, verb), pub, func(m *message.Message) ([]*message.Message, error) {
				t := m.Metadata.Get("task")
				if err := pub.Publish(topic(stage, "ready"), about(m.Payload, t, stage, "ready")); err != nil {
					return nil, err
				}
				return []*message.Message{about(m.Payload, t, next, verb)}, nil
			})
		}
	}
	sub, err := subscriber(url, "status", 256)
	if err != nil {
		return err
	}
	router.AddConsumerHandler("status", all, sub, func(m *message.Message) error { return record(m, kv) })
	return nil
}

func subscriber(url, durable string, batch int) (message.Subscriber, error) {
	return wmjs.NewSubscriber(wmjs.SubscriberConfig{
		URL: url, Logger: watermill.NopLogger{}, AckAsync: true, AckWaitTimeout: 30 * time.Second,
		ConsumeOptions: []jetstream.PullConsumeOpt{jetstream.PullMaxMessages(batch), jetstream.PullHeartbeat(time.Second)},
		ResourceInitializer: func(ctx context.Context, js jetstream.JetStream, topic string) (jetstream.Consumer, func(context.Context, watermill.LoggerAdapter), error) {
			c, err := js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{Durable: durable, FilterSubject: topic, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 1024})
			return c, nil, err
		},
	})
}

// record keeps the newest event of each stage by compare-and-swap.
func record(m *message.Message, kv jetstream.KeyValue) error {
	doc := map[string]any{}
	var rev uint64
	name := m.Metadata.Get("task")
	if e, err := kv.Get(m.Context(), name); err == nil {
		rev = e.Revision()
		if err := json.Unmarshal(e.Value(), &doc); err != nil {
			return err
		}
	}
	doc[m.Metadata.Get("stage")] = map[string]any{"verb": m.Metadata.Get("verb"), "time": time.Now(), "job": json.RawMessage(m.Payload)}
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if rev == 0 {
		_, err = kv.Create(m.Context(), name, b)
	} else {
		_, err = kv.Update(m.Context(), name, b, rev)
	}
	return err
}

func ended(doc []byte) bool {
	var d struct{ Task struct{ Verb string } }
	return json.Unmarshal(doc, &d) == nil && d.Task.Verb == "ended"
}

func topic(stage, verb string) string { return "wm." + stage + "." + verb }

func task(i int) string { return fmt.Sprintf("t%06d", i) }

func about(job []byte, task, stage, verb string) *message.Message {
	m := message.NewMessage(watermill.NewUUID(), job)
	m.Metadata = message.Metadata{"task": task, "stage": stage, "verb": verb}
	return m
}

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail for oneself
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
