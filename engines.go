package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"time"

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

// speechEngines is every voice this installation has.
func speechEngines(c config, mayUse func(context.Context, string) error) speech.Config {
	return speech.Config{
		VoicevoxURL: c.Speech.VoicevoxURL, VoicevoxStyle: c.Speech.VoicevoxStyle, VoicevoxMaxCharacters: c.Speech.VoicevoxMax,
		OpenVoiceURL: c.Speech.OpenVoiceURL, OpenJTalk: openJTalk(c), HTTP: &http.Client{}, MayUse: mayUse,
	}
}

// ownSpeech decodes speech that a client recorded itself. When each sound was
// said is guessed from the sound.
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
	return speech.FromSound(a)
}
