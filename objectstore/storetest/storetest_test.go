package storetest_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/storetest"
)

func TestMemoryConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) objectstore.Store { return new(storetest.Memory) })
}

func TestDecoratedConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) objectstore.Store {
		var s objectstore.Full = new(storetest.Memory)
		s = objectstore.Retry(s, objectstore.RetryPolicy{})
		return objectstore.Observe(s, "memory", func(objectstore.Operation) {})
	})
}

func TestFailing(t *testing.T) {
	ctx := t.Context()
	t.Run("not persisted", func(t *testing.T) {
		mem := new(storetest.Memory)
		s := storetest.FailAndNotPersist(mem, 1)
		if _, err := s.Put(ctx, "a", strings.NewReader("x")); !errors.Is(err, storetest.ErrInjected) {
			t.Errorf("Put = %v", err)
		}
		if _, err := mem.Stat(ctx, "a"); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("Stat = %v: the failed Put took effect", err)
		}
	})
	t.Run("persisted", func(t *testing.T) {
		mem := new(storetest.Memory)
		s := storetest.FailButPersist(mem, 1)
		if _, err := s.Put(ctx, "a", strings.NewReader("x")); !errors.Is(err, storetest.ErrInjected) {
			t.Errorf("Put = %v", err)
		}
		if _, err := mem.Stat(ctx, "a"); err != nil {
			t.Errorf("Stat = %v: the Put took no effect", err)
		}
	})
	t.Run("cut", func(t *testing.T) {
		mem := new(storetest.Memory)
		s := &storetest.Failing{Full: mem, CutAt: 2}
		if _, err := s.Put(ctx, "a", strings.NewReader("xyz")); err != nil {
			t.Fatal(err)
		}
		r, err := s.Get(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); string(b) != "xy" || !errors.Is(err, storetest.ErrInjected) {
			t.Errorf("ReadAll = %q, %v", b, err)
		}
	})
}
