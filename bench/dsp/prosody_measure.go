package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/dsp/prosody/prosodytest"
)

// figure is one thing measured, of everybody.
type figure struct {
	name   string
	goal   string
	bigger bool // bigger is better
	value  map[string]float64
	ideal  float64 // of a perfect change, where that is known; else 0
}

// prosodyGroup changes generated and recorded speech and measures the result.
func prosodyGroup(b *bench) error {
	who := []changer{ours()}
	if b.peers {
		who = append(who, b.programs()...)
	}
	sigs := []prosodytest.Signal{
		prosodytest.Sentences(48000, 120, 4, 1),
		prosodytest.Sentences(48000, 220, 4, 2),
	}
	for _, path := range b.speech {
		a, err := readWAV(path)
		if err != nil {
			return err
		}
		sigs = append(sigs, prosodytest.FromRecording(strings.TrimSuffix(filepath.Base(path), ".wav"), a.Mono()))
	}
	sigs[0].Name, sigs[1].Name = "low", "high"
	steps := []func(*bench, []changer, []prosodytest.Signal) ([]figure, error){
		identityFigures, stretchFigures, pitchFigures, exactFigures, roundTripFigures, speedFigures,
	}
	for _, step := range steps {
		figs, err := step(b, who, sigs)
		if err != nil {
			return err
		}
		for _, f := range figs {
			b.print(f)
		}
	}
	if err := b.memory(); err != nil {
		return err
	}
	if b.png != "" {
		return b.pictures(sigs)
	}
	return nil
}

// print is ours against the goal, or against the best of the peers.
func (b *bench) print(f figure) {
	own := f.value["ours"]
	if f.goal != "" {
		b.goal(f.name, own, f.goal)
	}
	if f.ideal != 0 {
		fmt.Fprintf(b.w, "#  %s: ideal=%.4g\n", f.name, f.ideal)
	}
	by, best := "", 0.0
	for name, v := range f.value {
		if name == "ours" || math.IsNaN(v) {
			continue
		}
		if by == "" || f.bigger && v > best || !f.bigger && v < best {
			by, best = name, v
		}
	}
	if by != "" {
		b.versus(f.name, own, best, by)
		var all strings.Builder
		for name, v := range f.value {
			if name != "ours" {
				all.WriteString(fmt.Sprintf(" %s=%.4g", name, v))
			}
		}
		fmt.Fprintf(b.w, "#  %s:%s\n", f.name, all.String())
	}
}

// each calls measure with everybody's version of x.
func each(who []changer, x dsp.Audio, rate, st float64, measure func(name string, y dsp.Audio, cpu float64)) error {
	for _, c := range who {
		y, cpu, err := c.run(x, rate, st)
		if err != nil {
			return err
		}
		if len(y.Ch) > 0 {
			measure(c.name, y, cpu)
		}
	}
	return nil
}

func identityFigures(_ *bench, who []changer, sigs []prosodytest.Signal) ([]figure, error) {
	var figs []figure
	for _, s := range sigs {
		f := figure{name: "identity_" + s.Name + "_db", goal: "≥90", bigger: true, value: map[string]float64{}}
		for _, w := range who {
			y, _, err := w.run(s.Audio, 1, 0)
			if err != nil {
				return nil, err
			}
			if y, err = align(s.Audio, y); err != nil {
				return nil, err
			}
			f.value[w.name] = prosodytest.IdentityDB(s.Audio, y)
		}
		figs = append(figs, f)
	}
	return figs, nil
}

