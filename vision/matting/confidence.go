package matting

import (
	"image"
	"math"
	"slices"
	"sync"
)

// lower caps the confidence, and says why, when something is wrong.
func (r *Result) lower(when bool, to float64, why Reason) {
	if !when {
		return
	}
	r.Confidence = min(r.Confidence, to)
	if !slices.Contains(r.Reasons, why) {
		r.Reasons = append(r.Reasons, why)
	}
}

// judgeShape lowers the confidence for what no person's mask looks like.
func (r *Result) judgeShape(m mask, seeds []seed) {
	var area, top, outline int
	for y := range m.h {
		for x := range m.w {
			i := y*m.w + x
			if m.pix[i] == 0 {
				continue
			}
			area++
			if y == 0 {
				top++
			}
			if x+1 < m.w && m.pix[i+1] == 0 || x > 0 && m.pix[i-1] == 0 || y > 0 && m.pix[i-m.w] == 0 || y+1 < m.h && m.pix[i+m.w] == 0 {
				outline++
			}
		}
	}
	share := float64(area) / float64(len(m.pix))
	r.lower(share < 0.06, 0.3, Tiny)
	r.lower(share > 0.95, 0.3, Huge)
	r.lower(area > 0 && float64(outline) > 14*math.Sqrt(float64(area)), 0.7, Ragged)
	if len(seeds) == 0 {
		return
	}
	// A close-up may touch the top edge with the hair, a landscape photo may not.
	r.lower(float64(top) > 0.25*float64(m.w) && float64(top) > 1.2*seeds[0].s*float64(m.w), 0.6, Headless)
	r.lower(seeds[0].aspect < 0.08, 0.5, SmallFace)
	r.lower(faceInside(m, seeds[0]) < 0.95, 0.3, FaceHole)
}

// beyondShape is the share of the mask where a person around these faces hardly is.
func beyondShape(m mask, seeds []seed) float64 {
	var far, area int
	for i, p := range shapePrior(m.w, m.h, seeds, 1).pix {
		if m.pix[i] == 1 {
			area++
			if p < 0.15 {
				far++
			}
		}
	}
	return float64(far) / float64(max(area, 1))
}

// endsInTheAir tells whether the mask stops above the picture's lower edge higher
// than anybody's feet are: a standing person reaches seven faces below the chin,
// so the cut has lost the legs. On photographs no cut like that was good.
func endsInTheAir(m mask, s seed) bool {
	_, cy, side := s.at(m.w)
	low := m.h
	for low > 0 && !slices.Contains(m.pix[(low-1)*m.w:low*m.w], 1) {
		low--
	}
	return float64(m.h-low) > 0.1*side && float64(low)-cy < 6*side
}

// likeness is how much of the person's and of the background's colours are the
// same: the Bhattacharyya coefficient of their histograms with 8 steps of each
// colour. 0 is nothing, 1 all.
func likeness(r *raster, m mask) float64 {
	var count [2][512]float64
	var total [2]float64
	for i, f := range r.f {
		k := int(f[0])>>5<<6 | int(f[1])>>5<<3 | int(f[2])>>5
		count[m.pix[i]][k]++
		total[m.pix[i]]++
	}
	if total[0] == 0 || total[1] == 0 {
		return 1
	}
	var sum float64
	for k, v := range count[0] {
		sum += math.Sqrt(v / total[0] * count[1][k] / total[1])
	}
	return sum
}

// judgeColours makes the confidence of how far the repeated cuts agree, how
// large the face is and how unlike person and background are: a logistic
// regression on 145 photographs of all kinds with published mattes, moved so
// that Accept is where one in six of the accepted ones was bad (overlap with the
// matte below 0.85) in five-fold cross-validation.
func (r *Result) judgeColours(work *raster, m mask, s seed) {
	like := likeness(work, m)
	z := 4.62 - 0.5*math.Log(1.01-r.Agreement) + 1.35*math.Log(min(max(s.aspect, 0.06), 0.3)) - 3.35*like
	c := 1 / (1 + math.Exp(-z))
	if r.Agreement < 0.75 { // hardly any photograph taught what these are worth
		c = min(c, r.Agreement)
	}
	if c >= Accept {
		r.Confidence = min(r.Confidence, c)
		return
	}
	r.lower(like > 0.5, c, Alike)
	r.lower(s.aspect < 0.15, c, SmallFace)
	r.lower(r.Agreement < Accept || c < r.Confidence, c, Unsure)
}

// faceInside is the share of the face's ellipse that the mask covers.
func faceInside(m mask, s seed) float64 {
	cx, cy, side := s.at(m.w)
	var in, all int
	for y := max(0, int(cy-side/2)); y < min(m.h, int(cy+side/2)+1); y++ {
		for x := max(0, int(cx-side/2)); x < min(m.w, int(cx+side/2)+1); x++ {
			u, v := (float64(x)-cx)/(0.34*side), (float64(y)-cy)/(0.42*side)
			if u*u+v*v <= 1 {
				all++
				in += int(m.pix[y*m.w+x])
			}
		}
	}
	if all == 0 {
		return 0
	}
	return float64(in) / float64(all)
}

// judgeAgreement repeats the cut with other settings at a small size: what
// depends on the settings is not in the picture. Half of the cuts learn the
// person's colours from the middle of the trunk alone, the others from all that
// the shape covers; where a piece of the background lies within the shape, they
// differ. It returns the share of the cuts that hold each pixel for the person.
func (r *Result) judgeAgreement(small *raster, seeds []seed, model *image.Gray) field {
	variants := []variant{
		{},
		{rng: 977, comps: 3, inner: true},
		{rng: 31, scale: 0.9, smooth: 1.5, inner: true, back: 0.15},
		{rng: 7, scale: 1.12, smooth: 0.7},
		{rng: 1009, scale: 1.05, comps: 4, inner: true, back: 0.15, lambda: 2},
	}
	masks := make([]mask, len(variants))
	var wg sync.WaitGroup
	next := make(chan int, len(variants))
	for i := range variants {
		next <- i
	}
	close(next)
	for range 2 { // bounded: other pictures want processors too
		wg.Go(func() {
			for i := range next {
				masks[i] = segment(small, seeds, model, variants[i])
				clean(masks[i], seeds)
			}
		})
	}
	wg.Wait()
	var sum float64
	n := 0
	for i := range masks {
		for j := range i {
			sum += masks[i].overlap(masks[j])
			n++
		}
	}
	r.Agreement = sum / float64(n)
	votes := newField(small.w, small.h)
	for _, m := range masks {
		for i, v := range m.pix {
			votes.pix[i] += float32(v) / float32(len(masks))
		}
	}
	return votes
}
