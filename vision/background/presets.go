package background

import "math"

type preset struct {
	Entry
	seed uint64
	draw func(*canvas)
}

// presets in the order in which a catalogue shows them.
func presets() []preset {
	return []preset{
		{Entry{"soft", "やわらかな光", "Soft light"}, 11, soft},
		{Entry{"studio", "スタジオ", "Studio"}, 12, studio},
		{Entry{"studio-dark", "スタジオ（ダーク）", "Dark studio"}, 13, studioDark},
		{Entry{"celebration", "お祝い", "Celebration"}, 14, celebration},
		{Entry{"birthday", "誕生日", "Birthday"}, 15, birthday},
		{Entry{"thanks", "感謝", "Thanks"}, 16, thanks},
		{Entry{"spring", "春・桜", "Spring"}, 17, spring},
		{Entry{"summer", "夏・海", "Summer"}, 18, summer},
		{Entry{"autumn", "秋・紅葉", "Autumn"}, 19, autumn},
		{Entry{"winter", "冬・雪", "Winter"}, 20, winter},
		{Entry{"office", "オフィス", "Office"}, 21, office},
		{Entry{"night", "夜景", "City at night"}, 22, night},
		{Entry{"washi", "和柄・青海波", "Japanese waves"}, 23, washi},
		{Entry{"stage", "ステージ", "Stage"}, 24, stage},
	}
}

// scatter calls f with n random places per square unit, within a margin around
// the canvas.
func (c *canvas) scatter(n, margin float64, f func(x, y float64)) {
	w, h := c.size()
	for range int(n*w*h + 0.5) {
		x, y := -margin+c.rng.Float64()*(w+2*margin), -margin+c.rng.Float64()*(h+2*margin)
		f(x, y)
	}
}

// lights draws out-of-focus lamps: bright discs with a rim.
func (c *canvas) lights(n, rmin, rmax, alpha float64, cols ...rgb) {
	c.scatter(n, rmax, func(x, y float64) {
		m := mark{
			x: x, y: y, r: rmin + (rmax-rmin)*c.rng.Float64()*c.rng.Float64(), soft: 0.006,
			col: cols[c.rng.IntN(len(cols))], alpha: alpha * (0.3 + 0.7*c.rng.Float64()), add: true,
		}
		c.stamp(disc, m)
		m.alpha *= 0.5
		c.stamp(ring, m)
	})
}

// calm keeps the middle, where the person stands, free of detail.
func (c *canvas) calm(x, y float64) bool {
	w, h := c.size()
	return math.Hypot((x-w/2)/0.34, (y-h*0.52)/0.42) < 1
}

func soft(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0xf3ece6), hex(0xe2e3ea), hex(0xc5cfdf))
	c.glow(0.2*w, 0.12*h, 0.75, hex(0xffe9d0), 0.28)
	c.glow(0.95*w, 0.75*h, 0.6, hex(0xb9c8ea), 0.14)
	c.lights(7, 0.05, 0.16, 0.06, hex(0xffffff), hex(0xfff0dc))
	c.blur(0.01)
}

func studio(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0xc9cbce), hex(0xb7babf), hex(0x94989f))
	c.glow(w/2, 0.38*h, 0.55, hex(0xffffff), 0.42)
	c.vignette(0.35)
}

func studioDark(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0x2c3038), hex(0x262a31), hex(0x15171b))
	c.glow(w/2, 0.4*h, 0.45, hex(0x7b879c), 0.55)
	c.glow(0.08*w, 0.1*h, 0.5, hex(0x5a76a8), 0.22)
	c.vignette(0.5)
}

func celebration(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0x7d2038), hex(0xa83a44), hex(0xc9784e))
	c.glow(w/2, 0.3*h, 0.6, hex(0xffd58a), 0.55)
	c.lights(26, 0.02, 0.1, 0.3, hex(0xffd27a), hex(0xffb25e), hex(0xff9f8a))
	c.blur(0.006)
	cols := []rgb{hex(0xffd866), hex(0xfff3c9), hex(0xff8c9e), hex(0xf7b24a), hex(0xfdfdfd)}
	c.scatter(95, 0.02, func(x, y float64) {
		depth := c.rng.Float64()
		if c.calm(x, y) && depth > 0.3 || y > h*(0.35+0.75*c.rng.Float64()) {
			return
		}
		m := mark{
			x: x, y: y, r: 0.008 + 0.012*depth, angle: c.rng.Float64() * 2 * math.Pi, soft: 0.001 + 0.006*math.Abs(depth-0.55),
			col: cols[c.rng.IntN(len(cols))], alpha: 0.9, tint: flat(0.25),
		}
		if c.rng.Float64() < 0.2 {
			m.r *= 1.2
			c.stamp(star, m)
			return
		}
		c.stamp(slab(1, 0.35+0.4*c.rng.Float64(), 0.1), m)
	})
	c.vignette(0.25)
}

