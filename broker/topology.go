package broker

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// Names of what the broker keeps.
const (
	StreamEvents   = "VM_EVENTS"
	StreamProgress = "VM_PROGRESS"
	BucketStatus   = "vm_status"
	BucketBlobs    = "vm_blobs"

	BucketCache       = "vm_cache"       // what stages made, by content
	BucketProfiles    = "vm_profiles"    // cloned voices and the consent to them
	BucketLibrary     = "vm_library"     // what users keep beside tasks
	BucketIdempotency = "vm_idempotency" // answers to requests with a key
	BucketLimits      = "vm_limits"      // recent requests, for rate limits
	BucketWebhooks    = "vm_webhooks"    // endpoints
	BucketOrders      = "vm_orders"      // what was ordered outside, by stage and task
	StreamWebhooks    = "VM_WEBHOOKS"
)

// Sizes that the rest of the program relies on.
const (
	MaxEvent      = 64 << 10 // bytes of one event; blobs never ride in messages
	Retention     = 30 * 24 * time.Hour
	defaultStream = 4 << 30
)

// declare creates or updates everything we keep. Only this function knows the
// settings, so that no two processes can argue about them.
func (b *Broker) declare(ctx context.Context, c Config) (err error) {
	replicas := max(c.Replicas, 1)
	maxBytes := c.MaxBytes
	if maxBytes == 0 {
		maxBytes = defaultStream
	}
	b.Events, err = b.JS.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              StreamEvents,
		Description:       "every event of every task",
		Subjects:          []string{events.AllSubjects},
		Retention:         jetstream.LimitsPolicy,
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardOld,
		Replicas:          replicas,
		MaxAge:            Retention,
		MaxBytes:          maxBytes,
		MaxMsgSize:        MaxEvent,
		Duplicates:        2 * time.Minute, // longer windows slow the start down
		AllowDirect:       true,
		AllowMsgTTL:       true,
		AllowMsgSchedules: true,
		DenyDelete:        true, // history is not edited; purge by subject is for erasure
		RePublish:         &jetstream.RePublish{Source: events.Subject(events.Task, events.Ended, "*"), Destination: "live.ended.{{wildcard(1)}}"},
	})
	if err != nil {
		return fmt.Errorf("declare stream %s: %w", StreamEvents, err)
	}
	if _, err = b.JS.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              StreamProgress,
		Description:       "how far running stages are",
		Subjects:          []string{events.ProgressSubject("*", "*")},
		Storage:           jetstream.MemoryStorage,
		Replicas:          replicas,
		MaxAge:            time.Hour,
		MaxMsgsPerSubject: 1,
		MaxMsgSize:        4 << 10,
		AllowDirect:       true,
	}); err != nil {
		return fmt.Errorf("declare stream %s: %w", StreamProgress, err)
	}
	b.Status, err = b.JS.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:       BucketStatus,
		Description:  "one document per task, projected from " + StreamEvents,
		History:      1,
		TTL:          Retention,
		MaxValueSize: MaxEvent,
		Storage:      jetstream.FileStorage,
		Replicas:     replicas,
	})
	if err != nil {
		return fmt.Errorf("declare bucket %s: %w", BucketStatus, err)
	}
	b.Blobs, err = b.BlobJS.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket:      BucketBlobs,
		Description: "blobs that events name by key",
		Storage:     jetstream.FileStorage,
		Replicas:    replicas,
	})
	if err != nil {
		return fmt.Errorf("declare bucket %s: %w", BucketBlobs, err)
	}
	b.Cache, err = b.JS.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:       BucketCache,
		Description:  "what stages made, by the content they were given",
		History:      1,
		TTL:          cmp.Or(c.CacheTTL, 30*time.Minute),
		MaxValueSize: 16 << 10,
		Storage:      jetstream.FileStorage,
		Replicas:     replicas,
	})
	if err != nil {
		return fmt.Errorf("declare bucket %s: %w", BucketCache, err)
	}
	return b.declareGateway(ctx, replicas)
}

// declareGateway declares what the gateway keeps beside the event stream.
func (b *Broker) declareGateway(ctx context.Context, replicas int) (err error) {
	for _, kv := range []struct {
		to   *jetstream.KeyValue
		conf jetstream.KeyValueConfig
	}{
		{&b.Profiles, jetstream.KeyValueConfig{Bucket: BucketProfiles, Description: "cloned voices and the consent to them", Storage: jetstream.FileStorage, MaxValueSize: 64 << 10}},
		{&b.Library, jetstream.KeyValueConfig{Bucket: BucketLibrary, Description: "own music, voices by subject, handled dead letters", Storage: jetstream.FileStorage, MaxValueSize: 64 << 10}},
		{&b.Idempotency, jetstream.KeyValueConfig{Bucket: BucketIdempotency, Description: "answers to requests with an Idempotency-Key", Storage: jetstream.FileStorage, TTL: 24 * time.Hour, MaxValueSize: 64 << 10}},
		{&b.Orders, jetstream.KeyValueConfig{Bucket: BucketOrders, Description: "what was ordered outside", Storage: jetstream.FileStorage, TTL: Retention, MaxValueSize: 4 << 10}},
		{&b.Limits, jetstream.KeyValueConfig{Bucket: BucketLimits, Description: "recent requests", Storage: jetstream.MemoryStorage, TTL: 2 * time.Minute, MaxValueSize: 16 << 10}},
		{&b.Webhooks, jetstream.KeyValueConfig{Bucket: BucketWebhooks, Description: "addresses that are told when tasks end", Storage: jetstream.FileStorage, MaxValueSize: 16 << 10}},
	} {
		kv.conf.History, kv.conf.Replicas = 1, replicas
		if *kv.to, err = b.JS.CreateOrUpdateKeyValue(ctx, kv.conf); err != nil {
			return fmt.Errorf("declare bucket %s: %w", kv.conf.Bucket, err)
		}
	}
	b.Deliveries, err = b.JS.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              StreamWebhooks,
		Description:       "what is told to webhooks: bodies, attempts due and later, log",
		Subjects:          []string{"vmw.*.*.*"},
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardOld,
		Replicas:          replicas,
		MaxAge:            Retention,
		MaxBytes:          1 << 30,
		MaxMsgSize:        2 * MaxEvent,
		Duplicates:        2 * time.Minute,
		AllowDirect:       true,
		AllowMsgSchedules: true,
	})
	if err != nil {
		return fmt.Errorf("declare stream %s: %w", StreamWebhooks, err)
	}
	return nil
}
