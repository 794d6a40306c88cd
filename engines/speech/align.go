package speech

import "math"

// Dimensions of the alignment: 13 cepstral coefficients and their slopes, from 26
// mel bands.
const (
	melBands = 26
	cepstra  = 13
)

type feature [2 * cepstra]float64

// align carries the timeline of a reference over to another reading of the same
// text: both are described by mel cepstra with their slopes, free of the mean
// and spread of each speaker, and warped onto each other (dynamic time warping
// within a band; Sakoe and Chiba 1978). The reference's boundaries follow the
// path. A path that fits badly is Approximate, any other Aligned.
func align(ref part, pcm []float32) Timings {
	t := ref.timings
	total := seconds(len(pcm))
	rf, err1 := frames(ref.samples)
	tf, err2 := frames(pcm)
	a0, a1 := voiced(ref)
	b0, b1 := heard(tf, total)
	linear := func(s float64) float64 {
		if b1 <= b0 { // nothing is heard: all of it, then
			b0, b1 = 0, total
		}
		if a1 <= a0 {
			return b0
		}
		return min(max(b0+(s-a0)*(b1-b0)/(a1-a0), 0), total)
	}
	lo, hi := int(a0/frameSeconds), int(a1/frameSeconds)
	from, to := int(b0/frameSeconds), int(b1/frameSeconds)
	if err1 != nil || err2 != nil || b1 <= b0 || hi-lo < 4 || to-from < 4 || hi >= len(rf) || to >= len(tf) {
		t.Source = Approximate
		return t.Map(linear)
	}
	path, fit := warp(features(rf[lo:hi+1]), features(tf[from:to+1]))
	if path == nil {
		t.Source = Approximate
		return t.Map(linear)
	}
	t.Source = Aligned
	if fit > poorFit {
		t.Source = Approximate
	}
	out := t.Map(func(s float64) float64 {
		x := (s - a0) / frameSeconds
		if x <= 0 {
			return min(max(b0+s-a0, 0), b0)
		}
		if x >= float64(len(path)-1) {
			return min(b1+max(s-a1, 0), total)
		}
		i := int(x)
		return min(b0+(path[i]+(x-float64(i))*(path[i+1]-path[i]))*frameSeconds, total)
	})
	return out
}

// poorFit is the mean distance along the path beyond which the two sounds do not
// say the same. Measured: one text by two styles of a voice 2.1 to 3.5, by an HMM
// and a formant synthesiser 5.4; two texts by one voice 5.7, by two 6.6.
const poorFit = 5.6

