package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/broker"
)

// beyondLease is how long a worker is stopped: longer than it may be silent
// before its requests go to others.
const beyondLease = 12 * time.Second

// a stand is the processes of one variant and where they write.
type stand struct {
	out            io.Writer
	dir, url       string
	shop           *shop
	runs, accepted string
	args           []string // of every child
	workers        []*process
	projectors     []*process
	submitter      *process
	nodes          []*process
	tasks          int

	lastKill, lastEnd time.Time
}

func (c plan) stand(ctx context.Context, out io.Writer, name string, tasks int) (*stand, error) {
	dir := filepath.Join(c.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &stand{out: out, dir: dir, runs: filepath.Join(dir, "runs"), accepted: filepath.Join(dir, "accepted"), tasks: tasks}
	shop, address, err := openShop(ctx)
	if err != nil {
		return nil, err
	}
	s.shop = shop
	// Tasks come in for as long as it takes to kill everything once.
	gap := c.Every * 5 / time.Duration(max(tasks, 1))
	s.args = []string{"-shop", address, "-runs", s.runs, "-accepted", s.accepted, "-to", strconv.Itoa(tasks), "-gap", gap.String(), "-faults", "0.03"}
	return s, nil
}

func (s *stand) spawn(list *[]*process, name, role string, more ...string) error {
	p, err := self(s.dir, name, role, append(append([]string{}, s.args...), more...)...)
	if err != nil {
		return err
	}
	*list = append(*list, p)
	return p.start()
}

func (s *stand) stop() {
	for _, list := range [][]*process{{s.submitter}, s.workers, s.projectors, s.nodes} {
		for _, p := range list {
			if p != nil {
				p.kill()
			}
		}
	}
}

// clustered runs the tasks against three servers while workers, projector,
// submitter and the leader are killed and a worker is stopped beyond its lease.
func (c plan) clustered(ctx context.Context, out io.Writer, tasks int) (_ tally, err error) {
	s, err := c.stand(ctx, out, "cluster", tasks)
	if err != nil {
		return tally{}, err
	}
	defer s.stop()
	if s.nodes, s.url, err = nodes(ctx, c.Server, s.dir, 3); err != nil {
		return tally{}, err
	}
	for _, n := range s.nodes {
		if err := n.start(); err != nil {
			return tally{}, err
		}
	}
	s.args = append(s.args, "-url", s.url, "-replicas", "3")
	if err := s.people(c.Workers, 2); err != nil { // they all declare, and nobody waits for the cluster
		return tally{}, err
	}
	b, err := s.open(ctx, broker.Config{URL: s.url, Replicas: 3, Name: "chaos"})
	if err != nil {
		return tally{}, err
	}
	defer b.Close()
	stopped := make(chan struct{})
	s.sleepBeyondLease(s.workers[0], stopped)
	kills := []struct {
		what string
		do   func() error
	}{
		{"a worker", func() error { return again(s.workers[1+rand.IntN(len(s.workers)-1)]) }},
		{"the leader", func() error { return s.killLeader(ctx, b) }},
		{"the submitter", func() error { return again(s.submitter) }},
		{"a projector", func() error { return again(s.projectors[rand.IntN(len(s.projectors))]) }},
		{"every worker but the stopped one", func() error { return again(s.workers[1:]...) }},
	}
	for _, k := range kills {
		if !wait(ctx, c.Every) {
			return tally{}, ctx.Err()
		}
		fmt.Fprintln(out, "kill", k.what)
		if err := k.do(); err != nil {
			return tally{}, err
		}
	}
	s.lastKill = time.Now()
	<-stopped
	return s.audit(ctx, b, c.Patience)
}

// embedded runs the tasks in one process that also is the broker, and kills it.
func (c plan) embedded(ctx context.Context, out io.Writer, tasks int) (_ tally, err error) {
	s, err := c.stand(ctx, out, "embedded", tasks)
	if err != nil {
		return tally{}, err
	}
	defer s.stop()
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return tally{}, err
	}
	listen := "127.0.0.1:" + strconv.Itoa(ports[0])
	s.url = "nats://" + listen
	if err := s.spawn(&s.nodes, "service", "all", "-data", filepath.Join(s.dir, "data"), "-listen", listen); err != nil {
		return tally{}, err
	}
	s.args = append(s.args, "-url", s.url)
	if err := s.people(1, 0); err != nil {
		return tally{}, err
	}
	b, err := s.open(ctx, broker.Config{URL: s.url, Name: "chaos"})
	if err != nil {
		return tally{}, err
	}
	defer b.Close()
	// As often as was asked for, while everything else is killed once.
	every := min(c.Every, 5*c.Every/time.Duration(max(c.Kills, 1)))
	for range c.Kills {
		if !wait(ctx, every) {
			return tally{}, ctx.Err()
		}
		fmt.Fprintln(out, "kill the service with its broker")
		if err := again(s.nodes[0]); err != nil {
			return tally{}, err
		}
	}
	s.lastKill = time.Now()
	return s.audit(ctx, b, c.Patience)
}

// people starts n workers, p projectors and the submitter.
func (s *stand) people(n, p int) error {
	for i := range n {
		if err := s.spawn(&s.workers, fmt.Sprintf("worker%d", i), "worker"); err != nil {
			return err
		}
	}
	for i := range p {
		if err := s.spawn(&s.projectors, fmt.Sprintf("projector%d", i), "status"); err != nil {
			return err
		}
	}
	var one []*process
	err := s.spawn(&one, "submitter", "submit")
	s.submitter = one[0]
	return err
}

func (s *stand) open(ctx context.Context, conf broker.Config) (*broker.Broker, error) {
	return broker.Open(ctx, slog.New(slog.DiscardHandler), conf)
}

// again kills processes, all before the first one is started again.
func again(list ...*process) error {
	for _, p := range list {
		p.kill()
	}
	var errs []error
	for _, p := range list {
		errs = append(errs, p.start())
	}
	return errors.Join(errs...)
}

// killLeader kills the server that leads the event stream and starts it again a
// moment later.
func (s *stand) killLeader(ctx context.Context, b *broker.Broker) error {
	info, err := b.Events.Info(ctx)
	if err != nil {
		return fmt.Errorf("who leads: %w", err)
	}
	for _, n := range s.nodes {
		if info.Cluster != nil && n.name == info.Cluster.Leader {
			n.kill()
			wait(ctx, time.Second)
			return n.start()
		}
	}
	return fmt.Errorf("no process is the leader %+v", info.Cluster)
}

// sleepBeyondLease stops p soon, for longer than its lease; woken closes then.
func (s *stand) sleepBeyondLease(p *process, woken chan<- struct{}) {
	time.AfterFunc(2*time.Second, func() {
		fmt.Fprintln(s.out, "stop a worker beyond its lease")
		p.signal(syscall.SIGSTOP)
		time.AfterFunc(beyondLease, func() {
			p.signal(syscall.SIGCONT)
			close(woken)
		})
	})
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ended is how many tasks the stream says have ended.
func ended(ctx context.Context, b *broker.Broker) (int, error) {
	info, err := b.Events.Info(ctx, jetstream.WithSubjectFilter("vm.task.ended.*"))
	if errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
		return 0, nil // it elects a leader
	}
	if err != nil {
		return 0, err
	}
	return len(info.State.Subjects), nil
}

// lines reads a file that children append to.
func lines(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' }), err
}
