package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/videomsg/videomsg/consumers/erase"
	"github.com/videomsg/videomsg/dsp/wav"
	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/cutout"
	"github.com/videomsg/videomsg/engines/speech"
	"github.com/videomsg/videomsg/gateway"
	"github.com/videomsg/videomsg/status"
)

// catalogue is the voices that can speak now, as the API shows them.
func (a *app) catalogue(ctx context.Context) ([]gateway.Voice, error) {
	voices, missing := a.studio.Voices(ctx)
	if len(voices) == 0 && len(missing) > 0 {
		return nil, missing[0].Err
	}
	out := make([]gateway.Voice, len(voices))
	for i, v := range voices {
		out[i] = gateway.Voice{ID: v.ID, Name: v.Name, Language: v.Language, Engine: v.Engine, Quality: string(v.Quality), Credit: v.Credit, Licence: v.Policy}
	}
	return out, nil
}

// checkVoice says whether a voice is in the catalogue.
func (a *app) checkVoice(ctx context.Context, id string) error {
	voices, missing := a.studio.Voices(ctx)
	if slices.ContainsFunc(voices, func(v speech.Voice) bool { return v.ID == id }) {
		return nil
	}
	// An engine that does not answer now may know it; the stage will see.
	for _, m := range missing {
		if engine, _, _ := strings.Cut(id, ":"); engine == m.Engine {
			return nil
		}
	}
	return gateway.ErrUnknown
}

// speakSample speaks text, or a sentence of the voice's own, as WAV.
func (a *app) speakSample(ctx context.Context, voice, text string, words []gateway.Word) ([]byte, error) {
	var sp speech.Speech
	var err error
	if text == "" {
		sp, err = a.studio.Preview(ctx, voice)
	} else {
		if err := a.checkVoice(ctx, voice); err != nil {
			return nil, err
		}
		lang := a.languageOf(ctx, voice)
		served, e := a.studio.Speak(ctx, speech.Request{Text: text, Language: lang, Voice: voice, Words: entries(words, lang)}, "")
		sp, err = served.Out, e
	}
	if errors.Is(err, speech.ErrVoice) {
		return nil, fmt.Errorf("%w: %w", gateway.ErrUnknown, err)
	}
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	err = wav.Encode(&buf, sp.Audio, wav.PCM16)
	return buf.Bytes(), err
}

func (a *app) languageOf(ctx context.Context, voice string) string {
	voices, _ := a.studio.Voices(ctx)
	for _, v := range voices {
		if v.ID == voice {
			return v.Language
		}
	}
	return ""
}

// checkEngine says whether a request may require an engine of a stage.
func (a *app) checkEngine(stage, engine string) error {
	for _, e := range a.engineTable() {
		if e.Stage != stage || !strings.EqualFold(e.Engine, engine) {
			continue
		}
		if !e.Configured {
			return errors.New("it is not set up on this service")
		}
		return nil
	}
	return gateway.ErrUnknown
}

// engineTable is every engine that could serve, in the order of each chain.
func (a *app) engineTable() []gateway.EngineState {
	var table []gateway.EngineState
	add := func(stage, engine string, configured bool, breaker *engines.Breaker) {
		table = append(table, gateway.EngineState{Stage: stage, Engine: engine, Configured: configured, Breaker: breaker.State()})
	}
	for _, name := range []string{"mcp", "sagemaker", "bedrock", "rembg", "onnx", "local", "original"} {
		i := slices.IndexFunc(a.removers, func(e cutout.Engine) bool { return e.Name == name })
		var b *engines.Breaker
		if i >= 0 {
			b = a.removers[i].Breaker
		}
		add("image", name, i >= 0, b)
	}
	add("voice", "openvoice", a.studio.OpenVoice() != nil, nil)
	add("voice", "voicevox", a.studio.Voicevox() != nil, nil)
	add("voice", "openjtalk", true, nil)
	add("voice", "espeak-ng", true, nil)
	add("prosody", "dsp", true, nil)
	add("bgm", "dsp", true, nil)
	var did, lipsync *engines.Breaker
	if a.avatars.did != nil {
		did = a.avatars.did.Engine().Breaker
	}
	if a.avatars.lipsync != nil {
		lipsync = a.avatars.lipsync.Engine().Breaker
	}
	add("video", "d-id", did != nil, did)
	add("video", "lipsync", lipsync != nil, lipsync)
	add("video", "portrait", true, nil)
	add("video", "still", true, nil)
	return table
}

// engineStates is the table with what was found just now.
func (a *app) engineStates(ctx context.Context) []gateway.EngineState {
	table := a.engineTable()
	h := a.health(ctx)
	for i, e := range table {
		found, ok := h.Services[e.Stage].Engines[e.Engine]
		switch {
		case ok:
			table[i].Status, table[i].Reason = found.Status, found.Reason
		case !e.Configured:
			table[i].Status = "off"
		case e.Breaker == "open":
			table[i].Status = "unavailable"
		default:
			table[i].Status = "healthy"
		}
	}
	return table
}

// eraser removes what is kept of tasks.
func (a *app) eraser() *erase.Eraser {
	outside := slices.Concat(a.avatars.erase(), a.shadows.erase())
	return &erase.Eraser{Log: a.log, JS: a.broker.JS, Events: a.broker.Events, Blobs: a.blobs, Stages: a.stageNames(), Outside: outside}
}

func (a *app) stageNames() []string {
	names := make([]string, len(a.stages))
	for i, s := range a.stages {
		names[i] = s.Name
	}
	return names
}

func (a *app) erase(ctx context.Context, t status.Task) error { return a.eraser().Task(ctx, t.ID) }
