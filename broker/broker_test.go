package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

func logger(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// serverOn is a nats-server of its own on a store, as a cluster is for us.
func serverOn(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("server is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func TestSettingsThatDifferAreNamed(t *testing.T) {
	s := serverOn(t, t.TempDir(), -1)
	first, err := Open(t.Context(), logger(t), Config{URL: s.ClientURL(), CacheTTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for name, c := range map[string]struct {
		conf Config
		want string
	}{
		"another size":     {Config{MaxBytes: 1 << 30, CacheTTL: time.Minute}, "stream VM_EVENTS has other settings: MaxBytes is 4294967296, should be 1073741824"},
		"another lifetime": {Config{CacheTTL: time.Hour}, "bucket vm_cache has other settings: MaxAge is 1m0s, should be 1h0m0s"},
		"more replicas":    {Config{Replicas: 3, CacheTTL: time.Minute}, "Replicas is 1, should be 3"},
		"the same":         {Config{CacheTTL: time.Minute}, ""},
		"an operator":      {Config{CacheTTL: time.Hour, Update: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.conf.URL = s.ClientURL()
			b, err := Open(t.Context(), logger(t), c.conf)
			if c.want != "" {
				if !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("error %v, want one that says %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b.Close()
		})
		if name == "an operator" { // put it back for the others
			if b, err := Open(t.Context(), logger(t), Config{URL: s.ClientURL(), CacheTTL: time.Minute, Update: true}); err != nil {
				t.Fatal(err)
			} else {
				b.Close()
			}
		}
	}
}

func TestOpenWaitsForABrokerThatStartsLater(t *testing.T) {
	dir := t.TempDir()
	s := serverOn(t, dir, -1)
	url, port := s.ClientURL(), s.Addr().String()
	s.Shutdown()
	s.WaitForShutdown()
	opened := make(chan error, 1)
	go func() {
		b, err := Open(context.WithoutCancel(t.Context()), logger(t), Config{URL: "nats://127.0.0.1:1," + url})
		if err == nil {
			b.Close()
		}
		opened <- err
	}()
	time.Sleep(700 * time.Millisecond)
	var p int
	if _, err := fmt.Sscanf(port, "127.0.0.1:%d", &p); err != nil {
		t.Fatal(err)
	}
	serverOn(t, dir, p)
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
}

func TestTwoServersDoNotShareADirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "broker")
	b, err := Open(t.Context(), logger(t), Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := Open(t.Context(), logger(t), Config{DataDir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("error %v", err)
	}
}

func TestJoiningTheProcessThatHasTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "broker")
	stale, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket")) //nolint:noctx // waits for nobody
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false) // as a killed process leaves it
	if err := errors.Join(os.Mkdir(dir, 0o700), stale.Close(), os.Rename(stale.Addr().String(), filepath.Join(dir, "socket"))); err != nil {
		t.Fatal(err)
	}
	b, err := Open(t.Context(), logger(t), Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	guest, err := Open(t.Context(), logger(t), Config{DataDir: dir, Join: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guest.JS.Publish(t.Context(), "vm.image.requested.x", nil); err != nil {
		t.Error(err)
	}
	if m, err := b.Events.GetLastMsgForSubject(t.Context(), "vm.image.requested.x"); err != nil || m.Sequence != 1 {
		t.Errorf("the guest's message is %+v, %v", m, err)
	}
	guest.Close()
	b.Close()

	release, err := lock(dir) // a process that cannot be joined
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), logger(t), Config{DataDir: dir, Join: true})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "NATS_LISTEN") {
		t.Errorf("error %v does not say what helps", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	alone, err := Open(t.Context(), logger(t), Config{DataDir: dir, Join: true})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if !alone.Embedded() {
		t.Error("a free directory is not used")
	}
}

func TestRoomEndsBeforeUnfinishedWorkIsDropped(t *testing.T) {
	b, err := Open(t.Context(), logger(t), Config{DataDir: t.TempDir(), MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	cons, err := b.Events.CreateOrUpdateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "stage-image", FilterSubject: "vm.image.requested.*", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: -1})
	if err != nil {
		t.Fatal(err)
	}
	share := func() float64 {
		free, total, err := b.Room(t.Context(), []string{"stage-image", "stage-nobody"})
		if err != nil || total != 1<<20 {
			t.Fatal(free, total, err)
		}
		return float64(free) / float64(total)
	}
	say := func(n int, kind string) {
		t.Helper()
		for i := range n {
			if _, err := b.JS.Publish(t.Context(), fmt.Sprintf("vm.image.%s.t%d-%d", kind, i, time.Now().UnixNano()), make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := share(); got < 0.99 {
		t.Errorf("an empty stream has %.2f room", got)
	}
	say(120, "ready") // more than fits: all of it may go
	if got := share(); got < 0.95 {
		t.Errorf("a stream full of finished work has %.2f room", got)
	}
	say(95, "requested")
	if got := share(); got > 0.15 {
		t.Errorf("a stream full of work to do has %.2f room", got)
	}
	batch, err := cons.Fetch(95)
	if err != nil {
		t.Fatal(err)
	}
	for m := range batch.Messages() {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := share(); got < 0.95 {
		t.Errorf("after the work it has %.2f room", got)
	}
}

func TestBacklogWithoutProgressIsToldAfterAWhile(t *testing.T) {
	var s stalls
	begin := time.Now()
	info := func(pending uint64, acks int, delivered, acked uint64) *jetstream.ConsumerInfo {
		return &jetstream.ConsumerInfo{
			NumPending: pending, NumAckPending: acks,
			Delivered: jetstream.SequenceInfo{Consumer: delivered}, AckFloor: jetstream.SequenceInfo{Consumer: acked},
		}
	}
	paused := info(5, 0, 3, 3)
	paused.Paused = true
	for _, step := range []struct {
		after time.Duration
		info  *jetstream.ConsumerInfo
		red   bool
	}{
		{0, info(0, 0, 1, 1), false},
		{time.Hour, info(0, 0, 1, 1), false}, // nothing to do
		{61 * time.Minute, info(5, 0, 1, 1), false},
		{63 * time.Minute, info(5, 0, 1, 1), true}, // nobody takes it
		{64 * time.Minute, info(4, 1, 2, 1), false},
		{70 * time.Minute, info(4, 1, 2, 1), false}, // at work, for no longer than it may
		{80 * time.Minute, info(4, 1, 2, 1), true},
		{81 * time.Minute, info(4, 1, 3, 2), false},
		{99 * time.Minute, paused, false},
	} {
		err := s.look("stage-video", 10*time.Minute, step.info, begin.Add(step.after))
		if (err != nil) != step.red {
			t.Errorf("after %v: %v", step.after, err)
		}
	}
}

// TestWorkOfADeadProcessComesAtOnce takes a message as a process would that is
// killed with its embedded server, and opens the directory again.
func TestWorkOfADeadProcessComesAtOnce(t *testing.T) {
	dir := t.TempDir()
	const lease = time.Minute
	open := func() (*Broker, jetstream.Consumer) {
		t.Helper()
		b, err := Open(t.Context(), logger(t), Config{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		c, err := b.Events.CreateOrUpdateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: lease})
		if err != nil {
			t.Fatal(err)
		}
		return b, c
	}
	b, c := open()
	if _, err := b.JS.Publish(t.Context(), "vm.image.requested.t", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b, c = open()
	defer b.Close()
	m, err := c.Next(jetstream.FetchMaxWait(20 * time.Second))
	if err != nil {
		t.Fatalf("it waits for the end of its lease: %v", err)
	}
	if md, err := m.Metadata(); err != nil || md.NumDelivered != 2 {
		t.Errorf("%+v, %v", md, err)
	}
	if got := c.CachedInfo().Config.AckWait; got != lease {
		t.Errorf("leases last %s now", got)
	}
}