// heard returns where sound begins and ends: more than 35 dB below the loudest
// is silence.
func heard(fs []frame, total float64) (from, to float64) {
	level := make([]float64, len(fs))
	for i := range fs {
		level[i] = decibel(fs[i].band(60, 8000))
	}
	if len(level) == 0 {
		return 0, total
	}
	floor := max(quantile(level, 0.95)-35, -70)
	first, last := -1, 0
	for i, l := range level {
		if l > floor {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return 0, 0
	}
	return min(float64(first)*frameSeconds, total), min(float64(last)*frameSeconds, total)
}

func features(fs []frame) []feature {
	bank := melBank()
	var cosine [cepstra][melBands]float64
	for k := range cosine {
		for b := range cosine[k] {
			cosine[k][b] = math.Cos(math.Pi * float64(k) * (float64(b) + 0.5) / melBands)
		}
	}
	out := make([]feature, len(fs))
	for i := range fs {
		var logs [melBands]float64
		for b := range logs {
			sum := 1e-9
			for k, w := range bank[b].weights {
				sum += w * fs[i][bank[b].first+k]
			}
			logs[b] = math.Log(sum)
		}
		for k := range cepstra {
			for b, l := range logs {
				out[i][k] += l * cosine[k][b]
			}
		}
	}
	// Slopes over ±2 frames, then mean and variance over the whole.
	for i := range out {
		for k := range cepstra {
			sum := 0.0
			for d := 1; d <= 2; d++ {
				sum += float64(d) * (out[min(i+d, len(out)-1)][k] - out[max(i-d, 0)][k])
			}
			out[i][cepstra+k] = sum / 10
		}
	}
	for k := range out[0] {
		mean, square := 0.0, 0.0
		for i := range out {
			mean += out[i][k]
			square += out[i][k] * out[i][k]
		}
		n := float64(len(out))
		mean /= n
		spread := math.Sqrt(max(square/n-mean*mean, 1e-9))
		for i := range out {
			out[i][k] = (out[i][k] - mean) / spread
		}
	}
	return out
}

type melFilter struct {
	first   int
	weights []float64
}

// melBank returns triangles of equal width in mel from 60 to 7600 Hz.
func melBank() [melBands]melFilter {
	mel := func(f float64) float64 { return 2595 * math.Log10(1+f/700) }
	hertz := func(m float64) float64 { return 700 * (math.Pow(10, m/2595) - 1) }
	var bank [melBands]melFilter
	lo, hi := mel(60), mel(7600)
	edge := func(i int) float64 {
		return hertz(lo+(hi-lo)*float64(i)/(melBands+1)) * fftSize / analysisRate
	}
	for b := range bank {
		l, c, r := edge(b), edge(b+1), edge(b+2)
		bank[b].first = int(math.Ceil(l))
		for k := bank[b].first; float64(k) < r; k++ {
			w := (float64(k) - l) / (c - l)
			if float64(k) > c {
				w = (r - float64(k)) / (r - c)
			}
			bank[b].weights = append(bank[b].weights, w)
		}
	}
	return bank
}

// warp returns, for each frame of a, the frame of b that says the same, and the
// mean distance along the path. The path stays within a band around the diagonal
// and moves by (1,1), (1,0) or (0,1), the latter two at a small price, so that
// stretches without evidence keep the diagonal.
func warp(a, b []feature) (path []float64, fit float64) {
	n, m := len(a), len(b)
	radius := max(60, max(n, m)*15/100)
	width := 2*radius + 1
	start := func(i int) int { return i*(m-1)/max(n-1, 1) - radius }
	const never = math.MaxFloat64 / 4
	cost := make([]float64, width)
	prev := make([]float64, width)
	step := make([]uint8, n*width) // 0 diagonal, 1 from above, 2 from the left
	const price = 0.7
	for i := range n {
		s := start(i)
		shift := 0
		if i > 0 {
			shift = s - start(i-1)
		}
		for c := range width {
			j := s + c
			if j < 0 || j >= m {
				cost[c] = never
				continue
			}
			d := distance(&a[i], &b[j])
			at := func(row []float64, k int) float64 {
				if k < 0 || k >= width {
					return never
				}
				return row[k]
			}
			best, how := never, uint8(0)
			switch {
			case i == 0 && j == 0:
				best = 0
			case i == 0:
				best, how = at(cost, c-1)+price, 2
			default:
				if v := at(prev, c+shift-1); j > 0 && v < best {
					best, how = v, 0
				}
				if v := at(prev, c+shift) + price; v < best {
					best, how = v, 1
				}
				if v := at(cost, c-1) + price; v < best {
					best, how = v, 2
				}
			}
			cost[c] = min(best+d, never)
			step[i*width+c] = how
		}
		cost, prev = prev, cost
	}
	end := m - 1 - start(n-1)
	if end < 0 || end >= width || prev[end] >= never {
		return nil, 0
	}
	path = make([]float64, n)
	steps := 1
	i, j := n-1, m-1
	first, last := j, j // of b's frames that a[i] met
	for {
		how := step[i*width+j-start(i)]
		if how == 2 && j > 0 {
			j--
			first = j
		} else {
			path[i] = float64(first+last) / 2
			if i == 0 {
				break
			}
			i--
			if how == 0 {
				j--
			}
			first, last = j, j
		}
		steps++
	}
	return path, prev[end] / float64(steps)
}

func distance(a, b *feature) float64 {
	sum := 0.0
	for k := range a {
		d := a[k] - b[k]
		sum += d * d
	}
	return math.Sqrt(sum)
}
