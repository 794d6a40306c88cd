package main

import (
	"math"
	"testing"
	"time"
)

func TestCost(t *testing.T) {
	t.Parallel()
	total := func(c costCmd) float64 {
		t.Helper()
		list, err := c.lines()
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
	base := costCmd{Prices: prices{CPUHour: 0.04, GBMonth: 0.02, GBOut: 0.09}, Videos: 1000, Seconds: 15, Views: 3, Keep: 720 * time.Hour}
	one := total(base)
	twice := base
	twice.Videos = 2000
	if got := total(twice); math.Abs(got-2*one) > 1e-9 {
		t.Errorf("twice the videos cost %g, one time %g", got, one)
	}
	paid := base
	paid.Prices.DID = 0.1
	if got := total(paid); got < one+1000 { // 15,000 s at 0.1 are 1,500
		t.Errorf("with D-ID %g, without %g", got, one)
	}
	none := base
	none.Videos = 0
	if got := total(none); got != 0 {
		t.Errorf("no videos cost %g", got)
	}
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
		c := base
		c.Seconds = bad
		if _, err := c.lines(); err == nil {
			t.Errorf("%g seconds are accepted", bad)
		}
	}
}
