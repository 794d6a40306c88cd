// Command dsp measures what package dsp and its sub-packages do to sound, on
// generated sounds whose truth is known, and side by side with the programs
// people use for the same, when asked for.
//
//	go run ./bench/dsp                        ours, against the goals
//	go run ./bench/dsp -peers                 also rubberband, soundstretch, sox, ffmpeg
//	go run ./bench/dsp -speech a.wav,b.wav    also on recordings
//	go run ./bench/dsp -only fft,prosody      some groups
//	go run ./bench/dsp -png DIR               spectrograms and pitch tracks to look at
//
// Every result is one line: bench: NAME ours=… goal=… or, with a peer measured
// in the same run, bench: NAME ours=… peer=… ratio=… by=PEER. Speeds are seconds
// of sound per second of CPU time, since the machine may have other work.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
)

// bench is what a group of measurements gets.
type bench struct {
	w      io.Writer
	peers  bool     // run other programs too
	speech []string // WAV files of real speech
	png    string   // folder for pictures; empty: none
	dir    string   // scratch
}

// group is one topic.
type group struct {
	name string
	run  func(b *bench) error
}

func groups() []group {
	return []group{
		{"fft", fftGroup},
		{"resample", resampleGroup},
		{"prosody", prosodyGroup},
		{"loudness", loudnessGroup},
		{"music", musicGroup},
		{"mix", mixGroup},
	}
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dsp:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) (err error) {
	fs := flag.NewFlagSet("dsp", flag.ContinueOnError)
	peers := fs.Bool("peers", false, "compare with other programs on PATH")
	only := fs.String("only", "", "comma-separated groups; empty: all")
	speech := fs.String("speech", "", "comma-separated WAV files of real speech")
	pics := fs.String("png", "", "folder for pictures")
	if err := fs.Parse(args); err != nil {
		return err
	}
	b := &bench{w: w, peers: *peers, png: *pics}
	if *speech != "" {
		b.speech = strings.Split(*speech, ",")
	}
	if b.dir, err = os.MkdirTemp("", "bench-dsp"); err != nil {
		return err
	}
	defer func() {
		if e := os.RemoveAll(b.dir); err == nil {
			err = e
		}
	}()
	for _, g := range groups() {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), g.name) {
			continue
		}
		if err := g.run(b); err != nil {
			return fmt.Errorf("measure %s: %w", g.name, err)
		}
	}
	return nil
}

// goal prints a figure and what it should reach, such as "≤0.25".
func (b *bench) goal(name string, ours float64, goal string) {
	fmt.Fprintf(b.w, "bench: %s ours=%.4g goal=%s\n", name, ours, goal)
}

// versus prints a figure beside a peer's.
func (b *bench) versus(name string, ours, peer float64, by string) {
	fmt.Fprintf(b.w, "bench: %s ours=%.4g peer=%.4g ratio=%.3g by=%s\n", name, ours, peer, ours/peer, by)
}

// cpuSeconds is the time this process has computed.
func cpuSeconds() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

// fastest is the least CPU time of n calls.
func fastest(n int, f func() error) (float64, error) {
	best := 0.0
	for i := range n {
		t := cpuSeconds()
		if err := f(); err != nil {
			return 0, err
		}
		if d := cpuSeconds() - t; i == 0 || d < best {
			best = d
		}
	}
	return best, nil
}
