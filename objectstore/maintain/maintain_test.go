package maintain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/videomsg/videomsg/objectstore"
	"github.com/videomsg/videomsg/objectstore/storetest"
)

func fill(t *testing.T, s objectstore.Full, keys ...string) {
	t.Helper()
	for i, key := range keys {
		if _, err := s.Put(t.Context(), key, storetest.Stream(int64(1000+i), uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
}

func keys(t *testing.T, s objectstore.Lister) []string {
	t.Helper()
	var all []string
	if err := s.List(t.Context(), "", func(i objectstore.Info) bool { all = append(all, i.Key); return true }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func TestUsage(t *testing.T) {
	s := new(storetest.Memory)
	fill(t, s, "inputs/t1/a", "inputs/t2/a", "outputs/t1/v", "stray/x")
	s.Age("inputs/t2/a", time.Hour)
	u, err := Usage(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if u.Total != (Amount{4, 4006}) || u.Classes[objectstore.Inputs] != (Amount{2, 2001}) || u.Classes[""] != (Amount{1, 1003}) {
		t.Errorf("Usage = %+v", u)
	}
	if age := time.Since(u.Oldest[objectstore.Inputs]); age < time.Hour {
		t.Errorf("the oldest input is %v old", age)
	}
}

func TestSweepKeepsToTheHour(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		key  string
		age  time.Duration
		gone bool
	}{
		{"inputs/t/a", 7*day - time.Minute, false},
		{"inputs/t/a", 7 * day, true},
		{"intermediates/t/a", 3*day - time.Minute, false},
		{"intermediates/t/a", 3 * day, true},
		{"outputs/t/a", 30*day - time.Minute, false},
		{"outputs/t/a", 30 * day, true},
		{"temporary/a", 59 * time.Minute, false},
		{"temporary/a", time.Hour, true},
		{"library/voice/a", 1000 * day, false},
		{"other/a", 1000 * day, false},
	} {
		s := new(storetest.Memory)
		fill(t, s, c.key)
		s.Age(c.key, c.age)
		dry, err := Sweep(t.Context(), s, SweepOptions{Retention: objectstore.DefaultRetention(), DryRun: true})
		if err != nil || len(keys(t, s)) != 1 {
			t.Fatalf("a dry run left %v, %v", keys(t, s), err)
		}
		r, err := Sweep(t.Context(), s, SweepOptions{Retention: objectstore.DefaultRetention()})
		if err != nil {
			t.Fatal(err)
		}
		if gone := len(keys(t, s)) == 0; gone != c.gone || (r.Expired.Objects == 1) != c.gone || r.Expired != dry.Expired {
			t.Errorf("%s after %v: gone = %v, report %+v, dry %+v", c.key, c.age, gone, r, dry)
		}
	}
}

func TestSweepFindsOrphansOfBothKinds(t *testing.T) {
	s := new(storetest.Memory)
	old := []string{"inputs/known/a", "inputs/lost/a", "inputs/lost/b", "outputs/lost/v", "library/lost/x", "temporary/lost"}
	fill(t, s, old...)
	for _, k := range old {
		s.Age(k, 2*time.Hour)
	}
	fill(t, s, "inputs/young/a")
	asked := map[string]int{}
	o := SweepOptions{
		Known: func(_ context.Context, task string) (bool, error) {
			asked[task]++
			return task == "known", nil
		},
		Tasks: func(_ context.Context, yield func(Task) bool) error {
			_ = yield(Task{"known", []string{"inputs/known/a", "outputs/known/v"}})
			return nil
		},
	}
	r, err := Sweep(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"inputs/lost/a", "inputs/lost/b", "outputs/lost/v"}
	if !slices.Equal(r.OrphanKeys, want) || r.Orphans.Objects != 3 {
		t.Errorf("orphans are %v, want %v", r.OrphanKeys, want)
	}
	if !slices.Equal(r.Missing, []MissingBlob{{"known", "outputs/known/v"}}) || r.MissingCount != 1 {
		t.Errorf("missing are %v", r.Missing)
	}
	if asked["lost"] != 1 || asked["young"] != 0 {
		t.Errorf("asked %v: once a task, and not for what is young", asked)
	}
	if len(keys(t, s)) != 7 {
		t.Errorf("a report deleted: %v", keys(t, s))
	}
	o.DeleteOrphans = true
	if _, err := Sweep(t.Context(), s, o); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, s); !slices.Equal(got, []string{"inputs/known/a", "inputs/young/a", "library/lost/x", "temporary/lost"}) {
		t.Errorf("left are %v", got)
	}
}

func TestSweepStopsOnErrors(t *testing.T) {
	s := new(storetest.Memory)
	fill(t, s, "inputs/a/x", "inputs/b/x")
	s.Age("inputs/a/x", 2*time.Hour)
	boom := errors.New("boom")
	o := SweepOptions{Known: func(context.Context, string) (bool, error) { return false, boom }, DeleteOrphans: true}
	if _, err := Sweep(t.Context(), s, o); !errors.Is(err, boom) {
		t.Errorf("Sweep = %v", err)
	}
	if len(keys(t, s)) != 2 {
		t.Error("an object was deleted although nobody knows whether its task exists")
	}
	if _, err := Sweep(t.Context(), s, SweepOptions{Retention: objectstore.Retention{"x": 1}}); !errors.Is(err, objectstore.ErrConfig) {
		t.Errorf("Sweep with a bad retention = %v", err)
	}
}

// rotten damages what is read from some keys.
type rotten struct {
	objectstore.Full
	keys []string
}

func (r rotten) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	rc, err := r.Full.Get(ctx, key)
	if err == nil && slices.Contains(r.keys, key) {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(strings.NewReader("rot"), rc), rc}, nil
	}
	return rc, err
}

func TestVerify(t *testing.T) {
	s := new(storetest.Memory)
	fill(t, s, "outputs/a/v", "outputs/b/v", "inputs/a/x")
	calls := 0
	r, err := Verify(t.Context(), rotten{s, []string{"outputs/b/v"}}, "outputs/", func(Amount) { calls++ })
	if err != nil {
		t.Fatal(err)
	}
	if r.Good != (Amount{1, 1000}) || len(r.Damaged) != 1 || r.Damaged[0].Key != "outputs/b/v" || calls != 2 {
		t.Errorf("Verify = %+v after %d calls", r, calls)
	}
	f := &storetest.Failing{Full: s, CutAt: 10}
	if _, err := Verify(t.Context(), f, "", nil); !objectstore.Retryable(err) {
		t.Errorf("Verify of a store that cannot be reached = %v: that is no damage", err)
	}
}

func TestCopyResumes(t *testing.T) {
	from, to := new(storetest.Memory), new(storetest.Memory)
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("outputs/t%02d/v", i))
	}
	fill(t, from, want...)
	fill(t, to, "outputs/t19/v") // of another content
	broken := &storetest.Failing{Full: to, Before: func(op, _ string, n int) bool { return op == "put" && n == 8 }}
	first, err := Copy(t.Context(), from, broken, CopyOptions{Workers: 2})
	if !errors.Is(err, storetest.ErrInjected) {
		t.Fatalf("Copy = %v", err)
	}
	second, err := Copy(t.Context(), from, to, CopyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if first.Copied.Objects < 5 || second.Skipped.Objects != first.Copied.Objects || second.Copied.Objects != 20-first.Copied.Objects {
		t.Errorf("first %+v, second %+v", first, second)
	}
	for _, key := range want {
		a, err := from.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := to.Stat(t.Context(), key); err != nil || a.SHA256 != b.SHA256 {
			t.Errorf("%s: %+v, %v; want %+v", key, b, err, a)
		}
	}
	if third, err := Copy(t.Context(), from, to, CopyOptions{}); err != nil || third.Copied.Objects != 0 || third.Skipped.Objects != 20 {
		t.Errorf("third %+v, %v", third, err)
	}
}

func TestCopyReportsDamage(t *testing.T) {
	from, to := new(storetest.Memory), new(storetest.Memory)
	fill(t, from, "outputs/a/v", "outputs/b/v", "outputs/c/v")
	r, err := Copy(t.Context(), corrupt{from, "outputs/b/v"}, to, CopyOptions{})
	if err != nil || r.Copied.Objects != 2 || len(r.Damaged) != 1 || r.Damaged[0].Key != "outputs/b/v" {
		t.Errorf("Copy = %+v, %v", r, err)
	}
	if got := keys(t, to); !slices.Equal(got, []string{"outputs/a/v", "outputs/c/v"}) {
		t.Errorf("the target has %v", got)
	}
}

func TestCopyNoticesALossyTarget(t *testing.T) {
	from, to := new(storetest.Memory), new(storetest.Memory)
	fill(t, from, "outputs/a/v")
	r, err := Copy(t.Context(), from, lossy{to}, CopyOptions{})
	if err != nil || len(r.Damaged) != 1 {
		t.Errorf("Copy = %+v, %v", r, err)
	}
}

// corrupt answers like a backend whose content was damaged.
type corrupt struct {
	objectstore.Full
	key string
}

func (c corrupt) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if key == c.key {
		return nil, fmt.Errorf("get %s: %w", key, objectstore.ErrCorrupt)
	}
	return c.Full.Get(ctx, key)
}

// lossy stores less than it was given.
type lossy struct{ objectstore.Full }

func (l lossy) Put(ctx context.Context, key string, r io.Reader) (objectstore.Info, error) {
	info, err := l.Full.Put(ctx, key, io.LimitReader(r, 10))
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return info, err
}

func TestCopyStopsWithTheContext(t *testing.T) {
	from, to := new(storetest.Memory), new(storetest.Memory)
	fill(t, from, "a", "b")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Copy(ctx, from, to, CopyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Copy = %v", err)
	}
}
