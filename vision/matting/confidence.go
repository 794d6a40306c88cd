package matting

import (
	"image"
	"math"
	"sync"
)

// judgeShape sets the confidence from what a person's mask must look like.
func (r *Result) judgeShape(m mask, seeds []seed) {
	r.Confidence = 1
	lower := func(when bool, to float64, why Reason) {
		if when {
			r.Confidence = min(r.Confidence, to)
			r.Reasons = append(r.Reasons, why)
		}
	}
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
	lower(share < 0.06, 0.3, Tiny)
	lower(share > 0.95, 0.3, Huge)
	lower(area > 0 && float64(outline) > 14*math.Sqrt(float64(area)), 0.7, Ragged)
	if len(seeds) == 0 {
		return
	}
	// A close-up may touch the top edge with the hair, a landscape photo may not.
	lower(float64(top) > 0.25*float64(m.w) && float64(top) > 1.2*seeds[0].s*float64(m.w), 0.6, Headless)
	lower(seeds[0].aspect < 0.08, 0.5, SmallFace)
	lower(faceInside(m, seeds[0]) < 0.95, 0.3, FaceHole)
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

// judgeAgreement repeats the cut with slightly different settings at a small
// size. What depends on the settings is not in the picture.
func (r *Result) judgeAgreement(small *raster, seeds []seed, model *image.Gray) {
	variants := []variant{
		{},
		{rng: 977, comps: 3},
		{rng: 31, scale: 0.9, smooth: 1.5},
		{rng: 7, scale: 1.12, smooth: 0.7},
		{rng: 1009, scale: 1.05, comps: 4},
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
	if r.Agreement < Accept {
		r.Reasons = append(r.Reasons, Unsure)
	}
	r.Confidence = min(r.Confidence, r.Agreement)
}
