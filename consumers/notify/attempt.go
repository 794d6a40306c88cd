package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A Record is one attempt in the log.
type Record struct {
	Attempt int           `json:"attempt"`
	At      time.Time     `json:"at"`
	Status  int           `json:"status,omitempty"` // of the answer; 0: there was none
	Reason  string        `json:"reason,omitempty"` // in words for the owner
	Took    time.Duration `json:"took"`
	Next    time.Time     `json:"next,omitzero"` // zero: this was the last
}

func (r Record) delivered() bool { return r.Status >= 200 && r.Status < 300 }

func parseDue(subject string) (endpoint string, num uint64, err error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 4 {
		return "", 0, fmt.Errorf("subject %s: malformed", subject)
	}
	num, err = strconv.ParseUint(parts[3], 10, 64)
	return parts[2], num, err
}

// attempt sends one delivery and says how it went. An error means that nothing
// is known and the attempt comes again.
func (n *Notifier) attempt(ctx context.Context, m jetstream.Msg, endpoint string, num uint64) error {
	var d due
	if err := json.Unmarshal(m.Data(), &d); err != nil || d.Attempt < 1 {
		return errors.Join(err, m.TermWithReason("malformed attempt"))
	}
	raw, err := n.Stream.GetMsg(ctx, num)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return m.TermWithReason("the delivery is no longer kept")
	}
	if err != nil {
		return err
	}
	var b body
	if err := json.Unmarshal(raw.Data, &b); err != nil {
		return errors.Join(err, m.TermWithReason("malformed delivery"))
	}
	ep, err := n.Endpoints.Get(ctx, b.Owner, endpoint)
	if errors.Is(err, ErrNotFound) {
		return m.Ack() // the webhook was deleted
	}
	if err != nil {
		return err
	}
	if !d.Manual {
		if last, ok, err := n.last(ctx, endpoint, num); err != nil {
			return err
		} else if ok && (last.delivered() || last.Attempt >= d.Attempt) {
			return m.Ack() // made already, by somebody who died before saying so
		}
	}
	if ep.Disabled != nil {
		return errors.Join(n.log(ctx, endpoint, num, Record{Attempt: d.Attempt, At: time.Now().UTC(), Reason: "the webhook is disabled"}), m.Ack())
	}
	rec, retryAfter, gone := n.send(ctx, ep, b)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	rec.Attempt = d.Attempt
	if gone {
		if err := n.Endpoints.Disable(ctx, b.Owner, endpoint, "the address answered 410 Gone"); err != nil {
			return err
		}
	}
	if !rec.delivered() && !gone {
		if wait, ok := n.delay(d.Attempt + 1); ok {
			rec.Next = rec.At.Add(max(wait, retryAfter))
			// Scheduled before it is logged: a crash in between sends once more, and
			// never once less.
			if err := n.later(ctx, endpoint, num, due{Attempt: d.Attempt + 1}, rec.Next); err != nil {
				return err
			}
		}
	}
	if err := n.log(ctx, endpoint, num, rec); err != nil {
		return err
	}
	n.Log.InfoContext(ctx, "webhook", "task", b.Task, "endpoint", endpoint, "attempt", rec.Attempt, "status", rec.Status, "dur", rec.Took, "reason", rec.Reason)
	return m.Ack()
}

const (
	sendTimeout = 15 * time.Second
	maxDelay    = 24 * time.Hour // what a receiver may ask for
)

// send makes the request. retryAfter is what the receiver asks for; gone is 410.
func (n *Notifier) send(ctx context.Context, ep Endpoint, b body) (rec Record, retryAfter time.Duration, gone bool) {
	rec.At = time.Now().UTC()
	defer func() { rec.Took = time.Since(rec.At).Round(time.Millisecond) }()
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ep.URL, bytes.NewReader(b.Event))
	if err != nil {
		rec.Reason = "the address is not valid"
		return rec, 0, false
	}
	stamp := strconv.FormatInt(rec.At.Unix(), 10)
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("User-Agent", "videomsg-webhook/1")
	req.Header.Set("Webhook-Id", b.ID)
	req.Header.Set("Webhook-Timestamp", stamp)
	req.Header.Set("Webhook-Signature", signatures(ep.secrets(rec.At), b.ID, stamp, b.Event))
	res, err := n.Client.Do(req)
	if err != nil {
		rec.Reason = plainly(err)
		return rec, 0, false
	}
	defer res.Body.Close() //nolint:errcheck // read only
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	rec.Status = res.StatusCode
	switch {
	case rec.delivered():
	case res.StatusCode >= 300 && res.StatusCode < 400:
		rec.Reason = "redirects are not followed"
	default:
		rec.Reason = http.StatusText(res.StatusCode)
	}
	return rec, parseRetryAfter(res.Header.Get("Retry-After"), rec.At), res.StatusCode == http.StatusGone
}

// plainly says why no answer came, without words about this network.
func plainly(err error) string {
	switch {
	case errors.Is(err, ErrPrivate):
		return "the address is not public"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in 15 s"
	default:
		return "the connection failed"
	}
}

func parseRetryAfter(v string, now time.Time) time.Duration {
	if sec, err := strconv.Atoi(v); err == nil && sec >= 0 {
		return min(time.Duration(sec)*time.Second, maxDelay)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), maxDelay)
	}
	return 0
}

func (n *Notifier) log(ctx context.Context, endpoint string, num uint64, r Record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := n.JS.Publish(ctx, subject("log", endpoint, num), b); err != nil {
		return fmt.Errorf("log attempt at %d: %w", num, err)
	}
	return nil
}

// last is the newest record about a delivery.
func (n *Notifier) last(ctx context.Context, endpoint string, num uint64) (r Record, ok bool, err error) {
	m, err := n.Stream.GetLastMsgForSubject(ctx, subject("log", endpoint, num))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	return r, true, json.Unmarshal(m.Data, &r)
}
