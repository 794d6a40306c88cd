package gateway

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/videomsg/videomsg/events"
)

// A StageState is how one stage is doing, for operators.
type StageState struct {
	Name        string     `json:"name"`
	Pending     uint64     `json:"pending"`     // requests nobody has taken
	InFlight    int        `json:"in_flight"`   // being worked on, or waiting for another attempt
	Redelivered int        `json:"redelivered"` // of those, not for the first time
	Waiting     int        `json:"waiting"`     // workers without work
	Delivered   uint64     `json:"delivered"`   // since the consumer was made
	OldestAge   float64    `json:"oldest_age"`  // seconds since the oldest unfinished request
	Paused      bool       `json:"paused"`
	PausedUntil *time.Time `json:"paused_until,omitempty"`
}

// An EngineState is one engine of a stage, for operators.
type EngineState struct {
	Stage      string `json:"stage"`
	Engine     string `json:"engine"`
	Configured bool   `json:"configured"`
	Status     string `json:"status"`  // healthy, unavailable or off
	Breaker    string `json:"breaker"` // closed, half-open, open or none
	Reason     string `json:"reason,omitempty"`
}

// stageConsumer is the durable name under which workers of a stage take requests.
func stageConsumer(stage string) string { return "stage-" + stage }

// stageState asks the broker. A stage that no worker has served yet is all zero.
func (g *Gateway) stageState(ctx context.Context, stage string) (StageState, error) {
	s := StageState{Name: stage}
	cons, err := g.Stream.Consumer(ctx, stageConsumer(stage))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return s, nil
	}
	if err != nil {
		return s, newProblem(codeUnavailable, "").because(err)
	}
	info := cons.CachedInfo()
	s.Pending, s.InFlight, s.Redelivered, s.Waiting = info.NumPending, info.NumAckPending, info.NumRedelivered, info.NumWaiting
	s.Delivered = info.Delivered.Consumer
	if info.Paused {
		until := time.Now().Add(info.PauseRemaining).UTC().Truncate(time.Second)
		s.Paused, s.PausedUntil = true, &until
	}
	if s.Pending > 0 || s.InFlight > 0 {
		m, err := g.Stream.GetMsg(ctx, info.AckFloor.Stream+1, jetstream.WithGetMsgSubject(events.Subject(stage, events.Requested, "*")))
		if err == nil {
			s.OldestAge = math.Round(time.Since(m.Time).Seconds()*10) / 10
		}
	}
	return s, nil
}

// adminStages is GET /api/admin/stages.
func (g *Gateway) adminStages(w http.ResponseWriter, r *http.Request) error {
	out := list[StageState]{Items: []StageState{}}
	for _, name := range g.Stages {
		s, err := g.stageState(r.Context(), name)
		if err != nil {
			return err
		}
		out.Items = append(out.Items, s)
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, out)
}

func (g *Gateway) stageParam(r *http.Request) (string, error) {
	stage := chi.URLParam(r, "stage")
	if !slices.Contains(g.Stages, stage) {
		return "", newProblem(codeNotFound, "There is no such stage.")
	}
	return stage, nil
}

// pauseTime is how long a pause lasts unless it is ended before.
const pauseTime = 7 * 24 * time.Hour

// pauseStage is POST /api/admin/stages/{stage}/pause: no worker takes requests
// of it; what is running goes on.
func (g *Gateway) pauseStage(w http.ResponseWriter, r *http.Request) error {
	return g.setPause(w, r, time.Now().Add(pauseTime))
}

// resumeStage is POST /api/admin/stages/{stage}/resume.
func (g *Gateway) resumeStage(w http.ResponseWriter, r *http.Request) error {
	return g.setPause(w, r, time.Time{})
}

func (g *Gateway) setPause(w http.ResponseWriter, r *http.Request, until time.Time) error {
	stage, err := g.stageParam(r)
	if err != nil {
		return err
	}
	if until.IsZero() {
		_, err = g.Stream.ResumeConsumer(r.Context(), stageConsumer(stage))
	} else {
		_, err = g.Stream.PauseConsumer(r.Context(), stageConsumer(stage), until)
	}
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return newProblem(codeConflict, "No worker has served this stage yet.")
	}
	if err != nil {
		return newProblem(codeUnavailable, "").because(err)
	}
	g.Log.InfoContext(r.Context(), "pause", "stage", stage, "until", until, "by", who(r.Context()).user)
	s, err := g.stageState(r.Context(), stage)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s)
}

// adminEngines is GET /api/admin/engines.
func (g *Gateway) adminEngines(w http.ResponseWriter, r *http.Request) error {
	out := list[EngineState]{Items: []EngineState{}}
	ctx, cancel := context.WithTimeout(r.Context(), probeTime)
	defer cancel()
	out.Items = append(out.Items, g.Engines(ctx)...)
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, out)
}

func seqParam(r *http.Request, name string) (uint64, error) {
	n, err := strconv.ParseUint(chi.URLParam(r, name), 10, 63)
	if err != nil || n == 0 {
		return 0, newProblem(codeNotFound, "There is nothing with this number.")
	}
	return n, nil
}
