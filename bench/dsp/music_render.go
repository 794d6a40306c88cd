package main

import (
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/videomsg/videomsg/dsp/loudness"
	"github.com/videomsg/videomsg/dsp/music"
)

// musicGroup times the rendering of every style and looks at the loop point;
// with a folder for pictures it leaves a spectrogram and the sound of each.
func musicGroup(b *bench) error {
	for _, style := range music.Styles() {
		var t music.Track
		cpu, err := fastest(3, func() (err error) {
			t, err = music.Loop(style, 42)
			return err
		})
		if err != nil {
			return err
		}
		b.goal("music_"+string(style)+"_loop_xrt", t.Audio.Duration().Seconds()/cpu, "≥100")
		s, err := loudness.Measure(t.Audio)
		if err != nil {
			return err
		}
		b.goal("music_"+string(style)+"_loudness_LUFS", s.Integrated, "-18±1.5")
		b.goal("music_"+string(style)+"_range_LU", s.Range, "1..8")
		b.goal("music_"+string(style)+"_seam_share", seamShare(t), "≤1.5")
		if b.png == "" {
			continue
		}
		img, err := spectrogram(t.Audio, t.Audio.Duration().Seconds())
		if err != nil {
			return err
		}
		if err := os.MkdirAll(b.png, 0o755); err != nil {
			return err
		}
		if err := writePNG(filepath.Join(b.png, "music-"+string(style)+".png"), img); err != nil {
			return err
		}
		if err := writeWAV(filepath.Join(b.png, "music-"+string(style)+".wav"), t.Audio); err != nil {
			return err
		}
	}
	cpu, err := fastest(1, func() error {
		_, err := music.Piece(music.Corporate, 1, 3*time.Minute)
		return err
	})
	if err != nil {
		return err
	}
	b.goal("music_piece_of_3_min_xrt", 180/cpu, "≥100")
	return nil
}

// seamShare is the largest second difference around the loop point relative to
// the largest around the bar starts within: 1 or less is no seam at all.
func seamShare(t music.Track) float64 {
	n := t.Audio.Len()
	worst := func(at int) float64 {
		m := 0.0
		for _, ch := range t.Audio.Ch {
			for i := at - 240; i < at+240; i++ {
				m = math.Max(m, math.Abs(float64(ch[(i+1+n)%n]-2*ch[(i+n)%n]+ch[(i-1+n)%n])))
			}
		}
		return m
	}
	most := 0.0
	for bar := 1; bar < t.Bars; bar++ {
		most = math.Max(most, worst(int(math.Round(float64(bar)*t.Bar))))
	}
	return worst(0) / most
}
