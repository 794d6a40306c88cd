package consumers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/objectstore"
)

// Cache remembers what stages made, by the content of what they were given, for
// as long as its bucket keeps entries. It holds keys of blobs, never content: when
// those are gone, the entry is a miss. One task does the work while others that
// want the same wait for it, in all processes.
type Cache struct {
	KV    jetstream.KeyValue
	Blobs objectstore.Store
}

// entry is a cached result, or the promise of one while By works on it.
type entry struct {
	By      string                 `json:"by"` // task
	Ready   bool                   `json:"ready"`
	Engine  string                 `json:"engine,omitempty"`
	Credit  string                 `json:"credit,omitempty"`
	Remarks []string               `json:"remarks,omitempty"`
	Blobs   map[string]events.Blob `json:"blobs,omitempty"`
}

// cacheKey is the digest of a stage's name and of everything that decides its
// result.
func cacheKey(stage, content string) string {
	sum := sha256.Sum256([]byte(stage + "\x00" + content))
	return hex.EncodeToString(sum[:])
}

// run gives the cached result for content, or runs f and remembers what it made.
// Trouble with the cache costs its use, never the task.
func (c *Cache) run(ctx context.Context, stage, task, content string, f func(context.Context) (Result, error)) (Result, error) {
	if c == nil || content == "" {
		return f(ctx)
	}
	key := cacheKey(stage, content)
	wait := time.NewTicker(100 * time.Millisecond)
	defer wait.Stop()
	for {
		e, rev, err := c.get(ctx, key)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			if rev, err = c.claim(ctx, key, task, 0); err == nil {
				return c.fill(ctx, key, task, rev, f)
			}
		case err != nil:
			return f(ctx)
		case e.Ready:
			if res, err := c.copy(ctx, task, e); err == nil {
				return res, nil
			}
			// The blobs are gone: make them anew.
			if rev, err = c.claim(ctx, key, task, rev); err == nil {
				return c.fill(ctx, key, task, rev, f)
			}
		case e.By == task, e.stale:
			if rev, err = c.claim(ctx, key, task, rev); err == nil {
				return c.fill(ctx, key, task, rev, f)
			}
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return Result{}, ctx.Err()
		}
	}
}

// seen is an entry as it was found.
type seen struct {
	entry
	stale bool // its worker has not renewed the promise
}

func (c *Cache) get(ctx context.Context, key string) (seen, uint64, error) {
	kv, err := c.KV.Get(ctx, key)
	if err != nil {
		return seen{}, 0, err
	}
	var e entry
	if err := json.Unmarshal(kv.Value(), &e); err != nil {
		return seen{stale: true}, kv.Revision(), nil
	}
	return seen{e, !e.Ready && time.Since(kv.Created()) > lease}, kv.Revision(), nil
}

// claim writes the promise; it fails when somebody else was faster.
func (c *Cache) claim(ctx context.Context, key, task string, rev uint64) (uint64, error) {
	b, err := json.Marshal(entry{By: task})
	if err != nil {
		return 0, err
	}
	if rev == 0 {
		return c.KV.Create(ctx, key, b)
	}
	return c.KV.Update(ctx, key, b, rev)
}

// fill runs f under the promise, which it renews, and then keeps it or takes it
// back. A degraded result is not kept: the next task may fare better.
func (c *Cache) fill(ctx context.Context, key, task string, rev uint64, f func(context.Context) (Result, error)) (Result, error) {
	done, renewed := make(chan struct{}), make(chan uint64, 1)
	go func() {
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if next, err := c.claim(ctx, key, task, rev); err == nil {
					rev = next
				}
			case <-done:
				renewed <- rev
				return
			}
		}
	}()
	res, err := f(ctx)
	close(done)
	rev = <-renewed
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	if err != nil || len(res.Fallback) > 0 || res.Skipped {
		_ = c.KV.Delete(last, key, jetstream.LastRevision(rev)) // otherwise it goes stale
		return res, err
	}
	b, jerr := json.Marshal(entry{By: task, Ready: true, Engine: res.Engine, Credit: res.Credit, Remarks: res.Remarks, Blobs: res.Blobs})
	if jerr == nil {
		_, _ = c.KV.Update(last, key, b, rev) // a lost entry is a miss
	}
	return res, nil
}

// copy gives task blobs of its own, so that it does not depend on how long
// another task is kept.
func (c *Cache) copy(ctx context.Context, task string, e seen) (Result, error) {
	res := Result{Engine: e.Engine, Credit: e.Credit, Remarks: e.Remarks, Cache: "hit", Blobs: map[string]events.Blob{}}
	for name, b := range e.Blobs {
		part := strings.SplitN(b.Key, "/", 3)
		if len(part) != 3 {
			return Result{}, fmt.Errorf("key %q: %w", b.Key, objectstore.ErrInvalidKey)
		}
		rc, err := c.Blobs.Get(ctx, b.Key)
		if err != nil {
			return Result{}, err
		}
		info, err := c.Blobs.Put(ctx, objectstore.Key(objectstore.Class(part[0]), task, part[2]), rc)
		if err = errors.Join(err, rc.Close()); err != nil {
			return Result{}, err
		}
		if info.SHA256 != b.SHA256 {
			return Result{}, fmt.Errorf("copy %s: %w", b.Key, objectstore.ErrCorrupt)
		}
		b.Key = info.Key
		res.Blobs[name] = b
	}
	return res, nil
}