func birthday(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0xfff4e4), hex(0xffe3dc), hex(0xf9cfd6))
	c.glow(0.5*w, 0.35*h, 0.6, hex(0xffffff), 0.25)
	c.lights(9, 0.03, 0.1, 0.07, hex(0xffffff), hex(0xffd9a0))
	// Balloons at both sides, far ones first and softer.
	cols := []rgb{hex(0xee6d7f), hex(0xf5b544), hex(0x63b7c9), hex(0x9d86d0), hex(0x7cc28c), hex(0xf29bb5)}
	for i := range 14 {
		depth := float64(i) / 13
		side := float64(i%2)*2 - 1
		r := 0.075 + 0.075*depth
		// Two bunches with room for the person between them.
		x := w/2 + side*w*(0.29+0.19*math.Mod(float64(i/2)*0.618+0.1*c.rng.Float64(), 1))
		y := h * (0.2 + 0.55*math.Mod(float64(i/2)*0.382+0.25*depth, 1))
		col := cols[(i*5+i/2)%len(cols)]
		c.string(x, y+r*1.05, r*3.2, side)
		c.stamp(balloon, mark{x: x, y: y, r: r, soft: 0.012 * (1 - depth), col: col, alpha: 0.93, tint: sphere, angle: 0.08 * side})
		c.stamp(disc, mark{x: x - 0.33*r, y: y - 0.38*r, r: 0.13 * r, soft: 0.1 * r, col: hex(0xffffff), alpha: 0.6})
	}
	// Bunting along a hanging line.
	n := int(9*w + 0.5)
	for i := range n {
		t := (float64(i) + 0.5) / float64(n)
		sag := 0.05 + 0.13*4*t*(1-t)
		slope := 0.13 * 4 * (1 - 2*t) / w
		c.stamp(flag, mark{x: t * w, y: sag + 0.035, r: 0.045, angle: math.Atan(slope), col: cols[i%len(cols)], alpha: 0.95, tint: flat(-0.12)})
	}
	for i := range int(400 * w) {
		t := float64(i) / (400 * w)
		c.stamp(disc, mark{x: t * w, y: 0.05 + 0.13*4*t*(1-t), r: 0.0025, col: hex(0xa9857a), alpha: 0.9})
	}
}

// string hangs from a balloon.
func (c *canvas) string(x, y, long, side float64) {
	n := int(long * c.u)
	for i := range n {
		t := float64(i) / float64(n)
		c.stamp(disc, mark{x: x + side*0.012*math.Sin(t*7), y: y + t*long, r: 0.0014, col: hex(0xb79a94), alpha: 0.5 * (1 - t)})
	}
}

func thanks(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0xfdf3df), hex(0xf6e3c6), hex(0xe8c7a0))
	c.glow(0.75*w, 0.15*h, 0.6, hex(0xfff2c4), 0.4)
	c.lights(14, 0.03, 0.11, 0.1, hex(0xffffff), hex(0xffe1a8), hex(0xffd0b0))
	c.blur(0.008)
	cols := []rgb{hex(0xf08a8a), hex(0xf6b56a), hex(0xf5d27a), hex(0xe9a0b8), hex(0xffffff)}
	c.scatter(26, 0.06, func(x, y float64) {
		edge := min(x, w-x)/w*2.4 + 0.1
		if y < h*(0.62+0.22*math.Min(edge, 1)) && c.rng.Float64() > 0.06 || c.calm(x, y) {
			return
		}
		depth := c.rng.Float64()
		r := 0.05 + 0.055*depth
		col := cols[c.rng.IntN(len(cols))]
		soft := 0.002 + 0.016*(1-depth)
		a := c.rng.Float64() * 6
		c.stamp(blossom, mark{x: x, y: y, r: r, angle: a, soft: soft, col: col, alpha: 0.92, tint: func(u, v float64) float64 { return 0.78 + 0.3*math.Hypot(u, v) }})
		c.stamp(disc, mark{x: x, y: y, r: 0.2 * r, soft: soft + 0.004, col: hex(0xf0c04a), alpha: 0.95})
	})
}

