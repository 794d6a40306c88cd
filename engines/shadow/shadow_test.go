package shadow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines"
)

type chain = engines.Chain[int, int]

func engine(name string, f func(context.Context, int) (int, error)) engines.Engine[int, int] {
	return engines.Engine[int, int]{Name: name, Run: f}
}

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

// bench is a runner that keeps its records and outcomes in memory.
type bench struct {
	*Runner
	mu       sync.Mutex
	records  []Record
	outcomes []string
}

func newBench(t *testing.T) *bench {
	b := &bench{}
	b.Runner = &Runner{
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Percent: 100, Limit: time.Minute,
		Keep: func(_ context.Context, r Record) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.records = append(b.records, r)
			return nil
		},
		Observe: func(_, _, outcome string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.outcomes = append(b.outcomes, outcome)
		},
	}
	t.Cleanup(b.Close)
	return b
}

func (b *bench) settled() ([]Record, []string) {
	b.wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.records), slices.Clone(b.outcomes)
}

func TestItNeverChangesWhatServes(t *testing.T) {
	for name, c := range map[string]struct {
		shadow  func(context.Context, int) (int, error)
		outcome string
		both    map[string]float64
		why     string
	}{
		"it agrees":  {double, Compared, map[string]float64{"difference": 0}, ""},
		"it differs": {func(context.Context, int) (int, error) { return 7, nil }, Compared, map[string]float64{"difference": 1}, ""},
		"it fails":   {func(context.Context, int) (int, error) { return 0, errors.New("out of order") }, Failed, nil, "failed"},
		"it panics":  {func(context.Context, int) (int, error) { panic("out of order") }, Failed, nil, "failed"},
		"it is down": {func(context.Context, int) (int, error) { return 0, engines.ErrUnavailable }, Failed, nil, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p := &Pair[int, int]{
				Stage: "s", Engine: engine("new", c.shadow),
				Measure: func(n int) map[string]float64 { return map[string]float64{"n": float64(n)} },
				Compare: func(x, y int) map[string]float64 { return map[string]float64{"difference": float64(y - x)} },
			}
			got, err := p.Beside(b.Runner, chain{engine("old", double)}).Run(WithTask(t.Context(), "t1"), 3)
			if err != nil || got.Out != 6 || got.Engine != "old" || len(got.Skipped) > 0 {
				t.Fatalf("served %+v, %v", got, err)
			}
			records, outcomes := b.settled()
			if len(records) != 1 || len(outcomes) != 1 || outcomes[0] != c.outcome {
				t.Fatalf("%d records, outcomes %v", len(records), outcomes)
			}
			r := records[0]
			if r.Task != "t1" || r.Served.Engine != "old" || r.Shadow.Engine != "new" || r.Shadow.Error != c.why || r.Served.Measures["n"] != 6 || fmt.Sprint(r.Both) != fmt.Sprint(c.both) {
				t.Errorf("record %+v", r)
			}
		})
	}
}

// TestItIsNotWaitedFor has the shadow hang: the answer comes, further inputs are
// left out, and Close ends what hangs.
func TestItIsNotWaitedFor(t *testing.T) {
	b := newBench(t)
	started := make(chan struct{})
	p := &Pair[int, int]{Stage: "s", Engine: engine("new", func(ctx context.Context, _ int) (int, error) {
		close(started)
		<-ctx.Done()
		return 0, ctx.Err()
	})}
	c := p.Beside(b.Runner, chain{engine("old", double)})
	attempt, end := context.WithCancel(WithTask(t.Context(), "t1"))
	if got, err := c.Run(attempt, 1); err != nil || got.Out != 2 {
		t.Fatalf("served %+v, %v", got, err)
	}
	end() // it outlives the attempt
	<-started
	if got, err := c.Run(WithTask(t.Context(), "t2"), 2); err != nil || got.Out != 4 {
		t.Fatalf("served %+v, %v", got, err)
	}
	b.Close()
	if _, err := c.Run(WithTask(t.Context(), "t3"), 3); err != nil {
		t.Fatal(err)
	}
	records, outcomes := b.settled()
	if len(records) != 0 || !slices.Equal(outcomes, []string{Busy, Busy}) {
		t.Errorf("%d records, outcomes %v", len(records), outcomes)
	}
}

