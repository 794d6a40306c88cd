package speech

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/dsp/loudness"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
)

// Limits on the samples of a cloned voice.
const (
	MaxSamples       = 5
	MaxSampleBytes   = 10 << 20
	MinSampleSeconds = 1.0
	MaxSampleSeconds = 60.0
)

// sampleRate is what cloning models work with or above; more only costs space.
const sampleRate = 24000

// A SampleError says why a sample cannot be used. It is ErrSamples.
type SampleError struct {
	Reason string // size, unreadable, too_short, too_long, silent, not_speech, too_many, none
	Detail string // for people
	Cause  error  // for operators; may be nil
}

func (e *SampleError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("sample %s: %s: %v", e.Reason, e.Detail, e.Cause)
	}
	return fmt.Sprintf("sample %s: %s", e.Reason, e.Detail)
}

// Unwrap makes a SampleError an ErrSamples.
func (e *SampleError) Unwrap() error { return ErrSamples }

// A Sample is a recording of a voice, ready for cloning.
type Sample struct {
	WAV     []byte  // 16-bit mono at 24 kHz, −20 LUFS, silence at the ends removed
	Seconds float64 // of the WAV
}

// CheckCount reports whether n samples are a number that a profile may have.
func CheckCount(n int) error {
	switch {
	case n < 1:
		return &SampleError{Reason: "none", Detail: "at least one recording is needed"}
	case n > MaxSamples:
		return &SampleError{Reason: "too_many", Detail: fmt.Sprintf("at most %d recordings can be used", MaxSamples)}
	}
	return nil
}

// PrepareSample checks an uploaded recording and normalises it. WAV is read
// here; MP3, M4A, Ogg, FLAC and WebM by ffmpeg, named by what the file begins
// with. Refusals are a *SampleError; engines.ErrUnavailable when ffmpeg is
// needed and not installed.
func PrepareSample(ctx context.Context, data []byte) (Sample, error) {
	if len(data) > MaxSampleBytes {
		return Sample{}, &SampleError{Reason: "size", Detail: fmt.Sprintf("the recording has more than %d MB", MaxSampleBytes>>20)}
	}
	a, err := decodeSample(ctx, data)
	if err != nil {
		return Sample{}, err
	}
	if err := a.Check(); err != nil {
		return Sample{}, &SampleError{Reason: "unreadable", Detail: "the recording is damaged", Cause: err}
	}
	if a.Len() == 0 {
		return Sample{}, &SampleError{Reason: "too_short", Detail: "the recording is empty"}
	}
	length := float64(a.Len()) / float64(a.Rate)
	if err := checkLength(length); err != nil {
		return Sample{}, err
	}
	pcm, err := mono48(a)
	if err != nil {
		return Sample{}, &SampleError{Reason: "unreadable", Detail: "the recording cannot be converted", Cause: err}
	}
	pcm, err = speechOf(pcm)
	if err != nil {
		return Sample{}, err
	}
	return encodeSample(pcm)
}

func checkLength(sec float64) error {
	switch {
	case sec < MinSampleSeconds:
		return &SampleError{Reason: "too_short", Detail: fmt.Sprintf("the recording has %.1f s, at least %.0f s are needed", sec, MinSampleSeconds)}
	case sec > MaxSampleSeconds:
		return &SampleError{Reason: "too_long", Detail: fmt.Sprintf("the recording has more than %.0f s", MaxSampleSeconds)}
	}
	return nil
}

// encodeSample brings speech to its final form.
func encodeSample(pcm []float32) (Sample, error) {
	a, err := dsp.Resample(dsp.Audio{Rate: Rate, Ch: [][]float32{pcm}}, sampleRate)
	if err != nil {
		return Sample{}, fmt.Errorf("resample sample: %w", err)
	}
	a, _, err = loudness.Normalize(a, loudness.Target{LUFS: -20, TruePeak: -1, MaxGain: 30})
	if err != nil {
		return Sample{}, fmt.Errorf("normalise sample: %w", err)
	}
	var out bytes.Buffer
	if err := wav.Encode(&out, a, wav.PCM16); err != nil {
		return Sample{}, fmt.Errorf("encode sample: %w", err)
	}
	return Sample{WAV: out.Bytes(), Seconds: float64(a.Len()) / sampleRate}, nil
}

// decodeSample reads a recording of any supported kind, at most a little more
// than is allowed.
func decodeSample(ctx context.Context, data []byte) (dsp.Audio, error) {
	const most = int(MaxSampleSeconds) + 1
	if demuxer(data) == "wav" {
		r, err := wav.NewReader(bytes.NewReader(data))
		if err == nil {
			rate := r.Rate
			a, err := wav.Decode(bytes.NewReader(data), most*rate)
			if errors.Is(err, wav.ErrLimit) {
				return dsp.Audio{}, checkLength(MaxSampleSeconds + 1)
			}
			if err == nil {
				return a, nil
			}
		}
		return dsp.Audio{}, &SampleError{Reason: "unreadable", Detail: "the WAV file is damaged or of an unusual kind", Cause: err}
	}
	kind := demuxer(data)
	if kind == "" {
		return dsp.Audio{}, &SampleError{Reason: "unreadable", Detail: "the recording is not WAV, MP3, M4A, Ogg, FLAC or WebM"}
	}
	return decodeCompressed(ctx, kind, data, most)
}

