package drawn

import "math"

// skinTone interpolates five albedos from very light to very dark.
func skinTone(t float64) rgb {
	tones := [...]rgb{{250, 220, 203}, {238, 194, 168}, {206, 152, 118}, {146, 98, 71}, {86, 56, 43}}
	f := clamp(t, 0, 1) * float64(len(tones)-1)
	i := min(int(f), len(tones)-2)
	return mix(tones[i], tones[i+1], f-float64(i))
}

// depth is the height field that also tells how points move when the head
// turns. It fades to nothing over the neck, because the body does not turn.
func (p *painter) depth(u, v float64) float64 {
	r := u*u/(1.5*1.5) + (v-0.1)*(v-0.1)/(2.3*2.3)
	if r >= 1 {
		return 0
	}
	return 0.75*(1-r)*math.Sqrt(1-r) + p.relief(u, v)*0.9
}

// relief is the face's own height above the skull.
func (p *painter) relief(u, v float64) float64 {
	a := math.Abs(u)
	z := 0.0
	if v > -0.6 && v < 1.0 { // nose
		k := smooth(-0.25, 0.62, v) * smooth(0.82, 0.52, v)
		z += (0.045 + 0.19*k) * bell(u, 0, 0.095+0.045*k, 1) * smooth(-0.45, -0.1, v) * smooth(0.9, 0.7, v)
		z += 0.115*bell(u, v-0.62, 0.12, 0.10) + 0.075*bell(a-0.165, v-0.675, 0.06, 0.06)
	}
	z -= 0.085 * bell(a-0.44, v+0.06, 0.21, 0.12)                                  // sockets
	z += 0.035 * bell(a-0.5, v, 0.18, 0.10)                                        // eyeballs
	z += 0.035 * bell(a-0.5, v+0.36, 0.30, 0.09)                                   // brow ridge
	z += 0.075 * bell(a-0.63, v-0.52, 0.25, 0.24)                                  // cheeks
	z += 0.075 * bell(u, v-1.08, 0.40, 0.26)                                       // muzzle
	z -= 0.035 * bell(u, v-1.36, 0.22, 0.055)                                      // fold under the lip
	z += 0.045 * bell(u, v-1.58, 0.26, 0.16)                                       // chin
	z -= 0.014 * bell(u, v-0.90, 0.035, 0.06)                                      // philtrum
	z -= (0.010 + 0.024*p.o.Smile) * bell(a-0.45-0.10*(v-0.9), v-0.92, 0.05, 0.17) // smile folds
	// lips
	if v > 0.85 && v < 1.4 {
		if q := u / p.m.w; q > -1 && q < 1 {
			e := 1 - q*q
			up, lo := p.m.upper(q), p.m.lower(q)
			z += 0.05 * e * bell(0, v-(up-0.035), 1, 0.035)
			z += 0.075 * e * bell(0, v-(lo+0.075), 1, 0.048)
		}
	}
	return z
}

// mouth has its curves as functions of q = u/w in [-1, 1].
type mouth struct {
	w, corner, mid, gap float64
}

func newMouth(smile float64) mouth {
	return mouth{w: 0.405 + 0.10*smile, corner: 1.058 - 0.04*smile, mid: 1.108, gap: 0.15 * smooth(0.15, 1, smile)}
}

func (m mouth) line(q float64) float64 { return m.corner + (m.mid-m.corner)*(1-q*q) }

// upper is the lower edge of the upper lip, lower the upper edge of the lower
// lip; they coincide when the mouth is closed.
func (m mouth) upper(q float64) float64 {
	return m.line(q) + 0.012*(bell(q, 0, 0.16, 1)-bell(math.Abs(q)-0.42, 0, 0.2, 1)) - 0.15*m.gap*(1-q*q)
}

func (m mouth) lower(q float64) float64 {
	e := 1 - q*q
	return m.upper(q)*(1-smooth(0, 0.02, m.gap)) + smooth(0, 0.02, m.gap)*(m.line(q)+0.85*m.gap*e*math.Sqrt(e))
}

func (m mouth) top(q float64) float64 {
	a := math.Abs(q)
	e := 1 - a*a
	return m.line(q) - 0.15*m.gap*e - e*(0.088+0.030*bell(a-0.25, 0, 0.16, 1))*(0.75+0.25*e)
}

func (m mouth) bottom(q float64) float64 {
	e := 1 - q*q
	return m.line(q) + (m.lower(q)-m.line(q))*smooth(0, 0.02, m.gap) + 0.165*math.Pow(e, 0.62)
}

// light direction (towards the light) and the half vector with the viewer.
var (
	lightDir = [3]float64{-0.36, -0.46, 0.811}
	halfDir  = [3]float64{-0.189, -0.242, 0.952}
)

func (p *painter) normal(u, v float64) [3]float64 {
	const h = 0.012
	f := func(u, v float64) float64 {
		r := u*u/(1.16*1.16) + (v-0.15)*(v-0.15)/(1.85*1.85)
		return 0.95*math.Sqrt(max(0, 1-r)+0.03) + p.relief(u, v)
	}
	dx, dy := (f(u+h, v)-f(u-h, v))/(2*h), (f(u, v+h)-f(u, v-h))/(2*h)
	k := 1 / math.Sqrt(1+dx*dx+dy*dy)
	n := [3]float64{-dx * k, -dy * k, k}
	// the turned head meets the light at another angle
	n[0], n[2] = n[0]*p.cy+n[2]*p.sy, -n[0]*p.sy+n[2]*p.cy
	return n
}

