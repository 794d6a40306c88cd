package shadow

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// A Comparison is what records say about two engines of one stage.
type Comparison struct {
	Stage  string   `json:"stage"`
	Served Account  `json:"served"`
	Shadow Account  `json:"shadow"`
	Pairs  int      `json:"pairs"`
	Both   []Figure `json:"both,omitempty"`
	// Odd is the tasks whose results differ most, the worst first, by the first
	// figure of Both; at most five.
	Odd []string `json:"odd,omitempty"`
}

// An Account is how one engine fared over all pairs.
type Account struct {
	Engine   string         `json:"engine"`
	Failed   int            `json:"failed"`
	Reasons  map[string]int `json:"reasons,omitempty"`
	Measures []Figure       `json:"measures,omitempty"` // of the calls that succeeded; "seconds" first
}

// A Figure is the distribution of one measured quantity.
type Figure struct {
	Name string  `json:"name"`
	N    int     `json:"n"`
	P5   float64 `json:"p5"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
}

// figure gives quantiles by nearest rank; numbers that are none are left out.
func figure(name string, v []float64) Figure {
	v = slices.DeleteFunc(slices.Clone(v), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	slices.Sort(v)
	f := Figure{Name: name, N: len(v)}
	if len(v) > 0 {
		at := func(q float64) float64 { return v[max(int(math.Ceil(q*float64(len(v))))-1, 0)] }
		f.P5, f.P50, f.P95 = at(0.05), at(0.5), at(0.95)
	}
	return f
}

// Summarize groups records by stage and pair of engines, in that order.
func Summarize(records []Record) []Comparison {
	type pair struct{ stage, served, shadow string }
	groups := map[pair][]Record{}
	for _, r := range records {
		k := pair{r.Stage, r.Served.Engine, r.Shadow.Engine}
		groups[k] = append(groups[k], r)
	}
	var out []Comparison
	for k, list := range groups {
		c := Comparison{Stage: k.stage, Pairs: len(list)}
		c.Served = account(k.served, list, func(r Record) Side { return r.Served })
		c.Shadow = account(k.shadow, list, func(r Record) Side { return r.Shadow })
		c.Both = figures(list, func(r Record) map[string]float64 { return r.Both })
		if len(c.Both) > 0 {
			c.Odd = odd(list, c.Both[0].Name)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Comparison) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Served.Engine, b.Served.Engine), cmp.Compare(a.Shadow.Engine, b.Shadow.Engine))
	})
	return out
}

func account(engine string, list []Record, side func(Record) Side) Account {
	a := Account{Engine: engine}
	var seconds []float64
	for _, r := range list {
		s := side(r)
		if s.Error == "" {
			seconds = append(seconds, s.Seconds)
			continue
		}
		a.Failed++
		if a.Reasons == nil {
			a.Reasons = map[string]int{}
		}
		a.Reasons[s.Error]++
	}
	a.Measures = append([]Figure{figure("seconds", seconds)}, figures(list, func(r Record) map[string]float64 { return side(r).Measures })...)
	return a
}

// figures summarizes every quantity of the records, by name.
func figures(list []Record, of func(Record) map[string]float64) (out []Figure) {
	all := map[string][]float64{}
	for _, r := range list {
		for name, v := range of(r) {
			all[name] = append(all[name], v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, figure(name, all[name]))
	}
	return out
}

// odd names the tasks with the lowest values of a figure.
func odd(list []Record, name string) (tasks []string) {
	list = slices.DeleteFunc(slices.Clone(list), func(r Record) bool { _, ok := r.Both[name]; return !ok })
	slices.SortStableFunc(list, func(a, b Record) int { return cmp.Compare(a.Both[name], b.Both[name]) })
	for _, r := range list[:min(5, len(list))] {
		tasks = append(tasks, fmt.Sprintf("%s (%s %.3f)", r.Task, name, r.Both[name]))
	}
	return tasks
}

// Print writes c as a table for people.
func (c Comparison) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s in the shadow of %s, %d pairs\n", c.Stage, c.Shadow.Engine, c.Served.Engine, c.Pairs)
	fmt.Fprintf(&b, "  %-24s %30s %30s\n", "", c.Served.Engine, c.Shadow.Engine)
	fmt.Fprintf(&b, "  %-24s %30d %30d\n", "failed", c.Served.Failed, c.Shadow.Failed)
	row := func(f Figure) string {
		if f.N == 0 {
			return "-"
		}
		return fmt.Sprintf("%.3f / %.3f / %.3f", f.P5, f.P50, f.P95)
	}
	var names []string
	sides := [2]map[string]Figure{{}, {}}
	for i, a := range []Account{c.Served, c.Shadow} {
		for _, f := range a.Measures {
			sides[i][f.Name] = f
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	for _, n := range names {
		fmt.Fprintf(&b, "  %-24s %30s %30s\n", n+" p5/p50/p95", row(sides[0][n]), row(sides[1][n]))
	}
	for _, f := range c.Both {
		fmt.Fprintf(&b, "  %-24s %30s\n", f.Name+" p5/p50/p95", row(f))
	}
	for _, a := range []Account{c.Served, c.Shadow} {
		for _, why := range slices.Sorted(maps.Keys(a.Reasons)) {
			fmt.Fprintf(&b, "  %s failed %d times: %s\n", a.Engine, a.Reasons[why], why)
		}
	}
	if len(c.Odd) > 0 {
		fmt.Fprintf(&b, "  furthest apart: %s\n", strings.Join(c.Odd, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
