package engines

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestSkipsTellsWhoDidNotServe(t *testing.T) {
	broken := errors.New("out of memory")
	fails := func(name string) Engine[int, int] {
		return Engine[int, int]{Name: name, Run: func(context.Context, int) (int, error) { return 0, broken }}
	}
	_, err := Chain[int, int]{fails("first"), fails("second")}.Run(t.Context(), 1)
	got := Skips(fmt.Errorf("cut out: %w", errors.Join(errors.New("beside it"), err)))
	if len(got) != 2 || got[0].Engine != "first" || got[1].Engine != "second" {
		t.Fatalf("got %v", got)
	}
	for _, s := range got {
		if !errors.Is(s.Err, broken) {
			t.Errorf("%s: %v", s.Engine, s.Err)
		}
	}
	for name, err := range map[string]error{"no error": nil, "an error of something else": broken, "no engine at all": func() error { _, err := Chain[int, int]{}.Run(t.Context(), 1); return err }()} {
		if s := Skips(err); len(s) > 0 {
			t.Errorf("%s: %v", name, s)
		}
	}
}
