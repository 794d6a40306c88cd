package prosody

import (
	"math"
)

// grain is a windowed piece of the source added to the output. Between u and end
// it is copied as it is; on both sides a raised cosine lets it in and out.
type grain struct {
	u, end float64 // output positions
	m      float64 // source position that lands on u
	l, r   float64 // half-windows
	// gapL and gapR are the distances to the pulses on both sides where the grain
	// has windows of its own; 0 when there is none.
	gapL, gapR float64
	floor      float64 // of the sum of neighbouring windows; see flat
	gain       float32
	step       float64 // source samples per output sample; 1 unless formants move
	voiced     bool
	own        bool // windows are l and r, not the distance to the neighbours
	silent     bool
}

// synth walks along the output and lays grains (time-domain pitch-synchronous
// overlap-add, Moulines and Charpentier 1990). In voiced sound a grain is two
// periods around a pulse: the pulse nearest to the place where the time map
// looks, put one (shifted) period after the previous one. Nearest and not
// interpolated: mixing neighbours averages the breath away. Elsewhere grains
// are 5 ms apart and chosen by waveform similarity (WSOLA, Verhelst and Roelands
// 1993).
//
// With unchanged periods the half-windows are the distances to the neighbouring
// grains, so they add up to exactly one and an unchanged recording is copied.
// With changed periods that would bring the old pitch back. A window of two old
// periods, though, is so fine in frequency that a raised pitch hears only every
// n-th harmonic of the source, and a strong fundamental, as nasals have, is gone:
// the half-windows are the geometric mean of both periods then. For a lowered
// pitch they are the old periods, and where neighbours no longer add up to one,
// the gap is filled from both sides as far as that is possible without the next
// pulse of the source: without, the breath between pulses is modulated, and buzzes.
type synth struct {
	track *Track
	plan  Plan
	warp  *warp
	win   *window
	rate  float64
	hop   float64 // between unvoiced grains
	keep  bool    // periods and formants are kept
	ratio func(pos, period float64) float64
	level func(pos float64) float32
	seed  uint64
	run   int // first run not yet passed
	mark  int // last mark chosen
	// entered is the run of the last voiced grain.
	entered int
	prev    grain
	cur     grain
	count   int
	out     *mixer
}

const (
	unvoicedHop   = 0.005
	matchRange    = 0.003  // of the similarity search
	matchNatural  = 0.0005 // the natural continuation is kept within this
	lockNatural   = 0.001
	longestCopy   = 0.1
	longestPeriod = 1 / 50.0
	shortestStep  = 1 / 800.0 // of a synthesis period
	entryRoom     = 0.0003    // between the last unvoiced grain and the first pulse
	onsetGuard    = 0.0007    // no grain before an onset reads closer to it
	gapFloor      = 0.5       // of grain.floor at an unchanged pitch
)

// run lays all grains; tick is called between them.
func (s *synth) layAll(tick func(done float64) error) error {
	n := float64(s.warp.length())
	u := 0.0
	next := u + s.rate*0.1
	for u < n+0.02*s.rate {
		nu, err := s.lay(u, n)
		if err != nil {
			return err
		}
		u = nu
		if u > next {
			next = u + s.rate*0.1
			if err := tick(math.Min(1, u/n)); err != nil {
				return err
			}
		}
	}
	return s.flush()
}

