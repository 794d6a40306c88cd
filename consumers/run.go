package consumers

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"

	"github.com/videomsg/videomsg/objectstore"
)

// A run is one execution of a stage, as its context carries it. Each has blob keys
// of its own: one that was thought dead may wake and go on writing, and must not
// replace what another has made and an event has named.
type run struct {
	id string

	mu   sync.Mutex
	undo []func(context.Context) error
}

type runKey struct{}

// newRun returns a context for one execution of a stage.
func newRun(ctx context.Context) (context.Context, *run) {
	r := &run{id: strings.ToLower(rand.Text()[:10])}
	return context.WithValue(ctx, runKey{}, r), r
}

// runOf is the run that ctx belongs to; nil for none.
func runOf(ctx context.Context) *run {
	r, _ := ctx.Value(runKey{}).(*run)
	return r
}

// made notes a blob of the run, before it is stored.
func (r *run) made(store objectstore.Store, key string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.undo = append(r.undo, func(ctx context.Context) error {
		err := store.Delete(ctx, key)
		if errors.Is(err, objectstore.ErrNotFound) {
			return nil
		}
		return err
	})
}

// discard removes what the run has made and no event will name. What cannot be
// removed now goes when the task is erased: its key is below the task's.
func (r *run) discard(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, f := range r.undo {
		errs = append(errs, f(ctx))
	}
	r.undo = nil
	return errors.Join(errs...)
}
