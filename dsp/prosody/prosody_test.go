package prosody_test

import (
	"math"
	"testing"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/dsp/prosody/prosodytest"
)

func apply(t testing.TB, a dsp.Audio, p prosody.Plan) (dsp.Audio, prosody.TimeMap, prosody.Report) {
	t.Helper()
	out, m, rep, err := prosody.Apply(a, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out, m, rep
}

func plan(change func(p *prosody.Plan)) prosody.Plan {
	p := prosody.NeutralPlan()
	change(&p)
	return p
}

func TestSmoke(t *testing.T) {
	s := prosodytest.Sentences(48000, 120, 3, 1)
	v := prosodytest.SteadyVowels(48000, 150)
	b := prosodytest.Bursts(48000, 20)
	p := prosody.NeutralPlan()
	p.NoBypass = true
	out, _, rep := apply(t, s.Audio, p)
	t.Logf("identity %.1f dB %+v", prosodytest.IdentityDB(s.Audio, out), rep)
	for _, rate := range []float64{1 / 1.25, 1.25, 0.5, 2} {
		out, m, _ := apply(t, s.Audio, plan(func(p *prosody.Plan) { p.Rate = rate }))
		c, lost := prosodytest.PitchError(s, out, 1/rate, 0)
		env := prosodytest.EnvelopeDB(s, out, 1/rate, s.F0)
		vo, _, _ := apply(t, v.Audio, plan(func(p *prosody.Plan) { p.Rate = rate }))
		bo, _, _ := apply(t, b.Audio, plan(func(p *prosody.Plan) { p.Rate = rate }))
		ms, pre := prosodytest.OnsetErrors(b, bo, func(t float64) float64 { return t / rate })
		t.Logf("rate %.2f dur %d pitch %.2f/%.2f lost %.3f env %.2f inh %.1f onset %.2f/%.2f pre %.0f %d", rate, out.Len()-int(math.Round(float64(s.Audio.Len())/rate)),
			prosodytest.Percentile(c, 50), prosodytest.Percentile(c, 95), lost, env, prosodytest.InharmonicDB(v, vo, 1/rate, 150),
			prosodytest.Percentile(ms, 50), prosodytest.Percentile(ms, 95), prosodytest.Percentile(pre, 50), len(m))
	}
	for _, st := range []float64{2, -2, 4, -4, 12, -12} {
		out, _, _ := apply(t, s.Audio, plan(func(p *prosody.Plan) { p.Semitones = st }))
		c, lost := prosodytest.PitchError(s, out, 1, st)
		r := math.Exp2(st / 12)
		env := prosodytest.EnvelopeDB(s, out, 1, func(t float64) float64 { return r * s.F0(t) })
		vo, _, _ := apply(t, v.Audio, plan(func(p *prosody.Plan) { p.Semitones = st }))
		t.Logf("st %.0f pitch %.2f/%.2f lost %.3f env %.2f inh %.1f", st,
			prosodytest.Percentile(c, 50), prosodytest.Percentile(c, 95), lost, env, prosodytest.InharmonicDB(v, vo, 1, 150*r))
	}
}
