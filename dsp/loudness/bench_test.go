package loudness_test

import (
	"testing"

	"github.com/videomsg/videomsg/dsp/loudness"
)

func BenchmarkMeasureSpeech(b *testing.B) {
	a := stereo(48000, speech(48000, 20, 1).Ch[0])
	for b.Loop() {
		if _, err := loudness.Measure(a); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20*float64(b.N)/b.Elapsed().Seconds(), "×rt")
}

func BenchmarkMeasureNoise(b *testing.B) {
	a := noise(48000, 20*48000, 0.2)
	for b.Loop() {
		if _, err := loudness.Measure(a); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20*float64(b.N)/b.Elapsed().Seconds(), "×rt")
}

func BenchmarkNormalizeLimited(b *testing.B) {
	a := stereo(48000, speech(48000, 20, 1).Ch[0])
	t := loudness.Target{LUFS: -11, TruePeak: -1, MaxGain: 40}
	for b.Loop() {
		if _, _, err := loudness.Normalize(a, t); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20*float64(b.N)/b.Elapsed().Seconds(), "×rt")
}
