package main

import (
	"context"
	"sync"
	"time"

	"github.com/videomsg/videomsg/gateway"
)

// A look is one probe of health; its result is written by whoever puts them
// together.
type look struct {
	stage, engine string // both empty: broker or store
	check         func(context.Context) error
	mend          string
	took          time.Duration
	err           error
}

// health looks at everything the service stands on, side by side. What does not
// answer before ctx ends counts as down.
func (a *app) health(ctx context.Context) gateway.Health {
	broker := &look{check: a.brokerHealth, mend: "start workers for the stage, or look into their log"}
	store := &look{check: func(ctx context.Context) error { return checkStore(ctx, a.blobs) }}
	looks := []*look{broker, store}
	for _, p := range a.programs() {
		looks = append(looks, &look{stage: p.stage, engine: p.engine, check: p.check, mend: p.mend})
	}
	if v := a.studio.Voicevox(); v != nil {
		looks = append(looks, &look{stage: "voice", engine: "voicevox", check: func(ctx context.Context) error { _, err := v.Version(ctx); return err }, mend: "start the VOICEVOX engine, or check VOICEVOX_URL"})
	}
	if o := a.studio.OpenVoice(); o != nil {
		looks = append(looks, &look{stage: "voice", engine: "openvoice", check: o.Ready, mend: "start the cloning service, or check OPENVOICE_SERVICE_URL"})
	}
	if d := a.avatars.did; d != nil {
		looks = append(looks, &look{stage: "video", engine: "d-id", check: d.Ready, mend: "check D_ID_API_KEY and the account's credit"})
	}
	if l := a.avatars.lipsync; l != nil {
		looks = append(looks, &look{stage: "video", engine: "lipsync", check: l.Ready, mend: "start the lip-sync server, or check LIPSYNC_URL"})
	}
	probeAll(ctx, looks)

	h := gateway.Health{Status: "healthy", Services: map[string]gateway.ServiceHealth{}, Broker: broker.part(), Store: store.part()}
	for _, stage := range a.stageNames() {
		h.Services[stage] = gateway.ServiceHealth{PartHealth: gateway.PartHealth{Status: "unhealthy"}, Engines: map[string]gateway.EngineHealth{}}
	}
	for _, e := range a.engineTable() {
		s, ok := h.Services[e.Stage]
		if !ok || !e.Configured {
			continue
		}
		// Engines without a probe of their own, such as those in this process, are
		// healthy until their breaker opens.
		state := gateway.EngineHealth{Status: "healthy", Breaker: e.Breaker}
		if e.Breaker == "open" {
			state.Status, state.Reason = "unavailable", "it has failed several times in a row"
		}
		for _, l := range looks {
			if l.stage != e.Stage || l.engine != e.Engine {
				continue
			}
			s.ResponseTime = max(s.ResponseTime, l.took.Seconds())
			if l.err != nil {
				state.Status, state.Reason = "unavailable", l.mend
			}
		}
		if state.Status == "healthy" {
			s.Status = "healthy" // one engine of the chain is enough
		}
		s.Engines[e.Engine] = state
		h.Services[e.Stage] = s
	}
	for _, s := range h.Services {
		if s.Status != "healthy" {
			h.Status = "degraded"
		}
	}
	if h.Broker.Status != "healthy" || h.Store.Status != "healthy" {
		h.Status = "unhealthy"
	}
	return h
}

func (l *look) part() gateway.PartHealth {
	p := gateway.PartHealth{Status: "healthy", ResponseTime: l.took.Seconds()}
	if l.err != nil {
		p.Status = "unhealthy"
	}
	return p
}

// probeAll makes every look at the same time and returns when all have answered
// or ctx has ended.
func probeAll(ctx context.Context, looks []*look) {
	type result struct {
		i    int
		took time.Duration
		err  error
	}
	results := make(chan result, len(looks))
	var wg sync.WaitGroup
	for i, l := range looks {
		l.err = context.DeadlineExceeded
		wg.Go(func() {
			start := time.Now()
			err := l.check(ctx)
			results <- result{i, time.Since(start), err}
		})
	}
	start := time.Now()
	for range looks {
		select {
		case r := <-results:
			looks[r.i].took, looks[r.i].err = r.took, r.err
		case <-ctx.Done():
			for _, l := range looks {
				if l.took == 0 {
					l.took = time.Since(start)
				}
			}
			return
		}
	}
	wg.Wait()
}
