package vision

import (
	"encoding/binary"
	"image"
	"math"
)

// A profile converts a device's RGB (or grey) to linear sRGB with one curve per
// channel and a matrix, which is what cameras' and screens' profiles hold
// (Display P3, Adobe RGB, ProPhoto). Table-based printer profiles are not
// converted.
type profile struct {
	curve  [3][256]float32 // device value to linear light
	matrix [3][3]float64   // linear device RGB to linear sRGB
}

// xyzToSRGB takes the profile connection space (XYZ relative to D50) to linear
// sRGB: the inverse of sRGB's primaries adapted to D50 by Bradford.
var xyzToSRGB = [3][3]float64{
	{3.1341359, -1.6173863, -0.4906619},
	{-0.9787955, 1.9161100, 0.0334545},
	{0.0719767, -0.2289939, 1.4053851},
}

// parseICC reads a matrix/TRC or grey profile (ICC.1:2010, 7 and 10); ok is
// false for anything else.
func parseICC(b []byte) (p profile, ok bool) {
	if len(b) < 132 || string(b[36:40]) != "acsp" || string(b[20:24]) != "XYZ " {
		return p, false
	}
	n := binary.BigEndian.Uint32(b[128:])
	if n > 200 {
		return p, false
	}
	tag := func(name string) []byte {
		for i := range int(n) {
			e := 132 + 12*i
			if e+12 > len(b) {
				return nil
			}
			if string(b[e:e+4]) != name {
				continue
			}
			off, size := uint64(binary.BigEndian.Uint32(b[e+4:])), uint64(binary.BigEndian.Uint32(b[e+8:]))
			if off+size > uint64(len(b)) {
				return nil
			}
			return b[off : off+size]
		}
		return nil
	}
	switch string(b[16:20]) {
	case "GRAY":
		if !readCurve(tag("kTRC"), &p.curve[0]) {
			return p, false
		}
		p.curve[1], p.curve[2] = p.curve[0], p.curve[0]
		p.matrix = [3][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
		return p, true
	case "RGB ":
	default:
		return p, false
	}
	var device [3][3]float64 // columns: XYZ of the primaries
	for c, ch := range [3]string{"r", "g", "b"} {
		xyz := tag(ch + "XYZ")
		if len(xyz) < 20 || string(xyz[:4]) != "XYZ " || !readCurve(tag(ch+"TRC"), &p.curve[c]) {
			return p, false
		}
		for i := range 3 {
			device[i][c] = s15f16(xyz[8+4*i:])
		}
	}
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				p.matrix[i][j] += xyzToSRGB[i][k] * device[k][j]
			}
		}
		// A neutral device colour must stay neutral, and a damaged matrix must not
		// turn the picture black.
		if sum := p.matrix[i][0] + p.matrix[i][1] + p.matrix[i][2]; sum < 0.8 || sum > 1.2 {
			return p, false
		}
	}
	return p, true
}

func s15f16(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) / 65536 }

// readCurve tabulates a curveType or parametricCurveType tag.
func readCurve(b []byte, out *[256]float32) bool {
	if len(b) < 12 {
		return false
	}
	var f func(x float64) float64
	switch string(b[:4]) {
	case "curv":
		n := int(binary.BigEndian.Uint32(b[8:]))
		switch {
		case n == 0:
			f = func(x float64) float64 { return x }
		case n == 1 && len(b) >= 14:
			g := float64(binary.BigEndian.Uint16(b[12:])) / 256
			f = func(x float64) float64 { return math.Pow(x, g) }
		case n > 1 && n <= 1<<16 && len(b) >= 12+2*n:
			f = func(x float64) float64 {
				t := x * float64(n-1)
				i := min(int(t), n-2)
				lo, hi := binary.BigEndian.Uint16(b[12+2*i:]), binary.BigEndian.Uint16(b[14+2*i:])
				return (float64(lo) + (float64(hi)-float64(lo))*(t-float64(i))) / 65535
			}
		default:
			return false
		}
	case "para":
		f = parametric(b)
	}
	if f == nil {
		return false
	}
	for i := range out {
		v := f(float64(i) / 255)
		if math.IsNaN(v) {
			return false
		}
		out[i] = float32(min(max(v, 0), 1))
	}
	return true
}