func spring(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0xcfe4f5), hex(0xe9e8f3), hex(0xfbdfe6))
	c.glow(0.8*w, 0.1*h, 0.7, hex(0xffffff), 0.3)
	// A far cloud of blossom, then blossoms in focus in the upper corners.
	c.scatter(120, 0.1, func(x, y float64) {
		if y > h*(0.12+0.25*math.Abs(2*x/w-1)+0.15*c.rng.Float64()) {
			return
		}
		c.stamp(disc, mark{x: x, y: y, r: 0.03 + 0.05*c.rng.Float64(), soft: 0.03, col: mix(hex(0xf6b8cb), hex(0xffffff), c.rng.Float64()*0.7), alpha: 0.5})
	})
	c.lights(10, 0.03, 0.09, 0.12, hex(0xffffff), hex(0xffd6e2))
	c.blur(0.012)
	for range int(46 * w) {
		x := c.rng.Float64() * w
		corner := math.Abs(2*x/w - 1)
		y := h * c.rng.Float64() * (0.03 + 0.27*corner*corner)
		r := 0.03 + 0.028*c.rng.Float64()
		a := c.rng.Float64() * 6
		c.stamp(blossom, mark{
			x: x, y: y, r: r, angle: a, soft: 0.0025, col: hex(0xfbd0dd), alpha: 0.96,
			tint: func(u, v float64) float64 { return 0.82 + 0.24*math.Hypot(u, v) },
		})
		c.stamp(disc, mark{x: x, y: y, r: 0.15 * r, soft: 0.005, col: hex(0xe0758f), alpha: 0.8})
	}
	c.scatter(26, 0.02, func(x, y float64) {
		depth := c.rng.Float64()
		if c.calm(x, y) && depth > 0.25 {
			return
		}
		c.stamp(petal, mark{
			x: x, y: y, r: 0.008 + 0.014*depth, angle: c.rng.Float64() * 2 * math.Pi, soft: 0.001 + 0.01*math.Abs(depth-0.5),
			col: mix(hex(0xf7b3c7), hex(0xffe7ee), c.rng.Float64()), alpha: 0.85, tint: flat(-0.1),
		})
	})
}

func summer(c *canvas) {
	w, h := c.size()
	horizon := 0.62 * h
	sky := []rgb{hex(0x2f8fd8), hex(0x6fbbe8), hex(0xd6eef7)}
	sea := []rgb{hex(0x4fb3cf), hex(0x2b93bd), hex(0x3fb0c0)}
	sand := []rgb{hex(0xe9d8b0), hex(0xf3e6c6)}
	c.fill(func(x, y float64) rgb {
		shore := 0.86*h + 0.012*math.Sin(7*x+1) + 0.006*math.Sin(17*x)
		switch {
		case y < horizon:
			return along(sky, y/horizon)
		case y < shore:
			t := (y - horizon) / (shore - horizon)
			col := along(sea, t)
			wave := math.Sin((60/(0.15+t))*0.9 + 5*math.Sin(9*x+20*t) + 3*math.Sin(23*x))
			return mix(col, hex(0xe8fbff), 0.22*max(0, wave-0.55)*(0.4+t)+max(0, 1-math.Abs(y-shore+0.006)/0.012)*0.85)
		}
		return along(sand, (y-shore)/(h-shore+1e-6))
	})
	c.glow(0.82*w, 0.13*h, 0.16, hex(0xfff6d8), 0.9)
	c.glow(0.82*w, 0.13*h, 0.5, hex(0xfff0c0), 0.22)
	// Cumulus clouds: clusters of soft discs with a flat base.
	for _, cl := range [][3]float64{{0.16 * w, 0.40 * h, 0.17}, {0.62 * w, 0.49 * h, 0.12}, {0.95 * w, 0.42 * h, 0.15}} {
		for range 60 {
			dx := (c.rng.Float64()*2 - 1)
			top := (1 - dx*dx) * c.rng.Float64()
			c.stamp(disc, mark{
				x: cl[0] + dx*cl[2]*1.3, y: cl[1] - top*cl[2]*0.75, r: cl[2] * (0.12 + 0.2*(1-math.Abs(dx))), soft: 0.03,
				col: mix(hex(0xdfeaf2), hex(0xffffff), 0.3+0.7*top), alpha: 0.35,
			})
		}
	}
	c.blur(0.004)
	c.lights(5, 0.03, 0.1, 0.05, hex(0xffffff))
}

