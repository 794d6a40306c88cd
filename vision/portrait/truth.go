package portrait

import "slices"

// Openness is how wide the mouth should be open at time t (seconds) by the
// phonemes alone, 0–1: what a sync meter compares a video with.
func Openness(phones []Phone, t float64) float64 {
	for k, p := range phones {
		if t < p.Start || t >= p.End {
			continue
		}
		next := ""
		if k+1 < len(phones) {
			next = first(phones[k+1].P)
		}
		shapes, _ := shapesOf(p.P, next)
		i := int((t - p.Start) / (p.End - p.Start) * float64(len(shapes)))
		return shapes[min(i, len(shapes)-1)].open
	}
	return 0
}

// Closures are the middles (seconds) of all sounds that need closed lips.
func Closures(phones []Phone) (at []float64) {
	for _, p := range phones {
		shapes, _ := shapesOf(p.P, "")
		if slices.ContainsFunc(shapes, func(v viseme) bool { return v.closed }) {
			at = append(at, (p.Start+p.End)/2)
		}
	}
	return at
}