// demuxer names ffmpeg's demuxer by the first bytes; nothing is left to guess to
// ffmpeg, which would also open playlists.
func demuxer(b []byte) string {
	begins := func(at int, magic string) bool {
		return len(b) >= at+len(magic) && string(b[at:at+len(magic)]) == magic
	}
	switch {
	case (begins(0, "RIFF") || begins(0, "RF64") || begins(0, "BW64")) && begins(8, "WAVE"):
		return "wav"
	case begins(0, "fLaC"):
		return "flac"
	case begins(0, "OggS"):
		return "ogg"
	case begins(4, "ftyp"):
		return "mov"
	case begins(0, "\x1a\x45\xdf\xa3"):
		return "matroska"
	case begins(0, "ID3"), len(b) > 1 && b[0] == 0xFF && b[1]&0xE6 == 0xE2:
		return "mp3"
	case len(b) > 1 && b[0] == 0xFF && b[1]&0xF6 == 0xF0:
		return "aac"
	}
	return ""
}

func decodeCompressed(ctx context.Context, kind string, data []byte, most int) (_ dsp.Audio, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "sample-")
	if err != nil {
		return dsp.Audio{}, fmt.Errorf("make directory for sample: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	in := filepath.Join(dir, "in") // M4A needs to seek
	if err := os.WriteFile(in, data, 0o600); err != nil {
		return dsp.Audio{}, fmt.Errorf("write sample: %w", err)
	}
	var out bytes.Buffer
	err = ffmpeg.Run(ctx, ffmpeg.Cmd{
		Name: "ffmpeg", Package: "ffmpeg", Memory: 2 << 30, CPU: 30 * time.Second, Stdout: &out,
		Args: []string{
			"-hide_banner", "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-f", kind, "-i", in,
			"-map", "0:a:0", "-t", fmt.Sprint(most), "-ac", "1", "-ar", fmt.Sprint(Rate), "-c:a", "pcm_f32le", "-f", "wav", "-fflags", "+bitexact", "pipe:1",
		},
	})
	if errors.Is(err, engines.ErrUnavailable) || ctx.Err() != nil {
		return dsp.Audio{}, err
	}
	if err != nil {
		return dsp.Audio{}, &SampleError{Reason: "unreadable", Detail: "the recording is damaged or has no sound", Cause: err}
	}
	a, err := wav.Decode(&out, (most+1)*Rate)
	if err != nil {
		return dsp.Audio{}, &SampleError{Reason: "unreadable", Detail: "the recording is damaged", Cause: err}
	}
	return a, nil
}

// What speech has and music, noise and hum have not, measured over 12 s of read
// speech by machines and of generated music: dips to less than 18 dB below the
// loud parts (speech 0.3 to 0.6 of the time, music below 0.1), a spread of level
// (7.4 dB and more against at most 5.3) and a spread of the balance of high and
// low frequencies, vowels against consonants (10 dB and more; noise and hum at
// most 5).
const (
	minDips   = 0.12
	minSwing  = 5.8
	minColour = 7.0
)

// speechOf returns mono PCM at Rate without the silence at its ends, or a
// *SampleError when it holds no speech.
func speechOf(pcm []float32) ([]float32, error) {
	fs, err := frames(pcm)
	if err != nil {
		return nil, &SampleError{Reason: "unreadable", Detail: "the recording cannot be analysed", Cause: err}
	}
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	if math.Sqrt(sum/float64(len(pcm))) < 0.001 {
		return nil, &SampleError{Reason: "silent", Detail: "the recording is silent"}
	}
	from, to := heard(fs, seconds(len(pcm)))
	if to-from < MinSampleSeconds/2 {
		return nil, &SampleError{Reason: "silent", Detail: "the recording is almost silent"}
	}
	lo, hi := int(from/frameSeconds), min(int(to/frameSeconds)+1, len(fs))
	if !likeSpeech(fs[lo:hi]) {
		return nil, &SampleError{Reason: "not_speech", Detail: "no clear speech is heard in the recording; music and noise must not be in it"}
	}
	a, b := sample(from-0.1, len(pcm)), sample(to+0.15, len(pcm))
	if err := checkLength(seconds(b - a)); err != nil {
		return nil, err
	}
	return pcm[a:b], nil
}

func likeSpeech(fs []frame) bool {
	level := make([]float64, len(fs))
	for i := range fs {
		level[i] = decibel(fs[i].band(60, 8000))
	}
	loud := quantile(level, 0.95)
	var active, balance []float64
	dips := 0.0
	for i := range fs {
		if level[i] < loud-18 {
			dips++
		}
		if level[i] > loud-30 {
			active = append(active, level[i])
			balance = append(balance, decibel(fs[i].band(2000, 8000))-decibel(fs[i].band(60, 1000)))
		}
	}
	return dips/float64(len(fs)) >= minDips && spread(active) >= minSwing && spread(balance) >= minColour
}

// spread is the standard deviation.
func spread(x []float64) float64 {
	mean, square := 0.0, 0.0
	for _, v := range x {
		mean += v
		square += v * v
	}
	n := float64(len(x))
	mean /= n
	return math.Sqrt(max(square/n-mean*mean, 0))
}