// align shifts y by the delay within ±60 ms at which it correlates best with x,
// as peers may be late. The correlation is that of the whole sound, by FFT.
func align(x, y dsp.Audio) (dsp.Audio, error) {
	reach := x.Rate * 60 / 1000
	n := 2
	for n < max(x.Len(), y.Len())+reach {
		n *= 2
	}
	f, err := dsp.NewFFT(n)
	if err != nil {
		return dsp.Audio{}, err
	}
	spectrum := func(a dsp.Audio) (re, im []float64) {
		buf := make([]float64, n)
		for i, v := range a.Ch[0] {
			buf[i] = float64(v)
		}
		re, im = make([]float64, f.Bins()), make([]float64, f.Bins())
		f.Forward(re, im, buf)
		return re, im
	}
	xr, xi := spectrum(x)
	yr, yi := spectrum(y)
	for k := range xr { // conj(X)·Y
		xr[k], xi[k] = xr[k]*yr[k]+xi[k]*yi[k], xr[k]*yi[k]-xi[k]*yr[k]
	}
	corr := make([]float64, n)
	f.Inverse(corr, xr, xi)
	at := 0
	for d := -reach; d <= reach; d++ {
		if corr[(d+n)%n] > corr[(at+n)%n] {
			at = d
		}
	}
	out := dsp.New(y.Rate, 1, x.Len())
	for i := range out.Ch[0] {
		if k := i + at; k >= 0 && k < y.Len() {
			out.Ch[0][i] = y.Ch[0][k]
		}
	}
	return out, nil
}

func stretchFigures(_ *bench, who []changer, sigs []prosodytest.Signal) ([]figure, error) {
	var figs []figure
	for _, c := range []struct {
		factor                  float64
		pitch, p95, env, kurtos string
	}{
		{1.25, "≤3.5", "≤20", "≤0.95", "0.85..1.15"},
		{0.8, "≤4.5", "≤24", "≤1.2", "0.85..1.15"},
		{2, "≤3.7", "≤19", "≤1.05", ""},
		{0.5, "≤7.5", "≤36", "≤2.3", ""},
	} {
		for _, s := range sigs {
			tag := fmt.Sprintf("stretch_%g_%s_", c.factor, s.Name)
			dur := figure{name: tag + "dur_samples", goal: "0", value: map[string]float64{}}
			med := figure{name: tag + "pitch_cents", goal: c.pitch, value: map[string]float64{}}
			p95 := figure{name: tag + "pitch_p95_cents", goal: c.p95, value: map[string]float64{}}
			env := figure{name: tag + "env_db", goal: c.env, value: map[string]float64{}}
			kur := figure{name: tag + "kurt", goal: c.kurtos, value: map[string]float64{}}
			fs := figure{name: tag + "formant_st", goal: "0", value: map[string]float64{}}
			k0 := prosodytest.Kurtosis(s, s.Audio, 1)
			if err := each(who, s.Audio, 1/c.factor, 0, func(name string, y dsp.Audio, _ float64) {
				dur.value[name] = math.Abs(float64(y.Len()) - math.Round(float64(s.Audio.Len())*c.factor))
				e, _ := prosodytest.PitchError(s, y, c.factor, 0)
				med.value[name], p95.value[name] = prosodytest.Percentile(e, 50), prosodytest.Percentile(e, 95)
				env.value[name] = prosodytest.EnvelopeDB(s, y, c.factor, s.F0)
				kur.value[name] = prosodytest.Kurtosis(s, y, c.factor) / k0
				fs.value[name] = math.Abs(prosodytest.FormantShift(s, y, c.factor, s.F0))
			}); err != nil {
				return nil, err
			}
			figs = append(figs, dur, med, p95, env, kur, fs)
		}
	}
	return figs, nil
}