// lay places the grain at u and returns the position of the next.
func (s *synth) lay(u, n float64) (float64, error) {
	t := s.track
	ti, kind := s.warp.inv(math.Min(u, n))
	if u > n { // past the end the source is silent, and time goes on
		ti, kind = ti+u-n, segFree
	}
	lo := ti
	if s.count > 0 {
		lo = math.Min(ti, s.cur.m)
	}
	margin := 0.06 * s.rate
	if err := s.win.need(int(lo-margin), int(ti+margin)); err != nil {
		return 0, err
	}
	if k, ok := s.nearestMark(ti); ok && kind != segFill && kind != segCut {
		if s.count == 0 || !s.cur.voiced || s.entered != s.run {
			// Entering voiced sound: the pulse itself must land where the map
			// puts it, or its offset stays for the whole run.
			f := s.warp.fwd(t.Marks[k])
			if s.count > 0 && f <= s.cur.end+entryRoom*s.rate && k+1 < t.Runs[s.run].End {
				k++
				s.mark = k
				f = s.warp.fwd(t.Marks[k])
			}
			if s.count == 0 || f > s.cur.end+entryRoom*s.rate {
				u, ti = f, t.Marks[k]
			}
			s.entered = s.run
		}
		m := t.Marks[k]
		l, r := s.periods(k)
		period, ratio := r, 1.0
		if s.ratio != nil {
			ratio = s.ratio(ti, r)
		}
		// Where pulses are copied one by one their own distances are right. Where
		// they are shifted, or many of them repeated or left out, the period is
		// that of the source in the middle of the one being made.
		if !s.keep || s.plan.Rate <= 2.0/3 || s.plan.Rate >= 1.5 {
			mid, _ := s.warp.inv(math.Min(u+r/ratio/2, n))
			period = s.periodAt(k, mid)
			if s.ratio != nil {
				ratio = s.ratio(mid, period)
			}
		}
		g := grain{u: u, end: u, m: m, l: l, r: r, voiced: true, own: !s.keep, gain: s.level(ti), step: s.plan.Formant}
		if !s.keep {
			wide := 1 / (s.plan.Formant * math.Sqrt(math.Max(1, ratio)))
			g.l, g.r, g.floor = l*wide, r*wide, gapFloor/ratio
			g.gain *= float32(math.Pow(ratio, -0.25)) // keeps the power
		}
		if err := s.push(g); err != nil {
			return 0, err
		}
		return u + math.Max(period/ratio, shortestStep*s.rate), nil
	}
	g := grain{u: u, end: u, m: ti, gain: s.level(ti), step: 1}
	if kind == segFill {
		s.fillGap(&g)
	} else if s.count > 0 && !s.cur.silent {
		g.m = s.continuation(u, ti, n, kind)
	}
	if err := s.push(g); err != nil {
		return 0, err
	}
	nu := u + s.hop
	if f, ok := s.nextVoiced(u, ti, nu, n); ok {
		nu = f
	}
	if e, ok := s.warp.nextEdge(u, nu); ok {
		nu = e
	}
	return nu, nil
}

// nearestMark is the mark nearest to ti, if ti is in voiced sound: within a run
// or 2.5 ms of its ends.
func (s *synth) nearestMark(ti float64) (int, bool) {
	t := s.track
	edge := 0.5 * s.hop
	for s.run < len(t.Runs) && t.Marks[t.Runs[s.run].End-1]+edge < ti {
		s.run++
	}
	if s.run == len(t.Runs) {
		return 0, false
	}
	r := t.Runs[s.run]
	if ti < t.Marks[r.First]-edge {
		return 0, false
	}
	k := min(max(s.mark, r.First), r.End-1)
	for k+1 < r.End && math.Abs(t.Marks[k+1]-ti) <= math.Abs(t.Marks[k]-ti) {
		k++
	}
	s.mark = k
	return k, true
}

// periods are the distances from mark k to its neighbours in the run.
func (s *synth) periods(k int) (l, r float64) {
	m := s.track.Marks
	run := s.track.Runs[s.run]
	if k > run.First {
		l = m[k] - m[k-1]
	}
	if k+1 < run.End {
		r = m[k+1] - m[k]
	}
	if l == 0 {
		l = r
	}
	if r == 0 {
		r = l
	}
	return l, r
}

// periodAt is the period at a source position near mark k, interpolated between
// the centres of neighbouring periods.
func (s *synth) periodAt(k int, at float64) float64 {
	m := s.track.Marks
	run := s.track.Runs[s.run]
	centre := func(j int) float64 { return (m[j] + m[j+1]) / 2 }
	j := min(max(k, run.First), run.End-2)
	for j > run.First && centre(j) > at {
		j--
	}
	for j+2 < run.End-1 && centre(j+1) < at {
		j++
	}
	d0 := m[j+1] - m[j]
	if j+2 >= run.End || at <= centre(j) {
		return d0
	}
	d1 := m[j+2] - m[j+1]
	return d0 + (d1-d0)*min((at-centre(j))/(centre(j+1)-centre(j)), 1)
}

// continuation is the source position for an unvoiced grain at u: the natural
// continuation of the previous grain when the map allows it, else what resembles
// that most near ti.
func (s *synth) continuation(u, ti, n float64, kind segKind) float64 {
	nat := u + s.cur.m - s.cur.u
	slope := s.warp.slope(math.Min(u, n-1))
	off := math.Abs(nat - ti)
	switch {
	case slope == 1 || math.Abs(slope-1) < 1e-9:
		if off < lockNatural*s.rate && kind == segFree || off < 1e-3 {
			return nat
		}
		return ti
	case off < matchNatural*s.rate:
		return nat
	}
	limit := s.warp.nextLock(math.Min(u, n), s.rate) - onsetGuard*s.rate - s.hop
	if ti > limit {
		return math.Min(nat, limit)
	}
	return s.match(nat, ti, limit)
}

