package portrait

import (
	"math"
	"sync"

	"github.com/videomsg/videomsg/vision/face"
)

// talking paints the speaking face.
type talking struct {
	o      Options
	motion float64
	plan   *motion
	face   face.Face
	mouth  *mouth
	eyes   [2]*eye
	fore   *layer
	alpha  *plane // nil without a mask
	back   *layer // nil without a mask
	opaque *blocks
	tint   [3]float64 // hue of the light, for what the picture does not show
	bright float64    // brightness of the mouth's inside
	reach  [4]float64 // texture box of everything the face moves by itself
	inset  [4]float64 // texture box within which the picture may move
	lens   *lens

	gw, gh int
	grid   []node
	cells  []uint8
	fine   [][4]float32 // texture boxes that are evaluated per pixel
}

func newTalking(o Options, in Input, r *Report) *talking {
	sc := layOut(in, *r.Face, o.W, o.H)
	t := &talking{o: o, motion: o.Motion, face: sc.face, lens: newLens()}
	t.plan = newMotion(in, o.Seed, r)
	t.mouth = findMouth(sc.tex, sc.face, o.Mouth)
	r.Smile = t.mouth.smile
	t.fore = newLayer(sc.tex)
	t.eyes = [2]*eye{findEye(t.fore, sc.face, true), findEye(t.fore, sc.face, false)}
	if sc.alpha != nil {
		t.alpha = &plane{o.W, o.H, sc.alpha.Pix}
		t.back = newLayer(sc.back)
		t.opaque = newBlocks(t.alpha)
	}
	skin := t.mouth.skin
	t.bright = clamp((luma(skin[0], skin[1], skin[2])+1)/175, 0.35, 1.08)
	t.tint = lightOn(skin)
	t.inset = [4]float64{float64(sc.inset.Min.X), float64(sc.inset.Min.Y), float64(sc.inset.Max.X), float64(sc.inset.Max.Y)}
	m := region(t.mouth.frame, -reachS, t.mouth.nose, reachS, t.mouth.chin+reachT)
	e := region(t.face.Frame, -0.95, -0.75, 0.95, 0.3)
	t.reach = [4]float64{min(m[0], e[0]), min(m[1], e[1]), max(m[2], e[2]), max(m[3], e[3])}
	t.gw, t.gh = (o.W+cell-1)/cell+1, (o.H+cell-1)/cell+1
	t.grid = make([]node, t.gw*t.gh)
	t.cells = make([]uint8, t.gw*t.gh)
	return t
}

// lightOn guesses the hue of the light from that of the skin, as factors of R, G
// and B. Skin differs from skin, so up to what it comes in only a part is taken for
// light; what goes beyond no skin has by itself.
func lightOn(skin [3]float64) (tint [3]float64) {
	l := luma(skin[0], skin[1], skin[2]) + 1
	var beyond [3]float64
	for c, typical := range []float64{1.19, 0.95, 0.80} {
		k := skin[c] / l / typical
		own := clamp(k, 0.75, 1.3)
		tint[c], beyond[c] = math.Pow(own, 0.6), k/own
	}
	tint[1] = min(tint[1], max(tint[0], tint[2])) // skin is never green
	for c, k := range beyond {
		tint[c] *= k
	}
	return tint
}

func (t *talking) paint(f *Frame) {
	p := t.plan.at((float64(f.Index) + 0.5) / float64(t.o.FPS))
	t.pose(f, &p)
}

// pose renders one pose.
func (t *talking) pose(f *Frame, p *Pose) {
	j := t.mouth.jaw(p)
	t.fine = t.fine[:0]
	add := func(b [4]float64) {
		t.fine = append(t.fine, [4]float32{float32(b[0]), float32(b[1]), float32(b[2]), float32(b[3])})
	}
	add(region(t.mouth.frame, -1.15, -0.45, 1.15, 0.9))
	if p.Blink > 0 {
		for _, e := range t.eyes {
			add([4]float64{float64(e.x0), float64(e.y0), float64(e.x1), float64(e.y1)})
		}
	}
	cam := newCamera(t.o, t.motion, t.face, p)
	t.parallel(t.gh, func(a, b int) { t.fillGrid(a, b, p, &j, cam) })
	t.parallel(t.gh-1, func(a, b int) { t.classify(a, b) })
	t.parallel(t.o.H/2, func(a, b int) { t.rows(f, 2*a, 2*b, p, &j, cam) })
}

// parallel splits n rows over the threads.
func (t *talking) parallel(n int, work func(a, b int)) {
	k := t.o.Threads
	if k <= 1 {
		work(0, n)
		return
	}
	var wg sync.WaitGroup
	for i := range k {
		wg.Go(func() { work(i*n/k, (i+1)*n/k) })
	}
	wg.Wait()
}