func TestItRunsOnlyWhereItSaysSomething(t *testing.T) {
	fails := func(err error) func(context.Context, int) (int, error) {
		return func(context.Context, int) (int, error) { return 0, err }
	}
	for name, c := range map[string]struct {
		ctx     context.Context
		chain   chain
		percent int
		want    int // records
	}{
		"no task":              {t.Context(), chain{engine("old", double)}, 100, 0},
		"not chosen":           {WithTask(t.Context(), "t1"), chain{engine("old", double)}, 0, 0},
		"the same engine":      {WithTask(t.Context(), "t1"), chain{engine("new", double)}, 100, 0},
		"nobody could serve":   {WithTask(t.Context(), "t1"), chain{engine("old", fails(engines.ErrInput))}, 100, 0},
		"the old one is down":  {WithTask(t.Context(), "t1"), chain{engine("old", fails(engines.ErrUnavailable))}, 100, 0},
		"the old one fails":    {WithTask(t.Context(), "t1"), chain{engine("old", fails(errors.New("broken")))}, 100, 1},
		"a fallback serves":    {WithTask(t.Context(), "t1"), chain{engine("first", fails(engines.ErrUnavailable)), engine("old", double)}, 100, 1},
		"everything is chosen": {WithTask(t.Context(), "t1"), chain{engine("old", double)}, 100, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Percent = c.percent
			calls := 0
			p := &Pair[int, int]{Stage: "s", Engine: engine("new", func(ctx context.Context, n int) (int, error) {
				calls++
				return double(ctx, n)
			})}
			_, _ = p.Beside(b.Runner, c.chain).Run(c.ctx, 1) // its error is the chain's business
			records, _ := b.settled()
			if len(records) != c.want || len(c.chain) > 0 && c.chain[0].Name != "new" && calls != c.want {
				t.Errorf("%d records, %d calls, want %d", len(records), calls, c.want)
			}
		})
	}
}

func TestPercentIsAboutTasks(t *testing.T) {
	r := &Runner{Percent: 30}
	chosen := 0
	for i := range 10_000 {
		ctx := WithTask(t.Context(), fmt.Sprintf("01k%08d", i*7919))
		_, first := r.chosen(ctx)
		if _, again := r.chosen(ctx); first != again {
			t.Fatal("a task is chosen in one stage and not in another")
		}
		if first {
			chosen++
		}
	}
	if chosen < 2700 || chosen > 3300 {
		t.Errorf("%d of 10,000 tasks at 30 %%", chosen)
	}
}

func TestSummary(t *testing.T) {
	var list []Record
	for i := range 20 {
		r := Record{Task: fmt.Sprintf("t%02d", i), Stage: "image", Served: Side{Engine: "local", Seconds: 1}, Shadow: Side{Engine: "rembg", Seconds: float64(i + 1)}}
		if i == 0 {
			r.Shadow.Error = "did not answer in time"
		} else {
			r.Both = map[string]float64{"iou": 1 - float64(i)/100}
		}
		list = append(list, r)
	}
	list = append(list, Record{Task: "x", Stage: "image", Served: Side{Engine: "original"}, Shadow: Side{Engine: "rembg"}})
	got := Summarize(list)
	if len(got) != 2 || got[0].Pairs != 20 || got[0].Served.Failed != 0 || got[0].Shadow.Failed != 1 || got[1].Served.Engine != "original" {
		t.Fatalf("summary %+v", got)
	}
	if f := got[0].Shadow.Measures[0]; f.Name != "seconds" || f.N != 19 || f.P5 != 2 || f.P50 != 11 || f.P95 != 20 {
		t.Errorf("seconds of the shadow %+v", f)
	}
	if f := got[0].Both[0]; f.Name != "iou" || f.P50 != 0.9 || !strings.HasPrefix(got[0].Odd[0], "t19") {
		t.Errorf("iou %+v, odd %v", f, got[0].Odd)
	}
	var b strings.Builder
	if err := got[0].Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rembg in the shadow of local, 20 pairs", "rembg failed 1 times: did not answer in time", "furthest apart: t19 (iou 0.810)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