func autumn(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0xf3dcae), hex(0xe9b878), hex(0xb8703f))
	c.glow(0.3*w, 0.12*h, 0.6, hex(0xfff0bd), 0.55)
	cols := []rgb{hex(0xc8352b), hex(0xe0692a), hex(0xeb9b30), hex(0xf2c14a), hex(0xa8322c)}
	c.scatter(90, 0.1, func(x, y float64) {
		if y > h*0.55*c.rng.Float64()*(0.5+math.Abs(2*x/w-1)) && c.rng.Float64() > 0.15 {
			return
		}
		c.stamp(disc, mark{x: x, y: y, r: 0.03 + 0.06*c.rng.Float64(), soft: 0.04, col: cols[c.rng.IntN(len(cols))], alpha: 0.35})
	})
	c.lights(16, 0.03, 0.1, 0.16, hex(0xffdf9a), hex(0xffc070))
	c.blur(0.015)
	c.scatter(60, 0.04, func(x, y float64) {
		depth := c.rng.Float64()
		corner := max(math.Abs(2*x/w-1), 0.2)
		if c.calm(x, y) || y > h*0.34*corner+0.04 && y < h*(0.99-0.14*corner) && c.rng.Float64() > 0.08 {
			return
		}
		m := mark{
			x: x, y: y, r: 0.028 + 0.04*depth, angle: c.rng.Float64() * 2 * math.Pi, soft: 0.0015 + 0.008*(1-depth),
			col: cols[c.rng.IntN(len(cols))], alpha: 0.95, tint: func(u, v float64) float64 { return 1.05 - 0.2*math.Abs(u) + 0.1*v },
		}
		if c.rng.Float64() < 0.3 {
			m.col = hex(0xf0bd3c)
			c.stamp(ginkgo, m)
			return
		}
		c.stamp(maple, m)
	})
	c.vignette(0.2)
}

func winter(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0x4d78ad), hex(0x8fb3d6), hex(0xdde9f3))
	c.glow(0.5*w, 0.3*h, 0.6, hex(0xe6f1ff), 0.3)
	// Three ranks of firs, the far ones pale.
	for rank := range 3 {
		base := h * (0.80 + 0.06*float64(rank))
		col := mix(hex(0xa9c3da), hex(0x46688c), float64(rank)/2)
		for x := -0.05; x < w+0.1; x += 0.07 + 0.03*c.rng.Float64() {
			c.fir(x+0.02*c.rng.Float64(), base, 0.16+0.10*c.rng.Float64()+0.04*float64(rank), col)
		}
		c.blur(0.004 - 0.0012*float64(rank))
	}
	c.fillBelow(func(x float64) float64 { return h*0.90 + 0.015*math.Sin(3*x) + 0.008*math.Sin(8*x+1) }, hex(0xf4f8fc), hex(0xcfdeec))
	c.lights(9, 0.02, 0.07, 0.1, hex(0xffffff))
	c.scatter(150, 0.02, func(x, y float64) {
		depth := c.rng.Float64()
		if c.calm(x, y) && depth > 0.4 {
			return
		}
		if depth > 0.93 {
			c.stamp(flake, mark{x: x, y: y, r: 0.022, angle: c.rng.Float64(), soft: 0.002, col: hex(0xffffff), alpha: 0.9})
			return
		}
		c.stamp(disc, mark{x: x, y: y, r: 0.002 + 0.007*depth, soft: 0.002 + 0.008*depth, col: hex(0xffffff), alpha: 0.85})
	})
}

// fir is a stack of triangles with its foot at (x, y).
func (c *canvas) fir(x, y, tall float64, col rgb) {
	for i := range 4 {
		t := float64(i) / 4
		c.stamp(func(u, v float64) float64 { return max(math.Abs(u)*0.85-(v+0.9)*0.36, v-0.75) },
			mark{x: x, y: y - tall*(0.18+0.2*float64(i)), r: tall * (0.32 - 0.17*t), col: mix(col, hex(0xffffff), 0.12*t), alpha: 1, soft: 0.003})
	}
}

// fillBelow paints everything below a line.
func (c *canvas) fillBelow(line func(x float64) float64, top, bottom rgb) {
	_, h := c.size()
	for j := range c.h {
		y := (float64(j) + 0.5) / c.u
		for i := range c.w {
			l := line((float64(i) + 0.5) / c.u)
			a := min(max((y-l)*c.u/2+0.5, 0), 1)
			if a > 0 {
				p := &c.pix[j*c.w+i]
				*p = mix(*p, mix(top, bottom, (y-l)/max(h-l, 0.01)), a)
			}
		}
	}
}

