package consumers

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Orders remembers what was ordered outside, before it is waited for: a stage
// that runs again for the same task goes on waiting for the same order instead of
// paying for another one. It may be used by any number of processes at once.
type Orders struct{ KV jetstream.KeyValue }

// order is what is known of one. The key is decided, and stored, before the
// first call, so that every try makes its order under the same key.
type order struct {
	Key string `json:"key"`
	ID  string `json:"id,omitempty"`
}

// Once gives the id of the order that stage has made for task, and makes it with
// place when there is none. place may be called again, with the same key, when an
// earlier call was not answered or its process died: the service must know the
// key (as an Idempotency-Key), or place must look for an order with it first.
func (o Orders) Once(ctx context.Context, stage, task string, place func(ctx context.Context, key string) (id string, err error)) (string, error) {
	name := stage + "." + task
	for {
		e, rev, err := o.get(ctx, name)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			e = order{Key: rand.Text()}
			rev, err = o.put(ctx, name, e, 0)
		}
		if errors.Is(err, jetstream.ErrKeyExists) { // somebody else was faster: the key is theirs
			if !pause(ctx, 20*time.Millisecond) { // a replica may not know it yet
				return "", ctx.Err()
			}
			continue
		}
		if err != nil {
			return "", fmt.Errorf("order of %s: %w", name, err)
		}
		if e.ID != "" {
			return e.ID, nil
		}
		if e.ID, err = place(ctx, e.Key); err != nil {
			return "", err
		}
		if _, err = o.put(ctx, name, e, rev); errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
			if !pause(ctx, 20*time.Millisecond) {
				return "", ctx.Err()
			}
			continue
		} else if err != nil {
			return "", fmt.Errorf("remember order of %s: %w", name, err)
		}
		return e.ID, nil
	}
}

func (o Orders) get(ctx context.Context, name string) (e order, rev uint64, err error) {
	kv, err := o.KV.Get(ctx, name)
	if err != nil {
		return e, 0, err
	}
	return e, kv.Revision(), json.Unmarshal(kv.Value(), &e)
}

func (o Orders) put(ctx context.Context, name string, e order, rev uint64) (uint64, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return 0, err
	}
	if rev == 0 {
		return o.KV.Create(ctx, name, b)
	}
	return o.KV.Update(ctx, name, b, rev)
}
