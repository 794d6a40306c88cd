package speech

import (
	"math"
	"slices"
)

// A sound class says what a phoneme looks like in a frame: its level below the
// loudest speech, the share of power below 700 Hz and above 2.5 kHz, and how
// long it lasts at a normal rate. Values are rounded means over read speech; the
// alignment only needs them to rank neighbours.
type soundClass struct {
	level, low, high float64 // dB, share, share
	seconds          float64
}

func classOf(p string) soundClass {
	switch p {
	case "pau", "sil":
		return soundClass{-60, 0.5, 0.2, 0.20}
	case "a":
		return soundClass{-4, 0.45, 0.08, 0.10}
	case "e", "o":
		return soundClass{-4, 0.65, 0.08, 0.09}
	case "i":
		return soundClass{-8, 0.75, 0.15, 0.08}
	case "u":
		return soundClass{-8, 0.85, 0.04, 0.08}
	case "A", "I", "U", "E", "O":
		return soundClass{-25, 0.2, 0.6, 0.06}
	case "N", "m", "n", "my", "ny":
		return soundClass{-11, 0.85, 0.04, 0.07}
	case "r", "ry", "w", "y":
		return soundClass{-9, 0.75, 0.07, 0.055}
	case "s", "sh", "ts", "ch", "hy":
		return soundClass{-20, 0.05, 0.80, 0.10}
	case "f", "h":
		return soundClass{-28, 0.2, 0.5, 0.08}
	case "z", "j", "v":
		return soundClass{-16, 0.5, 0.4, 0.075}
	case "b", "d", "g", "by", "dy", "gy":
		return soundClass{-18, 0.7, 0.15, 0.06}
	case "cl":
		return soundClass{-45, 0.5, 0.2, 0.08}
	}
	return soundClass{-32, 0.3, 0.4, 0.075} // p t k and the like
}

// segment lays a known sequence of phonemes over mono PCM at Rate and returns
// len(seq)+1 boundaries in seconds. It is the best path of a semi-Markov model:
// each phoneme pays for frames unlike its class and for an unlikely duration,
// and a boundary is paid for by the change of the spectrum across it (Viterbi
// over segments; Ostendorf, Digalakis and Kimball 1996).
func segment(pcm []float32, seq []string) []float64 {
	fs, err := frames(pcm)
	total := seconds(len(pcm))
	if err != nil || len(seq) == 0 || len(fs) < 2*len(seq) {
		return even(seq, total)
	}
	// Silence is possible at both ends, and costs little when there is none.
	all := slices.Concat([]string{"sil"}, seq, []string{"sil"})
	n, m := len(fs), len(all)
	fit, change := likeness(fs, all)

	// Expected ends: the durations of the classes, stretched to the whole.
	want := make([]float64, m)
	sum := 0.0
	for j, p := range all {
		want[j] = classOf(p).seconds / frameSeconds
		if j == 0 || j == m-1 {
			want[j] = 4
		}
		sum += want[j]
	}
	scale := float64(n) / sum
	for j := range want {
		if j > 0 && j < m-1 {
			want[j] *= scale
		}
	}
	slack := max(80, n/5)
	const never = math.MaxFloat64
	cost := make([][]float64, m+1)
	back := make([][]int32, m+1)
	for j := range cost {
		cost[j] = make([]float64, n+1)
		for t := range cost[j] {
			cost[j][t] = never
		}
		back[j] = make([]int32, n+1)
	}
	cost[0][0] = 0
	expected := 0.0
	for j := range m {
		expected += want[j]
		lo, hi := max(int(expected)-slack, 0), min(int(expected)+slack, n)
		if j == m-1 {
			lo, hi = n, n
		}
		shortest, longest := 2, int(4*want[j])+12
		if j == 0 || j == m-1 {
			shortest, longest = 0, n
		} else if classOf(all[j]).level < -50 {
			longest = n
		}
		sums := fit[j]
		for t := lo; t <= hi; t++ {
			edge := 0.0
			if t < n && j < m-1 {
				edge = change[t]
			}
			for d := shortest; d <= min(longest, t); d++ {
				c := cost[j][t-d]
				if c == never {
					continue
				}
				c += sums[t] - sums[t-d] - edge + duration(float64(d), want[j], j == 0 || j == m-1)
				if c < cost[j+1][t] {
					cost[j+1][t], back[j+1][t] = c, int32(d)
				}
			}
		}
	}
	if cost[m][n] == never {
		return even(seq, total)
	}
	bounds := make([]float64, m+1)
	for j, t := m, n; j > 0; j-- {
		t -= int(back[j][t])
		bounds[j-1] = float64(t) * frameSeconds
	}
	bounds = bounds[1:m]
	for i := range bounds {
		bounds[i] = min(bounds[i], total)
	}
	return bounds
}

// duration is the price of a phoneme lasting d frames where w are usual:
// log-normal with a spread of a factor 1.6. Silence at the ends is free.
func duration(d, w float64, free bool) float64 {
	if free {
		return 0
	}
	z := math.Log(d/w) / math.Log(1.6)
	return 2 * z * z
}

// likeness returns per phoneme the running sums of what the frames cost it, and
// per frame the reward for a boundary before it.
func likeness(fs []frame, seq []string) (fit [][]float64, change []float64) {
	n := len(fs)
	level, low, high := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range fs {
		all := fs[i].band(60, 8000)
		level[i] = decibel(all)
		low[i], high[i] = fs[i].band(60, 700)/all, fs[i].band(2500, 8000)/all
	}
	loud := quantile(level, 0.95)
	memo := map[soundClass][]float64{}
	fit = make([][]float64, len(seq))
	for j, p := range seq {
		c := classOf(p)
		if memo[c] == nil {
			sums := make([]float64, n+1)
			for i := range n {
				a := (max(level[i]-loud, -60) - c.level) / 9
				b, d := (low[i]-c.low)/0.25, (high[i]-c.high)/0.25
				if c.level < -40 {
					b, d = 0, 0 // the colour of silence says nothing
				}
				sums[i+1] = sums[i] + min(0.5*(a*a+b*b+d*d), 6)
			}
			memo[c] = sums
		}
		fit[j] = memo[c]
	}
	change = make([]float64, n)
	shape := make([][8]float64, n)
	edges := [9]float64{60, 300, 600, 1000, 1600, 2400, 3500, 5000, 8000}
	for i := range fs {
		for k := range 8 {
			shape[i][k] = max(decibel(fs[i].band(edges[k], edges[k+1])), loud-60)
		}
	}
	for i := 2; i+2 < n; i++ {
		for k := range 8 {
			change[i] += math.Abs(shape[i+1][k] - shape[i-2][k])
		}
		change[i] = min(change[i]/40, 4)
	}
	return fit, change
}

func quantile(in []float64, q float64) float64 {
	s := slices.Clone(in)
	slices.Sort(s)
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

// even spreads the phonemes over the sound by their usual durations.
func even(seq []string, total float64) []float64 {
	sum := 0.0
	for _, p := range seq {
		sum += classOf(p).seconds
	}
	out := make([]float64, 1, len(seq)+1)
	at := 0.0
	for _, p := range seq {
		at += classOf(p).seconds
		out = append(out, min(total*at/sum, total))
	}
	return out
}
