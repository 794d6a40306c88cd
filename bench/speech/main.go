// Command speech measures the local voices: how fast they speak, how soon a
// preview is heard, and how well timings are found where an engine gives none.
//
//	go run ./bench/speech
//
// Every result is one line: bench: NAME ours=… goal=… or, with a peer measured
// in the same run, bench: NAME ours=… peer=… ratio=…. The peer of Open JTalk is
// the program itself on the whole text. Wall times depend on what else the
// machine does; the best of several runs is shown, and CPU seconds beside it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/engines/speech/mecab"
	"github.com/videomsg/videomsg/engines/speech/text"
)

// runs is how often each time is taken.
const runs = 7

// message takes about ten seconds to say.
const message = "お誕生日おめでとうございます。いつもそばにいてくれて本当にありがとう。これからも元気で楽しい毎日を過ごしてくださいね。また近いうちに会いましょう！"

// sentence is one of about ten seconds, with nothing but clauses to cut it at.
const sentence = "お誕生日おめでとうございます、いつもそばにいてくれて本当にありがとう、これからも元気で楽しい毎日を過ごしてくださいね、また近いうちに会いましょう。"

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "speech:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer) error {
	for _, f := range []func(context.Context, io.Writer) error{message10s, previews, thousand, alignment, reading} {
		if err := f(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// A cost is what a run took.
type cost struct{ wall, cpu float64 } // seconds

// best returns the least wall and CPU time of f, children included.
func best(f func() error) (cost, error) {
	out := cost{math.Inf(1), math.Inf(1)}
	for range runs {
		before, err := cpu()
		if err != nil {
			return out, err
		}
		start := time.Now()
		if err := f(); err != nil {
			return out, err
		}
		wall := time.Since(start).Seconds()
		after, err := cpu()
		if err != nil {
			return out, err
		}
		out.wall, out.cpu = min(out.wall, wall), min(out.cpu, after-before)
	}
	return out, nil
}

func cpu() (float64, error) {
	sum := 0.0
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return 0, fmt.Errorf("get CPU time: %w", err)
		}
		for _, t := range []syscall.Timeval{u.Utime, u.Stime} {
			sum += float64(t.Sec) + float64(t.Usec)/1e6
		}
	}
	return sum, nil
}

func message10s(ctx context.Context, w io.Writer) error {
	return errors.Join(realtime(ctx, w, "message", message), realtime(ctx, w, "sentence", sentence))
}

// realtime measures how much faster than real time a text is spoken.
func realtime(ctx context.Context, w io.Writer, name, message string) error {
	o := speech.OpenJTalk{}
	length := 0.0
	ours, err := best(func() error {
		s, err := o.Speak(ctx, speech.Request{Text: message})
		length = s.Audio.Duration().Seconds()
		return err
	})
	if err != nil {
		return err
	}
	peer, err := best(func() error {
		cmd := exec.CommandContext(ctx, "open_jtalk", "-x", speech.DebianDictionary, "-m", speech.DebianVoice, "-ow", os.DevNull, "-ot", os.DevNull)
		cmd.Stdin = strings.NewReader(message + "\n")
		return cmd.Run()
	})
	if err != nil {
		return fmt.Errorf("run open_jtalk: %w", err)
	}
	fmt.Fprintf(w, "bench: openjtalk_%s_of_%.0fs_realtime_wall ours=%.1fx peer=%.1fx ratio=%.2f goal=20x\n", name, length, length/ours.wall, length/peer.wall, peer.wall/ours.wall)
	fmt.Fprintf(w, "bench: openjtalk_%s_of_%.0fs_realtime_cpu ours=%.1fx peer=%.1fx ratio=%.2f\n", name, length, length/ours.cpu, length/peer.cpu, peer.cpu/ours.cpu)
	return nil
}

