package prosody_test

import (
	"syscall"
	"testing"

	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/dsp/prosody/prosodytest"
)

func BenchmarkApply(b *testing.B) {
	s := prosodytest.Sentences(48000, 140, 12, 3)
	seconds := s.Audio.Duration().Seconds()
	for _, c := range []struct {
		name string
		plan prosody.Plan
	}{
		{"stretch", plan(func(p *prosody.Plan) { p.Rate = 0.8 })},
		{"pitch", plan(func(p *prosody.Plan) { p.Semitones = 4 })},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			start := cpuSeconds()
			for b.Loop() {
				apply(b, s.Audio, c.plan)
			}
			b.ReportMetric(seconds*float64(b.N)/(cpuSeconds()-start), "xrt")
		})
	}
}

// cpuSeconds is the time all threads of this process have computed: the machine
// may have other work.
func cpuSeconds() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
