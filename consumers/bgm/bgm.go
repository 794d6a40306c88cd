// Package bgm is the music stage: music is laid under the speech and both are
// brought to the loudness that phones expect.
package bgm

import (
	"context"
	"fmt"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/engines"
)

// Name is the stage's name.
const Name = "bgm"

// Stage returns the bgm stage.
func Stage(blobs consumers.Blobs) consumers.Stage {
	s := stage{blobs}
	return consumers.Stage{Name: Name, Run: s.run, Timeout: 2 * time.Minute, Limit: 5 * time.Minute, Tries: 3, Workers: 2}
}

type stage struct{ blobs consumers.Blobs }

func (s stage) run(_ context.Context, w consumers.Work) (consumers.Result, error) {
	res := consumers.Result{Engine: "skip", Skipped: true}
	if w.Job.Request.BGM.Type != "none" {
		res.Fallback = []engines.Skip{{Engine: "dsp", Err: fmt.Errorf("no mixer: %w", engines.ErrUnavailable)}}
	}
	return res, nil
}
