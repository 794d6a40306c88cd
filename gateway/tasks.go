package gateway

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videomsg/videomsg/events"
	"github.com/videomsg/videomsg/status"
)

// taskList is the answer of GET /api/tasks.
type taskList struct {
	Items []view `json:"items"`
	Next  string `json:"next,omitempty"` // cursor of the next page
}

const (
	defaultPage = 20
	maxPage     = 100
	// scanned bounds how many tasks one page looks at when a filter passes few.
	scanned = 500
)

var states = []string{
	status.Queued, status.Processing, status.ImageReady, status.VoiceReady, status.AudioReady,
	status.Completed, status.Failed, status.Canceled,
}

// listTasks is GET /api/tasks?limit=&cursor=&state=&since=: own tasks, newest
// first.
func (g *Gateway) listTasks(w http.ResponseWriter, r *http.Request) error {
	q, err := taskQuery(r.URL.Query())
	if err != nil {
		return err
	}
	out := taskList{Items: []view{}}
	at := q.before
	for looked := 0; ; {
		ids, err := g.Feed.Before(r.Context(), owner(r), at, min(q.limit, scanned-looked))
		if err != nil {
			return err
		}
		for _, id := range ids {
			at = id
			looked++
			t, rev, err := g.get(r.Context(), id)
			if errors.Is(err, status.ErrNotFound) || err == nil && t.Erased != nil {
				continue
			}
			if err != nil {
				return err
			}
			if !q.since.IsZero() && t.Created.Before(q.since) {
				return g.writeCatalogue(w, r, out) // what follows is older still
			}
			if len(q.states) > 0 && !slices.Contains(q.states, t.State()) {
				continue
			}
			v, err := g.render(r, t, rev, g.Feed.Progress(id))
			if err != nil {
				return err
			}
			if out.Items = append(out.Items, v); len(out.Items) == q.limit {
				break
			}
		}
		more, err := g.Feed.Before(r.Context(), owner(r), at, 1)
		if err != nil {
			return err
		}
		if len(ids) == 0 || len(more) == 0 {
			return g.writeCatalogue(w, r, out)
		}
		if len(out.Items) == q.limit || looked >= scanned {
			out.Next = cursor(at)
			next := r.URL.Query()
			next.Set("cursor", out.Next)
			w.Header().Set("Link", "<"+r.URL.Path+"?"+next.Encode()+`>; rel="next"`)
			return g.writeCatalogue(w, r, out)
		}
	}
}

type listQuery struct {
	limit  int
	before string
	states []string
	since  time.Time
}

func taskQuery(v url.Values) (q listQuery, err error) {
	q.limit = defaultPage
	if s := v.Get("limit"); s != "" {
		if q.limit, err = strconv.Atoi(s); err != nil || q.limit < 1 || q.limit > maxPage {
			return q, badField(codeRange, "limit", fmt.Sprintf("must be a number from 1 to %d", maxPage))
		}
	}
	if s := v.Get("cursor"); s != "" {
		if q.before, err = readCursor(s); err != nil {
			return q, badField(codeRange, "cursor", "is not from an earlier answer").because(err)
		}
	}
	if s := v.Get("state"); s != "" {
		for part := range strings.SplitSeq(s, ",") {
			if !slices.Contains(states, part) {
				return q, badField(codeRange, "state", "must be a comma list of "+strings.Join(states, ", "))
			}
			q.states = append(q.states, part)
		}
	}
	if s := v.Get("since"); s != "" {
		if q.since, err = time.Parse(time.RFC3339, s); err != nil {
			return q, badField(codeRange, "since", "must be a time such as 2026-01-31T09:00:00Z")
		}
	}
	return q, nil
}

// cursor hides the id at which the next page begins.
func cursor(id string) string { return base64.RawURLEncoding.EncodeToString([]byte("1" + id)) }

func readCursor(s string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return "", err
	}
	id, ok := strings.CutPrefix(string(b), "1")
	if !ok {
		return "", errors.New("cursor of another version")
	}
	return id, events.CheckToken(id)
}

// cancel is POST /api/tasks/{task}/cancel.
func (g *Gateway) cancel(w http.ResponseWriter, r *http.Request) error {
	t, rev, err := g.load(r)
	if err != nil {
		return err
	}
	if t.Terminal() && t.State() != status.Canceled {
		return newProblem(codeConflict, "The task has already ended.")
	}
	if !t.Terminal() {
		if err := g.Submit.Cancel(r.Context(), t.ID, events.Job{Request: t.Request}); err != nil {
			return newProblem(codeUnavailable, "").because(err)
		}
	}
	return writeJSON(w, http.StatusAccepted, inWords(t, rev, nil).translated(japanese(r)))
}
