package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrDiffers says that a stream or bucket exists with other settings than this
// process would give it. In a cluster nothing is changed silently: two processes
// with different settings would change it back and forth.
var ErrDiffers = errors.New("other settings")

// ErrNewer says that a newer program has declared a stream: this one would take
// away what that one relies on.
var ErrNewer = errors.New("declared by a newer program")

// topology numbers what is declared. It grows whenever programs of the number before
// could no longer use the streams, and is written into each.
const (
	topology    = 1
	topologyKey = "videomsg.topology"
)

// declarer makes what is missing, and compares what is there.
type declarer struct {
	log      *slog.Logger
	js       jetstream.JetStream
	replicas int  // 0: keep what is there
	update   bool // change what differs; otherwise that is an error
}

// kept is the settings of a stream that matter to us, as they are compared.
type kept struct {
	Subjects          string
	Storage           jetstream.StorageType
	Retention         jetstream.RetentionPolicy
	Discard           jetstream.DiscardPolicy
	Replicas          int
	MaxAge            time.Duration
	MaxBytes          int64
	MaxMsgSize        int32
	MaxMsgsPerSubject int64
	AllowMsgTTL       bool
	AllowMsgSchedules bool
	DenyDelete        bool
	RePublish         string
}

func keptOf(c jetstream.StreamConfig) kept {
	k := kept{
		strings.Join(c.Subjects, " "), c.Storage, c.Retention, c.Discard, c.Replicas, c.MaxAge, max(c.MaxBytes, 0), max(c.MaxMsgSize, 0),
		max(c.MaxMsgsPerSubject, 0), c.AllowMsgTTL, c.AllowMsgSchedules, c.DenyDelete, "",
	}
	if c.RePublish != nil {
		k.RePublish = c.RePublish.Source + " to " + c.RePublish.Destination
	}
	return k
}

// differences names each setting that is not as it should be.
func differences(have, want kept) []string {
	var list []string
	h, w := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range h.NumField() {
		if !h.Field(i).Equal(w.Field(i)) {
			list = append(list, fmt.Sprintf("%s is %v, should be %v", h.Type().Field(i).Name, h.Field(i), w.Field(i)))
		}
	}
	return list
}

// stream returns the stream with the settings of conf.
func (d declarer) stream(ctx context.Context, conf jetstream.StreamConfig) (jetstream.Stream, error) {
	conf.Metadata = map[string]string{topologyKey: strconv.Itoa(topology)}
	s, err := d.js.Stream(ctx, conf.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		conf.Replicas = max(d.replicas, 1)
		s, err = d.js.CreateStream(ctx, conf)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			s, err = d.js.Stream(ctx, conf.Name) // another process was faster
		}
	}
	if err != nil {
		return nil, fmt.Errorf("declare stream %s: %w", conf.Name, err)
	}
	have := s.CachedInfo().Config
	number, err := strconv.Atoi(cmp.Or(have.Metadata[topologyKey], "0")) // 0: before there were numbers
	if err != nil || number > topology {
		return nil, fmt.Errorf("stream %s was %w (topology %s, this one has %d): run that one", conf.Name, ErrNewer, have.Metadata[topologyKey], topology)
	}
	conf.Replicas = d.replicas
	if conf.Replicas == 0 {
		conf.Replicas = have.Replicas
	}
	if conf.MaxBytes == 0 {
		conf.MaxBytes = have.MaxBytes
	}
	diffs := differences(keptOf(have), keptOf(conf))
	if d.update && number < topology {
		diffs = append(diffs, fmt.Sprintf("topology is %d, should be %d", number, topology))
	}
	if ok, err := d.settle("stream "+conf.Name, diffs); ok || err != nil {
		return s, err
	}
	if s, err = d.js.UpdateStream(ctx, conf); err != nil {
		return nil, fmt.Errorf("declare stream %s: %w", conf.Name, err)
	}
	return s, nil
}

// bucket returns the key-value bucket with the settings of conf.
func (d declarer) bucket(ctx context.Context, conf jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	conf.History, conf.Replicas = 1, max(d.replicas, 1)
	name := "KV_" + conf.Bucket
	s, err := d.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		kv, err := d.js.CreateKeyValue(ctx, conf)
		if !errors.Is(err, jetstream.ErrBucketExists) {
			return kv, wrap("declare bucket", conf.Bucket, err)
		}
		s, err = d.js.Stream(ctx, name)
		if err != nil {
			return nil, wrap("declare bucket", conf.Bucket, err)
		}
	} else if err != nil {
		return nil, wrap("declare bucket", conf.Bucket, err)
	}
	have := keptOf(s.CachedInfo().Config)
	want := have
	want.Storage, want.MaxAge, want.MaxMsgSize = conf.Storage, conf.TTL, conf.MaxValueSize
	if d.replicas > 0 {
		want.Replicas = d.replicas
	}
	ok, err := d.settle("bucket "+conf.Bucket, differences(have, want))
	switch {
	case err != nil:
		return nil, err
	case ok:
		kv, err := d.js.KeyValue(ctx, conf.Bucket)
		return kv, wrap("declare bucket", conf.Bucket, err)
	}
	conf.Replicas = want.Replicas
	kv, err := d.js.UpdateKeyValue(ctx, conf)
	return kv, wrap("declare bucket", conf.Bucket, err)
}

// objects returns the object bucket with the settings of conf.
func (d declarer) objects(ctx context.Context, conf jetstream.ObjectStoreConfig) (jetstream.ObjectStore, error) {
	conf.Replicas = max(d.replicas, 1)
	s, err := d.js.Stream(ctx, "OBJ_"+conf.Bucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		o, err := d.js.CreateObjectStore(ctx, conf)
		if !errors.Is(err, jetstream.ErrBucketExists) {
			return o, wrap("declare bucket", conf.Bucket, err)
		}
		if s, err = d.js.Stream(ctx, "OBJ_"+conf.Bucket); err != nil {
			return nil, wrap("declare bucket", conf.Bucket, err)
		}
	} else if err != nil {
		return nil, wrap("declare bucket", conf.Bucket, err)
	}
	have := keptOf(s.CachedInfo().Config)
	want := have
	want.Storage = conf.Storage
	if d.replicas > 0 {
		want.Replicas = d.replicas
	}
	ok, err := d.settle("bucket "+conf.Bucket, differences(have, want))
	switch {
	case err != nil:
		return nil, err
	case ok:
		o, err := d.js.ObjectStore(ctx, conf.Bucket)
		return o, wrap("declare bucket", conf.Bucket, err)
	}
	conf.Replicas = want.Replicas
	o, err := d.js.UpdateObjectStore(ctx, conf)
	return o, wrap("declare bucket", conf.Bucket, err)
}

// settle decides about differences: ok when there are none, an error when they
// must not be changed.
func (d declarer) settle(what string, diffs []string) (ok bool, err error) {
	if len(diffs) == 0 {
		return true, nil
	}
	if !d.update {
		return false, fmt.Errorf("%s has %w: %s; give this process the same settings, or run `videomsg bootstrap` to change it", what, ErrDiffers, strings.Join(diffs, ", "))
	}
	d.log.Warn("broker settings change", "what", what, "diff", strings.Join(diffs, ", "))
	return false, nil
}

func wrap(verb, object string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", verb, object, err)
}
