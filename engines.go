package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/videomsg/videomsg/engines/cutout"
	"github.com/videomsg/videomsg/engines/ffmpeg"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/gateway"
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

// mattingEngines is the removing and the refining chain. Amazon's services are
// looked for only when one of them is to be used; without credentials they are
// left out.
func mattingEngines(ctx context.Context, log *slog.Logger, c config) (remove, refine cutout.Chain, err error) {
	if c.Cutout.SageMaker != "" || c.Cutout.SageMakerRefine != "" || c.Cutout.BedrockModel != "" {
		if cfg, err := cutout.LoadAWS(ctx, c.Storage.Region); err == nil {
			c.Cutout.AWS = &cfg
		} else {
			log.WarnContext(ctx, "matting goes without Amazon's services", "err", err)
		}
	}
	c.Cutout.Client = &http.Client{}
	remove, refine, err = c.Cutout.Chains()
	if err != nil {
		err = fmt.Errorf("matting engines: %w", err)
	}
	return remove, refine, err
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

type enginesCmd struct{}

// Run prints every engine in the order in which it is tried, with its health.
func (enginesCmd) Run(e *env) error {
	conf, err := loadConfig(e.getenv)
	if err != nil {
		return err
	}
	a, err := open(e.ctx, slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), conf)
	if err != nil {
		return fmt.Errorf("%w (a running service shows its engines at /api/admin/engines)", err)
	}
	defer a.close()
	printEngines(e.stdout, a.engineStates(e.ctx))
	return nil
}

func printEngines(w io.Writer, table []gateway.EngineState) {
	stage := ""
	for _, s := range table {
		if s.Stage != stage {
			stage = s.Stage
			fmt.Fprintln(w, stage)
		}
		fmt.Fprintf(w, "  %-10s %-11s breaker %-9s %s\n", s.Engine, s.Status, s.Breaker, s.Reason)
	}
}
