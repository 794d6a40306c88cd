package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/prosody"
	"github.com/videomsg/videomsg/dsp/wav"
)

// changer is a way to change speed (rate above 1 is faster) and pitch. It
// returns nil audio when it cannot do that.
type changer struct {
	name string
	run  func(x dsp.Audio, rate, semitones float64) (y dsp.Audio, cpu float64, err error)
}

func ours() changer {
	return changer{"ours", func(x dsp.Audio, rate, semitones float64) (dsp.Audio, float64, error) {
		p := prosody.NeutralPlan()
		p.Rate, p.Semitones, p.NoBypass = rate, semitones, true
		t := cpuSeconds()
		y, _, _, err := prosody.Apply(x, p, nil)
		return y, cpuSeconds() - t, err
	}}
}

// programs are the peers found on PATH. Each is run as its manual recommends for
// speech; times are those of the process, file reading and writing included.
func (b *bench) programs() []changer {
	in, out := filepath.Join(b.dir, "peer-in.wav"), filepath.Join(b.dir, "peer-out.wav")
	program := func(name, bin string, args func(rate, st float64) []string) changer {
		return changer{name, func(x dsp.Audio, rate, st float64) (dsp.Audio, float64, error) {
			a := args(rate, st)
			if a == nil {
				return dsp.Audio{}, 0, nil
			}
			if err := writeWAV(in, x); err != nil {
				return dsp.Audio{}, 0, err
			}
			cmd := exec.Command(bin, a...)
			if text, err := cmd.CombinedOutput(); err != nil {
				return dsp.Audio{}, 0, fmt.Errorf("run %s: %w: %s", bin, err, text)
			}
			cpu := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
			y, err := readWAV(out)
			return y, cpu, err
		}}
	}
	all := []changer{
		program("rubberband_r3", "rubberband", func(rate, st float64) []string {
			return []string{"-q", "-3", "-F", "-t", fmt.Sprint(1 / rate), "-p", fmt.Sprint(st), in, out}
		}),
		program("rubberband_r2", "rubberband", func(rate, st float64) []string {
			return []string{"-q", "-2", "-F", "-t", fmt.Sprint(1 / rate), "-p", fmt.Sprint(st), in, out}
		}),
		program("soundtouch", "soundstretch", func(rate, st float64) []string {
			return []string{in, out, fmt.Sprintf("-tempo=%g", (rate-1)*100), fmt.Sprintf("-pitch=%g", st), "-speech"}
		}),
		program("sox", "sox", func(rate, st float64) []string {
			a := []string{in, "-b", "24", out}
			if rate != 1 || st == 0 {
				a = append(a, "tempo", "-s", fmt.Sprint(rate))
			}
			if st != 0 {
				a = append(a, "pitch", fmt.Sprint(100*st))
			}
			return a
		}),
		program("ffmpeg_atempo", "ffmpeg", func(rate, st float64) []string {
			if st != 0 {
				return nil
			}
			return []string{"-v", "error", "-y", "-i", in, "-af", fmt.Sprintf("atempo=%g", rate), "-c:a", "pcm_s24le", out}
		}),
	}
	var found []changer
	for i, bin := range []string{"rubberband", "rubberband", "soundstretch", "sox", "ffmpeg"} {
		if _, err := exec.LookPath(bin); err == nil {
			found = append(found, all[i])
		} else {
			fmt.Fprintf(b.w, "# %s is not installed\n", bin)
		}
	}
	return found
}

func writeWAV(path string, a dsp.Audio) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	return wav.Encode(f, a, wav.PCM24)
}

func readWAV(path string) (dsp.Audio, error) {
	f, err := os.Open(path)
	if err != nil {
		return dsp.Audio{}, err
	}
	defer f.Close() //nolint:errcheck // only read
	a, err := wav.Decode(bufio.NewReader(f), math.MaxInt32)
	if err != nil {
		return dsp.Audio{}, fmt.Errorf("read %s: %w", path, err)
	}
	return a, nil
}
