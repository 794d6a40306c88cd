package status

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/producers"
)

// slow is a bucket that takes its time for every write, and begins late.
type slow struct {
	jetstream.KeyValue
	begin chan struct{}
}

func (s slow) Create(ctx context.Context, key string, v []byte, opts ...jetstream.KVCreateOpt) (uint64, error) {
	<-s.begin
	time.Sleep(2 * time.Millisecond)
	return s.KeyValue.Create(ctx, key, v, opts...)
}

func (s slow) Update(ctx context.Context, key string, v []byte, rev uint64) (uint64, error) {
	<-s.begin
	time.Sleep(2 * time.Millisecond)
	return s.KeyValue.Update(ctx, key, v, rev)
}

// TestSlowProjectorsCatchUp has two projectors fall behind what is published, which
// does not wait for them, and end with the documents that a fold gives.
func TestSlowProjectorsCatchUp(t *testing.T) {
	b, err := broker.Open(t.Context(), slog.New(slog.DiscardHandler), broker.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	begin := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			if err := Serve(ctx, slog.New(slog.DiscardHandler), b.Events, Store{KV: slow{b.Status, begin}}); err != nil {
				t.Error(err)
			}
		})
	}
	pub := producers.Publisher{JS: b.JS}
	const tasks = 60
	for i := range tasks {
		if err := pub.Publish(ctx, life(fmt.Sprintf("slow%03d", i), events.TaskCompleted)...); err != nil {
			t.Fatal(err)
		}
	}
	cons, err := b.Events.Consumer(ctx, Consumer)
	if err != nil {
		t.Fatal(err)
	}
	if i := cons.CachedInfo(); i.NumPending+uint64(i.NumAckPending) == 0 {
		t.Error("the projectors are not slow")
	}
	close(begin)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		i, err := cons.Info(ctx)
		if err == nil && i.NumPending == 0 && i.NumAckPending == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d events wait, %v", i.NumPending, err)
		}
	}
	r, err := Rebuild(ctx, b.Events, Store{KV: b.Status}, false)
	if err != nil || r.Tasks != tasks || r.Identical != tasks {
		t.Errorf("%+v, %v", r, err)
	}
}
