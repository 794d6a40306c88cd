package matting

// grid is a flow network on the 8-connected pixels of a picture. It is cut by
// the method of Boykov and Kolmogorov ("An experimental comparison of
// min-cut/max-flow algorithms", 2004): two trees grow from source and sink, a
// path between them is filled, and the nodes it cuts off are adopted again.
//
// The neighbourhood is fixed, so there are no edge lists: edge k of node i leads
// to i+step[k], and its reverse is edge k^1 of that node. The picture is padded
// by one pixel on every side, whose edges have no capacity, so that neighbours
// never leave the arrays.
type grid struct {
	w, h     int // padded
	step     [8]int32
	capacity []float32 // residual, 8 per node
	terminal []float32 // residual from the source (> 0) or to the sink (< 0)
	tree     []int8
	parent   []int8  // edge to the parent, or one of the values below
	stamp    []int32 // when dist was known to be right
	dist     []int32 // edges to the terminal
	queued   []bool
	active   []int32
	head     int
	orphans  []int32
	now      int32
	work     int // edges followed so far
}

// maxWork bounds the edges followed per node. The drawn scenes need 3 to 60;
// noise, checkers and pictures of one colour need hundreds, and gain nothing.
const maxWork = 150

const (
	free   = int8(0)
	source = int8(1)
	sink   = int8(2)

	root = int8(-1) // parent: the terminal itself
	lost = int8(-2) // parent: none
)

func newGrid(w, h int) *grid {
	pw, ph := w+2, h+2
	o, n := int32(pw), pw*ph
	return &grid{
		w: pw, h: ph, step: [8]int32{1, -1, o, -o, o + 1, -o - 1, o - 1, -o + 1},
		capacity: make([]float32, 8*n), terminal: make([]float32, n), tree: make([]int8, n), parent: make([]int8, n),
		stamp: make([]int32, n), dist: make([]int32, n), queued: make([]bool, n),
	}
}

// node is the index of pixel (x, y).
func (g *grid) node(x, y int) int32 { return int32((y+1)*g.w + x + 1) }

// link sets both directions of edge k (even) of node i to capacity c.
func (g *grid) link(i int32, k int, c float32) {
	g.capacity[8*i+int32(k)] = c
	g.capacity[8*(i+g.step[k])+int32(k^1)] = c
}

// cut finds the minimum cut; afterwards tree says the side of every node. When
// that takes more than maxWork, the trees grown so far are the answer.
func (g *grid) cut() {
	for i := range g.terminal {
		g.parent[i] = lost
		switch {
		case g.terminal[i] > 0:
			g.tree[i], g.parent[i], g.dist[i] = source, root, 1
			g.activate(int32(i))
		case g.terminal[i] < 0:
			g.tree[i], g.parent[i], g.dist[i] = sink, root, 1
			g.activate(int32(i))
		}
	}
	current := int32(-1)
	for g.work < maxWork*len(g.terminal) {
		if current < 0 || g.tree[current] == free {
			if current = g.next(); current < 0 {
				return
			}
		}
		from, to, k := g.grow(current)
		g.now++
		if from < 0 {
			current = -1
			continue
		}
		g.augment(from, to, k)
		g.now++
		g.adopt()
	}
}

func (g *grid) activate(i int32) {
	if !g.queued[i] {
		g.queued[i] = true
		g.active = append(g.active, i)
	}
}

// next takes the first active node that is still in a tree; -1 when none is.
func (g *grid) next() int32 {
	for g.head < len(g.active) {
		i := g.active[g.head]
		g.head++
		if g.head > 1<<14 && g.head*2 > len(g.active) {
			g.active = append(g.active[:0], g.active[g.head:]...)
			g.head = 0
		}
		g.queued[i] = false
		if g.tree[i] != free {
			return i
		}
	}
	return -1
}

// grow extends the tree of i over its neighbours. When it meets the other tree
// it returns the edge between them, from the source's side; else from is -1.
func (g *grid) grow(i int32) (from, to int32, edge int8) {
	mine := g.tree[i]
	for k := range int32(8) {
		j := i + g.step[k]
		// The edge is used in the direction of the flow.
		if mine == source && g.capacity[8*i+k] <= 0 || mine == sink && g.capacity[8*j+(k^1)] <= 0 {
			continue
		}
		switch g.tree[j] {
		case free:
			g.tree[j] = mine
			g.parent[j] = int8(k ^ 1)
			g.stamp[j], g.dist[j] = g.stamp[i], g.dist[i]+1
			g.activate(j)
		case mine: // a shorter way to the terminal?
			if g.stamp[j] <= g.stamp[i] && g.dist[j] > g.dist[i] && g.parent[j] >= 0 {
				g.parent[j] = int8(k ^ 1)
				g.stamp[j], g.dist[j] = g.stamp[i], g.dist[i]+1
			}
		default:
			if mine == source {
				return i, j, int8(k)
			}
			return j, i, int8(k ^ 1)
		}
	}
	return -1, -1, 0
}

