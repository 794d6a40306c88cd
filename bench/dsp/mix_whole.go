package main

import (
	"fmt"
	"math"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/mix"
	"github.com/videomsg/videomsg/dsp/music"
)

// mixGroup times a whole mix (loop, levels, ducking, normalising, limiting) and
// checks what arrives.
func mixGroup(b *bench) error {
	voice := announcer(48000, 30*48000)
	track, err := music.Loop(music.Calm, 1)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name   string
		m      mix.Music
		change func(*mix.Plan)
	}{
		{"seamless", mix.Music{Sound: track.Audio.Source(), Seamless: true}, func(*mix.Plan) {}},
		{"crossfaded", mix.Music{Sound: first(track.Audio, 7).Source()}, func(*mix.Plan) {}},
		{"ducked", mix.Music{Sound: track.Audio.Source(), Seamless: true}, func(p *mix.Plan) { p.Duck = true }},
		{"accessible", mix.Music{Sound: track.Audio.Source(), Seamless: true}, func(p *mix.Plan) { p.Accessible = true }},
	} {
		p := mix.Default()
		c.change(&p)
		var out dsp.Audio
		var r mix.Report
		cpu, err := fastest(2, func() (err error) {
			out, r, err = mix.Mix(voice, c.m, p)
			return err
		})
		if err != nil {
			return err
		}
		b.goal("mix_"+c.name+"_xrt", out.Duration().Seconds()/cpu, "≥25")
		b.goal("mix_"+c.name+"_miss_LU", math.Abs(r.Out.After.Integrated-p.Target.LUFS), "≤0.05")
		b.goal("mix_"+c.name+"_over_ceiling_dB", peak16(out)-p.Target.TruePeak, "≤0.1")
		b.goal("mix_"+c.name+"_voice_over_music_LU", r.Voice.Integrated-r.MusicBefore.Integrated-r.MusicGain, map[bool]string{false: "14", true: "≥20"}[p.Accessible])
		// Without ducking the volume law alone decides, 14 LU on average.
		if p.Duck || p.Accessible {
			b.goal("mix_"+c.name+"_speech_to_music_p5_LU", r.SpeechToMusic, "≥12")
		} else {
			fmt.Fprintf(b.w, "#  mix_%s_speech_to_music_p5_LU: %.4g\n", c.name, r.SpeechToMusic)
		}
	}
	return nil
}

// first is the first seconds of a.
func first(a dsp.Audio, seconds int) dsp.Audio {
	out := dsp.Audio{Rate: a.Rate}
	for _, ch := range a.Ch {
		out.Ch = append(out.Ch, ch[:min(len(ch), seconds*a.Rate)])
	}
	return out
}
