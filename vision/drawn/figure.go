package drawn

import "math"

// shapes draws the outlines, in the canonical frame.
func (p *painter) shapes() {
	p.face = mirrored(4, [2]float64{0, -1.5}, [2]float64{0.55, -1.4}, [2]float64{0.93, -1.0}, [2]float64{1.05, -0.4}, [2]float64{1.06, 0.1},
		[2]float64{1.015, 0.55}, [2]float64{0.905, 0.95}, [2]float64{0.715, 1.31}, [2]float64{0.46, 1.59}, [2]float64{0.22, 1.745}, [2]float64{0, 1.79})
	p.ear = spline(4, [2]float64{1.02, -0.12}, [2]float64{1.16, -0.18}, [2]float64{1.23, 0.02}, [2]float64{1.17, 0.32}, [2]float64{1.08, 0.5}, [2]float64{1.0, 0.45})
	p.neck = mirrored(3, [2]float64{0, 1.0}, [2]float64{0.60, 1.2}, [2]float64{0.60, 1.9}, [2]float64{0.66, 2.2}, [2]float64{0.95, 2.5},
		[2]float64{1.6, 2.75}, [2]float64{1.4, 3.3}, [2]float64{0, 3.4})
	p.body = mirrored(3, [2]float64{0, 2.98}, [2]float64{0.42, 2.86}, [2]float64{0.80, 2.47}, [2]float64{1.0, 2.44}, [2]float64{1.75, 2.72},
		[2]float64{2.55, 3.02}, [2]float64{3.05, 3.5}, [2]float64{3.3, 4.6}, [2]float64{3.5, 7}, [2]float64{0, 7.4})
	switch p.o.Hair {
	case Short:
		p.cap = mirrored(4, [2]float64{0, -2.02}, [2]float64{0.6, -1.96}, [2]float64{1.04, -1.62}, [2]float64{1.24, -1.05}, [2]float64{1.2, -0.45},
			[2]float64{1.1, 0.1}, [2]float64{0.6, 0.2}, [2]float64{0, 0.2})
		p.back = p.cap
		p.front = spline(4, [2]float64{0, -2.02}, [2]float64{0.6, -1.96}, [2]float64{1.04, -1.62}, [2]float64{1.24, -1.05}, [2]float64{1.2, -0.45},
			[2]float64{1.09, 0.12}, [2]float64{1.02, 0.05}, [2]float64{0.99, -0.4}, [2]float64{0.9, -0.9}, [2]float64{0.55, -1.12}, [2]float64{0.1, -1.15},
			[2]float64{-0.4, -1.22}, [2]float64{-0.78, -1.05}, [2]float64{-0.97, -0.6}, [2]float64{-1.02, 0.05}, [2]float64{-1.09, 0.12},
			[2]float64{-1.2, -0.45}, [2]float64{-1.24, -1.05}, [2]float64{-1.04, -1.62}, [2]float64{-0.6, -1.96})
	default:
		p.cap = mirrored(4, [2]float64{0, -2.06}, [2]float64{0.6, -1.99}, [2]float64{1.1, -1.64}, [2]float64{1.37, -1.05}, [2]float64{1.42, -0.3},
			[2]float64{1.40, 0.5}, [2]float64{1.45, 1.2}, [2]float64{1.46, 1.8}, [2]float64{1.30, 2.35}, [2]float64{0.95, 2.55}, [2]float64{0.5, 2.4}, [2]float64{0, 2.3})
		p.back = p.cap
		p.front = spline(4, [2]float64{0, -2.06}, [2]float64{0.6, -1.99}, [2]float64{1.1, -1.64}, [2]float64{1.37, -1.05}, [2]float64{1.42, -0.3},
			[2]float64{1.40, 0.5}, [2]float64{1.45, 1.2}, [2]float64{1.46, 1.8}, [2]float64{1.30, 2.35}, [2]float64{1.02, 2.5},
			[2]float64{0.86, 2.2}, [2]float64{0.90, 1.6}, [2]float64{0.99, 0.9}, [2]float64{1.0, 0.2}, [2]float64{0.95, -0.35}, [2]float64{0.80, -0.80},
			[2]float64{0.42, -1.12}, [2]float64{-0.05, -1.33}, [2]float64{-0.36, -1.5}, [2]float64{-0.52, -1.28}, [2]float64{-0.78, -0.88}, [2]float64{-0.95, -0.35},
			[2]float64{-1.0, 0.2}, [2]float64{-0.98, 0.9}, [2]float64{-0.92, 1.6}, [2]float64{-0.95, 2.2}, [2]float64{-1.08, 2.5},
			[2]float64{-1.32, 2.38}, [2]float64{-1.46, 1.8}, [2]float64{-1.45, 1.2}, [2]float64{-1.40, 0.5}, [2]float64{-1.42, -0.3}, [2]float64{-1.37, -1.05},
			[2]float64{-1.1, -1.64}, [2]float64{-0.6, -1.99})
	}
}

