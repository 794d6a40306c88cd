package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// ErrDeclared is what creating a consumer returns on a Declaring stream once the
// consumer exists: whoever would have read from it ends instead.
var ErrDeclared = errors.New("consumer declared")

// Missing says that something an operator declares does not exist.
type Missing struct{ What string }

func (m *Missing) Error() string {
	return m.What + " does not exist: run `videomsg bootstrap` as the operator"
}

// Part is a set of what a process opens when it declares nothing itself, so that
// its user needs no permission for the rest. The event stream is always opened.
type Part int

// What there is beside the event stream.
const (
	PartProgress Part = 1 << iota
	PartStatus
	PartBlobs
	PartCache
	PartProfiles
	PartGateway // library, idempotency, limits
	PartWebhooks
	PartOrders
	PartDead
	PartAll = PartOrders | PartDead | PartProgress | PartStatus | PartBlobs | PartCache | PartProfiles | PartGateway | PartWebhooks
)

// bind opens what somebody else has declared.
func (b *Broker) bind(ctx context.Context, parts Part) error {
	stream := func(name string) (jetstream.Stream, error) {
		s, err := b.JS.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, &Missing{"stream " + name}
		}
		if err != nil {
			return nil, fmt.Errorf("open stream %s: %w", name, err)
		}
		return Bound{s}, nil
	}
	var err error
	if b.Events, err = stream(StreamEvents); err != nil {
		return err
	}
	if lacks := lacking(b.Events.CachedInfo().Config); len(lacks) > 0 {
		return fmt.Errorf("stream %s was declared by an older program: it lacks %s; run `videomsg bootstrap` of this one as the operator", StreamEvents, strings.Join(lacks, ", "))
	}
	if parts&PartDead != 0 {
		if b.Dead, err = stream(StreamDead); err != nil {
			return err
		}
	}
	if parts&PartWebhooks != 0 {
		if b.Deliveries, err = stream(StreamWebhooks); err != nil {
			return err
		}
	}
	for _, kv := range []struct {
		part Part
		to   *jetstream.KeyValue
		name string
	}{
		{PartStatus, &b.Status, BucketStatus},
		{PartCache, &b.Cache, BucketCache},
		{PartOrders, &b.Orders, BucketOrders},
		{PartProfiles, &b.Profiles, BucketProfiles},
		{PartGateway, &b.Library, BucketLibrary},
		{PartGateway, &b.Idempotency, BucketIdempotency},
		{PartGateway, &b.Limits, BucketLimits},
		{PartWebhooks, &b.Webhooks, BucketWebhooks},
	} {
		if parts&kv.part == 0 {
			continue
		}
		*kv.to, err = b.JS.KeyValue(ctx, kv.name)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			return &Missing{"bucket " + kv.name}
		}
		if err != nil {
			return fmt.Errorf("open bucket %s: %w", kv.name, err)
		}
	}
	if parts&PartBlobs != 0 {
		b.Blobs, err = b.BlobJS.ObjectStore(ctx, BucketBlobs)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			return &Missing{"bucket " + BucketBlobs}
		}
		if err != nil {
			return fmt.Errorf("open bucket %s: %w", BucketBlobs, err)
		}
	}
	return nil
}

// lacking names what this program needs of the event stream and have is without.
// What have offers beyond it, as a newer program asks for, does no harm.
func lacking(have jetstream.StreamConfig) (names []string) {
	for _, s := range []string{events.AllSubjects, events.AllSchedules} {
		if !slices.Contains(have.Subjects, s) {
			names = append(names, "subject "+s)
		}
	}
	for name, ok := range map[string]bool{"direct gets": have.AllowDirect, "message schedules": have.AllowMsgSchedules, "message lifetimes": have.AllowMsgTTL} {
		if !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Bound is a stream whose consumers somebody else declares: asking for one finds
// it, and never makes or changes it.
type Bound struct{ jetstream.Stream }

// CreateOrUpdateConsumer finds the durable consumer of that name. What it was
// declared with must be what this program would declare; a consumer of another
// version is used as it is when it reads the same subjects.
func (s Bound) CreateOrUpdateConsumer(ctx context.Context, conf jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	cons, err := s.Consumer(ctx, conf.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, &Missing{"consumer " + conf.Durable}
	}
	if err != nil {
		return nil, err
	}
	have, want := filters(cons.CachedInfo().Config), filters(conf)
	for f := range want {
		if !have[f] {
			return nil, fmt.Errorf("consumer %s does not read %s: it was declared by another version; run `videomsg bootstrap` of this one", conf.Durable, f)
		}
	}
	return cons, nil
}

func filters(c jetstream.ConsumerConfig) map[string]bool {
	all := map[string]bool{}
	if c.FilterSubject != "" {
		all[c.FilterSubject] = true
	}
	for _, f := range c.FilterSubjects {
		all[f] = true
	}
	return all
}

// Declaring is a stream that makes consumers and lets nobody read from them.
// Whoever knows a consumer's settings is the loop that reads it; run on a
// Declaring stream, the loop declares it and ends with ErrDeclared.
type Declaring struct{ jetstream.Stream }

// CreateOrUpdateConsumer implements jetstream.Stream. It does not end with ctx:
// of loops that run together the first to end stops the others.
func (s Declaring) CreateOrUpdateConsumer(ctx context.Context, conf jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, err := s.Stream.CreateOrUpdateConsumer(ctx, conf); err != nil {
		return nil, err
	}
	return nil, ErrDeclared
}
