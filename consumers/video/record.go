package video

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/videomsg/videomsg/consumers"
	"github.com/videomsg/videomsg/consumers/video/provenance"
	"github.com/videomsg/videomsg/engines/avatar"
	"github.com/videomsg/videomsg/events"
)

// learned are the engines whose models were trained to generate.
var learned = []string{"d-id", "lipsync", "openvoice", "voicevox"}

// sign puts the signed record into the finished file and returns it.
func (s stage) sign(w consumers.Work, m material, engine string, v avatar.Video) ([]byte, error) {
	if s.conf.Key == nil {
		return nil, nil
	}
	req := w.Job.Request
	r := provenance.Record{
		Task: w.Task, Created: time.Now().UTC().Truncate(time.Second), Generator: s.conf.Generator, SourceType: provenance.Composite,
		Label: "off", Engines: map[string]string{Name: engine}, Inputs: map[string]string{},
		Consent: provenance.Consent{Declared: req.Consent, Profile: req.Profile},
		Output:  provenance.Output{Seconds: v.Seconds, Style: string(v.Style)},
	}
	if m.job.Label != "" {
		r.Label = string(m.job.Corner)
		if r.Label == "" {
			r.Label = string(avatar.BottomRight)
		}
	}
	for _, n := range w.Job.Notes {
		if n.Engine != "" {
			r.Engines[n.Stage] = n.Engine
		}
		if n.Credit != "" && !slices.Contains(r.Credits, n.Credit) {
			r.Credits = append(r.Credits, n.Credit)
		}
	}
	for _, e := range r.Engines {
		if slices.Contains(learned, e) {
			r.SourceType = provenance.Learned
		}
	}
	for _, name := range []string{events.BlobPortrait, events.BlobText, events.BlobAudio, events.BlobBackdrop, events.BlobMusic} {
		if b, ok := w.Job.Blobs[name]; ok {
			r.Inputs[name] = b.SHA256
		}
	}
	// What was asked for, without whose it is.
	var err error
	r.Parameters, err = json.Marshal(struct {
		Language string         `json:"language,omitempty"`
		Voice    string         `json:"voice,omitempty"`
		Prosody  events.Prosody `json:"prosody"`
		BGM      events.BGM     `json:"bgm"`
		Image    events.Image   `json:"image"`
		Video    events.Video   `json:"video"`
	}{req.Language, req.Voice, req.Prosody, req.BGM, req.Image, req.Video})
	if err != nil {
		return nil, fmt.Errorf("parameters of the record: %w", err)
	}
	record, err := provenance.Sign(v.Path, r, s.conf.Key)
	if err != nil {
		return nil, fmt.Errorf("sign video: %w", err)
	}
	return record, nil
}
