package matting

import (
	"math"
	"math/rand/v2"
	"testing"
)

// cost is the energy of a labelling: the capacities it cuts.
func cost(unary []float32, link map[[2]int]float32, label []int8) float64 {
	var c float64
	for i, u := range unary {
		if u > 0 && label[i] != source {
			c += float64(u)
		}
		if u < 0 && label[i] == source {
			c -= float64(u)
		}
	}
	for e, v := range link {
		if (label[e[0]] == source) != (label[e[1]] == source) {
			c += float64(v)
		}
	}
	return c
}

// TestCutIsMinimal compares with every labelling of small pictures.
func TestCutIsMinimal(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for trial := range 300 {
		w, h := 1+rng.IntN(4), 1+rng.IntN(3)
		g := newGrid(w, h)
		unary := make([]float32, w*h)
		link := map[[2]int]float32{}
		for y := range h {
			for x := range w {
				i := y*w + x
				unary[i] = float32(rng.IntN(21) - 10)
				g.terminal[g.node(x, y)] = unary[i]
				for _, o := range neighbours {
					if x+o.dx < 0 || x+o.dx >= w || y+o.dy >= h {
						continue
					}
					c := float32(rng.IntN(8))
					g.link(g.node(x, y), o.k, c)
					link[[2]int{i, (y+o.dy)*w + x + o.dx}] = c
				}
			}
		}
		g.cut()
		label := make([]int8, w*h)
		for i := range label {
			label[i] = g.tree[g.node(i%w, i/w)]
		}
		got, best := cost(unary, link, label), math.Inf(1)
		for bits := range 1 << (w * h) {
			for i := range label {
				label[i] = int8(bits>>i&1) * source
			}
			best = min(best, cost(unary, link, label))
		}
		if math.Abs(got-best) > 1e-3 {
			t.Fatalf("trial %d, %d × %d: cut costs %v, the cheapest %v", trial, w, h, got, best)
		}
	}
}

func TestMixtureFindsClusters(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	var f [][4]float32
	var index []int32
	var weight []float32
	centres := [][4]float32{{20, 30, 40, 10}, {200, 180, 160, 60}}
	for i := range 2000 {
		c := centres[i%2]
		for a := range c {
			c[a] += float32(rng.NormFloat64() * 6)
		}
		f, index, weight = append(f, c), append(index, int32(i)), append(weight, 1)
	}
	m := fitMixture(f, index, weight, 3, 1)
	far := [4]float32{110, 105, 100, 35}
	for i := range centres {
		if m.logLikelihood(&centres[i]) < m.logLikelihood(&far)+10 {
			t.Errorf("centre %v is hardly likelier than nowhere", centres[i])
		}
	}
	if fitMixture(f, index[:19], weight[:19], 3, 1) != nil {
		t.Error("19 samples make a model")
	}
	// One colour only must not collapse.
	for i := range f {
		f[i] = [4]float32{5, 5, 5, 0}
	}
	if v := fitMixture(f, index, weight, 5, 1).logLikelihood(&f[0]); math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		t.Errorf("likelihood %v", v)
	}
}

func TestBoxIsAMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 20 {
		w, h, r := 1+rng.IntN(12), 1+rng.IntN(9), 1+rng.IntN(14)
		f := newField(w, h)
		for i := range f.pix {
			f.pix[i] = rng.Float32()
		}
		got := box(f, r)
		for y := range h {
			for x := range w {
				var s, n float64
				for j := max(0, y-r); j <= min(h-1, y+r); j++ {
					for i := max(0, x-r); i <= min(w-1, x+r); i++ {
						s += float64(f.pix[j*w+i])
						n++
					}
				}
				if d := float64(got.pix[y*w+x]) - s/n; math.Abs(d) > 1e-5 {
					t.Fatalf("%d × %d, radius %d at (%d, %d): %v", w, h, r, x, y, d)
				}
			}
		}
	}
}
