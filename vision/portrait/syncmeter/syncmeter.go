// Package syncmeter measures, without any trained model, how well the lips of a
// video follow a voice. It looks only at the luma of the frames, so it is
// independent of whatever rendered them and also works on decoded files of
// other engines.
//
// A patch of the chin and a patch of the nose are followed by block
// matching against the first frame; their difference is the jaw's displacement.
// Its correlation with the openness that the phonemes ask for, and the lag at
// which the correlation peaks, are the score.
package syncmeter

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/videomsg/videomsg/vision/face"
)

// Luma is one frame's luma, 8 bits, row by row.
type Luma struct {
	W, H int
	Pix  []byte
}

// Meter follows a face through frames. The zero value is not usable; see New.
type Meter struct {
	f          face.Face
	chin, nose patch
	half       float64 // half the mouth's width, pixels
	last       float64
	started    bool
	jaw        []float64
}

// patch is a square of samples in a frame.
type patch struct {
	x, y []float64 // sample positions at rest, pixels
	ref  []float64
}

// New returns a meter for the face f as it stands in the first frame.
func New(f face.Face) (*Meter, error) {
	if !(f.Frame.IOD() > 8) {
		return nil, errors.New("face is too small to be measured")
	}
	m := &Meter{f: f}
	grid := func(fr face.Frame, u0, u1, v0, v1 float64) (p patch) {
		const n = 24
		for j := range n {
			for i := range n {
				x, y := fr.Pixel(u0+(u1-u0)*float64(i)/(n-1), v0+(v1-v0)*float64(j)/(n-1))
				p.x, p.y = append(p.x, x), append(p.y, y)
			}
		}
		return p
	}
	// Clearly below the lower lip's edge, which moves by itself when a smile
	// closes, and in the face's own frame: corners of the mouth are found less
	// surely, and teeth must stay out of the patch.
	low := max(f.LipBot.Y, (f.MouthL.Y+f.MouthR.Y)/2+0.08)
	m.chin = grid(f.Frame, -0.24, 0.24, low+0.05, low+0.38)
	m.half = max(0.3, math.Abs(f.MouthR.X-f.MouthL.X)/2) * f.Frame.IOD()
	m.nose = grid(f.Frame, -0.3, 0.3, 0.2, 0.78)
	return m, nil
}

// Add measures the next frame.
func (m *Meter) Add(l Luma) error {
	if l.W < 8 || l.H < 8 || len(l.Pix) < l.W*l.H {
		return fmt.Errorf("frame %d: %d bytes for %d×%d", len(m.jaw), len(l.Pix), l.W, l.H)
	}
	if !m.started {
		m.chin.ref, m.nose.ref = m.chin.sample(l, 0, 0), m.nose.sample(l, 0, 0)
		m.started = true
	}
	r := m.f.Frame.IOD() / 100 // radii below are for 100 pixels between the pupils
	nx, ny := m.nose.match(l, 0, 0, 9*r)
	_, cy := m.chin.match(l, nx, ny+m.last, 20*r)
	m.last = cy - ny
	m.jaw = append(m.jaw, m.last/m.half)
	return nil
}

func (p *patch) sample(l Luma, dx, dy float64) []float64 {
	out := make([]float64, len(p.x))
	for i := range p.x {
		out[i] = l.at(p.x[i]+dx, p.y[i]+dy)
	}
	return out
}

func (l Luma) at(x, y float64) float64 {
	x, y = max(0, min(float64(l.W)-1.001, x-0.5)), max(0, min(float64(l.H)-1.001, y-0.5))
	i, j := int(x), int(y)
	fx, fy := x-float64(i), y-float64(j)
	p := l.Pix[j*l.W+i:]
	a := float64(p[0])*(1-fx) + float64(p[1])*fx
	b := float64(p[l.W])*(1-fx) + float64(p[l.W+1])*fx
	return a*(1-fy) + b*fy
}

