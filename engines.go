package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/videomsg/videomsg/dsp"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/engines/speech"
)

// openJTalk is the Japanese voice of this machine, with the files where the
// set-up puts them unless the environment says otherwise.
func openJTalk(c config) speech.OpenJTalk {
	voice := c.Speech.Voice
	if voice == "" {
		own := filepath.Join(c.DataDir, "voices", filepath.Base(speech.DebianVoice))
		if _, err := os.Stat(own); err == nil {
			voice = own
		}
	}
	return speech.OpenJTalk{Dictionary: c.Speech.Dictionary, Voice: voice}
}

// speakers is the chain of voices, best first.
func speakers(c config) engines.Chain[speech.Request, speech.Speech] {
	return engines.Chain[speech.Request, speech.Speech]{openJTalk(c).Engine(), (&speech.Espeak{}).Engine()}
}

// ownSpeech decodes speech that a client recorded itself. When each sound was
// said is not known; the mouth follows the loudness.
func ownSpeech(ctx context.Context, path string) (speech.Speech, error) {
	f, err := os.Open(path)
	if err != nil {
		return speech.Speech{}, err
	}
	defer f.Close() //nolint:errcheck // read only
	a, _, err := ffmpeg.DecodeAudio(ctx, f, ffmpeg.Limits{Bytes: 50_000_000, Duration: 300 * time.Second})
	if err != nil {
		return speech.Speech{}, err
	}
	if a, err = dsp.Resample(a.Mono(), speech.Rate); err != nil {
		return speech.Speech{}, fmt.Errorf("%w: %w", engines.ErrInput, err)
	}
	return speech.Speech{Audio: a, Timings: speech.Timings{SampleRate: speech.Rate, Source: speech.Approximate, Engine: "upload"}}, nil
}