func office(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0xf0efec), hex(0xe5e4e0), hex(0xcfccc6))
	// A window with a pale skyline at the left, a shelf at the right.
	c.stamp(slab(1, 1.25, 0.02), mark{x: 0.2 * w, y: 0.36 * h, r: 0.3, col: hex(0xeaf3fa), alpha: 1})
	for i := range 12 {
		x := 0.2*w - 0.28 + 0.05*float64(i)
		tall := 0.08 + 0.2*c.rng.Float64()
		c.stamp(slab(0.24, 1, 0), mark{x: x, y: 0.36*h + 0.375 - tall, r: tall, col: mix(hex(0xb4c6d4), hex(0xd9e4ec), c.rng.Float64()), alpha: 0.9})
	}
	for _, dx := range []float64{-0.3, -0.1, 0.1, 0.3} {
		c.stamp(slab(0.02, 1, 0), mark{x: 0.2*w + dx, y: 0.36 * h, r: 0.38, col: hex(0x9b9a97), alpha: 1})
	}
	c.glow(0.2*w, 0.3*h, 0.5, hex(0xfffaf0), 0.25)
	books := []rgb{hex(0x5b6f86), hex(0x9c6b52), hex(0xc9a467), hex(0x6f8f7a), hex(0xe6e0d4), hex(0x8d4f4a)}
	for row := range 4 {
		y := 0.16*h + 0.2*float64(row)
		c.stamp(slab(1, 0.035, 0), mark{x: 0.9 * w, y: y + 0.1, r: 0.3, col: hex(0xa98a68), alpha: 1})
		for x := 0.9*w - 0.28; x < min(w+0.05, 0.9*w+0.28); {
			tall, thick := 0.055+0.03*c.rng.Float64(), 0.009+0.011*c.rng.Float64()
			if c.rng.Float64() < 0.82 {
				c.stamp(slab(thick/tall, 1, 0), mark{x: x + thick, y: y + 0.09 - tall, r: tall, col: books[c.rng.IntN(len(books))], alpha: 1, tint: flat(-0.1)})
			} else {
				thick *= 1.6
			}
			x += 2 * thick
		}
	}
	// A plant between them, low.
	for i := range 26 {
		a := -math.Pi/2 + (c.rng.Float64()*2-1)*1.2
		r := 0.07 + 0.09*c.rng.Float64()
		c.stamp(func(u, v float64) float64 { return math.Abs(v) - 0.16*(1-u*u) }, mark{
			x: 0.63*w + math.Cos(a)*r, y: 0.86*h + math.Sin(a)*r, r: r, angle: a,
			col: mix(hex(0x4c7a4e), hex(0x8fb878), float64(i)/26), alpha: 0.95,
		})
	}
	c.stamp(slab(0.7, 0.8, 0.1), mark{x: 0.63 * w, y: 0.93 * h, r: 0.08, col: hex(0xe9e4da), alpha: 1, tint: sphere})
	c.blur(0.016)
	c.glow(0.25*w, 0.2*h, 0.6, hex(0xfff5e2), 0.12)
	c.vignette(0.12)
}

func night(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0x10142b), hex(0x232750), hex(0x47365e))
	c.glow(0.5*w, 0.95*h, 0.6, hex(0xff9a5e), 0.16)
	for x := 0.0; x < w; {
		wide, tall := 0.05+0.07*c.rng.Float64(), 0.2+0.4*c.rng.Float64()*h
		c.stamp(slab(wide/2/tall, 1, 0), mark{x: x + wide/2, y: h, r: tall, col: hex(0x12142a), alpha: 0.85, soft: 0.008})
		for y := h - tall + 0.03; y < h; y += 0.028 {
			for k := 0.014; k < wide-0.01; k += 0.02 {
				if c.rng.Float64() < 0.3 {
					c.stamp(disc, mark{x: x + k, y: y, r: 0.005, soft: 0.004, col: mix(hex(0xffd58a), hex(0xfff2d8), c.rng.Float64()), alpha: 0.8, add: true})
				}
			}
		}
		x += wide + 0.01*c.rng.Float64()
	}
	c.blur(0.01)
	c.scatter(46, 0.05, func(x, y float64) {
		if y < h*(0.42+0.3*c.rng.Float64()) {
			return
		}
		cols := []rgb{hex(0xffb45c), hex(0xffd9a0), hex(0xff7a66), hex(0x7fb6ff), hex(0xc79bff)}
		m := mark{x: x, y: y, r: 0.02 + 0.045*c.rng.Float64(), soft: 0.004, col: cols[c.rng.IntN(len(cols))], alpha: 0.32 * c.rng.Float64(), add: true}
		c.stamp(disc, m)
		m.alpha *= 0.6
		c.stamp(ring, m)
	})
	c.vignette(0.3)
}

