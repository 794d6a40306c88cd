package portrait

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/videomsg/videomsg/dsp"
)

// speech makes phonemes from a space-separated text with plausible lengths,
// between 0.3 s of silence at both ends.
func speech(text string) []Phone {
	length := map[string]float64{
		"a": 0.11, "i": 0.09, "u": 0.08, "e": 0.10, "o": 0.10, "N": 0.09, "pau": 0.28, "cl": 0.09,
		"s": 0.09, "sh": 0.10, "ts": 0.08, "ch": 0.08, "k": 0.07, "t": 0.06, "r": 0.04, "m": 0.07, "n": 0.06, "b": 0.06, "p": 0.07, "w": 0.05, "y": 0.05,
	}
	t := 0.3
	phones := []Phone{{0, t, "sil"}}
	for i, p := range strings.Fields(text) {
		d, ok := length[p]
		if !ok {
			d = 0.07
		}
		d *= 0.9 + 0.05*float64(i*7%5)
		phones = append(phones, Phone{t, t + d, p})
		t += d
	}
	return append(phones, Phone{t, t + 0.3, "sil"})
}

const (
	greeting = "o t a N j o: o: b i o m e d e t o o g o z a i m a s U pau i ts u m o a r i g a t o o pau k o N n e N m o s u b a r a sh i i i ch i n e N n i n a r i m a s u y o o n i pau m i N n a d e o i w a i sh i m a sh o o"
	another  = "h a j i m e m a sh I t e pau w a t a sh i w a t o o ky o o n i s u N d e i m a s U pau ky o o w a t e N k i g a y o i n o d e s a N p o n i i k i m a sh I t a pau k o o e N d e t o m o d a ch i n i a i m a sh I t a"
)

// utter synthesises a voice for phonemes: two formants over a buzz for vowels,
// noise for hiss, silence for stops.
func utter(phones []Phone, rate int) dsp.Audio {
	end := phones[len(phones)-1].End
	a := dsp.New(rate, 1, int(end*float64(rate)))
	rng := rand.New(rand.NewPCG(5, 5))
	formants := map[byte][2]float64{'a': {780, 1250}, 'i': {300, 2300}, 'u': {350, 1300}, 'e': {500, 1900}, 'o': {480, 900}, 'n': {280, 1100}}
	x := a.Ch[0]
	var phase float64
	for _, p := range phones {
		c := strings.ToLower(p.P)
		for i := int(p.Start * float64(rate)); i < min(len(x), int(p.End*float64(rate))); i++ {
			phase += 2 * math.Pi * 125 / float64(rate)
			pos := (float64(i)/float64(rate) - p.Start) / (p.End - p.Start)
			shape := math.Sin(math.Pi * pos)
			var v float64
			f, vowel := formants[c[0]]
			switch {
			case c == "sil" || c == "pau" || c == "cl":
			case vowel && (len(c) == 1 || c == "o:"):
				for h := 1.0; h < 30; h++ {
					hz := 125 * h
					g := 1/(1+math.Pow((hz-f[0])/120, 2)) + 0.5/(1+math.Pow((hz-f[1])/150, 2))
					v += g * math.Sin(h*phase)
				}
				v *= 0.10 * (0.6 + 0.4*shape)
			case strings.ContainsAny(c[:1], "sztchfj"):
				v = 0.05 * shape * rng.NormFloat64()
			case strings.ContainsAny(c[:1], "mbr"):
				v = 0.05 * math.Sin(phase)
			default:
				v = 0.03 * shape * math.Sin(2*phase)
			}
			x[i] = float32(v)
		}
	}
	return a
}