// match finds the displacement of the patch near (cx, cy), coarse to fine, by a
// sum of squares that is cut off so that teeth and shadows do not rule it.
func (p *patch) match(l Luma, cx, cy, radius float64) (bx, by float64) {
	bx, by = cx, cy
	best := math.Inf(1)
	lim := radius
	for _, step := range []float64{radius / 5, radius / 15, radius / 45, radius / 130} {
		ox, oy := bx, by
		for dy := -lim; dy <= lim; dy += step {
			for dx := -lim / 2; dx <= lim/2; dx += step {
				var e float64
				for i := range p.x {
					d := l.at(p.x[i]+ox+dx, p.y[i]+oy+dy) - p.ref[i]
					if e += min(d*d, 900); e >= best {
						break
					}
				}
				if e < best {
					best, bx, by = e, ox+dx, oy+dy
				}
			}
		}
		lim = step
	}
	return bx, by
}

// Jaw is the jaw's displacement per frame in half mouth widths.
func (m *Meter) Jaw() []float64 { return slices.Clone(m.jaw) }

// Score is the comparison of a jaw with a truth.
type Score struct {
	Correlation float64 // at the best lag
	Lag         float64 // seconds; negative means the picture leads the sound
	Opening     float64 // 95th percentile of the jaw, half mouth widths
	// Closures is the share of lip closures with a frame of hardly any
	// opening (a tenth) within 40 ms; 1 when there are none.
	Closures float64
}

// maxLag is how far a shift is looked for, seconds.
const maxLag = 0.32

// Compare scores a jaw, one value per frame, against the openness wanted at the
// frames' centres and the times (seconds) at which lips must be closed.
func Compare(jaw, truth []float64, closures []float64, fps float64) Score {
	n := min(len(jaw), len(truth))
	s := Score{Correlation: -1, Closures: 1}
	if n < 10 || !(fps > 0) {
		return Score{Closures: 1}
	}
	for lag := -maxLag * fps; lag <= maxLag*fps; lag += 0.05 {
		if c := correlation(jaw[:n], truth[:n], lag); c > s.Correlation {
			s.Correlation, s.Lag = c, lag/fps
		}
	}
	sorted := slices.Clone(jaw[:n])
	slices.Sort(sorted)
	base := sorted[n/20]
	s.Opening = sorted[n*19/20] - base
	if len(closures) == 0 {
		return s
	}
	rest := restOf(jaw[:n], fps)
	hits := 0
	for _, t := range closures {
		lo, hi := int(math.Floor((t-0.040)*fps-0.5)), int(math.Ceil((t+0.040)*fps-0.5))
		for k := max(0, lo); k <= min(n-1, hi); k++ {
			if jaw[k]-rest[k] < 0.10*s.Opening {
				hits++
				break
			}
		}
	}
	s.Closures = float64(hits) / float64(len(closures))
	return s
}

// restOf is the closed position of the jaw around each frame: the lowest of
// 2.4 s, smoothed. It drifts because a nod moves chin and nose differently.
func restOf(jaw []float64, fps float64) []float64 {
	r := int(1.2 * fps)
	low := make([]float64, len(jaw))
	for i := range jaw {
		low[i] = slices.Min(jaw[max(0, i-r):min(len(jaw), i+r+1)])
	}
	out := make([]float64, len(jaw))
	for i := range low {
		w := low[max(0, i-r):min(len(low), i+r+1)]
		for _, v := range w {
			out[i] += v / float64(len(w))
		}
	}
	return out
}

// correlation is Pearson's between truth and the jaw read lag frames later.
func correlation(jaw, truth []float64, lag float64) float64 {
	var n, sx, sy, sxx, syy, sxy float64
	for i := range truth {
		p := float64(i) + lag
		j := int(math.Floor(p))
		if j < 0 || j+1 >= len(jaw) {
			continue
		}
		f := p - float64(j)
		x, y := truth[i], jaw[j]*(1-f)+jaw[j+1]*f
		n, sx, sy, sxx, syy, sxy = n+1, sx+x, sy+y, sxx+x*x, syy+y*y, sxy+x*y
	}
	if n < 8 {
		return -1
	}
	d := (sxx - sx*sx/n) * (syy - sy*sy/n)
	if d <= 1e-18 {
		return 0
	}
	return (sxy - sx*sy/n) / math.Sqrt(d)
}
