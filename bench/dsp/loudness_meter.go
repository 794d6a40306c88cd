package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
	"github.com/videomsg/videomsg/dsp/music"
)

// loudnessGroup compares the meter with libebur128 and ffmpeg's ebur128 filter,
// and the normalisation with ffmpeg's loudnorm in two passes.
func loudnessGroup(b *bench) error {
	sigs, err := programmes()
	if err != nil {
		return err
	}
	for _, s := range sigs {
		var got loudness.Stats
		cpu, err := fastest(3, func() (err error) {
			got, err = loudness.Measure(s.a)
			return err
		})
		if err != nil {
			return err
		}
		speed := s.a.Duration().Seconds() / cpu
		b.goal("meter_"+s.name+"_xrt", speed, "≥200")
		if b.peers {
			if err := b.meterPeers(s, got, speed); err != nil {
				return err
			}
		}
		if err := b.normalise(s); err != nil {
			return err
		}
	}
	return nil
}

// programme is sound to be metered.
type programme struct {
	name string
	a    dsp.Audio
}

// programmes are a generated track alone, and under an announcer.
func programmes() ([]programme, error) {
	t, err := music.Loop(music.Upbeat, 1)
	if err != nil {
		return nil, err
	}
	m := t.Audio
	n := min(m.Len(), 30*m.Rate)
	for c := range m.Ch {
		m.Ch[c] = m.Ch[c][:n]
	}
	voice := announcer(m.Rate, n)
	both := dsp.New(m.Rate, 2, n)
	for c := range both.Ch {
		for i, v := range voice.Ch[0] {
			both.Ch[c][i] = 0.3*m.Ch[c][i] + v
		}
	}
	return []programme{{"music", m}, {"speech_and_music", both}}, nil
}

// announcer is a voice in its levels: phrases of syllables that reach full
// scale, pauses with a little hiss.
func announcer(rate, samples int) dsp.Audio {
	a := dsp.New(rate, 1, samples)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range a.Ch[0] {
		at := float64(i) / float64(rate)
		env := (0.15 + math.Abs(math.Sin(2*math.Pi*2*at))) * math.Max(0, math.Min(1, 8*(math.Sin(2*math.Pi*0.22*at)+0.6)))
		x := 0.0
		for k := 1.0; k <= 20; k++ {
			x += math.Cos(2*math.Pi*130*k*at) / k
		}
		a.Ch[0][i] = float32(0.17*env*x + 1e-4*rng.NormFloat64())
	}
	return a
}

func (b *bench) meterPeers(s programme, got loudness.Stats, speed float64) error {
	seconds := s.a.Duration().Seconds()
	in := filepath.Join(b.dir, "meter.wav")
	if err := writeWAV(in, s.a); err != nil {
		return err
	}
	if _, err := exec.LookPath("ffmpeg"); err == nil {
		text, cpu, err := timed(exec.Command("ffmpeg", "-nostdin", "-hide_banner", "-threads", "1", "-i", in, "-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"))
		if err != nil {
			return err
		}
		b.versus("meter_"+s.name+"_xrt", speed, seconds/cpu, "ffmpeg_ebur128")
		if m := regexp.MustCompile(`(?s)Summary:.*?I:\s+(-?[\d.]+) LUFS`).FindStringSubmatch(text); m != nil {
			v, _ := strconv.ParseFloat(m[1], 64)
			b.goal("meter_"+s.name+"_minus_ffmpeg_LU", got.Integrated-v, "±0.05")
		}
	}
	lib := "/usr/lib/x86_64-linux-gnu/libebur128.so.1"
	if _, err := os.Stat(lib); err != nil {
		return nil // the peer is optional
	}
	raw := filepath.Join(b.dir, "meter.f32")
	if err := writeRaw(raw, s.a); err != nil {
		return err
	}
	text, _, err := timed(exec.Command("python3", "-c", ebur128Script, lib, raw, strconv.Itoa(s.a.Rate)))
	if err != nil {
		return err
	}
	var i, lra, tp, cpu float64
	if _, err := fmt.Sscan(text, &i, &lra, &tp, &cpu); err != nil {
		return fmt.Errorf("read libebur128's figures %q: %w", text, err)
	}
	b.versus("meter_"+s.name+"_xrt", speed, seconds/cpu, "libebur128")
	b.goal("meter_"+s.name+"_minus_libebur128_LU", got.Integrated-i, "±0.02")
	b.goal("meter_"+s.name+"_range_minus_libebur128_LU", got.Range-lra, "±0.5")
	b.goal("meter_"+s.name+"_peak_minus_libebur128_dB", got.TruePeak-tp, "±0.2")
	return nil
}

// ebur128Script feeds libebur128 in pieces of 100 ms, reads momentary and
// short-term loudness each time as a live meter does, and counts only the time
// spent in the library.
const ebur128Script = `
import ctypes, math, os, sys
lib = ctypes.CDLL(sys.argv[1])
data = open(sys.argv[2], 'rb').read()
rate = int(sys.argv[3])
lib.ebur128_init.restype = ctypes.c_void_p
lib.ebur128_init.argtypes = [ctypes.c_uint, ctypes.c_ulong, ctypes.c_int]
lib.ebur128_add_frames_float.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
out = ctypes.c_double()
ref = ctypes.byref(out)
for f in ('loudness_global', 'loudness_range', 'loudness_momentary', 'loudness_shortterm'):
    getattr(lib, 'ebur128_' + f).argtypes = [ctypes.c_void_p, ctypes.c_void_p]
lib.ebur128_true_peak.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p]
buf = ctypes.create_string_buffer(data)
base = ctypes.addressof(buf)
best = 1e9
for _ in range(3):
    st = lib.ebur128_init(2, rate, 63)
    t = os.times()
    hop = rate // 10
    for i in range(0, len(data) // 8, hop):
        lib.ebur128_add_frames_float(st, base + 8 * i, min(hop, len(data) // 8 - i))
        lib.ebur128_loudness_momentary(st, ref)
        lib.ebur128_loudness_shortterm(st, ref)
    u = os.times()
    best = min(best, u.user + u.system - t.user - t.system)
lib.ebur128_loudness_global(st, ref); i = out.value
lib.ebur128_loudness_range(st, ref); lra = out.value
tp = 0
for c in (0, 1):
    lib.ebur128_true_peak(st, c, ref); tp = max(tp, out.value)
print(i, lra, 20 * math.log10(tp), max(best, 0.01))
`

