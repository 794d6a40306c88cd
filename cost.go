package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// prices are what the calculator multiplies by. A price that is not given is
// assumed, and the result says so.
type prices struct {
	CPUHour *float64 `help:"One CPU for an hour; assumed: 0.04."`
	GBMonth *float64 `help:"One GB stored for a month; assumed: 0.023."`
	GBOut   *float64 `help:"One GB sent to clients; assumed: 0.09."`
	DID     *float64 `name:"did" help:"One second of video at D-ID; --did-plan takes its list."`
	Matting *float64 `help:"One picture at a paid matting service; assumed: none is used."`
}

// Assumed prices: round figures in US dollars, of the size that clouds ask. They are
// nobody's price list.
const (
	assumedCPUHour = 0.04
	assumedGBMonth = 0.023
	assumedGBOut   = 0.09
)

// didPlans is D-ID's list for its API as recorded in mid-2026, in US dollars: what a
// plan costs a month and how many minutes of video are in it.
var didPlans = map[string]struct{ dollars, minutes float64 }{
	"10": {5.90, 10}, // with a watermark
	"30": {48, 30},
	"65": {299, 65},
}

// A price is a figure and where it is from.
type price struct {
	what, source string
	amount       float64
}

// known puts the prices together.
func (c costCmd) known() (cpu, month, out, did, matting price, err error) {
	pick := func(what string, given *float64, assumed float64) price {
		if given != nil {
			return price{what, "given", *given}
		}
		return price{what, "assumed", assumed}
	}
	p := c.Prices
	cpu, month = pick("CPU hour", p.CPUHour, assumedCPUHour), pick("GB stored a month", p.GBMonth, assumedGBMonth)
	out, matting = pick("GB sent", p.GBOut, assumedGBOut), pick("picture at a matting service", p.Matting, 0)
	did = pick("second at D-ID", p.DID, 0)
	if c.DIDPlan == "" {
		return cpu, month, out, did, matting, nil
	}
	plan, ok := didPlans[c.DIDPlan]
	if !ok || p.DID != nil {
		return cpu, month, out, did, matting, errors.New("cost: --did-plan is 10, 30 or 65, and not beside --price-did")
	}
	did = price{"second at D-ID", fmt.Sprintf("list of mid-2026, %.2f for %.0f minutes", plan.dollars, plan.minutes), plan.dollars / plan.minutes / 60}
	return cpu, month, out, did, matting, nil
}

type costCmd struct {
	Prices   prices        `embed:"" prefix:"price-"`
	DIDPlan  string        `name:"did-plan" help:"D-ID's plan by its minutes a month: 10, 30 or 65, at its list of mid-2026." placeholder:"MINUTES"`
	Videos   float64       `help:"Videos a month." default:"1000"`
	Seconds  float64       `help:"Length of one." default:"15"`
	Views    float64       `help:"How often one is downloaded." default:"3"`
	Keep     time.Duration `help:"How long results are kept." default:"720h"`
	Currency string        `help:"Shown before amounts." default:"$$"`
}

// What one video takes, measured with the local engines, videos of 3.8 s
// (5.4 s of CPU, 0.23 MB) and 14.1 s (12.9 s, 0.94 MB); docs/cost.md says how to
// measure yours.
const (
	cpuPerVideo  = 2.7  // seconds of CPU, whatever the length
	cpuPerSecond = 0.73 // seconds of CPU per second of video
	mbPerSecond  = 0.07 // of the result
	mbInputs     = 3.0  // portrait, cut-out and speech
	hoursInMonth = 730.0
)

// A costLine is one thing that is paid for, by month.
type costLine struct {
	what, how string
	amount    float64
}

// lines is the calculation, with the prices it used.
func (c costCmd) lines() ([]costLine, []price, error) {
	cpuPrice, monthPrice, outPrice, didPrice, mattingPrice, err := c.known()
	if err != nil {
		return nil, nil, err
	}
	used := []price{cpuPrice, monthPrice, outPrice, didPrice, mattingPrice}
	for _, v := range []float64{c.Videos, c.Seconds, c.Views, c.Keep.Hours(), cpuPrice.amount, monthPrice.amount, outPrice.amount, didPrice.amount, mattingPrice.amount} {
		if !(v >= 0 && v < 1e12) {
			return nil, nil, errors.New("cost: every figure must be a number from 0")
		}
	}
	video := c.Seconds
	cpu := cpuPerVideo + cpuPerSecond*video
	if didPrice.amount > 0 {
		cpu = cpuPerVideo // the animation is made elsewhere
	}
	hours := c.Videos * cpu / 3600
	size := (mbInputs + mbPerSecond*video) / 1000
	stored := c.Videos * size * min(c.Keep.Hours(), 10*365*24) / hoursInMonth
	sent := c.Videos * c.Views * mbPerSecond * video / 1000
	return []costLine{
		{"computing", fmt.Sprintf("%.1f CPU hours", hours), hours * cpuPrice.amount},
		{"storage", fmt.Sprintf("%.2f GB on average", stored), stored * monthPrice.amount},
		{"traffic", fmt.Sprintf("%.2f GB", sent), sent * outPrice.amount},
		{"animation (D-ID)", fmt.Sprintf("%.0f s", c.Videos*video), c.Videos * video * didPrice.amount},
		{"matting service", fmt.Sprintf("%.0f pictures", c.Videos), c.Videos * mattingPrice.amount},
	}, used, nil
}

// Run prints the table.
func (c costCmd) Run(e *env) error {
	list, used, err := c.lines()
	if err != nil {
		return err
	}
	var b strings.Builder
	var sum float64
	fmt.Fprintf(&b, "%.0f videos of %.0f s a month\n\n", c.Videos, c.Seconds)
	for _, l := range list {
		fmt.Fprintf(&b, "%-18s %22s %12s\n", l.what, l.how, fmt.Sprintf("%s%.2f", c.Currency, l.amount))
		sum += l.amount
	}
	fmt.Fprintf(&b, "%-18s %22s %12s\n", "together", "", fmt.Sprintf("%s%.2f", c.Currency, sum))
	if c.Videos > 0 {
		fmt.Fprintf(&b, "%-18s %22s %12s\n", "one video", "", fmt.Sprintf("%s%.4f", c.Currency, sum/c.Videos))
	}
	b.WriteString("\nprices\n")
	for _, p := range used {
		if p.amount > 0 {
			fmt.Fprintf(&b, "%-28s %12s  %s\n", p.what, fmt.Sprintf("%s%.4f", c.Currency, p.amount), p.source)
		}
	}
	_, err = fmt.Fprint(e.stdout, b.String())
	return err
}
