package consumers

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/videomsg/videomsg/events"
)

// presenceEvery is how often a worker says that it is there: three words may be
// lost before it counts as gone.
const presenceEvery = events.WorkerSilence / 4

// presence is what this process says of itself as a worker of one stage.
type presence struct {
	who events.Worker

	mu      sync.Mutex
	running map[*attempt]events.Run
}

func newPresence(who events.Worker, st Stage) *presence {
	who.Stage, who.Places = st.Name, max(st.Workers, 1)
	return &presence{who: who, running: map[*attempt]events.Run{}}
}

// busy counts a among what is running; done takes it out again.
func (p *presence) busy(a *attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[a] = events.Run{Task: a.e.Task, Attempt: a.prog.Attempt, Since: a.prog.Started}
}

func (p *presence) done(a *attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, a)
}

// now is what there is to say, the longest running first.
func (p *presence) now() events.Worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.who
	w.Running = slices.SortedFunc(maps.Values(p.running), func(a, b events.Run) int { return a.Since.Compare(b.Since) })
	if w.Running == nil {
		w.Running = []events.Run{}
	}
	return w
}

// announce says it until ctx is done. A process without a name says nothing.
func (r *Runner) announce(ctx context.Context, p *presence) {
	if p.who.ID == "" {
		return
	}
	tick := time.NewTicker(presenceEvery)
	defer tick.Stop()
	for {
		if b, err := json.Marshal(p.now()); err == nil {
			_ = r.JS.Conn().Publish(events.WorkerSubject(p.who.Stage, p.who.ID), b) // the next one makes up for a lost one
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
