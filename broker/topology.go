package broker

import (
	"cmp"
	"context"
	"log/slog"
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
	StreamDead        = "VM_DLQ" // what the broker tells about requests that were given up
)

// Sizes that the rest of the program relies on.
const (
	MaxEvent      = 64 << 10 // bytes of one event; blobs never ride in messages
	Retention     = 30 * 24 * time.Hour
	defaultStream = 4 << 30
)

// declare creates or updates everything we keep. Only this function knows the
// settings, so that no two processes can argue about them.
func (b *Broker) declare(ctx context.Context, log *slog.Logger, c Config) (err error) {
	d := declarer{log: log, js: b.JS, replicas: c.Replicas, update: b.srv != nil || c.Update}
	b.Events, err = d.stream(ctx, jetstream.StreamConfig{
		Name:              StreamEvents,
		Description:       "every event of every task",
		Subjects:          []string{events.AllSubjects, events.AllSchedules},
		Retention:         jetstream.LimitsPolicy,
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardOld,
		MaxAge:            Retention,
		MaxBytes:          cmp.Or(c.MaxBytes, defaultStream),
		MaxMsgSize:        MaxEvent,
		Duplicates:        2 * time.Minute, // longer windows slow the start down
		AllowDirect:       true,
		AllowMsgTTL:       true,
		AllowMsgSchedules: true,
		DenyDelete:        true, // history is not edited; purge by subject is for erasure
		RePublish:         &jetstream.RePublish{Source: events.Subject(events.Task, events.Ended, "*"), Destination: "live.ended.{{wildcard(1)}}"},
	})
	if err != nil {
		return err
	}
	if _, err = d.stream(ctx, jetstream.StreamConfig{
		Name:              StreamProgress,
		Description:       "how far running stages are",
		Subjects:          []string{events.ProgressSubject("*", "*")},
		Storage:           jetstream.MemoryStorage,
		MaxAge:            time.Hour,
		MaxMsgsPerSubject: 1,
		MaxMsgSize:        4 << 10,
		AllowDirect:       true,
	}); err != nil {
		return err
	}
	b.Dead, err = d.stream(ctx, jetstream.StreamConfig{
		Name:        StreamDead,
		Description: "advisories about messages that were terminated or delivered too often",
		Subjects: []string{
			"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES." + StreamEvents + ".*",
			"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED." + StreamEvents + ".*",
		},
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardOld,
		MaxAge:      Retention,
		MaxBytes:    256 << 20,
		AllowDirect: true,
	})
	if err != nil {
		return err
	}
	b.Status, err = d.bucket(ctx, jetstream.KeyValueConfig{
		Bucket:       BucketStatus,
		Description:  "one document per task, projected from " + StreamEvents,
		TTL:          Retention,
		MaxValueSize: MaxEvent,
		Storage:      jetstream.FileStorage,
	})
	if err != nil {
		return err
	}
	blobs := d
	blobs.js = b.BlobJS
	b.Blobs, err = blobs.objects(ctx, jetstream.ObjectStoreConfig{
		Bucket:      BucketBlobs,
		Description: "blobs that events name by key",
		Storage:     jetstream.FileStorage,
	})
	if err != nil {
		return err
	}
	b.Cache, err = d.bucket(ctx, jetstream.KeyValueConfig{
		Bucket:       BucketCache,
		Description:  "what stages made, by the content they were given",
		TTL:          cmp.Or(c.CacheTTL, 30*time.Minute),
		MaxValueSize: 16 << 10,
		Storage:      jetstream.FileStorage,
	})
	if err != nil {
		return err
	}
	return b.declareGateway(ctx, d)
}

// declareGateway declares what the gateway keeps beside the event stream.
func (b *Broker) declareGateway(ctx context.Context, d declarer) (err error) {
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
		if *kv.to, err = d.bucket(ctx, kv.conf); err != nil {
			return err
		}
	}
	b.Deliveries, err = d.stream(ctx, jetstream.StreamConfig{
		Name:              StreamWebhooks,
		Description:       "what is told to webhooks: bodies, attempts due and later, log",
		Subjects:          []string{"vmw.*.*.*"},
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardOld,
		MaxAge:            Retention,
		MaxBytes:          1 << 30,
		MaxMsgSize:        2 * MaxEvent,
		Duplicates:        2 * time.Minute,
		AllowDirect:       true,
		AllowMsgSchedules: true,
	})
	if err != nil {
		return err
	}
	return nil
}
