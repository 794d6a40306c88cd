package speechtest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// hear remembers what is sung.
func (v *Voicevox) hear(phrases []phrase) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sung = nil
	for _, p := range phrases {
		var s strings.Builder
		for _, m := range p.Moras {
			fmt.Fprintf(&s, "%s %.1f ", m.Text, m.Pitch)
		}
		v.sung = append(v.sung, strings.TrimSpace(s.String()))
	}
}

// synthesis makes the sound of a query: sil, then each phoneme for its frames of
// 256 samples at 24 kHz, then sil.
func (v *Voicevox) synthesis(w http.ResponseWriter, r *http.Request) {
	if !v.style(w, r) {
		return
	}
	var q struct {
		Phrases []phrase `json:"accent_phrases"`
		Speed   float64  `json:"speedScale"`
		Volume  float64  `json:"volumeScale"`
		Pre     float64  `json:"prePhonemeLength"`
		Post    float64  `json:"postPhonemeLength"`
		Pause   *float64 `json:"pauseLength"`
		Scale   *float64 `json:"pauseLengthScale"`
		Rate    int      `json:"outputSamplingRate"`
		Stereo  bool     `json:"outputStereo"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Phrases == nil || q.Speed <= 0 {
		missing(w, "body", "accent_phrases")
		return
	}
	v.hear(q.Phrases)
	if len(q.Phrases) == 0 {
		detail(w, 500, "Internal Server Error")
		return
	}
	upspeak := r.URL.Query().Get("enable_interrogative_upspeak") != "false"
	var s sound
	frames := func(sec float64) int { return halfEven(sec / q.Speed * 93.75) }
	s.add("sil", frames(q.Pre))
	for _, p := range q.Phrases {
		for _, m := range p.Moras {
			if v.Aivis {
				s.add(m.Vowel, 9)
				continue
			}
			if m.Consonant != nil {
				s.add(*m.Consonant, frames(*m.ConsonantLength))
			}
			s.add(m.Vowel, frames(m.VowelLength))
		}
		if last := p.Moras[len(p.Moras)-1]; upspeak && p.Interrogative && last.Pitch > 0 {
			s.add(last.Vowel, frames(0.15))
		}
		if p.PauseMora != nil {
			l := p.PauseMora.VowelLength
			if q.Pause != nil {
				l = *q.Pause
			}
			if q.Scale != nil {
				l *= *q.Scale
			}
			if v.Aivis {
				l = 0.3
			}
			s.add("pau", frames(l))
		}
	}
	s.add("sil", frames(q.Post))
	pcm := s.pcm
	rate := 24000
	if want := max(q.Rate, v.Rate); want != rate && want > 0 {
		pcm, rate = hold(pcm, rate, want), want
	}
	channels := 1
	if q.Stereo {
		channels = 2
	}
	body := WAV(pcm, rate, channels, q.Volume)
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may be gone: nothing to do
}

// A sound grows phoneme by phoneme.
type sound struct {
	pcm   []float64
	noise uint32
}

func (s *sound) add(p string, frames int) {
	for i := range frames * 256 {
		t := float64(i) / 24000
		v := 0.0
		switch p {
		case "sil", "pau", "cl":
		case "a", "i", "u", "e", "o", "N":
			f := map[string]float64{"a": 800, "i": 300, "u": 350, "e": 500, "o": 450, "N": 250}[p]
			v = 0.4*math.Sin(2*math.Pi*f*t) + 0.1*math.Sin(2*math.Pi*2.5*f*t)
		default:
			s.noise = s.noise*1664525 + 1013904223
			v = 0.08 * (float64(s.noise>>8)/(1<<23) - 1)
		}
		s.pcm = append(s.pcm, v)
	}
}

// hold changes the rate by repeating samples: crude, and long enough.
func hold(in []float64, from, to int) []float64 {
	out := make([]float64, len(in)*to/from)
	for i := range out {
		out[i] = in[min(i*from/to, len(in)-1)]
	}
	return out
}

// WAV is a 16-bit RIFF file of mono samples, repeated on every channel.
func WAV(pcm []float64, rate, channels int, volume float64) []byte {
	size := len(pcm) * 2 * channels
	b := make([]byte, 0, 44+size)
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(36+size))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*2*channels))
	b = binary.LittleEndian.AppendUint16(b, uint16(2*channels))
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	for _, v := range pcm {
		s := int16(math.Max(-1, math.Min(1, v*volume)) * 32767)
		for range channels {
			b = binary.LittleEndian.AppendUint16(b, uint16(s))
		}
	}
	return b
}