// lit shades a skin-like surface: wrapped diffuse light whose shadows turn
// red, because light travels under skin, and a broad weak gloss.
func lit(base rgb, n [3]float64, gloss float64) rgb {
	d := n[0]*lightDir[0] + n[1]*lightDir[1] + n[2]*lightDir[2]
	w := clamp((d+0.45)/1.45, 0, 1)
	s := clamp(n[0]*halfDir[0]+n[1]*halfDir[1]+n[2]*halfDir[2], 0, 1)
	s *= s
	s *= s
	s *= s
	s = s * s * gloss
	k := 0.34 + 0.74*w
	return rgb{
		base[0]*math.Pow(k, 0.78) + 255*s,
		base[1]*math.Pow(k, 1.05) + 250*s,
		base[2]*math.Pow(k, 1.12) + 244*s,
	}
}

// complexion is the face's skin at a point: light, blush, pores and shadows.
func (p *painter) complexion(u, v float64) rgb {
	base := p.skin
	a := math.Abs(u)
	dark := p.o.Tone
	blush := (0.20 - 0.10*dark) * (bell(a-0.66, v-0.52, 0.22, 0.17) + 0.35*bell(u, v-0.66, 0.12, 0.09))
	base = mix(base, rgb{base[0] * 1.0, base[1] * 0.72, base[2] * 0.72}, blush)
	base = base.scale(1 + 0.035*(noise2(u*9, v*9, 11)-0.5) + 0.03*(noise2(u*45, v*45, 12)-0.5))
	c := lit(base, p.normal(u, v), 0.075+0.05*dark)
	// nostrils and the shadow under the nose
	c = mix(c, p.skin.scale(0.30), 0.85*bell(a-0.088-0.3*(v-0.735), v-0.735, 0.034, 0.015))
	c = mix(c, p.skin.scale(0.55), 0.22*bell(u-0.02, v-0.775, 0.12, 0.028))
	c = mix(c, p.skin.scale(0.58), 0.30*bell(a-0.232-0.5*(v-0.69)*(v-0.69), v-0.69, 0.018, 0.045))
	// under-lip shadow, lid shadow
	c = mix(c, p.skin.scale(0.6), 0.28*bell(u, v-p.m.bottom(0)-0.035, 0.20, 0.028))
	// shadow cast by the hair
	if d := p.front.dist(u-0.035, v-0.06); d > -0.2 {
		c = mix(c, rgb{c[0] * 0.66, c[1] * 0.56, c[2] * 0.54}, 0.75*math.Exp(-max(d, 0)/0.075))
	}
	return c
}

func (p *painter) lips(u, v float64, c rgb) rgb {
	m := p.m
	q := u / m.w
	if q <= -1 || q >= 1 || v < 0.8 || v > 1.5 {
		return c
	}
	top, up, lo, bot := m.top(q), m.upper(q), m.lower(q), m.bottom(q)
	tint := rgb{p.skin[0]*0.80 + 10, p.skin[1]*0.53 + 4, p.skin[2]*0.57 + 6}
	n := p.normal(u, v)
	red := lit(tint.scale(1+0.10*(noise2(u*60, v*7, 5)-0.5)), n, 0.20)
	if v < up {
		red = red.scale(0.90)
	}
	edge := smooth(1, 0.80, math.Abs(q))
	k := p.cover(top-v, 0.012) * p.cover(v-bot, 0.016) * edge
	c = mix(c, red, 0.92*k)
	if m.gap > 0.005 { // open smile: teeth, dark corners
		in := p.cover(up-v, 0.003) * p.cover(v-lo, 0.003)
		f := (v - up) / (lo - up + 1e-6)
		t := rgb{236, 229, 218}.scale((0.97 - 0.38*q*q) * (0.78 + 0.22*smooth(0, 0.25, f)))
		g := math.Abs(u)/0.105 + 0.0
		g -= math.Floor(g)
		t = t.scale(1 - 0.10*(1-smooth(0, 0.07, min(g, 1-g))))
		t = mix(t, rgb{70, 26, 26}, smooth(0.80, 0.93, math.Abs(q))+0.65*smooth(0.86, 1, f))
		c = mix(c, t, in)
	}
	// the line between the lips, darkest at the corners
	w := 0.010 + 0.004*q*q
	s := rgb{p.skin[0] * 0.33, p.skin[1] * 0.18, p.skin[2] * 0.18}
	d := math.Abs(v - up)
	c = mix(c, s, 0.88*smooth(w+0.8*p.px, w*0.25, d)*smooth(1.0, 0.93, math.Abs(q)))
	return c
}

// beard darkens jaw and upper lip with short strokes.
func (p *painter) beard(u, v float64, c rgb) rgb {
	if !p.o.Beard {
		return c
	}
	a := math.Abs(u)
	k := smooth(0.62+0.35*smooth(0.9, 0.3, a), 1.0+0.1*smooth(0.9, 0.3, a), v)
	k = max(k, smooth(0.80, 0.86, a)*smooth(0.2, 0.6, v))
	k = max(k, bell(u, v-0.93, 0.33, 0.055))
	// bare: lips and the strip around them
	q := u / (p.m.w * 1.06)
	if q > -1 && q < 1 {
		k *= 1 - smooth(p.m.top(q)-0.03, p.m.top(q)+0.005, v)*smooth(p.m.bottom(q)+0.05, p.m.bottom(q)+0.01, v)
	}
	k *= 0.75 + 0.5*(noise2(u*70, v*22, p.o.Seed+31)-0.5)
	return mix(c, p.hairTint.scale(0.9), clamp(0.85*k, 0, 0.92))
}