func pitchFigures(_ *bench, who []changer, sigs []prosodytest.Signal) ([]figure, error) {
	var figs []figure
	for _, c := range []struct {
		st            float64
		env, kurtosis string
	}{
		{2, "≤1.7", "0.85..1.15"},
		{-2, "≤1.7", "0.85..1.15"},
		{4, "≤1.8", "0.85..1.15"},
		{-4, "≤1.8", "0.85..1.15"},
		{12, "≤3.4", ""},
		{-12, "≤1.9", ""},
	} {
		r := math.Exp2(c.st / 12)
		for _, s := range sigs {
			tag := fmt.Sprintf("pitch_%+g_%s_", c.st, s.Name)
			med := figure{name: tag + "cents", goal: "≤3.4", value: map[string]float64{}}
			p95 := figure{name: tag + "p95_cents", goal: "≤16.5", value: map[string]float64{}}
			lost := figure{name: tag + "unvoiced_percent", goal: "≤0.5", value: map[string]float64{}}
			env := figure{name: tag + "env_db", goal: c.env, value: map[string]float64{}}
			kur := figure{name: tag + "kurt", goal: c.kurtosis, value: map[string]float64{}}
			fs := figure{name: tag + "formant_st", goal: "≤0.1", value: map[string]float64{}}
			k0 := prosodytest.Kurtosis(s, s.Audio, 1)
			fy := func(t float64) float64 { return r * s.F0(t) }
			if err := each(who, s.Audio, 1, c.st, func(name string, y dsp.Audio, _ float64) {
				e, l := prosodytest.PitchError(s, y, 1, c.st)
				med.value[name], p95.value[name] = prosodytest.Percentile(e, 50), prosodytest.Percentile(e, 95)
				lost.value[name] = 100 * l
				env.value[name] = prosodytest.EnvelopeDB(s, y, 1, fy)
				kur.value[name] = prosodytest.Kurtosis(s, y, 1) / k0
				fs.value[name] = math.Abs(prosodytest.FormantShift(s, y, 1, fy))
			}); err != nil {
				return nil, err
			}
			if s.Born != nil {
				// The same voice and words at that pitch: what a perfect change gives.
				y := s.Born(r)
				env.ideal, kur.ideal = prosodytest.EnvelopeDB(s, y, 1, fy), prosodytest.Kurtosis(s, y, 1)/k0
				fs.ideal = math.Abs(prosodytest.FormantShift(s, y, 1, fy))
			}
			figs = append(figs, med, p95, lost, env, kur, fs)
		}
	}
	return figs, nil
}

// exactFigures need sounds that are known to the sample: vowels and bursts.
func exactFigures(_ *bench, who []changer, _ []prosodytest.Signal) ([]figure, error) {
	var figs []figure
	v, bursts := prosodytest.SteadyVowels(48000, 150), prosodytest.Bursts(48000, 20)
	for _, c := range []struct{ factor, st float64 }{{1.25, 0}, {0.8, 0}, {2, 0}, {0.5, 0}, {1, 2}, {1, -2}, {1, 4}, {1, -4}, {1, 12}, {1, -12}} {
		tag := fmt.Sprintf("stretch_%g_", c.factor)
		if c.st != 0 {
			tag = fmt.Sprintf("pitch_%+g_", c.st)
		}
		inh := figure{name: tag + "inharmonic_db", goal: "≤-70", value: map[string]float64{}}
		if err := each(who, v.Audio, 1/c.factor, c.st, func(name string, y dsp.Audio, _ float64) {
			inh.value[name] = prosodytest.InharmonicDB(v, y, c.factor, 150*math.Exp2(c.st/12))
		}); err != nil {
			return nil, err
		}
		med := figure{name: tag + "onset_ms", goal: "≤0.25", value: map[string]float64{}}
		p95 := figure{name: tag + "onset_p95_ms", goal: "≤0.6", value: map[string]float64{}}
		pre := figure{name: tag + "pre_echo_db", goal: "≤-90", value: map[string]float64{}}
		if err := each(who, bursts.Audio, 1/c.factor, c.st, func(name string, y dsp.Audio, _ float64) {
			ms, db := prosodytest.OnsetErrors(bursts, y, func(t float64) float64 { return t * c.factor })
			med.value[name], p95.value[name] = prosodytest.Percentile(ms, 50), prosodytest.Percentile(ms, 95)
			pre.value[name] = prosodytest.Percentile(db, 50)
		}); err != nil {
			return nil, err
		}
		figs = append(figs, inh, med, p95, pre)
	}
	return figs, nil
}