// augment sends as much as the path through the edge carries.
func (g *grid) augment(from, to int32, edge int8) {
	flow := g.capacity[8*from+int32(edge)]
	x := from
	for p := g.parent[x]; p != root; p = g.parent[x] {
		x += g.step[p]
		flow = min(flow, g.capacity[8*x+int32(p^1)])
		g.work++
	}
	flow = min(flow, g.terminal[x])
	x = to
	for p := g.parent[x]; p != root; p = g.parent[x] {
		flow = min(flow, g.capacity[8*x+int32(p)])
		x += g.step[p]
		g.work++
	}
	flow = min(flow, -g.terminal[x])

	g.capacity[8*from+int32(edge)] -= flow
	g.capacity[8*to+int32(edge^1)] += flow
	x = from
	for p := g.parent[x]; p != root; p = g.parent[x] {
		y := x + g.step[p]
		g.capacity[8*x+int32(p)] += flow
		c := &g.capacity[8*y+int32(p^1)]
		if *c -= flow; *c <= 0 {
			*c = 0
			g.orphan(x)
		}
		x = y
	}
	if g.terminal[x] -= flow; g.terminal[x] <= 0 {
		g.terminal[x] = 0
		g.orphan(x)
	}
	x = to
	for p := g.parent[x]; p != root; p = g.parent[x] {
		y := x + g.step[p]
		g.capacity[8*y+int32(p^1)] += flow
		c := &g.capacity[8*x+int32(p)]
		if *c -= flow; *c <= 0 {
			*c = 0
			g.orphan(x)
		}
		x = y
	}
	if g.terminal[x] += flow; g.terminal[x] >= 0 {
		g.terminal[x] = 0
		g.orphan(x)
	}
}

func (g *grid) orphan(x int32) {
	g.parent[x] = lost
	g.orphans = append(g.orphans, x)
}

// adopt gives every orphan a new parent in its tree that still leads to the
// terminal, or sets it and its children free.
func (g *grid) adopt() {
	for len(g.orphans) > 0 {
		x := g.orphans[len(g.orphans)-1]
		g.orphans = g.orphans[:len(g.orphans)-1]
		mine := g.tree[x]
		best, edge := int32(1<<30), lost
		for k := range int32(8) {
			y := x + g.step[k]
			if g.tree[y] != mine || g.parent[y] == lost || g.toward(x, y, k, mine) <= 0 {
				continue
			}
			if d, ok := g.distance(y); ok && d < best {
				best, edge = d, int8(k)
			}
		}
		if edge != lost {
			g.parent[x], g.stamp[x], g.dist[x] = edge, g.now, best+1
			continue
		}
		for k := range int32(8) {
			y := x + g.step[k]
			if g.tree[y] != mine {
				continue
			}
			if g.toward(x, y, k, mine) > 0 {
				g.activate(y)
			}
			if g.parent[y] == int8(k^1) {
				g.orphan(y)
			}
		}
		g.tree[x], g.parent[x] = free, lost
	}
}

// toward is the residual capacity by which y could feed (source) or drain
// (sink) its neighbour x over edge k of x.
func (g *grid) toward(x, y, k int32, tree int8) float32 {
	if tree == source {
		return g.capacity[8*y+(k^1)]
	}
	return g.capacity[8*x+k]
}

// distance counts the edges from y to its terminal and remembers the answer
// along the way; ok is false when y no longer leads there.
func (g *grid) distance(y int32) (d int32, ok bool) {
	for z := y; ; z += g.step[g.parent[z]] {
		g.work++
		if g.stamp[z] == g.now {
			d += g.dist[z]
			break
		}
		p := g.parent[z]
		if p == lost {
			return 0, false
		}
		d++
		if p == root {
			g.stamp[z], g.dist[z] = g.now, 1
			break
		}
	}
	left := d
	for z := y; g.stamp[z] != g.now; z += g.step[g.parent[z]] {
		g.stamp[z], g.dist[z] = g.now, left
		left--
	}
	return d, true
}
