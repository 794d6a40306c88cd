package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// prices are what the calculator multiplies by. They are inputs and not facts:
// providers change theirs, and so the defaults are round figures that every flag
// can replace.
type prices struct {
	CPUHour float64 `help:"One CPU for an hour." default:"0.04"`
	GBMonth float64 `help:"One GB stored for a month." default:"0.023"`
	GBOut   float64 `help:"One GB sent to clients." default:"0.09"`
	DID     float64 `name:"did" help:"One second of video at D-ID; 0 when it is not used." default:"0"`
	Matting float64 `help:"One picture at a paid matting service; 0 when none is used." default:"0"`
}

type costCmd struct {
	Prices   prices        `embed:"" prefix:"price-"`
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

// lines is the calculation.
func (c costCmd) lines() ([]costLine, error) {
	for _, v := range []float64{c.Videos, c.Seconds, c.Views, c.Prices.CPUHour, c.Prices.GBMonth, c.Prices.GBOut, c.Prices.DID, c.Prices.Matting, c.Keep.Hours()} {
		if !(v >= 0 && v < 1e12) {
			return nil, errors.New("cost: every figure must be a number from 0")
		}
	}
	video := c.Seconds
	cpu := cpuPerVideo + cpuPerSecond*video
	if c.Prices.DID > 0 {
		cpu = cpuPerVideo // the animation is made elsewhere
	}
	hours := c.Videos * cpu / 3600
	size := (mbInputs + mbPerSecond*video) / 1000
	stored := c.Videos * size * min(c.Keep.Hours(), 10*365*24) / hoursInMonth
	sent := c.Videos * c.Views * mbPerSecond * video / 1000
	return []costLine{
		{"computing", fmt.Sprintf("%.1f CPU hours", hours), hours * c.Prices.CPUHour},
		{"storage", fmt.Sprintf("%.2f GB on average", stored), stored * c.Prices.GBMonth},
		{"traffic", fmt.Sprintf("%.2f GB", sent), sent * c.Prices.GBOut},
		{"animation (D-ID)", fmt.Sprintf("%.0f s", c.Videos*video), c.Videos * video * c.Prices.DID},
		{"matting service", fmt.Sprintf("%.0f pictures", c.Videos), c.Videos * c.Prices.Matting},
	}, nil
}

// Run prints the table.
func (c costCmd) Run(e *env) error {
	list, err := c.lines()
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
	_, err = fmt.Fprint(e.stdout, b.String())
	return err
}