func previews(ctx context.Context, w io.Writer) error {
	for _, id := range []string{"openjtalk:standard", "espeak:en-us"} {
		c, err := best(func() error {
			s, err := speech.New(speech.Config{}) // anew, so that nothing is cached
			if err != nil {
				return err
			}
			if _, err := s.Preview(ctx, id); err != nil {
				return err
			}
			return s.Close()
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "bench: preview_%s ours=%.0fms cpu=%.0fms goal=300ms\n", id, 1000*c.wall, 1000*c.cpu)
	}
	return nil
}

func thousand(ctx context.Context, w io.Writer) error {
	long := ""
	for len([]rune(long)) < 960 {
		long += "これはとても長いメッセージなので、最後まで聞いてください。"
	}
	start := time.Now()
	before, err := cpu()
	if err != nil {
		return err
	}
	s, err := (speech.OpenJTalk{}).Speak(ctx, speech.Request{Text: long})
	if err != nil {
		return err
	}
	after, err := cpu()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "bench: openjtalk_%d_characters ours=%.1fs cpu=%.1fs sound=%.0fs\n", len([]rune(long)), time.Since(start).Seconds(), after-before, s.Audio.Duration().Seconds())
	return nil
}

// alignment has one voice speak what another voice says, and holds what is found
// against what that voice itself knows.
func alignment(ctx context.Context, w io.Writer) error {
	const in = "お誕生日おめでとうございます、いつもそばにいてくれて本当にありがとう、これからも元気に過ごしてください"
	o := speech.OpenJTalk{}
	truth, err := o.Speak(ctx, speech.Request{Text: in, Voice: "openjtalk:bright", Rate: 1.25, Pitch: 2})
	if err != nil {
		return err
	}
	p := text.Prepare(in, text.Options{}).Pieces[0]
	var got speech.Timings
	c, err := best(func() error {
		got = speech.Reference{OpenJTalk: o}.Align(ctx, "ja", p, truth.Audio.Ch[0])
		return nil
	})
	if err != nil {
		return err
	}
	a, b := sounded(got.Phones), sounded(truth.Timings.Phones)
	if len(a) != len(b) {
		return fmt.Errorf("%d phones aligned, want %d", len(a), len(b))
	}
	var ms []float64
	for i := range a {
		ms = append(ms, 1000*math.Abs(a[i].Start-b[i].Start))
	}
	slices.Sort(ms)
	fmt.Fprintf(w, "bench: align_other_voice ours=%.0fms p90=%.0fms max=%.0fms cpu=%.2fs_per_%.0fs\n",
		ms[len(ms)/2], ms[len(ms)*9/10], ms[len(ms)-1], c.cpu, truth.Audio.Duration().Seconds())
	return nil
}

func sounded(ps []speech.Phone) []speech.Phone {
	return slices.DeleteFunc(slices.Clone(ps), func(p speech.Phone) bool { return p.Silent() })
}

func reading(_ context.Context, w io.Writer) (err error) {
	long := strings.Repeat(message, 14)
	c, err := best(func() error {
		text.Prepare(long, text.Options{})
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "bench: prepare_%d_characters ours=%.1fms\n", len([]rune(long)), 1000*c.cpu)
	d, err := mecab.Open(speech.DebianDictionary)
	if err != nil {
		return err
	}
	defer func() {
		if e := d.Close(); err == nil {
			err = e
		}
	}()
	ours, err := best(func() error {
		_, err := d.Words(message)
		return err
	})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	peer, err := best(func() error {
		cmd := exec.Command("mecab", "-d", speech.DebianDictionary)
		cmd.Stdin, cmd.Stdout = strings.NewReader(message+"\n"), &out
		return cmd.Run()
	})
	if err != nil {
		fmt.Fprintf(w, "bench: words_of_a_message ours=%.1fms\n", 1000*ours.wall)
		return nil // mecab is not installed: no peer
	}
	fmt.Fprintf(w, "bench: words_of_a_message ours=%.1fms peer=%.1fms ratio=%.1f\n", 1000*ours.wall, 1000*peer.wall, peer.wall/ours.wall)
	return nil
}