// parametric is ICC.1:2010, table 65; nil when the tag is short or unknown.
func parametric(b []byte) func(x float64) float64 {
	kind := int(binary.BigEndian.Uint16(b[8:]))
	counts := [5]int{1, 3, 4, 5, 7}
	if kind >= len(counts) || len(b) < 12+4*counts[kind] {
		return nil
	}
	var p [7]float64
	for i := range counts[kind] {
		p[i] = s15f16(b[12+4*i:])
	}
	g, a, bb, c, d, e, ff := p[0], p[1], p[2], p[3], p[4], p[5], p[6]
	pow := func(x float64) float64 { return math.Pow(max(a*x+bb, 0), g) }
	switch kind {
	case 0:
		return func(x float64) float64 { return math.Pow(x, g) }
	case 1:
		return func(x float64) float64 {
			if a*x+bb >= 0 {
				return pow(x)
			}
			return 0
		}
	case 2:
		return func(x float64) float64 {
			if a*x+bb >= 0 {
				return pow(x) + c
			}
			return c
		}
	case 3:
		return func(x float64) float64 {
			if x >= d {
				return pow(x)
			}
			return c * x
		}
	}
	return func(x float64) float64 {
		if x >= d {
			return pow(x) + e
		}
		return c*x + ff
	}
}

// isSRGB is true when converting would change no value by more than two levels
// of 255: then the profile is sRGB in other words.
func (p *profile) isSRGB() bool {
	for _, c := range [][3]int{{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {128, 128, 128}, {200, 120, 90}, {60, 90, 160}, {20, 20, 20}} {
		out := p.apply(c[0], c[1], c[2])
		for i := range 3 {
			if d := 255*encodeSRGB(out[i]) - float64(c[i]); d > 2 || d < -2 {
				return false
			}
		}
	}
	return true
}

func (p *profile) apply(r, g, b int) (out [3]float64) {
	lr, lg, lb := float64(p.curve[0][r]), float64(p.curve[1][g]), float64(p.curve[2][b])
	for i := range 3 {
		out[i] = p.matrix[i][0]*lr + p.matrix[i][1]*lg + p.matrix[i][2]*lb
	}
	return out
}

// convert rewrites img in sRGB. Colours outside its gamut are clipped.
func (p *profile) convert(img *image.NRGBA) {
	const steps = 4096
	var enc [steps + 1]uint8
	for i := range enc {
		enc[i] = uint8(255*encodeSRGB(float64(i)/steps) + 0.5)
	}
	var m [3][3]float32
	for i := range 3 {
		for j := range 3 {
			m[i][j] = float32(p.matrix[i][j]) * steps
		}
	}
	w := img.Rect.Dx()
	Rows(img.Rect.Dy(), func(y0, y1 int) {
		for y := y0; y < y1; y++ {
			d := img.Pix[y*img.Stride : y*img.Stride+4*w]
			for x := 0; x < len(d); x += 4 {
				r, g, b := p.curve[0][d[x]], p.curve[1][d[x+1]], p.curve[2][d[x+2]]
				for c := range 3 {
					v := int(m[c][0]*r + m[c][1]*g + m[c][2]*b + 0.5)
					d[x+c] = enc[min(max(v, 0), steps)]
				}
			}
		}
	})
}

// encodeSRGB is the transfer function of IEC 61966-2-1 from linear light to
// 0..1, clipped.
func encodeSRGB(v float64) float64 {
	switch {
	case v <= 0:
		return 0
	case v >= 1:
		return 1
	case v <= 0.0031308:
		return 12.92 * v
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}
