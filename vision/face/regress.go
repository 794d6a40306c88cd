package face

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
)

// regressor is a cascade of regression trees that walks from a rough position
// to a landmark (Markuš et al., "Eye pupil localization with an ensemble of
// randomized trees", 2014), in the file format of pigo. The walk itself is our
// own because pigo's draws its perturbations from the global random source,
// which would make two runs over one picture differ.
type regressor struct {
	stages, trees, depth int
	shrink               float32 // of the search region after each stage
	codes                []int8
	leaves               []float32
}

var errCascade = errors.New("cascade data is damaged")

func parseRegressor(b []byte) (*regressor, error) {
	if len(b) < 16 {
		return nil, errCascade
	}
	u := func(i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
	r := &regressor{stages: int(u(0)), shrink: math.Float32frombits(u(4)), trees: int(u(8)), depth: int(u(12))}
	if r.stages < 1 || r.stages > 64 || r.trees < 1 || r.trees > 1024 || r.depth < 1 || r.depth > 16 {
		return nil, errCascade
	}
	n := 1 << r.depth
	size := r.stages * r.trees * (4*(n-1) + 8*n)
	if len(b) < 16+size {
		return nil, errCascade
	}
	r.codes = make([]int8, 0, r.stages*r.trees*4*(n-1))
	r.leaves = make([]float32, 0, r.stages*r.trees*2*n)
	pos := 16
	for range r.stages * r.trees {
		for _, c := range b[pos : pos+4*(n-1)] {
			r.codes = append(r.codes, int8(c))
		}
		pos += 4 * (n - 1)
		for range 2 * n {
			r.leaves = append(r.leaves, math.Float32frombits(u(pos)))
			pos += 4
		}
	}
	return r, nil
}

// walk runs the cascade once from (row, col) with a region of the given size.
// mirror reverses left and right in the learnt patterns.
func (r *regressor) walk(p plane, row, col, size float32, mirror bool) (float32, float32) {
	n := 1 << r.depth
	side := 1
	if mirror {
		side = -1
	}
	code, leaf := 0, 0
	for range r.stages {
		var dr, dc float32
		s := int(math.Round(float64(size)))
		y0, x0 := 256*int(row), 256*int(col)
		for range r.trees {
			k := 0
			for range r.depth {
				c := r.codes[code+4*k : code+4*k+4]
				a := p.pix[within((y0+int(c[0])*s)>>8, p.h)*p.w+within((x0+side*int(c[1])*s)>>8, p.w)]
				b := p.pix[within((y0+int(c[2])*s)>>8, p.h)*p.w+within((x0+side*int(c[3])*s)>>8, p.w)]
				k = 2*k + 1
				if a > b {
					k++
				}
			}
			l := leaf + 2*(k-(n-1))
			dr += r.leaves[l]
			dc += r.leaves[l+1]
			code += 4 * (n - 1)
			leaf += 2 * n
		}
		row += dr * size
		col += float32(side) * dc * size
		size *= r.shrink
	}
	return row, col
}

func within(i, n int) int { return max(0, min(n-1, i)) }

// locate runs walks from n perturbed starts and returns the mean of the middle
// half of the answers (an interquartile mean: as robust as a median, but finer
// than a pixel) and their interquartile range.
func (r *regressor) locate(p plane, at Point, size float64, mirror bool, n int, rng *rand.Rand) (pos Point, spread float64) {
	rows, cols := make([]float64, n), make([]float64, n)
	for i := range n {
		row := float32(at.Y + size*0.15*(0.5-rng.Float64()))
		col := float32(at.X + size*0.15*(0.5-rng.Float64()))
		a, b := r.walk(p, row, col, float32(size*(0.925+0.15*rng.Float64())), mirror)
		rows[i], cols[i] = float64(a), float64(b)
	}
	y, sy := middle(rows)
	x, sx := middle(cols)
	return Point{x + 0.5, y + 0.5}, math.Hypot(sx, sy)
}

func middle(a []float64) (mean, iqr float64) {
	slices.Sort(a)
	lo, hi := len(a)/4, len(a)-len(a)/4
	for _, v := range a[lo:hi] {
		mean += v
	}
	return mean / float64(hi-lo), a[hi-1] - a[lo]
}
