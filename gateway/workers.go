package gateway

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/videomsg/videomsg/events"
)

// workers is who has said lately that they work. It is not kept: all say it
// again within seconds, and who does not is gone.
type workers struct {
	mu    sync.Mutex
	heard map[string]present // by subject
}

type present struct {
	who events.Worker
	at  time.Time
}

// hear takes in what one worker says.
func (w *workers) hear(m *nats.Msg, now time.Time) {
	var who events.Worker
	if json.Unmarshal(m.Data, &who) != nil || m.Subject != events.WorkerSubject(who.Stage, who.ID) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.heard == nil {
		w.heard = map[string]present{}
	}
	w.heard[m.Subject] = present{who, now}
}

// list is who works at now, by stage in the order given and then by age.
func (w *workers) list(stages []string, now time.Time) []events.Worker {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.heard, func(_ string, p present) bool { return now.Sub(p.at) > events.WorkerSilence })
	out := make([]events.Worker, 0, len(w.heard))
	for _, p := range w.heard {
		out = append(out, p.who)
	}
	slices.SortFunc(out, func(a, b events.Worker) int {
		return cmp.Or(
			cmp.Compare(slices.Index(stages, a.Stage), slices.Index(stages, b.Stage)),
			a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID),
		)
	})
	return out
}

// adminWorkers is GET /api/admin/workers.
func (g *Gateway) adminWorkers(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, list[events.Worker]{Items: g.Feed.workers.list(g.Stages, time.Now())})
}