func roundTripFigures(_ *bench, who []changer, sigs []prosodytest.Signal) ([]figure, error) {
	var figs []figure
	for _, c := range []struct {
		factor  float64
		lsd, sc string
	}{{1.25, "≤2", "≤0.1"}, {0.8, "≤3", "≤0.15"}} {
		for _, s := range sigs {
			lsd := figure{name: fmt.Sprintf("roundtrip_%g_%s_lsd_db", c.factor, s.Name), goal: c.lsd, value: map[string]float64{}}
			sc := figure{name: fmt.Sprintf("roundtrip_%g_%s_sc", c.factor, s.Name), goal: c.sc, value: map[string]float64{}}
			for _, w := range who {
				y, _, err := w.run(s.Audio, 1/c.factor, 0)
				if err != nil {
					return nil, err
				}
				z, _, err := w.run(y, c.factor, 0)
				if err != nil {
					return nil, err
				}
				shifted, err := align(s.Audio, z)
				if err != nil {
					return nil, err
				}
				// The best correlation may be a pitch period away.
				l0, c0 := prosodytest.RoundTrip(s.Audio, z)
				l1, c1 := prosodytest.RoundTrip(s.Audio, shifted)
				lsd.value[w.name], sc.value[w.name] = min(l0, l1), min(c0, c1)
			}
			figs = append(figs, lsd, sc)
		}
	}
	return figs, nil
}

func speedFigures(_ *bench, who []changer, sigs []prosodytest.Signal) ([]figure, error) {
	// Fifty seconds of speech, everybody in turn, the best of four rounds. Ours
	// is charged for reading and writing no file, as it runs inside a program.
	last := sigs[len(sigs)-1].Audio
	long := dsp.Audio{Rate: last.Rate, Ch: [][]float32{nil}}
	for long.Len() < 50*last.Rate {
		long.Ch[0] = append(long.Ch[0], last.Ch[0]...)
	}
	var figs []figure
	for _, c := range []struct {
		name     string
		rate, st float64
		goal     string
	}{{"stretch_1.25_xrt", 0.8, 0, "≥250"}, {"pitch_+4_xrt", 1, 4, "≥350"}} {
		f := figure{name: c.name, goal: c.goal, bigger: true, value: map[string]float64{}}
		for range 4 {
			if err := each(who, long, c.rate, c.st, func(name string, _ dsp.Audio, cpu float64) {
				f.value[name] = max(f.value[name], long.Duration().Seconds()/cpu)
			}); err != nil {
				return nil, err
			}
		}
		figs = append(figs, f)
	}
	return figs, nil
}

// memory streams ten minutes of speech and reads the peak from the kernel: once
// for this process before, once after; the difference is what streaming took.
func (b *bench) memory() error {
	s := prosodytest.Sentences(48000, 140, 12, 3).Audio.Ch[0]
	const minutes = 10
	src := dsp.Source{
		Rate: 48000, Channels: 1, Samples: minutes * 60 * 48000,
		Read: func(dst [][]float32, at int) error {
			for i := range dst[0] {
				dst[0][i] = s[(at+i)%len(s)]
			}
			return nil
		},
	}
	p := prosody.NeutralPlan()
	p.Rate, p.Semitones = 0.8, 2
	if err := resetPeak(); err != nil {
		fmt.Fprintf(b.w, "# memory not measured: %v\n", err)
		return nil
	}
	before, err := residentMiB("VmRSS")
	if err != nil {
		return err
	}
	if _, _, err := prosody.Stream(src, p, nil, func(dsp.Audio) error { return nil }); err != nil {
		return err
	}
	peak, err := residentMiB("VmHWM")
	if err != nil {
		return err
	}
	b.goal("stream_10min_mib", peak-before, "≤16")
	return nil
}

// resetPeak makes the kernel forget the peak so far, after giving free memory
// back.
func resetPeak() error {
	freeMemory()
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

func residentMiB(field string) (float64, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			var kib float64
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				return 0, err
			}
			return kib / 1024, nil
		}
	}
	return 0, errors.New("no " + field + " in /proc/self/status")
}
