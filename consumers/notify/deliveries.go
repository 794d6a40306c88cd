package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A Delivery is one event on its way to one endpoint.
type Delivery struct {
	N       uint64
	EventID string
	Task    string
	Type    string
	Records []Record // oldest first
}

// State is pending, delivered or failed.
func (d Delivery) State() string {
	if len(d.Records) == 0 {
		return "pending"
	}
	switch last := d.Records[len(d.Records)-1]; {
	case last.delivered():
		return "delivered"
	case last.Next.IsZero():
		return "failed"
	}
	return "pending"
}

// Next is when the next attempt is made; zero when none is planned.
func (d Delivery) Next() time.Time {
	if len(d.Records) == 0 {
		return time.Time{}
	}
	return d.Records[len(d.Records)-1].Next
}

// maxListed is how many deliveries List returns.
const maxListed = 100

// Deliveries lists the newest deliveries to an endpoint, newest first.
func (n *Notifier) Deliveries(ctx context.Context, endpoint string) ([]Delivery, error) {
	byN := map[uint64]*Delivery{}
	var order []uint64
	err := n.replay(ctx, bodySubject(endpoint, "*"), func(seq uint64, _ string, data []byte) error {
		var b body
		if err := json.Unmarshal(data, &b); err != nil {
			return err
		}
		byN[seq] = &Delivery{N: seq, EventID: b.ID, Task: b.Task, Type: b.Type}
		order = append(order, seq)
		if len(order) > maxListed {
			delete(byN, order[0])
			order = order[1:]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = n.replay(ctx, "vmw.log."+endpoint+".*", func(_ uint64, subject string, data []byte) error {
		_, num, err := parseDue(subject)
		d := byN[num]
		if err != nil || d == nil {
			return err
		}
		var r Record
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		d.Records = append(d.Records, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]Delivery, 0, len(order))
	for _, seq := range slices.Backward(order) {
		out = append(out, *byN[seq])
	}
	return out, nil
}

// Redeliver makes a delivery due now, with the whole schedule ahead of it.
func (n *Notifier) Redeliver(ctx context.Context, owner, endpoint string, num uint64) error {
	m, err := n.Stream.GetMsg(ctx, num)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delivery %d: %w", num, err)
	}
	var b body
	if json.Unmarshal(m.Data, &b) != nil || m.Subject != bodySubject(endpoint, b.ID) || b.Owner != owner {
		return ErrNotFound
	}
	return n.makeDue(ctx, endpoint, num, due{Attempt: 1, Manual: true})
}

// replay calls f with each message on subject that the stream holds now.
func (n *Notifier) replay(ctx context.Context, subject string, f func(seq uint64, subject string, data []byte) error) error {
	cons, err := n.Stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	if err != nil {
		return fmt.Errorf("read %s: %w", subject, err)
	}
	info, err := cons.Info(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", subject, err)
	}
	for left := info.NumPending; left > 0; {
		batch, err := cons.Fetch(int(min(left, 500)), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return fmt.Errorf("read %s: %w", subject, err)
		}
		before := left
		for m := range batch.Messages() {
			md, err := m.Metadata()
			if err != nil {
				return err
			}
			left = min(left-1, md.NumPending) // more may have come meanwhile
			if err := f(md.Sequence.Stream, m.Subject(), m.Data()); err != nil {
				return err
			}
		}
		if left == before {
			return errors.Join(batch.Error(), ctx.Err(), fmt.Errorf("read %s: the stream stopped answering", subject))
		}
	}
	return nil
}
