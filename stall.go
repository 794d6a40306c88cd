package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/status"
)

// brokerHealth is that of the broker and of who reads from it.
func (a *app) brokerHealth(ctx context.Context) error {
	longest := map[string]time.Duration{"task": 0, status.Consumer: 0}
	for _, st := range a.stages {
		longest[consumers.ConsumerName(st.Name)] = cmp.Or(st.Limit, st.Timeout)
	}
	err := errors.Join(a.broker.Health(ctx), a.broker.Stalled(ctx, longest))
	if err != nil {
		a.log.WarnContext(ctx, "broker health", "err", err) // the answer does not tell strangers why
	}
	return err
}
