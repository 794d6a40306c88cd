package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// Consumer is the durable name of the projector; all its processes share it.
const Consumer = "status"

// Sizes of a projector.
const (
	batchSize = 256 // events folded together at most
	parallel  = 8   // tasks of a batch written at once: each write waits for the broker
)

// Serve projects the stream into s until ctx is done. Any number of processes
// may serve the same bucket: the fold does not care about order. It returns an
// error only when its consumer cannot be made at first, or when the connection
// is closed for good.
func Serve(ctx context.Context, log *slog.Logger, stream jetstream.Stream, s Store) error {
	p := projector{log: log, store: s, recent: newRecent()}
	for made := false; ; {
		err := p.serve(ctx, stream, &made)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !made || errors.Is(err, jetstream.ErrConnectionClosed) {
			return fmt.Errorf("consumer %s: %w", Consumer, err)
		}
		log.WarnContext(ctx, "consumer", "consumer", Consumer, "err", err)
		if !pause(ctx, time.Second) {
			return nil
		}
	}
}

// projector folds what has arrived meanwhile in one go: under load a task's
// events come in company, and each document is read and written once for all.
type projector struct {
	log    *slog.Logger
	store  Store
	recent *recent
}

// serve is one life of the consumer.
func (p *projector) serve(ctx context.Context, stream jetstream.Stream, made *bool) error {
	cons, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:        Consumer,
		Description:    "projects events into " + p.store.KV.Bucket(),
		FilterSubjects: []string{events.AllSubjects},
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        10 * time.Second,
		MaxAckPending:  2048,
	})
	if err != nil {
		return err
	}
	*made = true
	arrived := make(chan jetstream.Msg, batchSize)
	lost := make(chan error, 1)
	// The heartbeat bounds a lost wake-up of the client to two seconds.
	cc, err := cons.Consume(func(m jetstream.Msg) {
		select {
		case arrived <- m:
		case <-ctx.Done(): // comes again
		}
	}, jetstream.PullMaxMessages(batchSize), jetstream.PullHeartbeat(time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			// Without a heartbeat the consumer may be gone, as after a restart of the broker
			// on another disk: nobody else would tell.
			if errors.Is(err, jetstream.ErrNoHeartbeat) || errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrBadRequest) || errors.Is(err, jetstream.ErrConnectionClosed) {
				select {
				case lost <- err:
				default:
				}
			}
		}))
	if err != nil {
		return err
	}
	defer func() {
		cc.Stop()
		<-cc.Closed()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-lost:
			return err
		case <-cc.Closed():
			return jetstream.ErrConnectionClosed
		case m := <-arrived:
			p.fold(ctx, gather(m, arrived))
		}
	}
}

// gather takes what has arrived with first.
func gather(first jetstream.Msg, arrived <-chan jetstream.Msg) []jetstream.Msg {
	list := []jetstream.Msg{first}
	for len(list) < batchSize {
		select {
		case m := <-arrived:
			list = append(list, m)
		default:
			return list
		}
	}
	return list
}

// change is the events of one task in a batch.
type change struct {
	task string
	said []Said
	msgs []jetstream.Msg
}

// fold projects a batch and acknowledges what is stored. No two goroutines write
// the same task.
func (p *projector) fold(ctx context.Context, batch []jetstream.Msg) {
	var changes []*change
	at := map[string]*change{}
	for _, m := range batch {
		s, err := p.read(m)
		if err != nil {
			p.log.ErrorContext(ctx, "projection", "subject", m.Subject(), "err", err)
			continue
		}
		if s.Seq == 0 {
			continue // left to a newer program
		}
		c, ok := at[s.Event.Task]
		if !ok {
			c = &change{task: s.Event.Task}
			at[c.task], changes = c, append(changes, c)
		}
		c.said, c.msgs = append(c.said, s), append(c.msgs, m)
	}
	if len(changes) == 1 {
		p.write(ctx, changes[0])
		return
	}
	var wg sync.WaitGroup
	for w := range min(parallel, len(changes)) {
		wg.Go(func() {
			for i := w; i < len(changes); i += parallel {
				p.write(ctx, changes[i])
			}
		})
	}
	wg.Wait()
}

// read decodes m. What cannot be read is put aside, what is newer is put off.
func (p *projector) read(m jetstream.Msg) (Said, error) {
	md, err := m.Metadata()
	if err != nil {
		return Said{}, err
	}
	e, err := events.Decode(m.Headers(), m.Data())
	if err != nil {
		return Said{}, errors.Join(err, m.TermWithReason(err.Error()))
	}
	if e.Version > events.Version {
		return Said{}, m.NakWithDelay(time.Minute)
	}
	return Said{e, md.Sequence.Stream}, nil
}

func (p *projector) write(ctx context.Context, c *change) {
	err := p.store.project(ctx, p.recent, c.task, c.said)
	if err != nil && ctx.Err() == nil {
		p.log.ErrorContext(ctx, "projection", "task", c.task, "err", err)
	}
	again := time.Second
	if errors.Is(err, ErrNewer) {
		again = time.Minute // a newer projector takes them
	}
	for _, m := range c.msgs {
		if err != nil {
			err = errors.Join(err, m.NakWithDelay(again))
		} else if err := m.Ack(); err != nil {
			p.log.WarnContext(ctx, "projection", "task", c.task, "err", err) // comes again, and says nothing new
		}
	}
}

// recent keeps the documents this process has written last, so that the next
// event of a task needs no reading. Compare-and-swap guards it: a document that
// another projector has changed is read again, and for a while nothing is
// taken from here, because then they share the work.
type recent struct {
	mu   sync.Mutex
	docs map[string]doc
	cold int // writes until the memory is used again
}

type doc struct {
	task Task
	rev  uint64
}

// remembered is how many documents are kept; a few kB each.
const remembered = 1024

func newRecent() *recent { return &recent{docs: map[string]doc{}} }

func (r *recent) get(task string) (doc, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cold > 0 {
		r.cold--
		return doc{}, false
	}
	d, ok := r.docs[task]
	return d, ok
}

func (r *recent) put(d doc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d.task.Terminal() {
		delete(r.docs, d.task.ID)
		return
	}
	if len(r.docs) >= remembered {
		for id := range r.docs { // any half of them
			if delete(r.docs, id); len(r.docs) <= remembered/2 {
				break
			}
		}
	}
	r.docs[d.task.ID] = d
}

func (r *recent) contested(task string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.docs, task)
	r.cold = 100
}