// normalise measures how near to −16 LUFS the result lands, and how far over
// the ceiling it peaks by a reading 16 times as fine as the samples.
func (b *bench) normalise(s programme) error {
	target := loudness.Message
	var out dsp.Audio
	cpu, err := fastest(2, func() (err error) {
		out, _, err = loudness.Normalize(s.a, target)
		return err
	})
	if err != nil {
		return err
	}
	st, err := loudness.Measure(out)
	if err != nil {
		return err
	}
	seconds := s.a.Duration().Seconds()
	miss := math.Abs(st.Integrated - target.LUFS)
	b.goal("normalise_"+s.name+"_miss_LU", miss, "≤0.05")
	b.goal("normalise_"+s.name+"_over_ceiling_dB", peak16(out)-target.TruePeak, "≤0.1")
	b.goal("normalise_"+s.name+"_xrt", seconds/cpu, "≥30")
	if _, err := exec.LookPath("ffmpeg"); !b.peers || err != nil {
		return nil // the peer is optional
	}
	peer, peerCPU, err := b.loudnorm(s.a)
	if err != nil {
		return err
	}
	if st, err = loudness.Measure(peer); err != nil {
		return err
	}
	b.versus("normalise_"+s.name+"_miss_LU", miss, math.Abs(st.Integrated-target.LUFS), "ffmpeg_loudnorm_2pass")
	b.versus("normalise_"+s.name+"_xrt", seconds/cpu, seconds/peerCPU, "ffmpeg_loudnorm_2pass")
	return nil
}

// loudnorm runs ffmpeg's filter as its manual says: a pass that measures and a
// linear one that applies.
func (b *bench) loudnorm(a dsp.Audio) (dsp.Audio, float64, error) {
	in, out := filepath.Join(b.dir, "norm-in.wav"), filepath.Join(b.dir, "norm-out.wav")
	if err := writeWAV(in, a); err != nil {
		return dsp.Audio{}, 0, err
	}
	const want = "loudnorm=I=-16:TP=-1:LRA=11"
	text, cpu, err := timed(exec.Command("ffmpeg", "-nostdin", "-hide_banner", "-threads", "1", "-i", in, "-af", want+":print_format=json", "-f", "null", "-"))
	if err != nil {
		return dsp.Audio{}, 0, err
	}
	field := func(name string) string {
		m := regexp.MustCompile(`"` + name + `"\s*:\s*"([^"]+)"`).FindStringSubmatch(text)
		if m == nil {
			return "0"
		}
		return m[1]
	}
	second := fmt.Sprintf("%s:linear=true:measured_I=%s:measured_TP=%s:measured_LRA=%s:measured_thresh=%s:offset=%s", want,
		field("input_i"), field("input_tp"), field("input_lra"), field("input_thresh"), field("target_offset"))
	_, more, err := timed(exec.Command("ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", "1", "-i", in, "-af", second, "-ar", strconv.Itoa(a.Rate), "-c:a", "pcm_f32le", out))
	if err != nil {
		return dsp.Audio{}, 0, err
	}
	y, err := readWAV(out)
	return y, cpu + more, err
}

// timed runs a program and returns what it printed and its CPU seconds.
func timed(cmd *exec.Cmd) (string, float64, error) {
	text, err := cmd.CombinedOutput()
	if err != nil {
		return "", 0, fmt.Errorf("run %s: %w: %s", cmd.Path, err, text)
	}
	return strings.TrimSpace(string(text)), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}

// writeRaw writes interleaved float32.
func writeRaw(path string, a dsp.Audio) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriter(f)
	for i := range a.Len() {
		for _, ch := range a.Ch {
			if err := binary.Write(w, binary.LittleEndian, ch[i]); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

// peak16 is the true peak in dB at 16 positions per sample through a sinc of 64
// taps; only the neighbourhood of large samples is read.
func peak16(a dsp.Audio) float64 {
	const phases, taps = 16, 64
	var h [phases][taps]float64
	for p := range h {
		for k := range h[p] {
			x := float64(k-taps/2+1) - float64(p)/phases
			h[p][k] = 0.5 + 0.5*math.Cos(math.Pi*x/(taps/2+1))
			if x != 0 {
				h[p][k] *= math.Sin(math.Pi*x) / (math.Pi * x)
			}
		}
	}
	top := 0.0
	for _, ch := range a.Ch {
		for _, v := range ch {
			top = math.Max(top, math.Abs(float64(v)))
		}
	}
	m := top
	for _, ch := range a.Ch {
		for i := 0; i+taps <= len(ch); i++ {
			if math.Max(math.Abs(float64(ch[i+taps/2-1])), math.Abs(float64(ch[i+taps/2]))) < 0.6*top {
				continue
			}
			for p := range h {
				s := 0.0
				for k, c := range h[p] {
					s += c * float64(ch[i+k])
				}
				m = math.Max(m, math.Abs(s))
			}
		}
	}
	return 20 * math.Log10(m)
}