// match is the position near ti (at most limit) whose surroundings resemble
// those of nat most.
func (s *synth) match(nat, ti, limit float64) float64 {
	q := s.win.q
	c, at := int(math.Round(nat)), int(math.Round(ti))
	h, reach := int(s.hop), int(matchRange*s.rate)
	cd, td, hd, rd := floorDiv(c, q), floorDiv(at, q), max(2, h/q), reach/q
	off := s.similar(s.win.d(cd-hd, cd+hd), s.win.d(td-rd-hd, td+rd+hd), func(i int) bool {
		return i > 0 && float64((td-rd+i)*q) > limit
	}) - rd
	off *= q
	if q == 1 {
		return float64(at+off) + (nat - float64(c))
	}
	fine := off - q + 1 + s.similar(s.win.x(c-h, c+h), s.win.x(at+off-q+1-h, at+off+q-1+h), nil)
	return float64(at+fine) + (nat - float64(c))
}

// similar is the offset of the piece of x that resembles ref most, up to the
// first offset at which stop says so. The energy slides along.
func (s *synth) similar(ref, x []float32, stop func(int) bool) int {
	n := len(ref)
	e := float64(dot(x[:n], x[:n]))
	best, at := math.Inf(-1), 0
	for i := 0; i+n <= len(x); i++ {
		if i > 0 {
			e += float64(x[i+n-1])*float64(x[i+n-1]) - float64(x[i-1])*float64(x[i-1])
		}
		if stop != nil && stop(i) {
			break
		}
		if v := float64(dot(ref, x[i:i+n])) / math.Sqrt(max(e, 0)+1e-20); v > best {
			best, at = v, i
		}
	}
	return at
}

// fillGap continues the room's own noise through the middle of a lengthened gap:
// forward from the middle, and back by a varying amount when the gap's edge is
// near. Digital silence and gaps too short for that give silence.
func (s *synth) fillGap(g *grain) {
	w := s.warp
	i := w.at
	mid, room := w.in[i], 0.0
	if i > 0 && w.kind[i-1] == segGap {
		room = math.Min(mid-w.in[i-1], 0.04*s.rate) - s.hop
	}
	if room < 4*s.hop {
		g.silent = true
		return
	}
	if !s.cur.silent && s.count > 0 {
		g.m = g.u + s.cur.m - s.cur.u
	}
	if g.m > mid+room || g.m < mid-room {
		s.seed = s.seed*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
		g.m = mid - room + float64(s.seed>>40)/(1<<24)*room
	}
}

// nextVoiced is where the next voiced run begins in the output, when that comes
// before the next unvoiced grain would be past it.
func (s *synth) nextVoiced(u, ti, nu, n float64) (float64, bool) {
	t := s.track
	i := s.run
	for i < len(t.Runs) && t.Marks[t.Runs[i].First] <= ti {
		i++
	}
	if i == len(t.Runs) {
		return 0, false
	}
	m := t.Marks[t.Runs[i].First]
	tn, _ := s.warp.inv(math.Min(nu, n))
	if m > tn+0.5*s.hop {
		return 0, false
	}
	f := s.warp.fwd(m)
	return f, f > u+0.0002*s.rate
}

// push renders the grain before and holds g until its right neighbour is known.
// A grain that only continues the held one makes that one longer.
func (s *synth) push(g grain) error {
	if s.count > 0 {
		c := &s.cur
		same := math.Abs((g.m-g.u)-(c.m-c.u)) < 1e-6 && g.gain == c.gain && g.silent == c.silent
		if same && !g.own && !c.own && g.u-c.u < longestCopy*s.rate {
			c.end, c.voiced, c.r = g.u, g.voiced, g.r
			return nil
		}
		if err := s.render(&g); err != nil {
			return err
		}
		s.prev = s.cur
	}
	s.cur = g
	s.count++
	return nil
}

// flush renders the last grain.
func (s *synth) flush() error {
	if s.count == 0 {
		return nil
	}
	return s.render(nil)
}

// render adds the held grain to the output; next is its right neighbour.
func (s *synth) render(next *grain) error {
	g := s.cur
	own := g
	g.l, g.r, g.gapL, g.gapR = s.hop, s.hop, 0, 0
	if s.count > 1 {
		g.l = g.u - s.prev.end
		if g.own && s.prev.voiced {
			g.l, g.gapL = own.l, g.l
		}
	}
	if next != nil {
		g.r = next.u - g.end
		if g.own && next.voiced {
			g.r, g.gapR = own.r, g.r
		}
	}
	most := longestHalf * s.rate
	g.l, g.r = math.Min(math.Max(g.l, 2), most), math.Min(math.Max(g.r, 2), most)
	if !g.silent {
		if err := s.out.add(s.win, g); err != nil {
			return err
		}
	}
	if next != nil {
		return s.out.advance(int(next.u - most - 2))
	}
	return nil
}