// washi is seigaiha, the pattern of overlapping waves, in pale indigo.
func washi(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0xf2efe6), hex(0xe6e8e6), hex(0xd3dce2))
	const r = 0.085
	line := hex(0x6f8fae)
	top := int(h/(r/2)) + 2
	for row := range top {
		y := float64(row) * r / 2
		for x := -r + float64(row%2)*r; x < w+r; x += 2 * r {
			fade := 0.3 + 0.5*math.Pow(y/h, 1.5)
			if c.calm(x, y) {
				fade *= 0.6
			}
			c.stamp(disc, mark{x: x, y: y + r, r: r, col: mix(hex(0xf1efe8), hex(0xd5dfe6), y/h), alpha: 1})
			for k := range 4 {
				rk := r * (1 - 0.25*float64(k))
				c.stamp(func(u, v float64) float64 { return math.Abs(math.Hypot(u, v)-0.965) - 0.02*r/rk }, mark{x: x, y: y + r, r: rk, col: line, alpha: fade})
			}
		}
	}
	c.glow(0.5*w, 0.35*h, 0.45, hex(0xffffff), 0.25)
	c.scatter(1.2, 0, func(x, y float64) { // flecks of gold leaf
		if c.calm(x, y) {
			return
		}
		for range 14 {
			c.stamp(slab(1, 0.7, 0.2), mark{
				x: x + 0.09*c.rng.NormFloat64()*0.5, y: y + 0.05*c.rng.NormFloat64()*0.5, r: 0.002 + 0.006*c.rng.Float64(), angle: 6 * c.rng.Float64(),
				col: hex(0xd6b45e), alpha: 0.75,
			})
		}
	})
}

func stage(c *canvas) {
	w, h := c.size()
	c.vertical(hex(0x140c22), hex(0x24123a), hex(0x0d0a16))
	// Curtain folds.
	c.fill(func(x, y float64) rgb {
		fold := 0.5 + 0.5*math.Sin(40*x+1.5*math.Sin(7*x))
		return along([]rgb{hex(0x2a0f1c), hex(0x6d1b2c), hex(0x8e2a38)}, 0.1+0.75*fold*fold).scale(0.55 + 0.45*math.Exp(-math.Pow((y-0.45*h)/0.6, 2)))
	})
	c.blur(0.004)
	for _, beam := range []struct{ x, to, width float64 }{{0.12, 0.42, 0.16}, {0.88, 0.58, 0.16}, {0.5, 0.5, 0.22}} {
		c.light(beam.x*w, -0.1, beam.to*w, h, beam.width, hex(0xffe3b0), 0.3)
	}
	c.fillBelow(func(float64) float64 { return 0.9 * h }, hex(0x3a1a1c), hex(0x170b0e))
	c.glow(0.5*w, 0.92*h, 0.3, hex(0xffdfae), 0.22)
	c.lights(10, 0.01, 0.035, 0.16, hex(0xffe0a8))
	c.vignette(0.5)
}

// light is a beam from (x0, y0) towards (x1, y1) that widens.
func (c *canvas) light(x0, y0, x1, y1, width float64, col rgb, strength float64) {
	long := math.Hypot(x1-x0, y1-y0)
	dx, dy := (x1-x0)/long, (y1-y0)/long
	for j := range c.h {
		for i := range c.w {
			x, y := (float64(i)+0.5)/c.u-x0, (float64(j)+0.5)/c.u-y0
			t := (x*dx + y*dy) / long
			if t <= 0 {
				continue
			}
			d := (-x*dy + y*dx) / (width * (0.15 + t))
			k := float32(strength * math.Exp(-d*d*2) * (1.1 - 0.6*min(t, 1)))
			p := &c.pix[j*c.w+i]
			for n := range 3 {
				p[n] += col[n] * k
			}
		}
	}
}
