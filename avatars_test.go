package main

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/videomsg/videomsg/broker"
)

func TestOrderBookKeepsAnOrderOnce(t *testing.T) {
	b, err := broker.Open(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)), broker.Config{Name: "test", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	book := orderBook{b.Orders}
	if _, known, err := book.Find(t.Context(), "d-id.t"); err != nil || known {
		t.Fatalf("known %v, %v", known, err)
	}
	var first atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, f, err := book.Begin(t.Context(), "d-id.t"); err != nil {
				t.Error(err)
			} else if f {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 {
		t.Errorf("%d were first", first.Load())
	}
	if err := book.Started(t.Context(), "d-id.t", "tlk_1"); err != nil {
		t.Fatal(err)
	}
	if id, f, err := book.Begin(t.Context(), "d-id.t"); id != "tlk_1" || f || err != nil {
		t.Errorf("id %q, first %v, %v", id, f, err)
	}
	if err := book.Forget(t.Context(), "d-id.t"); err != nil {
		t.Fatal(err)
	}
	if _, f, err := book.Begin(t.Context(), "d-id.t"); !f || err != nil {
		t.Errorf("after forgetting: first %v, %v", f, err)
	}
}
