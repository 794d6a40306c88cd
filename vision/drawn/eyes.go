package drawn

import "math"

const (
	eyeHalf = 0.258 // half width of the opening
	irisR   = 0.120
)

// lids are the openings' edges at q in [-1, 1], q = 1 at the temple.
func lids(q float64) (up, lo float64) {
	e := max(0, 1-q*q)
	up = -0.132*math.Pow(e, 0.66)*(1-0.06*q) + 0.020*(1-e) - 0.020*q
	lo = 0.078*math.Pow(e, 0.85)*(1+0.20*q) + 0.020*(1-e) - 0.020*q
	return up, lo
}

func (p *painter) eye(u, v float64, c rgb) rgb {
	side := 1.0
	if u < 0 {
		side = -1
	}
	d := side*u - 0.5 // > 0 towards the temple
	if d < -0.45 || d > 0.45 || v < -0.36 || v > 0.28 {
		return c
	}
	q := d / eyeHalf
	ink := mix(rgb{38, 24, 20}, rgb{14, 10, 9}, p.o.Tone)
	// lid crease and soft shadow of the socket
	e := max(0, 1-(q*0.86)*(q*0.86))
	crease := -0.190*math.Pow(e, 0.6) - 0.03*q + 0.01
	c = mix(c, p.skin.scale(0.55), 0.55*bell(0, v-crease, 1, 0.012)*smooth(1.18, 0.7, math.Abs(q)))
	c = mix(c, rgb{p.skin[0] * 0.80, p.skin[1] * 0.62, p.skin[2] * 0.58}, 0.30*bell(d-0.03, v+0.11, 0.20, 0.05))
	c = mix(c, p.skin.scale(0.72), 0.22*bell(d, v-0.15, 0.17, 0.03))
	if q > -1.02 && q < 1.02 {
		up, lo := lids(clamp(q, -1, 1))
		in := p.cover(up-v, 0.002) * p.cover(v-lo, 0.004)
		if in > 0 {
			c = mix(c, p.eyeball(d*side, d, v, up, ink), in)
		}
		// water line
		c = mix(c, rgb{p.skin[0]*0.85 + 20, p.skin[1]*0.66 + 20, p.skin[2]*0.66 + 20}, 0.6*bell(0, v-lo-0.008, 1, 0.008)*smooth(1, 0.8, math.Abs(q)))
		c = mix(c, ink, 0.32*bell(0, v-lo-0.02, 1, 0.010)*smooth(-0.3, 0.7, q)*smooth(1.02, 0.9, q))
	}
	return p.lashes(u, v, q, ink, c)
}

func (p *painter) eyeball(x, d, v, up float64, ink rgb) rgb {
	c := rgb{240, 236, 232}
	q := d / eyeHalf
	c = c.scale(0.98 - 0.20*q*q)
	c = mix(c, rgb{214, 150, 140}, 0.55*smooth(-0.78, -1, q))
	r := math.Hypot(x, v)
	if a := p.cover(r-irisR, 0.006); a > 0 {
		ang := math.Atan2(v, x)
		iris := mix(rgb{104, 68, 42}, rgb{52, 34, 26}, smooth(0.2, 0.8, p.o.Tone))
		rays := 0.82 + 0.36*noise2(ang*9, r*16, 21)
		k := iris.scale(rays * (0.72 + 0.65*smooth(-0.06, 0.10, v)))
		k = mix(k, ink, 0.85*smooth(irisR-0.030, irisR, r))
		k = mix(k, rgb{8, 6, 6}, p.cover(r-0.050, 0.006))
		c = mix(c, k, a)
	}
	// the lid's shadow, then the catch lights
	c = c.scale(1 - 0.48*smooth(up+0.075, up, v))
	c = mix(c, rgb{255, 255, 255}, 0.95*p.cover(math.Hypot(x+0.037, v+0.040)-0.022, 0.005))
	c = mix(c, rgb{255, 255, 255}, 0.30*p.cover(math.Hypot(x-0.034, v-0.045)-0.016, 0.012))
	return c
}

func (p *painter) lashes(u, v, q float64, ink, c rgb) rgb {
	if q < -1.1 || q > 1.28 {
		return c
	}
	up, _ := lids(clamp(q, -1, 1))
	if q > 0.9 { // the wing leaves the lid on its tangent instead of dropping with it
		up9, _ := lids(0.9)
		up = up9 + 0.20*(q-0.9)
	}
	w := 0.010 + 0.016*smooth(-1, 0.6, q)
	w *= smooth(1.20, 0.90, q) * smooth(-0.99, -0.70, q)
	if p.o.Hair == Short {
		w *= 0.62
	}
	fringe := 0.010 * noise2(u*95, 3, 41) * smooth(-0.7, 0.8, q)
	dy := v - (up - 0.3*w)
	if dy < 0 {
		w += fringe
	}
	return mix(c, ink, 0.93*smooth(w+0.7*p.px, w*0.35, math.Abs(dy)))
}

func (p *painter) brow(u, v float64, c rgb) rgb {
	a := math.Abs(u)
	if a < 0.1 || a > 1.0 || v > -0.15 || v < -0.65 {
		return c
	}
	t := (a - 0.19) / 0.66 // 0 at the nose, 1 at the temple
	if t < -0.16 || t > 1.08 {
		return c
	}
	mid := -0.385 - 0.068*math.Sin(clamp(t-0.05, 0, 1.1)*2.5) + 0.070*t*t
	w := 0.044 * smooth(-0.16, 0.20, t) * (1 - 0.72*smooth(0.45, 1.08, t))
	if p.o.Hair == Short {
		w *= 1.35
	}
	strands := 0.70 + 0.6*(noise2((a+0.9*(v-mid))*52, v*9, p.o.Seed+7)-0.5)
	k := smooth(w+0.012, w*0.35, math.Abs(v-mid)) * smooth(1.08, 0.9, t)
	return mix(c, p.hairTint.scale(0.95), clamp(0.92*k*strands, 0, 1))
}

func (p *painter) glasses(u, v float64, c rgb) rgb {
	if !p.o.Glasses {
		return c
	}
	a := math.Abs(u)
	x, y := (a-0.52)/0.37, (v-0.04)/0.27
	r := math.Pow(math.Pow(math.Abs(x), 3)+math.Pow(math.Abs(y), 3), 1.0/3)
	c = mix(c, rgb{255, 255, 255}, 0.05*smooth(1, 0.97, r))
	c = mix(c, rgb{255, 255, 255}, 0.10*smooth(1, 0.97, r)*bell(x+0.6*y+0.9, 0, 0.12, 1))
	frame := rgb{34, 28, 30}
	k := smooth(0.030+p.px, 0.018, math.Abs(r-1)*0.30)
	if a < 0.17 { // bridge
		k = max(k, smooth(0.026+p.px, 0.014, math.Abs(v+0.02+0.7*(0.0225-u*u))))
	}
	if a > 0.86 && a < 1.12 { // temples
		k = max(k, smooth(0.030+p.px, 0.018, math.Abs(v+0.06)))
	}
	return mix(c, frame, 0.95*k)
}
