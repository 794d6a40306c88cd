package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

// A Minute is what was done within one minute for all owners, for operators. It
// is counted from the recorded events, so that no restart forgets it; what was
// erased since is not in it.
type Minute struct {
	Minute    time.Time        `json:"minute"` // its beginning
	Completed int              `json:"completed"`
	Failed    int              `json:"failed"`
	Canceled  int              `json:"canceled"`
	Stages    map[string]Count `json:"stages"` // those in which something happened
}

// A Count is what one stage did.
type Count struct {
	Ready    int            `json:"ready"` // skipped or taken from the cache included
	Failed   int            `json:"failed"`
	Retries  int            `json:"retries"`            // attempts that came to nothing
	Seconds  float64        `json:"seconds"`            // of work
	Served   map[string]int `json:"served,omitempty"`   // by engine
	Replaced map[string]int `json:"replaced,omitempty"` // engines that should have served and did not
}

// throughput is a page of minutes, oldest first.
type throughput struct {
	Items []Minute `json:"items"`
	Next  string   `json:"next,omitempty"` // since of the page after
}

// hour is how many minutes one page has at most, and how far back it begins
// when nothing else is asked for.
const hour = 60

// adminThroughput is GET /api/admin/throughput?since=&limit=: one item for each
// minute from since, the one under way included.
func (g *Gateway) adminThroughput(w http.ResponseWriter, r *http.Request) error {
	now := time.Now().UTC()
	since, limit, err := minutesQuery(r.URL.Query(), now)
	if err != nil {
		return err
	}
	out := throughput{Items: []Minute{}}
	for t := since; !t.After(now); t = t.Add(time.Minute) {
		if len(out.Items) == limit {
			out.Next = t.Format(time.RFC3339)
			break
		}
		out.Items = append(out.Items, Minute{Minute: t, Stages: map[string]Count{}})
	}
	// A filter each: users of a shared broker may make consumers of one filter only.
	for _, subject := range []string{events.Subject("*", events.Ready, "*"), events.Subject("*", events.Failed, "*"), events.Subject(events.Task, events.Ended, "*")} {
		if err := g.count(r.Context(), subject, out.Items); err != nil {
			return newProblem(codeUnavailable, "").because(err)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, out)
}

func minutesQuery(v url.Values, now time.Time) (since time.Time, limit int, err error) {
	since, limit = now.Add(-(hour-1)*time.Minute).Truncate(time.Minute), hour
	if s := v.Get("since"); s != "" {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil || t.After(now) {
			return since, limit, badField(codeRange, "since", "must be a time in the past such as 2026-01-31T09:00:00Z")
		}
		since = t.UTC().Truncate(time.Minute)
	}
	if s := v.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > hour {
			return since, limit, badField(codeRange, "limit", "must be a number from 1 to 60")
		}
	}
	return since, limit, nil
}

var errEnough = errors.New("past the last minute asked for")

// count adds the events of a subject to the minutes they happened in.
func (g *Gateway) count(ctx context.Context, subject string, minutes []Minute) error {
	first := minutes[0].Minute
	// An event is recorded a moment after it has happened.
	end := first.Add(time.Duration(len(minutes)+1) * time.Minute)
	conf := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &first}
	err := status.Replay(ctx, g.Stream, conf, func(e events.Event, _ uint64) error {
		if e.Time.After(end) {
			return errEnough
		}
		if i := int(e.Time.Sub(first) / time.Minute); !e.Time.Before(first) && i < len(minutes) {
			minutes[i].add(e)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// add counts one event.
func (m *Minute) add(e events.Event) {
	if e.Stage == events.Task {
		switch e.Verb {
		case events.TaskCompleted:
			m.Completed++
		case events.TaskFailed:
			m.Failed++
		case events.TaskCanceled:
			m.Canceled++
		}
		return
	}
	c := m.Stages[e.Stage]
	if e.Verb == events.Failed {
		c.Failed++
	} else {
		c.Ready++
	}
	if n, ok := e.Job.Note(e.Stage); ok {
		c.Retries += max(n.Attempt-1, 0)
		c.Seconds += n.Seconds
		if n.Engine != "" && n.Cache == "" && !n.Skipped {
			c.Served = plusOne(c.Served, n.Engine)
		}
		if e.Verb != events.Failed { // then nobody took their place
			for _, f := range n.Fallback {
				c.Replaced = plusOne(c.Replaced, f.Engine)
			}
		}
	}
	m.Stages[e.Stage] = c
}

func plusOne(m map[string]int, key string) map[string]int {
	if m == nil {
		m = map[string]int{}
	}
	m[key]++
	return m
}