// person paints everything in front of the backdrop, from back to front.
func (p *painter) person(u, v float64, over func(rgb, float64)) {
	hairEdge := 0.012
	if d := p.back.dist(u, v); d < 0.1 {
		over(p.strands(u, v, d).scale(0.60), p.cover(d, hairEdge))
	}
	if d := p.neck.dist(u, v); d < 0.1 {
		over(p.throat(u, v), p.cover(d, 0))
	}
	if d := p.body.dist(u, v); d < 0.1 {
		over(p.cloth(u, v, d), p.cover(d, 0))
	}
	if p.o.Hair == Short {
		if d := p.ear.dist(math.Abs(u), v); d < 0.1 {
			c := lit(p.skin, [3]float64{0.5 * math.Copysign(1, u), -0.1, 0.85}, 0.02)
			c = mix(c, p.skin.scale(0.6), 0.5*bell(math.Abs(u)-1.12, v-0.12, 0.035, 0.14))
			over(c, p.cover(d, 0))
		}
	}
	if d := p.face.dist(u, v); d < 0.1 {
		c := p.complexion(u, v)
		c = p.eye(u, v, c)
		c = p.lips(u, v, p.beard(u, v, c))
		c = p.brow(u, v, c)
		over(c, p.cover(d, 0.002))
	}
	if d := p.front.dist(u, v); d < 0.1 {
		// a few strands leave the outline
		wisp := 0.020 * (noise2(u*38, v*5, p.o.Seed+3) - 0.5)
		over(p.strands(u, v, p.cap.dist(u, v)), p.cover(d+wisp, hairEdge))
	}
	if p.o.Glasses && v > -0.4 && v < 0.5 {
		c := p.glasses(u, v, rgb{-1, -1, -1})
		if c[0] > -0.99 { // its own coverage: how far the marker moved towards the frame
			mark := p.glasses(u, v, rgb{1000, 1000, 1000})
			a := clamp(1-(mark[0]-c[0])/1001, 0, 1)
			if a > 0 {
				over(c.add(rgb{1, 1, 1}.scale(1-a)).scale(1/a), a)
			}
		}
	}
}

func (a rgb) add(b rgb) rgb { return rgb{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

// strands is hair whose fibres run parallel to the outline; d is the signed
// distance to the outline of the whole hair.
func (p *painter) strands(u, v, d float64) rgb {
	part := -0.33
	side := uint64(1)
	if u < part {
		side = 2
	}
	s := -d + 0.06*math.Sin(v*1.7+u)
	along := v*1.3 + 0.5*math.Abs(u-part)
	n := 0.5*noise2(s*30, along*1.2, p.o.Seed+side) + 0.32*noise2(s*78, along*2.2, p.o.Seed+side+4) + 0.18*noise2(s*170, along*3, p.o.Seed+side+8)
	k := 0.62 + 0.76*n
	// roundness, parting, and the band of gloss around the crown
	k *= 0.66 + 0.34*smooth(0, 0.30, -d)
	k *= 1 - 0.45*math.Exp(-math.Abs(u-part-0.03*math.Sin(v*4))/0.035)*smooth(-1.35, -1.55, v)
	k *= 1 - 0.25*smooth(0.2, 1.8, u)
	c := p.hairTint.scale(k)
	ring := bell(0, v+1.27-0.26*(u+0.2)*(u+0.2), 1, 0.16) * smooth(0.35, 0.75, n)
	ring += 0.5 * bell(math.Abs(u)-1.2, v-0.7, 0.12, 0.5) * smooth(0.45, 0.8, n)
	return c.add(rgb{104, 84, 70}.scale(0.62 * ring * (1 - 0.35*p.o.Tone)))
}

// throat is the neck with the chin's shadow.
func (p *painter) throat(u, v float64) rgb {
	nx := clamp(u/0.66, -0.95, 0.95)
	if v > 2.2 {
		nx *= 0.4 + 0.6*math.Exp(-(v-2.2)*3)
	}
	n := [3]float64{nx * 0.9, 0.10, math.Sqrt(max(0.05, 1-nx*nx*0.81))}
	c := lit(p.skin.scale(1+0.03*(noise2(u*9, v*9, 13)-0.5)), n, 0.02)
	sh := smooth(2.45, 1.75, v+0.22*u*u-0.1*u)
	c = mix(c, rgb{c[0] * 0.60, c[1] * 0.48, c[2] * 0.45}, 0.85*sh)
	// collar bones
	c = mix(c, p.skin.scale(0.70), 0.25*bell(math.Abs(u)-0.55, v-2.64-0.08*math.Abs(u), 0.3, 0.025))
	return c
}

// cloth is a knitted sweater with a ribbed collar.
func (p *painter) cloth(u, v, d float64) rgb {
	base := rgb{float64(p.o.Cloth.R), float64(p.o.Cloth.G), float64(p.o.Cloth.B)}
	a := math.Abs(u)
	k := 1.02 - 0.10*u/3 - 0.30*smooth(1.4, 3.4, a)*smooth(2.6, 4.2, v) + 0.18*smooth(0.5, 0, -d)*smooth(1.0, 1.6, a)
	k += 0.10 * (noise2(u*1.7+v*0.8, v*0.6-u*0.3, p.o.Seed+51) - 0.5)         // folds
	k += 0.045 * math.Sin(v*62+0.6*math.Sin(u*62)) * smooth(0.03, 0.01, p.px) // knit
	k += 0.05 * (noise2(u*60, v*60, 52) - 0.5)
	if neck := -d; neck < 0.17 && a < 1.02 && v < 3.3 { // collar
		rib := 0.5 + 0.5*math.Sin(math.Atan2(v-2.0, u)*95)
		k *= 0.90 + 0.14*rib*smooth(0.03, 0.01, p.px)
		k *= 1 - 0.30*bell(neck-0.17, 0, 0.018, 1)
	}
	k *= 1 - 0.32*p.cover(p.front.dist(u-0.05, v-0.10), 0.16)
	return base.scale(max(0.2, k))
}
