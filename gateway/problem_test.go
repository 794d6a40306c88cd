package gateway

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/status"
)

func TestErrorsHaveOneProblemEach(t *testing.T) {
	for _, c := range []struct {
		err  error
		code string
	}{
		{fmt.Errorf("get status: %w", status.ErrNotFound), codeNotFound},
		{fmt.Errorf("put: %w", objectstore.ErrFull), codeFull},
		{fmt.Errorf("draw preview: %w", context.Canceled), codeUnavailable},
		{fmt.Errorf("ask broker: %w", context.DeadlineExceeded), codeUnavailable},
		{errors.New("index out of range"), codeInternal},
	} {
		if got := asProblem(c.err); got.Code != c.code || !errors.Is(got, c.err) {
			t.Errorf("%v: code %s, want %s, with the cause kept for the log", c.err, got.Code, c.code)
		}
	}
}
