package portrait

import (
	"fmt"
	"math"
	"strings"
)

// LabelGlyphs are the characters a label may have. They are drawn from strokes,
// so that the mark that says a video is synthetic needs no font.
const LabelGlyphs = "AI生成 abcdeghinorstuv"

// stroke is a polyline in a unit square, y down.
type stroke [][2]float64

func arcStroke(cx, cy, rx, ry, from, to float64) stroke {
	var s stroke
	for i := range 13 {
		a := (from + (to-from)*float64(i)/12) * math.Pi / 180
		s = append(s, [2]float64{cx + rx*math.Cos(a), cy + ry*math.Sin(a)})
	}
	return s
}

// glyph returns a character's strokes and its advance.
func glyph(r rune) (strokes []stroke, advance float64, ok bool) {
	// lower-case letters: x-height 0.42–0.92
	bowl := func(cx float64) stroke { return arcStroke(cx, 0.67, 0.20, 0.25, 0, 360) }
	switch r {
	case ' ':
		return nil, 0.32, true
	case 'A':
		return []stroke{{{0.06, 0.92}, {0.36, 0.12}, {0.66, 0.92}}, {{0.17, 0.64}, {0.55, 0.64}}}, 0.74, true
	case 'I':
		return []stroke{{{0.14, 0.12}, {0.14, 0.92}}}, 0.34, true
	case '生':
		return []stroke{
			{{0.30, 0.08}, {0.25, 0.24}, {0.12, 0.42}},
			{{0.24, 0.28}, {0.86, 0.28}},
			{{0.17, 0.58}, {0.84, 0.58}},
			{{0.53, 0.06}, {0.53, 0.92}},
			{{0.06, 0.92}, {0.96, 0.92}},
		}, 1.06, true
	case '成':
		return []stroke{
			{{0.16, 0.24}, {0.92, 0.24}},
			{{0.16, 0.24}, {0.16, 0.56}, {0.12, 0.76}, {0.04, 0.94}},
			{{0.17, 0.50}, {0.43, 0.50}, {0.42, 0.74}, {0.38, 0.81}, {0.28, 0.80}},
			{{0.55, 0.05}, {0.57, 0.32}, {0.64, 0.60}, {0.76, 0.82}, {0.90, 0.94}, {0.95, 0.76}},
			{{0.85, 0.40}, {0.74, 0.62}, {0.58, 0.80}, {0.40, 0.94}},
			{{0.70, 0.06}, {0.83, 0.15}},
		}, 1.06, true
	case 'a':
		return []stroke{bowl(0.28), {{0.48, 0.42}, {0.48, 0.92}}}, 0.60, true
	case 'b':
		return []stroke{bowl(0.32), {{0.12, 0.10}, {0.12, 0.92}}}, 0.60, true
	case 'c':
		return []stroke{arcStroke(0.30, 0.67, 0.20, 0.25, 45, 315)}, 0.52, true
	case 'd':
		return []stroke{bowl(0.28), {{0.48, 0.10}, {0.48, 0.92}}}, 0.60, true
	case 'e':
		return []stroke{append(stroke{{0.10, 0.66}, {0.50, 0.66}}, arcStroke(0.30, 0.67, 0.20, 0.25, 0, -320)...)}, 0.58, true
	case 'g':
		return []stroke{bowl(0.28), append(stroke{{0.48, 0.42}, {0.48, 0.98}}, arcStroke(0.28, 0.98, 0.20, 0.18, 0, 150)...)}, 0.60, true
	case 'h', 'n':
		top := 0.42
		if r == 'h' {
			top = 0.10
		}
		return []stroke{{{0.12, top}, {0.12, 0.92}}, append(arcStroke(0.30, 0.62, 0.18, 0.20, 180, 360), [2]float64{0.48, 0.92})}, 0.60, true
	case 'i':
		return []stroke{{{0.10, 0.42}, {0.10, 0.92}}, {{0.10, 0.20}, {0.10, 0.22}}}, 0.24, true
	case 'o':
		return []stroke{bowl(0.30)}, 0.60, true
	case 'r':
		return []stroke{{{0.12, 0.42}, {0.12, 0.92}}, arcStroke(0.34, 0.66, 0.22, 0.22, 180, 285)}, 0.42, true
	case 's':
		return []stroke{append(arcStroke(0.26, 0.545, 0.16, 0.125, -30, -270), arcStroke(0.26, 0.795, 0.16, 0.125, -90, 150)...)}, 0.50, true
	case 't':
		return []stroke{{{0.20, 0.20}, {0.20, 0.80}, {0.25, 0.90}, {0.36, 0.92}}, {{0.06, 0.42}, {0.36, 0.42}}}, 0.44, true
	case 'u':
		return []stroke{append(append(stroke{{0.12, 0.42}}, arcStroke(0.30, 0.72, 0.18, 0.20, 180, 0)...), [2]float64{0.48, 0.42}), {{0.48, 0.42}, {0.48, 0.92}}}, 0.60, true
	case 'v':
		return []stroke{{{0.06, 0.42}, {0.26, 0.92}, {0.46, 0.42}}}, 0.52, true
	}
	return nil, 0, false
}

