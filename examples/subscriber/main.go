// Command subscriber prints how tasks end, as an outsider sees it: it needs the
// broker's address and the package events, nothing else. Run several with one
// durable name and they share the work; kill one and it misses nothing.
//
//	subscriber nats://127.0.0.1:4222 my-partner
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		log.Fatal("usage: subscriber URL NAME")
	}
	nc, err := nats.Connect(os.Args[1])
	check(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	check(err)
	cons, err := js.CreateOrUpdateConsumer(ctx, "VM_EVENTS", jetstream.ConsumerConfig{
		Durable:       "ext-" + os.Args[2],
		FilterSubject: events.Subject(events.Task, events.Ended, "*"),
		AckPolicy:     jetstream.AckExplicitPolicy,
	})
	check(err)
	run, err := cons.Consume(func(m jetstream.Msg) {
		e, err := events.Decode(m.Headers(), m.Data())
		if err != nil {
			_ = m.TermWithReason(err.Error()) // it will not get better
			return
		}
		fmt.Println(e.ID(), e.Verb, e.Job.Blobs[events.BlobVideo].Key)
		_ = m.Ack() // may come again all the same: e.ID() tells
	})
	check(err)
	defer run.Stop()
	<-ctx.Done()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
