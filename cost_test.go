package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestCost(t *testing.T) {
	t.Parallel()
	total := func(c costCmd) float64 {
		t.Helper()
		list, _, err := c.lines()
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, l := range list {
			if l.amount < 0 || math.IsNaN(l.amount) || math.IsInf(l.amount, 0) {
				t.Errorf("%s costs %g", l.what, l.amount)
			}
			sum += l.amount
		}
		return sum
	}
	base := costCmd{Prices: prices{CPUHour: new(0.04), GBMonth: new(0.02), GBOut: new(0.09)}, Videos: 1000, Seconds: 15, Views: 3, Keep: 720 * time.Hour}
	one := total(base)
	twice := base
	twice.Videos = 2000
	if got := total(twice); math.Abs(got-2*one) > 1e-9 {
		t.Errorf("twice the videos cost %g, one time %g", got, one)
	}
	paid := base
	paid.Prices.DID = new(0.1)
	if got := total(paid); got < one+1000 { // 15,000 s at 0.1 are 1,500
		t.Errorf("with D-ID %g, without %g", got, one)
	}
	plan := base
	plan.DIDPlan = "30"
	if got, want := total(plan), total(costCmd{Prices: prices{CPUHour: new(0.04), GBMonth: new(0.02), GBOut: new(0.09), DID: new(48.0 / 1800)}, Videos: 1000, Seconds: 15, Views: 3, Keep: 720 * time.Hour}); math.Abs(got-want) > 1e-9 {
		t.Errorf("the plan of 30 minutes costs %g, want %g", got, want)
	}
	plan.DIDPlan = "31"
	if _, _, err := plan.lines(); err == nil {
		t.Error("a plan that does not exist is accepted")
	}
	// Where nothing is given the result says that it is assumed.
	_, used, err := costCmd{Videos: 1, Seconds: 1, DIDPlan: "10"}.lines()
	if err != nil || used[0].source != "assumed" || !strings.Contains(used[3].source, "mid-2026") {
		t.Errorf("%+v, %v", used, err)
	}
	none := base
	none.Videos = 0
	if got := total(none); got != 0 {
		t.Errorf("no videos cost %g", got)
	}
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		c := base
		c.Seconds = bad
		if _, _, err := c.lines(); err == nil {
			t.Errorf("%g seconds are accepted", bad)
		}
	}
}