// label is a rendered mark: how much of each luma pixel of a box is ink, and
// how much is its dark outline.
type label struct {
	x, y, w, h int
	ink, rim   []uint8
}

// newLabel draws text for the lower right corner of a w×h frame.
func newLabel(text string, w, h int) (*label, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	var all []stroke
	pen := 0.0
	for _, r := range text {
		ss, adv, ok := glyph(r)
		if !ok {
			return nil, fmt.Errorf("%w: label has %q, drawable are %q", ErrOptions, r, LabelGlyphs)
		}
		for _, s := range ss {
			moved := make(stroke, len(s))
			for i, p := range s {
				moved[i] = [2]float64{p[0] + pen, p[1]}
			}
			all = append(all, moved)
		}
		pen += adv
	}
	size := max(11, 0.034*float64(min(w, h)))
	size = min(size, (float64(w)-8)/(pen+0.6))
	margin := 0.28 * size
	l := &label{w: (int(pen*size+2*margin) + 2) &^ 1, h: (int(1.15*size+2*margin) + 2) &^ 1}
	l.x, l.y = max(0, w-l.w-int(0.5*size))&^1, max(0, h-l.h-int(0.4*size))&^1
	l.w, l.h = min(l.w, w-l.x)&^1, min(l.h, h-l.y)&^1
	l.ink, l.rim = make([]uint8, l.w*l.h), make([]uint8, l.w*l.h)
	half := max(0.55, 0.046*size)
	for y := range l.h {
		for x := range l.w {
			d := math.Inf(1)
			px, py := (float64(x)+0.5-margin)/size, (float64(y)+0.5-margin)/size
			for _, s := range all {
				for i := 1; i < len(s); i++ {
					d = min(d, toSegment(px, py, s[i-1], s[i]))
				}
			}
			d *= size
			l.ink[y*l.w+x] = byteOf(255 * 0.92 * clamp(half-d+0.5, 0, 1))
			l.rim[y*l.w+x] = byteOf(255 * 0.55 * (1 - step(half, half+0.14*size+1, d)))
		}
	}
	return l, nil
}

func toSegment(x, y float64, a, b [2]float64) float64 {
	dx, dy := b[0]-a[0], b[1]-a[1]
	t := clamp(((x-a[0])*dx+(y-a[1])*dy)/(dx*dx+dy*dy+1e-12), 0, 1)
	return math.Hypot(x-a[0]-t*dx, y-a[1]-t*dy)
}

// draw marks a frame; a nil label draws nothing.
func (l *label) draw(f *Frame) {
	if l == nil {
		return
	}
	for y := range l.h {
		for x := range l.w {
			k := y*l.w + x
			rim, ink := int(l.rim[k]), int(l.ink[k])
			if rim == 0 {
				continue
			}
			p := &f.Y[(l.y+y)*f.W+l.x+x]
			v := int(*p) + (24-int(*p))*rim/255
			*p = uint8(v + (232-v)*ink/255)
			if x&1 == 0 && y&1 == 0 {
				o := (l.y+y)/2*(f.W/2) + (l.x+x)/2
				a := max(rim, ink)
				f.U[o] = uint8(int(f.U[o]) + (128-int(f.U[o]))*a/255)
				f.V[o] = uint8(int(f.V[o]) + (128-int(f.V[o]))*a/255)
			}
		}
	}
}
